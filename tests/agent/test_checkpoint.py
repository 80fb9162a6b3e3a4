"""Snapshots with memory: a slice's disk and memory of one instant, and the way back to it."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from node import Node, Refused, slice_args
from waiting import wait_until


def provision(node: Node, image: dict[str, Any], **changes: Any) -> str:
    slice_id = str(uuid.uuid4())
    node.do("slice.provision", slice_id, **slice_args(image, **changes))
    return slice_id


def memory(node: Node, slice_id: str) -> str:
    return str(node.domains()[slice_id].get("memory"))


def write_disk(node: Node, slice_id: str, data: bytes) -> None:
    with node.disk(slice_id).open("r+b") as disk:
        disk.write(data)


def checkpoint(node: Node, slice_id: str, name: str = "instant") -> str:
    snapshot = str(uuid.uuid4())
    node.do("snapshot.create", slice_id, snapshot=snapshot, name=name, memory=True)
    return snapshot


def snapshots(node: Node, slice_id: str) -> list[tuple[str, bool]]:
    return [(one["name"], one["memory"]) for one in node.slices()[slice_id]["snapshots"]]


def calls(node: Node) -> dict[str, int]:
    """How often the simulated node was asked for what."""
    return dict(json.loads((node.sim / "calls.json").read_text()))


def refused(node: Node, op: str, slice_id: str, **args: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        node.do(op, slice_id, **args)
    return caught.value


def test_memory_and_disk_come_back(node: Node, small: dict[str, Any]) -> None:
    slice_id = provision(node, small)
    node.change_domain(slice_id, memory="seven")
    write_disk(node, slice_id, b"SEVEN!")
    domain_id = node.domains()[slice_id]["domain_id"]
    taken = str(uuid.uuid4())
    result = node.do("snapshot.create", slice_id, snapshot=taken, name="instant", memory=True)
    assert result["snapshot"]["memory"] is True
    assert snapshots(node, slice_id) == [("instant", True)]
    assert node.domains()[slice_id]["domain_id"] == domain_id, "it is the same domain, going on"
    assert node.domains()[slice_id]["state"] == "running"
    assert len(node.volumes()) == 5, "image, disk, seed, snapshot and memory"
    assert not any("memory" in name for name in node.active())

    node.change_domain(slice_id, memory="eight")
    write_disk(node, slice_id, b"EIGHT!")
    assert refused(node, "snapshot.revert", slice_id, snapshot=taken).code == "slice_running"
    assert memory(node, slice_id) == "eight"
    for _ in range(2):
        result = node.do("snapshot.revert", slice_id, snapshot=taken, restart=True)
        assert result["slice"]["state"] == "running"
        assert memory(node, slice_id) == "seven"
        assert node.disk(slice_id).read_bytes()[:6] == b"SEVEN!"
        assert node.domains()[slice_id]["domain_id"] == node.slices()[slice_id]["domain_id"]
        node.change_domain(slice_id, memory="nine")
        write_disk(node, slice_id, b"NINE!!")
    assert len(node.volumes()) == 5

    node.do("slice.stop", slice_id)
    node.do("snapshot.revert", slice_id, snapshot=taken)
    found = node.slices()[slice_id]
    assert (found["state"], found["desired"]) == ("running", "running")
    assert memory(node, slice_id) == "seven"
    node.do("snapshot.delete", slice_id, snapshot=taken)
    assert len(node.volumes()) == 3, "disk and memory have gone"
    assert snapshots(node, slice_id) == []


def test_terminate_takes_the_memory_with_it(node: Node, small: dict[str, Any]) -> None:
    slice_id = provision(node, small)
    checkpoint(node, slice_id, "one")
    node.do("snapshot.create", slice_id, snapshot=str(uuid.uuid4()), name="disk")
    checkpoint(node, slice_id, "two")
    assert snapshots(node, slice_id) == [("one", True), ("disk", False), ("two", True)]
    node.do("slice.terminate", slice_id)
    assert len(node.volumes()) == 1 and node.active() == set() and node.domains() == {}


def test_only_a_running_slice_has_memory(node: Node, small: dict[str, Any]) -> None:
    slice_id = provision(node, small, desired="stopped")
    error = refused(node, "snapshot.create", slice_id, snapshot=str(uuid.uuid4()), name="x",
                    memory=True)
    assert error.code == "slice_state" and "only a running slice" in error.message
    error = refused(node, "snapshot.create", slice_id, snapshot=str(uuid.uuid4()), name="x",
                    memory="yes")
    assert error.code == "invalid_argument"
    assert len(node.volumes()) == 2


def test_revert_to_another_slices_memory(node: Node, small: dict[str, Any]) -> None:
    first, other = provision(node, small), provision(node, small, name="other")
    node.change_domain(first, memory="mine")
    taken = checkpoint(node, other)
    error = refused(node, "snapshot.revert", first, snapshot=taken, restart=True)
    assert error.code == "snapshot_not_found"
    assert memory(node, first) == "mine"


def test_kernel_that_does_not_suspend(node: Node, small: dict[str, Any]) -> None:
    slice_id = provision(node, small)
    node.change_domain(slice_id, memory="on")
    node.settings(ignore_suspend=True)
    error = refused(node, "snapshot.create", slice_id, snapshot=str(uuid.uuid4()), name="x",
                    memory=True)
    assert error.code == "timeout"
    assert snapshots(node, slice_id) == [] and len(node.volumes()) == 3
    assert node.domains()[slice_id]["state"] == "running" and memory(node, slice_id) == "on"
    assert node.state(slice_id) == "running"


def test_memory_is_admitted_first(node: Node, small: dict[str, Any]) -> None:
    node.settings(pool_mib=1100)
    slice_id = provision(node, small)
    error = refused(node, "snapshot.create", slice_id, snapshot=str(uuid.uuid4()), name="x",
                    memory=True)
    assert error.code == "insufficient_disk" and "memory" in error.message
    node.do("snapshot.create", slice_id, snapshot=str(uuid.uuid4()), name="x")
    assert snapshots(node, slice_id) == [("x", False)]
    assert node.domains()[slice_id]["state"] == "running"


def test_slice_that_has_no_memory_to_come_back_to(node: Node, small: dict[str, Any]) -> None:
    slice_id = provision(node, small)
    taken = checkpoint(node, slice_id)
    node.do("slice.stop", slice_id)
    node.settings(memory_mib=64)
    error = refused(node, "snapshot.revert", slice_id, snapshot=taken)
    assert error.code == "insufficient_memory"
    assert node.slices()[slice_id]["desired"] == "stopped"


@pytest.mark.parametrize("end", ["killed", "cancelled"])
def test_memory_is_reserved_from_the_beginning(node: Node, small: dict[str, Any], end: str) -> None:
    """Slices that are smaller now than in their snapshots: two reverts never get the same memory, and
    who comes later is refused before anything is done."""
    slices = [provision(node, small, memory_mib=512) for _ in range(2)]
    taken = [checkpoint(node, slice_id) for slice_id in slices]
    for slice_id in slices:
        node.do("slice.stop", slice_id, force=True)
        node.do("slice.resize", slice_id, memory_mib=128)
    clones = calls(node)["snapshot"]
    node.settings(memory_mib=800, delay_ms={"snapshot": 60000})
    first = node.submit("snapshot.revert", slices[0], snapshot=taken[0])
    wait_until(lambda: calls(node)["snapshot"] > clones, "its new disk is being made")
    if end == "killed":
        node.kill()
        node.start()
    error = refused(node, "snapshot.revert", slices[1], snapshot=taken[1])
    assert error.code == "insufficient_memory"
    error = refused(node, "slice.provision", str(uuid.uuid4()), **slice_args(small, memory_mib=400))
    assert error.code == "insufficient_memory"
    node.settings(memory_mib=800)
    if end == "killed":
        node.kill()
        node.start()
        assert node.wait(first)["phase"] == "done"
        assert node.domains()[slices[0]]["given_mib"] == 512
    else:
        node.call("request.cancel", args={"request": first})
        assert node.wait(first)["error"]["code"] == "cancelled"
        node.do("snapshot.revert", slices[1], snapshot=taken[1])
        assert [node.state(slice_id) for slice_id in slices] == ["stopped", "running"]


@pytest.mark.parametrize("running", [True, False])
def test_damaged_memory_is_never_restored(node: Node, small: dict[str, Any], running: bool) -> None:
    slice_id = provision(node, small)
    node.change_domain(slice_id, memory="whole")
    before = node.volumes()
    taken = checkpoint(node, slice_id)
    (saved,) = (node.sim / "volumes" / name for name in node.volumes() - before
                if (node.sim / "volumes" / name).read_bytes().startswith(b"whole"))
    with saved.open("r+b") as volume:
        volume.write(b"w0")
    if not running:
        node.do("slice.stop", slice_id)
    error = refused(node, "snapshot.revert", slice_id, snapshot=taken, restart=True)
    assert error.code == "storage_error" and "damaged" in error.message
    assert node.state(slice_id) == ("running" if running else "stopped")
    assert node.slices()[slice_id]["desired"] == ("running" if running else "stopped")
    assert (slice_id in node.domains()) == running
    assert len(node.volumes()) == 5 and not any("memory" in name for name in node.active())


def test_revert_that_cannot_restore_says_so(node: Node, small: dict[str, Any]) -> None:
    """The disk is the old one then, and the slice can be started from it."""
    slice_id = provision(node, small)
    taken = checkpoint(node, slice_id)
    write_disk(node, slice_id, b"CHANGE")
    node.settings(fail=[{"call": "domain_restore", "code": "hypervisor_error"}])
    error = refused(node, "snapshot.revert", slice_id, snapshot=taken, restart=True)
    assert error.code == "hypervisor_error"
    assert node.state(slice_id) == "failed"
    assert not any("memory" in name for name in node.active())
    node.settings()
    node.do("slice.start", slice_id)
    assert node.disk(slice_id).read_bytes()[:6] == b"BOOTS!"
    node.do("snapshot.revert", slice_id, snapshot=taken, restart=True)
    node.do("slice.terminate", slice_id)
    assert len(node.volumes()) == 1 and node.active() == set()


def test_slice_left_suspended_goes_on(node: Node, small: dict[str, Any]) -> None:
    """A guest may take up the wish to suspend after the one who asked has died."""
    slice_id = provision(node, small)
    node.change_domain(slice_id, state="shutdown", reason="suspend")
    wait_until(lambda: node.domains()[slice_id]["state"] == "running", "the slice goes on")
    assert node.state(slice_id) == "running"


def test_power_cut_while_the_slice_stands_still(node: Node, small: dict[str, Any]) -> None:
    """What the memory takes for written may not be on the disk: there is no such snapshot then."""
    slice_id = provision(node, small)
    before = calls(node).get("snapshot", 0)
    node.settings(delay_ms={"snapshot": 60000})
    request = node.submit("snapshot.create", slice_id, snapshot=str(uuid.uuid4()), name="x",
                          memory=True)
    wait_until(lambda: calls(node).get("snapshot", 0) > before, "the memory is saved")
    node.power_cut()
    node.settings()
    node.start()
    assert node.wait(request)["error"]["code"] == "slice_state"
    node.wait_state(slice_id, "running")
    node.idle()
    assert snapshots(node, slice_id) == [] and len(node.volumes()) == 3


def test_power_cut_before_the_restored_slice_is_known_to_run(
        node: Node, small: dict[str, Any]) -> None:
    """It may have run and have changed its disk: its memory is not of that disk any more."""
    slice_id = provision(node, small)
    taken = checkpoint(node, slice_id)
    write_disk(node, slice_id, b"CHANGE")
    before = calls(node).get("domain_run", 0)
    node.settings(delay_ms={"domain_run": 60000})
    request = node.submit("snapshot.revert", slice_id, snapshot=taken, restart=True)
    wait_until(lambda: calls(node).get("domain_run", 0) > before, "the slice is to run")
    node.power_cut()
    node.settings()
    node.start()
    assert node.wait(request)["phase"] == "done"
    wait_until(lambda: slice_id in node.domains(), "the slice is started")
    node.wait_state(slice_id, "running")
    node.idle()
    assert node.disk(slice_id).read_bytes()[:6] == b"BOOTS!"
    assert len(node.volumes()) == 5 and not any("memory" in name for name in node.active())


def test_volumes_are_not_part_of_it(node: Node, small: dict[str, Any]) -> None:
    slice_id, volume = provision(node, small), str(uuid.uuid4())
    taken = checkpoint(node, slice_id)
    node.do("volume.create", volume=volume, name="data", size_gib=1)
    node.do("volume.attach", slice_id, volume=volume)
    assert refused(node, "snapshot.create", slice_id, snapshot=str(uuid.uuid4()), name="x",
                   memory=True).code == "volume_attached"
    assert refused(node, "snapshot.revert", slice_id, snapshot=taken,
                   restart=True).code == "volume_attached"
    node.do("snapshot.create", slice_id, snapshot=str(uuid.uuid4()), name="x")
    node.do("volume.detach", slice_id, volume=volume, force=True)
    node.do("snapshot.revert", slice_id, snapshot=taken, restart=True)
    node.do("volume.attach", slice_id, volume=volume)


def test_slicectl(node: Node, small: dict[str, Any]) -> None:
    provision(node, small)
    for words in (("create", "--memory", "web", "first"), ("revert", "--restart", "web", "first")):
        done = node.slicectl("snapshot", *words)
        assert done.returncode == 0, done.stderr
    assert "with memory" in node.slicectl("snapshot", "list", "web").stdout


def test_comes_back_with_the_size_that_it_had(node: Node, small: dict[str, Any]) -> None:
    slice_id = provision(node, small, max_memory_mib=512, max_vcpus=4)
    taken = checkpoint(node, slice_id)
    node.do("slice.resize", slice_id, memory_mib=256, vcpus=2)
    assert node.slices()[slice_id]["memory_mib"] == 256
    node.do("snapshot.revert", slice_id, snapshot=taken, restart=True)
    found, domain = node.slices()[slice_id], node.domains()[slice_id]
    assert (found["memory_mib"], found["vcpus"]) == (128, 1)
    assert (domain["given_mib"], domain["vcpus"], domain["max_given_mib"]) == (128, 1, 512)
    node.do("slice.resize", slice_id, memory_mib=512)
    assert node.domains()[slice_id]["given_mib"] == 512
