"""Slices that stand still: pause, unpause, and what else may be asked of a paused slice."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from node import Node, Refused, slice_args


@pytest.fixture
def slice_id(node: Node, small: dict[str, Any]) -> str:
    made = str(uuid.uuid4())
    node.do("slice.provision", made, **slice_args(small))
    return made


def refused(node: Node, op: str, slice_id: str, **args: Any) -> str:
    with pytest.raises(Refused) as caught:
        node.do(op, slice_id, **args)
    return caught.value.code


def domain_state(node: Node, slice_id: str) -> str:
    return str(node.domains()[slice_id]["state"])


def test_pause_and_unpause(node: Node, slice_id: str) -> None:
    domain = node.domains()[slice_id]["domain_id"]
    result = node.do("slice.pause", slice_id)
    assert result["slice"]["state"] == "paused" and result["slice"]["desired"] == "running"
    assert domain_state(node, slice_id) == "paused" and node.state(slice_id) == "paused"
    points = node.points()
    node.do("slice.pause", slice_id)
    assert node.points() == points, "what is so already does nothing"
    assert node.do("slice.unpause", slice_id)["slice"]["state"] == "running"
    assert node.domains()[slice_id] | {"state": "running"} == node.domains()[slice_id]
    assert node.domains()[slice_id]["domain_id"] == domain
    points = node.points()
    node.do("slice.unpause", slice_id)
    assert node.points() == points


def test_paused_slice_outlives_the_agent_and_keeps_its_memory(node: Node, slice_id: str,
                                                              small: dict[str, Any]) -> None:
    node.settings(memory_mib=134 * 2 - 1)
    node.do("slice.pause", slice_id)
    points = node.points()
    node.kill()
    node.start()
    node.idle()
    assert node.state(slice_id) == "paused" and domain_state(node, slice_id) == "paused"
    assert node.points() == points
    assert refused(node, "slice.provision", str(uuid.uuid4()),
                   **slice_args(small)) == "insufficient_memory"
    node.do("slice.unpause", slice_id)


def test_paused_from_outside_is_seen(node: Node, slice_id: str) -> None:
    path = node.sim / "domains" / slice_id
    for state in ("paused", "running"):
        part = node.sim / "part"
        part.write_text(json.dumps(node.domains()[slice_id] | {"state": state}))
        part.rename(path)
        node.wait_state(slice_id, state)


def test_paused_slice_is_started_after_a_boot(node: Node, slice_id: str) -> None:
    node.do("slice.pause", slice_id)
    node.power_cut()
    node.start()
    node.wait_state(slice_id, "running")
    assert domain_state(node, slice_id) == "running"


def test_everything_else_from_paused(node: Node, slice_id: str) -> None:
    domain = node.domains()[slice_id]["domain_id"]
    node.do("slice.pause", slice_id)
    node.do("slice.start", slice_id)
    assert node.state(slice_id) == "running"
    assert node.domains()[slice_id]["domain_id"] == domain, "it goes on, it is not started anew"

    snapshot = str(uuid.uuid4())
    node.do("slice.pause", slice_id)
    node.do("snapshot.create", slice_id, snapshot=snapshot, name="still")
    assert node.state(slice_id) == "paused" and domain_state(node, slice_id) == "paused"
    assert refused(node, "snapshot.revert", slice_id, snapshot=snapshot) == "slice_running"
    node.do("snapshot.revert", slice_id, snapshot=snapshot, restart=True)
    assert node.state(slice_id) == "running"

    node.do("slice.pause", slice_id)
    node.do("slice.reboot", slice_id)
    assert node.state(slice_id) == "running" and domain_state(node, slice_id) == "running"

    node.do("slice.pause", slice_id)
    result = node.do("slice.stop", slice_id, timeout_seconds=20)
    assert result["forced"] is False, "it was asked, which it could not have heard while paused"
    node.do("slice.start", slice_id)
    node.do("slice.pause", slice_id)
    node.do("slice.stop", slice_id, force=True)
    assert node.state(slice_id) == "stopped" and node.domains() == {}
    node.do("slice.start", slice_id)
    node.do("slice.pause", slice_id)
    node.do("slice.terminate", slice_id)
    assert node.domains() == {} and len(node.volumes()) == 1


def test_bad_input(node: Node, slice_id: str) -> None:
    assert refused(node, "slice.pause", str(uuid.uuid4())) == "slice_not_found"
    assert refused(node, "slice.pause", slice_id, force=True) == "unknown_field"
    assert refused(node, "slice.unpause", slice_id, now=1) == "unknown_field"
    node.do("slice.stop", slice_id)
    for op in ("slice.pause", "slice.unpause"):
        assert refused(node, op, slice_id) == "slice_state"
        assert node.state(slice_id) == "stopped"
    node.do("slice.start", slice_id)
    # In order of arrival, whatever comes twice or out of order.
    ops = ("slice.unpause", "slice.pause", "slice.pause", "slice.unpause", "slice.pause")
    requests = [node.submit(op, slice_id) for op in ops]
    assert [node.wait(request)["phase"] for request in requests] == ["done"] * len(ops)
    assert node.state(slice_id) == "paused"
    assert node.call("slice.unpause", id=requests[0], slice=slice_id, args={})["known"] is True
    node.idle()
    assert node.state(slice_id) == "paused"


@pytest.mark.parametrize("op, call, before", [("slice.pause", "domain_pause", "running"),
                                              ("slice.unpause", "domain_unpause", "paused")])
def test_what_fails_is_undone(node: Node, slice_id: str, op: str, call: str, before: str) -> None:
    if before == "paused":
        node.do("slice.pause", slice_id)
    node.settings(fail=[{"call": call, "nth": 1, "times": 9, "code": "hypervisor_error"}])
    assert refused(node, op, slice_id) == "hypervisor_error"
    node.settings()
    assert node.state(slice_id) == before and domain_state(node, slice_id) == before


def test_slicectl(node: Node, slice_id: str) -> None:
    assert node.slicectl("pause", slice_id).returncode == 0
    assert "paused" in node.slicectl("show", slice_id).stdout
    assert node.slicectl("unpause", slice_id).returncode == 0
    assert "running" in node.slicectl("show", slice_id).stdout
