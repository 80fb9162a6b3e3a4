"""slice.resize: at once where the slice allows it, from the next start otherwise, and exactly reserved."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from node import Node, Refused, slice_args


def provision(node: Node, image: dict[str, Any], **changes: Any) -> str:
    slice_id = str(uuid.uuid4())
    node.do("slice.provision", slice_id, **slice_args(image, **changes))
    return slice_id


def sizes(node: Node, slice_id: str) -> tuple[int, int, int]:
    """What the slice is to have."""
    found = node.slices()[slice_id]
    return found["vcpus"], found["memory_mib"], found["disk_gib"]


def given(node: Node, slice_id: str) -> tuple[int, int, int]:
    """What it has."""
    domain = node.domains()[slice_id]
    return domain["vcpus"], domain["given_mib"], node.disk(slice_id).stat().st_size >> 30


def free_mib(node: Node) -> int:
    node.idle()
    return int(node.call("node.status")["capacity"]["memory_free_mib"])


def refused(node: Node, op: str, slice_id: str, **args: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        node.do(op, slice_id, **args)
    return caught.value


def test_what_the_domain_allows_is_done_at_once(node: Node, small: dict[str, Any]) -> None:
    slice_id = provision(node, small, max_vcpus=4, max_memory_mib=512)
    domain = node.domains()[slice_id]["domain_id"]
    result = node.do("slice.resize", slice_id, vcpus=3, memory_mib=400, disk_gib=2)
    assert result["applied"] == {"vcpus": "now", "memory_mib": "now", "disk_gib": "now"}
    assert given(node, slice_id) == sizes(node, slice_id) == (3, 400, 2)
    assert node.domains()[slice_id]["domain_id"] == domain
    assert node.disk(slice_id).read_bytes()[:6] == b"BOOTS!"
    result = node.do("slice.resize", slice_id, memory_mib=100, vcpus=1)
    assert result["applied"] == {"vcpus": "now", "memory_mib": "now"}
    assert given(node, slice_id) == sizes(node, slice_id) == (1, 100, 2)
    node.do("slice.reboot", slice_id)
    assert given(node, slice_id) == (1, 100, 2)
    found = node.slices()[slice_id]
    assert (found["max_vcpus"], found["max_memory_mib"]) == (4, 512)


def test_what_it_does_not_allow_holds_from_the_next_start(node: Node, small: dict[str, Any]) -> None:
    slice_id = provision(node, small)
    result = node.do("slice.resize", slice_id, vcpus=2, memory_mib=256, disk_gib=1)
    assert result["applied"] == {"vcpus": "next_start", "memory_mib": "next_start",
                                 "disk_gib": "now"}
    assert given(node, slice_id) == (1, 128, 1) and sizes(node, slice_id) == (2, 256, 1)
    node.do("slice.reboot", slice_id)
    assert given(node, slice_id) == (2, 256, 1)
    node.settings(ignore_balloon=True)
    result = node.do("slice.resize", slice_id, vcpus=1, memory_mib=200)
    assert result["applied"] == {"vcpus": "next_start", "memory_mib": "next_start"}
    assert given(node, slice_id) == (2, 256, 1)


def test_stopped_and_paused_slices(node: Node, small: dict[str, Any]) -> None:
    slice_id = provision(node, small)
    node.do("slice.stop", slice_id)
    result = node.do("slice.resize", slice_id, vcpus=2, memory_mib=200, disk_gib=3)
    assert result["applied"] == {"vcpus": "next_start", "memory_mib": "next_start",
                                 "disk_gib": "next_start"}
    assert node.state(slice_id) == "stopped" and node.active() == set()
    node.do("slice.start", slice_id)
    assert given(node, slice_id) == (2, 200, 3)
    node.do("slice.pause", slice_id)
    assert node.do("slice.resize", slice_id, disk_gib=4)["applied"] == {"disk_gib": "now"}
    assert node.state(slice_id) == "paused" and given(node, slice_id) == (2, 200, 4)


def test_snapshots_of_the_smaller_disk(node: Node, small: dict[str, Any]) -> None:
    slice_id, snapshot = provision(node, small), str(uuid.uuid4())
    node.do("snapshot.create", slice_id, snapshot=snapshot, name="small")
    node.do("slice.resize", slice_id, disk_gib=2)
    node.do("snapshot.revert", slice_id, snapshot=snapshot, restart=True)
    assert given(node, slice_id) == (1, 128, 2), "the old content on the disk of the new size"


def test_memory_is_reserved_exactly(node: Node, small: dict[str, Any]) -> None:
    # Overhead: 1/128 of what it may have, 4 MiB, 1 MiB for each processor it may have.
    node.settings(memory_mib=1000)
    slice_id = provision(node, small, max_memory_mib=896)
    assert free_mib(node) == 1000 - (128 + 7 + 4 + 1)
    error = refused(node, "slice.resize", slice_id, memory_mib=990)
    assert error.code == "insufficient_memory"
    assert "990 MiB asked" in error.message and "1000 MiB available" in error.message
    assert sizes(node, slice_id) == (1, 128, 1)
    node.do("slice.resize", slice_id, memory_mib=500)
    assert free_mib(node) == 1000 - (500 + 7 + 4 + 1)
    assert refused(node, "slice.provision", str(uuid.uuid4()),
                   **slice_args(small, memory_mib=490)).code == "insufficient_memory"
    node.settings(memory_mib=1000, ignore_balloon=True)
    node.do("slice.resize", slice_id, memory_mib=200)
    assert free_mib(node) == 1000 - (500 + 7 + 4 + 1), "not given back yet"
    node.stop()
    node.start()
    assert free_mib(node) == 1000 - (500 + 7 + 4 + 1)
    node.do("slice.reboot", slice_id)
    assert free_mib(node) == 1000 - (200 + 7 + 4 + 1)
    # For the next start: reserved now, since the slice is to be started with it.
    node.do("slice.resize", slice_id, memory_mib=920)
    assert given(node, slice_id)[1] == 200
    assert free_mib(node) == 1000 - (920 + 8 + 4 + 1)
    node.do("slice.reboot", slice_id)
    assert given(node, slice_id)[1] == 920
    assert free_mib(node) == 1000 - (920 + 8 + 4 + 1)


def test_bad_input(node: Node, small: dict[str, Any]) -> None:
    node.settings(threads=4, pool_mib=10 << 10)
    slice_id = provision(node, small, disk_gib=2, max_memory_mib=256)
    error = refused(node, "slice.resize", slice_id, disk_gib=1, memory_mib=256)
    assert error.code == "invalid_argument"
    assert "disk_gib 1 is less than the 2" in error.message and "only grows" in error.message
    error = refused(node, "slice.resize", slice_id, disk_gib=10, memory_mib=256)
    assert error.code == "insufficient_disk" and "10241 MiB" in error.message
    assert refused(node, "slice.resize", slice_id, vcpus=5).code == "insufficient_vcpus"
    assert sizes(node, slice_id) == given(node, slice_id) == (1, 128, 2), "all of it or nothing"
    wrong: list[dict[str, Any]] = [
        {}, {"vcpus": 0}, {"memory_mib": 1}, {"disk_gib": "9"}, {"vcpus": 1 << 40}]
    for args in wrong:
        assert refused(node, "slice.resize", slice_id, **args).code == "invalid_argument"
    assert refused(node, "slice.resize", slice_id, disk=9).code == "unknown_field"
    assert refused(node, "slice.resize", str(uuid.uuid4()), vcpus=1).code == "slice_not_found"
    assert refused(node, "slice.provision", str(uuid.uuid4()),
                   **slice_args(small, max_vcpus=9)).code == "insufficient_vcpus"
    node.settings(data_used_percent=96)
    assert refused(node, "slice.resize", slice_id, disk_gib=3).code == "pool_full"
    node.do("slice.resize", slice_id, memory_mib=200)
    # A request that comes twice is carried out once; of several, the last one holds.
    node.settings()
    request = node.submit("slice.resize", slice_id, disk_gib=3)
    others = [node.submit("slice.resize", slice_id, disk_gib=size) for size in (5, 4, 6)]
    assert [node.wait(other)["phase"] for other in others] == ["done", "failed", "done"]
    node.submit("slice.resize", slice_id, request, disk_gib=3)
    node.idle()
    assert sizes(node, slice_id)[2] == given(node, slice_id)[2] == 6


def test_what_fails_is_undone(node: Node, small: dict[str, Any]) -> None:
    slice_id = provision(node, small, max_vcpus=4, max_memory_mib=512)
    before = free_mib(node)
    for call in ("domain_set_vcpus", "domain_set_memory"):
        node.settings(fail=[{"call": call, "times": 1, "code": "hypervisor_error",
                             "nth": node.calls(call) + 1}])
        assert refused(node, "slice.resize", slice_id, vcpus=2, memory_mib=300,
                       disk_gib=2).code == "hypervisor_error"
        assert sizes(node, slice_id) == given(node, slice_id) == (1, 128, 1)
        assert free_mib(node) == before
    # The disk comes last, and a slice that may have seen it grow keeps the promise of it.
    node.settings(fail=[{"call": "activate", "code": "storage_error"}])
    assert refused(node, "slice.resize", slice_id, vcpus=2, disk_gib=2).code == "storage_error"
    assert node.slices()[slice_id]["error"]["code"] == "storage_error"
    node.settings()
    node.do("slice.resize", slice_id, disk_gib=2)
    assert sizes(node, slice_id) == given(node, slice_id) == (1, 128, 2)


def test_slicectl(node: Node, small: dict[str, Any]) -> None:
    slice_id = provision(node, small)
    assert node.slicectl("resize", slice_id, "--disk-gib", "2", "--memory-mib", "99").returncode == 0
    assert sizes(node, slice_id) == (1, 99, 2)
    assert node.slicectl("resize", slice_id).returncode == 2
    refused = node.slicectl("resize", slice_id, "--vcpus", "2x")
    assert refused.returncode == 2 and "--vcpus 2x: must be a number" in refused.stderr
    refused_shrink = node.slicectl("resize", "--disk-gib", "1", slice_id)
    assert refused_shrink.returncode == 1 and "only grows" in refused_shrink.stderr
