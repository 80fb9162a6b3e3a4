"""Every operation as it should go."""

from __future__ import annotations

import fcntl
import json
import os
import threading
import uuid
from typing import Any

import pytest
from images import Images
from node import Node, slice_args
from waiting import wait_until


def provision(node: Node, image: dict[str, Any], **changes: Any) -> str:
    slice_id = str(uuid.uuid4())
    node.do("slice.provision", slice_id, **slice_args(image, **changes))
    return slice_id


def test_life_of_a_slice(node: Node, small: dict[str, Any]) -> None:
    slice_id = provision(node, small)
    assert node.state(slice_id) == "running"
    assert node.domains()[slice_id]["state"] == "running"
    assert node.disk(slice_id).read_bytes().startswith(b"BOOTS!")
    assert node.disk(slice_id).stat().st_size == 1 << 30

    result = node.do("slice.stop", slice_id, timeout_seconds=5)
    assert result["forced"] is False
    assert result["slice"]["desired"] == "stopped"
    assert node.state(slice_id) == "stopped"
    assert node.domains() == {} and node.active() == set()

    node.do("slice.start", slice_id)
    assert node.state(slice_id) == "running"
    before = node.domains()[slice_id]["domain_id"]
    node.do("slice.reboot", slice_id)
    assert node.domains()[slice_id]["domain_id"] > before
    assert node.slices()[slice_id]["domain_id"] == node.domains()[slice_id]["domain_id"]

    node.do("slice.terminate", slice_id)
    assert node.slices() == {} and node.domains() == {} and node.active() == set()
    assert len(node.volumes()) == 1, "only the image is left"
    assert list((node.folder / "console").iterdir()) == []

    node.do("image.delete", id=small["id"])
    assert node.volumes() == set()


def test_what_is_so_already_succeeds(node: Node, small: dict[str, Any]) -> None:
    slice_id = provision(node, small)
    domain = node.domains()[slice_id]
    node.do("slice.start", slice_id)
    assert node.domains()[slice_id] == domain
    node.do("slice.stop", slice_id)
    node.do("slice.stop", slice_id)
    assert node.state(slice_id) == "stopped"


def test_provision_stopped_then_start(node: Node, small: dict[str, Any]) -> None:
    slice_id = provision(node, small, desired="stopped")
    assert node.state(slice_id) == "stopped" and node.domains() == {}
    node.do("slice.start", slice_id)
    assert node.state(slice_id) == "running"


def test_second_slice_needs_no_transfer(node: Node, images: Images, small: dict[str, Any]) -> None:
    provision(node, small)
    other = provision(node, {"id": small["id"]}, name="other")
    assert node.state(other) == "running"
    assert [image["ready"] for image in node.call("image.list")] == [True]


def test_stop_by_force_after_the_timeout(node: Node, small: dict[str, Any]) -> None:
    node.settings(ignore_shutdown=True)
    slice_id = provision(node, small)
    assert node.do("slice.stop", slice_id, timeout_seconds=1)["forced"] is True
    assert node.state(slice_id) == "stopped" and node.domains() == {}
    node.do("slice.start", slice_id)
    node.do("slice.stop", slice_id, force=True)
    assert node.state(slice_id) == "stopped"


def test_snapshot_change_revert(node: Node, small: dict[str, Any]) -> None:
    slice_id = provision(node, small)
    snapshot = str(uuid.uuid4())
    result = node.do("snapshot.create", slice_id, snapshot=snapshot, name="before")
    assert result["snapshot"]["id"] == snapshot
    with node.disk(slice_id).open("r+b") as disk:
        disk.write(b"CHANGE")
    assert [item["name"] for item in node.slices()[slice_id]["snapshots"]] == ["before"]

    node.do("slice.stop", slice_id)
    node.do("snapshot.revert", slice_id, snapshot=snapshot)
    assert node.state(slice_id) == "stopped"
    node.do("slice.start", slice_id)
    assert node.disk(slice_id).read_bytes()[:6] == b"BOOTS!"

    with node.disk(slice_id).open("r+b") as disk:
        disk.write(b"AGAIN!")
    node.do("snapshot.revert", slice_id, snapshot=snapshot, restart=True)
    assert node.state(slice_id) == "running"
    assert node.disk(slice_id).read_bytes()[:6] == b"BOOTS!"

    before = len(node.volumes())
    node.do("snapshot.delete", slice_id, snapshot=snapshot)
    assert len(node.volumes()) == before - 1
    assert node.slices()[slice_id]["snapshots"] == []


