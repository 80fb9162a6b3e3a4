"""The backend fails for longer than a few tries: nothing is forgotten, and the way back is short."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from audit import Store, audit
from node import Node, Refused, slice_args
from waiting import wait_until


def failing(call: str, **more: Any) -> dict[str, Any]:
    return {"fail": [{"call": call, "code": "storage_error", "message": "out of order", **more}]}


def provision(node: Node, image: dict[str, Any]) -> str:
    slice_id = str(uuid.uuid4())
    node.do("slice.provision", slice_id, **slice_args(image))
    return slice_id


def test_undoing_goes_on_until_it_succeeds(node: Node, small: dict[str, Any]) -> None:
    """Until then the request is open and what it holds is reserved, also over a restart."""
    node.do("image.fetch", **small)
    free = node.call("node.status")["capacity"]["disk_free_mib"]
    node.settings(fail=[{"call": call, "code": "storage_error"}
                        for call in ("domain_start", "deactivate")])
    request = node.submit("slice.provision", str(uuid.uuid4()), **slice_args(small))
    wait_until(lambda: "cannot undo seed.write" in node.log(), "undoing fails")
    wait_until(lambda: [event for event in Store(node).events
                        if event["type"] == "node.problem" and event["request"] == request],
               "the controller will know")
    node.kill()
    node.start()
    assert node.call("request.show", id=request)["phase"] == "undoing"
    assert node.call("node.status")["capacity"]["disk_free_mib"] <= free - 1024
    node.settings()
    assert node.wait(request)["phase"] == "failed"
    node.idle()
    audit(node)
    assert len(node.volumes()) == 1, "the image"


def test_disk_that_a_revert_cannot_remove(node: Node, small: dict[str, Any]) -> None:
    """It stays visible, as a snapshot, and its space is counted."""
    slice_id, snapshot = provision(node, small), str(uuid.uuid4())
    node.do("snapshot.create", slice_id, snapshot=snapshot, name="s")
    node.settings(**failing("remove"))
    request = node.submit("snapshot.revert", slice_id, snapshot=snapshot, restart=True)
    assert node.wait(request)["error"]["code"] == "storage_error"
    node.settings()
    left = {item["name"]: item["id"] for item in node.slices()[slice_id]["snapshots"]}
    assert left == {"s": snapshot, "before-revert": request}
    audit(node)
    node.do("slice.start", slice_id)
    node.do("snapshot.delete", slice_id, snapshot=request)
    audit(node)
    node.do("slice.terminate", slice_id)
    assert len(node.volumes()) == 1


@pytest.mark.parametrize("call", ["domain_destroy", "deactivate", "remove"])
@pytest.mark.parametrize("op", ["slice.terminate", "slice.stop", "slice.reboot"])
def test_what_fails_can_be_asked_again(make_node: Callable[..., Node], small: dict[str, Any],
                                       op: str, call: str) -> None:
    node = make_node()
    node.start()
    slice_id = provision(node, small)
    node.settings(**failing(call))
    args = {} if op == "slice.terminate" else {"force": True}
    try:
        node.do(op, slice_id, **args)
    except Refused as refused:
        assert refused.code == "storage_error" and "out of order" in refused.message
    node.settings()
    node.idle()
    node.do("slice.terminate", slice_id)
    node.idle()
    assert audit(node).slices == {} and len(node.volumes()) == 1
