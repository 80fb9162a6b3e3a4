"""Events are kept once each and in order, and the view follows what nodes say."""

import uuid
from pathlib import Path
from typing import Any

import pytest
from rig import Controller, FakeNode, enrolled, event, example_of
from slicenode_controller.state import events, requests, view

PROBLEM = {"code": "no_disk", "message": "no disk"}


@pytest.fixture
def node(controller: Controller, tmp_path: Path) -> FakeNode:
    return enrolled(controller, tmp_path)


def stored(controller: Controller, node: FakeNode) -> list[int]:
    rows = controller.store.all("SELECT seq FROM events WHERE node = ? ORDER BY id", node.id)
    return [row["seq"] for row in rows]


def note(seq: int, message: str = "no disk") -> dict[str, Any]:
    return {**event(seq, "node.problem", error={"code": "no_disk", "message": message}),
            "time": "2026-01-02T03:04:05Z"}  # fmt: skip


def test_events_are_stored_once(controller: Controller, node: FakeNode) -> None:
    assert node.events(note(1), note(2)).body == {"acknowledged": 2}
    assert node.events(note(1), note(2), note(3)).body == {"acknowledged": 3}
    assert stored(controller, node) == [1, 2, 3]
    assert node.register().body["acknowledged"] == 3


def test_gap_holds_the_acknowledgement_until_it_is_filled(
    controller: Controller, node: FakeNode
) -> None:
    assert node.events(note(1)).body == {"acknowledged": 1}
    assert node.events(note(3), note(4)).body == {"acknowledged": 1}
    assert node.events(note(2)).body == {"acknowledged": 4}
    assert stored(controller, node) == [1, 3, 4, 2]
    assert any("/events: starts with 3" in line for line in controller.violations())


def test_gap_that_the_node_cannot_fill_is_given_up(node: FakeNode) -> None:
    assert node.events(note(7), note(8)).body == {"acknowledged": 0}
    assert node.events(note(7), note(8), note(9)).body == {"acknowledged": 9}


def test_number_used_for_another_event_is_a_violation(
    controller: Controller, node: FakeNode
) -> None:
    node.events(note(1, "first"))
    assert node.events(note(1, "second")).body == {"acknowledged": 1}
    assert "node reportEvents /events: number 1 was another event before" in (
        controller.violations()
    )
    row = events.find(controller.store, node.id, 1)
    assert row is not None and "first" in row["body"]


def test_bad_event_keeps_the_whole_batch_out(controller: Controller, node: FakeNode) -> None:
    answer = node.events(note(1), {**note(2), "step": 3})
    assert answer.status == 400 and answer.message.startswith("/events/1/step")
    answer = node.events({**note(1), "seq": 10**30})
    assert answer.status == 400 and answer.message.startswith("/events/0/seq")
    answer = node.events({**note(1), "type": "node.joke"})
    assert answer.status == 400 and answer.message.startswith("/events/0/type")
    assert stored(controller, node) == []
    assert node.events().status == 400


def test_largest_batch(node: FakeNode) -> None:
    batch = [note(seq) for seq in range(1, 257)]
    assert node.events(*batch).body == {"acknowledged": 256}
    assert node.events(*batch, note(257)).status == 400


def test_request_follows_its_events(controller: Controller, node: FakeNode) -> None:
    asked = requests.add(controller.store, node.id, "node.report", None, {})
    seen = []
    told: list[tuple[str, dict[str, Any]]] = [
        ("request.accepted", {}),
        ("request.step", {"step": "look"}),
        ("request.progress", {"step": "look", "progress": 40}),
        ("request.failed", {"error": PROBLEM}),
        ("request.progress", {"step": "late", "progress": 41}),
        ("request.done", {"result": None}),
    ]
    for kind, fields in told:
        assert node.events(node.event(kind, request=asked, **fields)).status == 200
        row = requests.find(controller.store, asked)
        assert row is not None
        seen.append((row["state"], row["step"], row["progress"]))
    assert seen == [
        ("accepted", None, None), ("running", "look", None), ("running", "look", 40),
        ("failed", "look", 40), ("failed", "look", 40), ("failed", "look", 40),
    ]  # fmt: skip


def test_result_is_checked_against_the_operation(controller: Controller, node: FakeNode) -> None:
    slice_id = str(uuid.uuid4())
    asked = requests.add(controller.store, node.id, "slice.console", slice_id, {})
    node.events(node.event("request.done", request=asked, result={"text": "x"}))
    lines = [line for line in controller.violations() if "result of slice.console" in line]
    assert any("must have 'console'" in line for line in lines)
    # Sent again and again it would never be accepted: it is noted and taken.
    row = requests.find(controller.store, asked)
    assert row is not None and row["state"] == "done"


