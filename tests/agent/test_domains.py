"""What slices do by themselves, and what the node makes of it."""

from __future__ import annotations

import json
import uuid
from typing import Any

from images import Images
from node import Connection, Node, slice_args
from waiting import wait_until


def provision(node: Node, image: dict[str, Any], **changes: Any) -> str:
    slice_id = str(uuid.uuid4())
    node.do("slice.provision", slice_id, **slice_args(image, **changes))
    return slice_id


def follow(node: Node, slice_id: str) -> Connection:
    follower = node.connect()
    follower.call("events.follow", slice=slice_id)
    return follower


def next_state(follower: Connection, state: str) -> dict[str, Any]:
    while True:
        event = follower.receive()["params"]
        if event["type"] == "slice.state" and event["result"]["state"] == state:
            return event


def new_domain(node: Node, slice_id: str, before: int) -> None:
    wait_until(lambda: node.slices()[slice_id]["domain_id"] not in (None, before)
               and node.state(slice_id) == "running", "the slice has a new domain")
    node.idle()


def test_power_off(node: Node, small: dict[str, Any]) -> None:
    slice_id = provision(node, small)
    follower = follow(node, slice_id)
    node.end_domain(slice_id, "poweroff")
    event = next_state(follower, "stopped")
    assert event["result"]["reason"] == "powered_off" and event["request"] is None
    node.idle()
    assert node.domains() == {} and node.active() == set()
    assert node.slices()[slice_id]["desired"] == "stopped"
    node.do("slice.start", slice_id)
    follower.close()


def test_reboot(node: Node, small: dict[str, Any]) -> None:
    slice_id = provision(node, small)
    before = node.domains()[slice_id]["domain_id"]
    node.end_domain(slice_id, "reboot")
    new_domain(node, slice_id, before)


def test_crash_restarts_and_tells(node: Node, small: dict[str, Any]) -> None:
    slice_id = provision(node, small)
    follower = follow(node, slice_id)
    before = node.domains()[slice_id]["domain_id"]
    node.end_domain(slice_id, "crash")
    event = next_state(follower, "stopped")
    assert event["result"]["reason"] == "crashed"
    assert "Linux version" in event["error"]["console"]
    next_state(follower, "running")
    new_domain(node, slice_id, before)
    assert node.slices()[slice_id]["error"] is None
    follower.close()


def test_crash_without_restart(node: Node, small: dict[str, Any]) -> None:
    slice_id = provision(node, small, on_crash="stop")
    node.end_domain(slice_id, "crash")
    failed = node.wait_state(slice_id, "failed")
    assert "crashed" in failed["error"]["message"]
    node.idle()
    assert node.domains() == {}
    node.do("slice.start", slice_id)
    assert node.slices()[slice_id]["error"] is None


def test_crash_loop_ends(node: Node, small: dict[str, Any]) -> None:
    slice_id = provision(node, small)
    for _ in range(4):
        before = node.domains()[slice_id]["domain_id"]
        node.end_domain(slice_id, "crash")
        new_domain(node, slice_id, before)
    node.end_domain(slice_id, "crash")
    failed = node.wait_state(slice_id, "failed")
    assert failed["error"]["code"] == "crash_loop"
    node.idle()
    assert node.domains() == {} and node.state(slice_id) == "failed"


def test_vanished_domain_is_restarted(node: Node, small: dict[str, Any]) -> None:
    slice_id = provision(node, small)
    before = node.domains()[slice_id]["domain_id"]
    (node.sim / "domains" / slice_id).unlink()
    new_domain(node, slice_id, before)


def test_image_without_a_boot_loader(node: Node, images: Images) -> None:
    slice_id = provision(node, images.add(b"NOBOOT" + bytes(5000)))
    follower = follow(node, slice_id)
    event = next_state(follower, "failed")
    assert event["error"]["code"] == "image_not_bootable"
    assert "no such device" in event["error"]["message"]
    assert "grub>" in event["error"]["console"]
    assert "grub>" in next_state(follower, "failed")["error"]["console"], "once it is cleared away"
    follower.close()
    node.idle()
    assert node.domains() == {} and node.state(slice_id) == "failed"
    assert node.slices()[slice_id]["error"]["code"] == "image_not_bootable"
    node.do("slice.terminate", slice_id)


def test_image_that_ends_at_once(node: Node, images: Images) -> None:
    slice_id = provision(node, images.add(b"HALTS!" + bytes(5000)))
    failed = node.wait_state(slice_id, "failed")
    assert failed["error"]["code"] == "image_not_bootable"


def test_adoption_after_a_restart(node: Node, small: dict[str, Any]) -> None:
    runs, ends, vanishes = (provision(node, small, name=name) for name in ("a", "b", "c"))
    before = node.domains()
    node.kill()
    node.end_domain(ends, "poweroff")
    (node.sim / "domains" / vanishes).unlink()
    stranger = str(uuid.uuid4())
    (node.sim / "domains" / stranger).write_text(
        json.dumps({"domain_id": 99, "state": "running", "reason": "none", "memory_mib": 64}))
    node.start()
    node.wait_state(ends, "stopped")
    new_domain(node, vanishes, before[vanishes]["domain_id"])
    assert node.domains()[runs] == before[runs], "a running slice did not notice"
    assert stranger in node.domains(), "a stranger is left alone"
    problems = node.call("node.status")["problems"]
    assert any(stranger in problem["message"] for problem in problems)


def test_node_reboot(node: Node, small: dict[str, Any]) -> None:
    runs, stopped = provision(node, small, name="a"), provision(node, small, name="b")
    with node.disk(runs).open("r+b") as disk:
        disk.write(b"KEPT!!")
    node.do("slice.stop", stopped)
    node.power_cut()
    node.start()
    node.wait_state(runs, "running")
    node.idle()
    assert node.disk(runs).read_bytes()[:6] == b"KEPT!!"
    assert node.state(stopped) == "stopped" and set(node.domains()) == {runs}


def test_what_no_longer_fits_fails(node: Node, small: dict[str, Any]) -> None:
    """A machine that comes back with less memory starts what it can and says what it cannot."""
    large, fits = provision(node, small, memory_mib=2048), provision(node, small)
    node.power_cut()
    node.settings(memory_mib=1024)
    node.start()
    failed = node.wait_state(large, "failed")
    assert failed["error"]["code"] == "insufficient_memory"
    node.wait_state(fits, "running")
    node.settings(memory_mib=8192)
    node.idle()
    node.do("slice.start", large)
    assert node.state(large) == "running"