def test_snapshot_of_a_stopped_slice_and_terminate_with_snapshots(
        node: Node, small: dict[str, Any]) -> None:
    slice_id = provision(node, small)
    node.do("slice.stop", slice_id)
    for name in ("one", "two"):
        node.do("snapshot.create", slice_id, snapshot=str(uuid.uuid4()), name=name)
    assert node.active() == set()
    node.do("slice.terminate", slice_id)
    assert len(node.volumes()) == 1


def test_kernel_boot(node: Node, images: Images, small: dict[str, Any]) -> None:
    kernel = images.add(b"kernel" * 100)
    ramdisk = images.add(b"ramdisk" * 100)
    node.do("image.fetch", kind="kernel", **kernel)
    node.do("image.fetch", kind="ramdisk", **ramdisk)
    slice_id = provision(node, small, boot={"kind": "kernel", "kernel": kernel["id"],
                                            "ramdisk": ramdisk["id"], "cmdline": "root=/dev/xvda1"})
    assert node.state(slice_id) == "running"
    assert (node.folder / "kernels" / kernel["id"]).read_bytes() == b"kernel" * 100
    node.do("slice.terminate", slice_id)
    node.do("image.delete", id=kernel["id"])
    assert not (node.folder / "kernels" / kernel["id"]).exists()


