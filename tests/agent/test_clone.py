"""Slices made from a snapshot."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from node import Node, Refused, slice_args
from waiting import wait_until


@pytest.fixture
def taken(node: Node, small: dict[str, Any]) -> tuple[str, str]:
    """A slice that runs, and its snapshot."""
    slice_id, snapshot = str(uuid.uuid4()), str(uuid.uuid4())
    node.do("slice.provision", slice_id, **slice_args(small))
    with node.disk(slice_id).open("r+b") as disk:
        disk.write(b"BOOTS!SNAPSHOT")
    node.do("snapshot.create", slice_id, snapshot=snapshot, name="base")
    with node.disk(slice_id).open("r+b") as disk:
        disk.write(b"BOOTS!ORIGINAL")
    return slice_id, snapshot


def clone_args(source: str, **changes: Any) -> dict[str, Any]:
    args = slice_args({}, **{"name": "copy", "snapshot": source})
    del args["image"]
    return {key: value for key, value in {**args, **changes}.items() if value is not None}


def refused(node: Node, op: str, slice_id: str, **args: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        node.do(op, slice_id, **args)
    return caught.value


def test_clone_is_independent(node: Node, taken: tuple[str, str]) -> None:
    original, snapshot = taken
    copy = str(uuid.uuid4())
    result = node.do("slice.provision", copy,
                     **clone_args(snapshot, disk_gib=3, cloud_init={"hostname": "second"}))
    made = result["slice"]
    assert (made["state"], made["image"], made["snapshot"]) == ("running", None, snapshot)
    assert node.disk(copy).read_bytes()[:14] == b"BOOTS!SNAPSHOT"
    assert node.disk(copy).stat().st_size == 3 << 30
    seed = (node.sim / "active" / f"seed-{copy}").read_bytes()
    assert b"second" in seed and copy.encode() in seed and original.encode() not in seed

    node.do("slice.terminate", original)
    assert len(node.volumes()) == 3, "the image, and the clone's disk and seed"
    node.do("slice.stop", copy)
    node.do("slice.start", copy)
    assert node.disk(copy).read_bytes()[:14] == b"BOOTS!SNAPSHOT"
    node.stop()
    node.start()
    assert node.slices()[copy]["snapshot"] == snapshot
    node.do("slice.terminate", copy)
    assert len(node.volumes()) == 1


def test_bad_input(node: Node, taken: tuple[str, str], small: dict[str, Any]) -> None:
    original, snapshot = taken
    before = node.volumes()
    new = str(uuid.uuid4())
    assert refused(node, "slice.provision", new,
                   **clone_args(str(uuid.uuid4()))).code == "snapshot_not_found"
    assert refused(node, "slice.provision", new, **clone_args("nonsense")).code == "invalid_argument"
    error = refused(node, "slice.provision", new, **clone_args(snapshot, image=small))
    assert error.code == "invalid_argument" and "exclude" in error.message
    error = refused(node, "slice.provision", new, **clone_args(snapshot, snapshot=None))
    assert error.code == "invalid_argument" and "image is missing" in error.message
    assert refused(node, "slice.provision", original,
                   **clone_args(snapshot)).code == "slice_exists"

    large = str(uuid.uuid4())
    node.do("slice.provision", large, **slice_args(small, disk_gib=2, desired="stopped"))
    node.do("snapshot.create", large, snapshot=large, name="large")
    error = refused(node, "slice.provision", new, **clone_args(large))
    assert error.code == "invalid_argument" and "2048 MiB" in error.message
    node.settings(pool_mib=6 << 10)
    error = refused(node, "slice.provision", new, **clone_args(snapshot, disk_gib=3))
    assert error.code == "insufficient_disk" and "3073 MiB" in error.message
    node.settings()
    node.do("slice.terminate", large)
    assert refused(node, "slice.provision", new, **clone_args(large)).code == "snapshot_not_found"
    assert node.volumes() == before and list(node.slices()) == [original]


def test_order_is_kept(node: Node, taken: tuple[str, str]) -> None:
    """What is asked for in one breath is done in its order, also across slices."""
    original, _ = taken
    snapshot, one, two = (str(uuid.uuid4()) for _ in range(3))
    node.settings(delay_ms={"snapshot": 100})
    requests = [node.submit("snapshot.create", original, snapshot=snapshot, name="new"),
                node.submit("slice.provision", one, **clone_args(snapshot)),
                node.submit("slice.provision", two, **clone_args(snapshot)),
                node.submit("snapshot.delete", original, snapshot=snapshot),
                node.submit("slice.provision", str(uuid.uuid4()), **clone_args(snapshot))]
    ended = [node.wait(request) for request in requests]
    assert [item["phase"] for item in ended] == ["done"] * 4 + ["failed"]
    assert ended[4]["error"]["code"] == "snapshot_not_found"
    for slice_id in (one, two):
        assert node.disk(slice_id).read_bytes()[:14] == b"BOOTS!ORIGINAL"


def test_original_is_terminated_meanwhile(node: Node, taken: tuple[str, str]) -> None:
    original, snapshot = taken
    copy = str(uuid.uuid4())
    node.settings(delay_ms={"snapshot": 300})
    clone = node.submit("slice.provision", copy, **clone_args(snapshot))
    wait_until(lambda: copy in node.slices(), "the clone is at work")
    terminate = node.submit("slice.terminate", original)
    late = node.submit("slice.provision", str(uuid.uuid4()), **clone_args(snapshot))
    assert node.wait(clone)["phase"] == "done" and node.wait(terminate)["phase"] == "done"
    assert node.wait(late)["error"]["code"] == "snapshot_not_found"
    assert list(node.slices()) == [copy] and len(node.volumes()) == 3


def test_failure_leaves_nothing(node: Node, taken: tuple[str, str]) -> None:
    original, snapshot = taken
    before = node.volumes()
    for call in ("snapshot", "activate", "create", "domain_start"):
        node.settings(fail=[{"call": call, "code": "storage_error"}])
        assert refused(node, "slice.provision", str(uuid.uuid4()),
                       **clone_args(snapshot)).code == "storage_error"
        assert node.volumes() == before and list(node.slices()) == [original]
