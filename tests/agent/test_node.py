"""The node itself: drained for maintenance, rebooted from afar."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from images import Images
from node import Node, Refused, slice_args
from waiting import wait_until


def provision(node: Node, image: dict[str, Any]) -> str:
    slice_id = str(uuid.uuid4())
    node.do("slice.provision", slice_id, **slice_args(image))
    return slice_id


def test_a_drained_node_takes_no_new_work(node: Node, images: Images, small: dict[str, Any]) -> None:
    kept = provision(node, small)
    assert node.do("node.drain") == {"state": "draining", "slices": 1, "running": 1}
    assert node.call("node.status")["state"] == "draining"
    with pytest.raises(Refused, match="node.drain with drain false") as refused:
        provision(node, small)
    assert refused.value.code == "node_draining"
    with pytest.raises(Refused) as refused:
        node.do("image.fetch", **images.add(b"another"))
    assert refused.value.code == "node_draining"
    assert node.state(kept) == "running" and len(node.slices()) == 1

    node.do("slice.reboot", kept, force=True)
    snapshot = str(uuid.uuid4())
    node.do("snapshot.create", kept, snapshot=snapshot, name="before")
    node.do("snapshot.delete", kept, snapshot=snapshot)

    node.power_cut()
    node.start()
    assert node.call("node.status")["state"] == "draining"
    wait_until(lambda: node.state(kept) == "running", "the slice of a drained node starts at boot")
    node.idle()
    node.do("slice.terminate", kept)
    assert node.do("node.drain", drain=False) == {"state": "ready", "slices": 0, "running": 0}
    provision(node, small)


@pytest.mark.parametrize(("operation", "arguments"), [
    ("node.drain", {"drain": "yes"}), ("node.drain", {"stop": True}), ("node.reboot", {"force": True})])
def test_arguments_that_are_none(node: Node, operation: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(Refused) as refused:
        node.do(operation, **arguments)
    assert refused.value.code in ("invalid_argument", "unknown_field")
    assert not (node.sim / "reboot").exists()
    assert node.call("node.status")["state"] == "ready"


def asked(node: Node) -> bool:
    return (node.sim / "reboot").exists()


def test_reboot_is_done_when_the_machine_is_back(node: Node, small: dict[str, Any]) -> None:
    slice_id = provision(node, small)
    request = node.submit("node.reboot")
    wait_until(lambda: asked(node), "the machine is asked to reboot")

    # An agent that only restarts asks again.
    (node.sim / "reboot").unlink()
    node.kill()
    node.start()
    wait_until(lambda: asked(node), "the machine is asked again")
    assert node.call("request.show", id=request)["phase"] == "running"

    # The shutdown does not wait for the request that caused it.
    node.call("node.shutdown")
    assert node.domains() == {}
    node.power_cut()
    node.start()
    ended = node.wait(request)
    assert ended["phase"] == "done", ended
    boot_id = (node.folder / "proc/sys/kernel/random/boot_id").read_text().strip()
    assert ended["result"] == {"boot_id": boot_id}
    wait_until(lambda: node.state(slice_id) == "running", "the slice runs again")

    (node.sim / "reboot").unlink()
    node.idle()
    node.stop()
    node.start()
    node.idle()
    assert not asked(node), "once is enough"


def test_reboot_that_fails_is_told(node: Node) -> None:
    node.settings(fail=[{"call": "reboot", "code": "internal", "message": "no init"}])
    ended = node.wait(node.submit("node.reboot"))
    assert ended["phase"] == "failed" and ended["error"]["message"] == "no init"