def test_another_nodes_request_is_out_of_reach(controller: Controller, tmp_path: Path) -> None:
    owner, other = enrolled(controller, tmp_path / "a"), enrolled(controller, tmp_path / "b")
    asked = requests.add(controller.store, owner.id, "node.report", None, {})
    assert other.events(other.event("request.done", request=asked)).status == 200
    row = requests.find(controller.store, asked)
    assert row is not None and row["state"] == "queued"


# Slices


def slice_said(**changes: Any) -> dict[str, Any]:
    example = example_of("/v1/nodes/{node_id}", "put")["slices"][0]
    return {**example, "id": str(uuid.uuid4()), **changes}


def row_of(controller: Controller, slice_id: str) -> Any:
    row = view.find_slice(controller.store, slice_id)
    assert row is not None
    return row


def state_of(controller: Controller, slice_id: str) -> tuple[str, bool]:
    row = row_of(controller, slice_id)
    return row["state"], bool(row["present"])


def test_registration_is_the_whole_truth(controller: Controller, node: FakeNode) -> None:
    one, two, three = slice_said(), slice_said(state="stopped"), slice_said(state="terminating")
    node.register(slices=[one, two, three])
    assert state_of(controller, one["id"]) == ("running", True)
    node.register(slices=[two])
    assert state_of(controller, one["id"]) == ("lost", False)
    assert state_of(controller, two["id"]) == ("stopped", True)
    assert state_of(controller, three["id"]) == ("terminated", False)
    node.register(slices=[one])
    assert state_of(controller, one["id"]) == ("running", True)


def provision(controller: Controller, node: FakeNode) -> tuple[str, str]:
    slice_id = str(uuid.uuid4())
    args = {"name": "web1", "image": {"id": str(uuid.uuid4())}, "vcpus": 1, "memory_mib": 64,
            "disk_gib": 1}  # fmt: skip
    view.slice_requested(controller.store, node.id, slice_id, args)
    asked = requests.add(controller.store, node.id, "slice.provision", slice_id, args)
    return slice_id, asked


def test_refused_provision_leaves_no_slice(controller: Controller, node: FakeNode) -> None:
    slice_id, asked = provision(controller, node)
    node.register(slices=[])
    assert state_of(controller, slice_id) == ("requested", True)
    error = {"code": "insufficient_memory", "message": "too little"}
    node.events(node.event("request.failed", request=asked, slice=slice_id, error=error))
    assert state_of(controller, slice_id) == ("refused", False)


def test_slice_that_did_not_boot_stays_to_be_looked_at(
    controller: Controller, node: FakeNode
) -> None:
    slice_id, asked = provision(controller, node)
    error = {"code": "image_not_bootable", "message": "no loader", "console": "grub>"}
    failed = {"state": "failed", "desired": "running", "reason": "boot"}
    node.events(
        node.event("slice.state", slice=slice_id, request=asked, result=failed, error=error),
        node.event("request.failed", request=asked, slice=slice_id, error=error),
    )
    assert state_of(controller, slice_id) == ("failed", True)
    assert controller.json("slices", "show", slice_id)["error"]["console"] == "grub>"


def test_heartbeat_does_not_overtake_a_newer_event(
    controller: Controller, node: FakeNode
) -> None:
    one = slice_said(state="stopped")
    node.register(slices=[one])
    status = example_of("/v1/nodes/{node_id}/status", "put")
    usage = {**status["slices"][0], "id": one["id"], "cpu_ms": 77}
    old: dict[str, Any] = {**status, "slices": [usage]}
    assert node.node_call("PUT", "/status", old).body == {}
    assert state_of(controller, one["id"])[0] == "stopped"
    assert controller.json("slices", "show", one["id"])["usage"]["cpu_ms"] == 77
    new = {**old, "time": "2999-01-01T00:00:00Z"}
    node.node_call("PUT", "/status", new)
    assert state_of(controller, one["id"])[0] == "running"


def test_slice_of_another_node_is_out_of_a_heartbeats_reach(
    controller: Controller, node: FakeNode, tmp_path: Path
) -> None:
    other = enrolled(controller, tmp_path / "other")
    one = slice_said(state="stopped")
    node.register(slices=[one])
    status = example_of("/v1/nodes/{node_id}/status", "put")
    usage = {**status["slices"][0], "id": one["id"], "state": "running"}
    said: dict[str, Any] = {**status, "time": "2999-01-01T00:00:00Z", "slices": [usage]}
    assert other.node_call("PUT", "/status", said).status == 200
    assert state_of(controller, one["id"])[0] == "stopped"