def test_packed_kernels_start_one_at_a_time(node: Node, images: Images, small: dict[str, Any]) -> None:
    """Many at once would use up dom0's memory. A kernel that the import has unpacked waits for none, nor does GRUB."""
    packed, unpacked = (images.add(data) for data in (b"kernel" * 100, b"\x7fELF" * 100))
    for kernel in (packed, unpacked):
        node.do("image.fetch", kind="kernel", **kernel)
    slice_id = provision(node, small, boot={"kind": "kernel", "kernel": packed["id"]})
    node.do("slice.stop", slice_id)
    folder = os.open(node.folder / "kernels", os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    request = node.submit("slice.start", slice_id)
    provision(node, small)
    provision(node, small, boot={"kind": "kernel", "kernel": unpacked["id"]})
    assert slice_id not in node.domains()
    os.close(folder)
    node.wait(request)
    assert slice_id in node.domains()


def test_console_and_report(node: Node, small: dict[str, Any]) -> None:
    slice_id = provision(node, small)
    result = node.do("slice.console", slice_id)
    assert "Linux version" in result["console"] and result["truncated"] is False
    assert len(node.do("slice.console", slice_id, bytes=5)["console"]) == 5
    report = node.do("node.report")
    assert report["inventory"]["xen"]["version"] == "4.20.0-sim"
    assert [item["id"] for item in report["slices"]] == [slice_id]


def test_console_of_control_characters(node: Node, small: dict[str, Any]) -> None:
    """The answer stays within a message, whatever JSON makes of the bytes."""
    slice_id = provision(node, small)
    log = node.folder / "console" / f"guest-{slice_id}.log"
    log.write_bytes(b"\x01\xff\x1b" * 300000)
    result = node.do("slice.console", slice_id, bytes=900000)
    assert result["truncated"] is True and result["console"].endswith("\x01\ufffd\x1b")
    assert len(json.dumps(result)) < 3 << 20


def test_repeated_request_does_nothing(node: Node, small: dict[str, Any]) -> None:
    slice_id, request = str(uuid.uuid4()), str(uuid.uuid4())
    node.submit("slice.provision", slice_id, request, **slice_args(small))
    first = node.wait(request)
    points = node.points()
    assert node.call("slice.provision", id=request, slice=slice_id,
                     args=slice_args(small))["known"] is True
    assert node.wait(request) == first
    assert node.points() == points and len(node.domains()) == 1


def test_terminate_overtakes_a_provision(node: Node, images: Images) -> None:
    image = images.add(b"x" * 300000)
    gate = images.gates[image["id"]] = threading.Event()
    slice_id = str(uuid.uuid4())
    request = node.submit("slice.provision", slice_id, **slice_args(image))
    wait_until(lambda: any("image-" in name for name in node.active()), "the import runs")
    try:
        node.do("slice.terminate", slice_id)
    finally:
        gate.set()
    assert node.wait(request)["error"]["code"] == "cancelled"
    assert node.slices() == {} and node.volumes() == set() and node.call("image.list") == []


def test_events_of_a_provision_are_complete_and_in_order(node: Node, small: dict[str, Any]) -> None:
    follower = node.connect()
    follower.call("events.follow")
    slice_id = provision(node, small)
    events: list[dict[str, Any]] = []
    while not events or events[-1]["type"] != "request.done":
        events.append(follower.receive()["params"])
    follower.close()
    assert [event["seq"] for event in events] == list(range(events[0]["seq"],
                                                            events[0]["seq"] + len(events)))
    assert events[0]["type"] == "request.accepted"
    assert [event["step"] for event in events if event["type"] == "request.step"] == [
        "image.import", "disk.clone", "disk.activate", "seed.write", "domain.start"]
    assert [event["result"]["state"] for event in events if event["type"] == "image.state"] == [
        "fetching", "ready"]
    assert events[-2]["type"] == "slice.state" and events[-2]["slice"] == slice_id


def test_slicectl(node: Node, small: dict[str, Any]) -> None:
    def run(*words: str, text: str | None = None) -> str:
        done = node.slicectl(*words, text=text)
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout

    run("provision", "-", text=json.dumps(slice_args(small)))
    assert "web" in run("slices") and "running" in run("show", "web")
    slice_id = json.loads(run("--json", "slices"))[0]["id"]
    run("snapshot", "create", slice_id[:6], "first")
    assert "first" in run("snapshot", "list", "web")
    run("snapshot", "revert", "--restart", "web", "first")
    run("snapshot", "delete", "web", "first")
    run("reboot", "--timeout", "2", "web")
    assert "Linux version" in run("console", "web")
    run("stop", "web")
    run("start", "web")
    assert "session     offline" in run("status")
    assert json.loads(run("node", "report"))["slices"][0]["id"] == slice_id
    run("terminate", "web")
    run("image", "delete", small["id"][:8])
    refused = node.slicectl("start", "web")
    assert refused.returncode == 1 and "no slice web" in refused.stderr
    assert node.slicectl("start", str(uuid.uuid4())).returncode == 1
    assert "unknown command nonsense" in node.slicectl("nonsense").stderr
    wrong = node.slicectl("stop")
    assert wrong.returncode == 2 and "slicectl: stop: wrong arguments" in wrong.stderr
    node.stop()
    assert node.slicectl("status").returncode == 3


def test_node_shutdown_keeps_what_is_desired(node: Node, small: dict[str, Any]) -> None:
    slice_id = provision(node, small)
    assert node.slicectl("node", "shutdown").returncode == 0
    assert node.domains() == {}
    assert node.slices()[slice_id]["desired"] == "running"
    node.power_cut()
    node.start()
    node.wait_state(slice_id, "running")


def test_node_shutdown_does_not_wait_for_who_waits(node: Node, small: dict[str, Any]) -> None:
    """A request that has not begun is for the next start; the slice is stopped all the same."""
    slice_id = provision(node, small)
    node.settings(delay_ms={"domain_start": 1000})
    begun = node.submit("slice.reboot", slice_id, force=True)
    waiting = node.submit("slice.stop", slice_id, force=True)
    assert node.slicectl("node", "shutdown").returncode == 0
    assert node.domains() == {}
    node.settings()
    node.power_cut()
    node.start()
    assert node.wait(begun)["phase"] == "done" and node.wait(waiting)["phase"] == "done"
    node.wait_state(slice_id, "stopped")


@pytest.mark.parametrize("given, expected", [("pv", "pv"), ("pvh", "pvh"), (None, "pvh")])
def test_type(node: Node, small: dict[str, Any], given: str | None, expected: str) -> None:
    slice_id = provision(node, small, type=given)
    assert node.slices()[slice_id]["type"] == expected
