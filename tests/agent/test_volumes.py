"""Data volumes: made, attached while a slice runs and while it stands still, kept over everything
that happens to the slice, grown, taken away."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from controller import Controller
from images import Images
from node import Node, Refused, slice_args
from waiting import wait_until

GIB = 1 << 30


def provision(node: Node, image: dict[str, Any], **changes: Any) -> str:
    slice_id = str(uuid.uuid4())
    node.do("slice.provision", slice_id, **slice_args(image, **changes))
    return slice_id


def create(node: Node, name: str = "data", size_gib: int = 1) -> str:
    volume = str(uuid.uuid4())
    made = node.do("volume.create", volume=volume, name=name, size_gib=size_gib)["volume"]
    assert made == {"id": volume, "name": name, "state": "available", "size_gib": size_gib,
                    "slice": None, "device": None}
    return volume


def attach(node: Node, volume: str, slice_id: str) -> str:
    """The device's name."""
    found = node.do("volume.attach", slice_id, volume=volume)["volume"]
    assert found["slice"] == slice_id and found["state"] == "attached"
    return str(found["device"])


def refused(node: Node, op: str, slice_id: str | None = None, **args: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        node.do(op, slice_id, **args)
    return caught.value


def volumes(node: Node) -> dict[str, dict[str, Any]]:
    return {found["id"]: found for found in node.call("volume.list")}


def disks(node: Node, slice_id: str) -> dict[str, str]:
    """What the slice sees: device -> volume."""
    seen = node.domains()[slice_id].get("disks", {})
    return {device: disk["volume"].removeprefix("data-") for device, disk in seen.items()}


def active(node: Node) -> set[str]:
    return {name.removeprefix("data-") for name in node.active() if name.startswith("data-")}


def free_mib(node: Node) -> int:
    return int(node.call("node.status")["capacity"]["disk_free_mib"])


# --- Their life ------------------------------------------------------------------------------------

def test_create_and_delete(node: Node) -> None:
    free = free_mib(node)
    volume = create(node, size_gib=3)
    assert len(node.volumes()) == 1 and active(node) == set()
    assert free_mib(node) == free - 3 * 1024  # all of its size is promised
    assert node.call("node.status")["volumes"] == [
        {"id": volume, "size_gib": 3, "used_mib": None}]
    assert node.do("node.report")["volumes"] == [volumes(node)[volume]]
    node.do("volume.delete", volume=volume)
    assert volumes(node) == {} and node.volumes() == set() and free_mib(node) == free


def test_attached_to_a_stopped_slice(node: Node, small: dict[str, Any]) -> None:
    slice_id = provision(node, small, desired="stopped")
    volume = create(node)
    assert attach(node, volume, slice_id) == "xvdc"
    assert active(node) == set()
    node.do("slice.start", slice_id)
    assert disks(node, slice_id) == {"xvdc": volume}
    assert node.call("node.status")["volumes"][0]["used_mib"] == 0
    node.do("slice.stop", slice_id)
    assert active(node) == set()
    assert node.do("volume.detach", volume=volume)["volume"]["state"] == "available"
    node.do("slice.start", slice_id)
    assert disks(node, slice_id) == {} and active(node) == set()


def test_attached_to_a_running_slice(node: Node, small: dict[str, Any]) -> None:
    slice_id, other = provision(node, small), provision(node, small, name="other")
    domain = node.domains()[slice_id]["domain_id"]
    one, two = create(node, "one"), create(node, "two")
    assert attach(node, one, slice_id) == "xvdc" and attach(node, two, slice_id) == "xvdd"
    (node.sim / "active" / f"data-{one}").open("r+b").write(b"kept")
    # Once more is done already; elsewhere is refused.
    points = node.points()
    assert attach(node, one, slice_id) == "xvdc" and node.points() == points
    error = refused(node, "volume.attach", other, volume=one)
    assert error.code == "volume_attached" and slice_id in error.message
    # The others keep their names, and the free one is given out again.
    node.do("volume.detach", volume=one)
    assert disks(node, slice_id) == {"xvdd": two} and active(node) == {two}
    assert attach(node, one, other) == "xvdc"
    assert (node.sim / "active" / f"data-{one}").open("rb").read(4) == b"kept"
    node.do("volume.detach", other, volume=one)
    assert attach(node, one, slice_id) == "xvdc"
    assert disks(node, slice_id) == {"xvdc": one, "xvdd": two}
    assert node.domains()[slice_id]["domain_id"] == domain
    assert node.do("volume.detach", volume=create(node))["volume"]["slice"] is None


def test_kept_over_all_that_happens_to_a_slice(node: Node, small: dict[str, Any]) -> None:
    slice_id = provision(node, small)
    one, two = create(node, "one"), create(node, "two")
    attach(node, one, slice_id)
    attach(node, two, slice_id)
    node.do("volume.detach", volume=one)
    wanted, snapshot = {"xvdd": two}, str(uuid.uuid4())
    node.do("snapshot.create", slice_id, snapshot=snapshot, name="s")
    (node.sim / "active" / f"data-{two}").open("r+b").write(b"kept")

    def seen_again(domain: int) -> int:
        wait_until(lambda: slice_id in node.domains()
                   and node.domains()[slice_id]["domain_id"] != domain, "a new domain")
        node.idle()
        assert disks(node, slice_id) == wanted
        return int(node.domains()[slice_id]["domain_id"])

    domain = int(node.domains()[slice_id]["domain_id"])
    node.do("slice.reboot", slice_id, force=True)
    domain = seen_again(domain)
    node.do("snapshot.revert", slice_id, snapshot=snapshot, restart=True)
    domain = seen_again(domain)
    assert (node.sim / "active" / f"data-{two}").open("rb").read(4) == b"kept"
    node.end_domain(slice_id, "crash")
    domain = seen_again(domain)
    node.power_cut()
    node.start()
    node.wait_state(slice_id, "running")
    assert disks(node, slice_id) == wanted
    node.do("slice.terminate", slice_id)
    assert volumes(node)[two]["state"] == "available" and active(node) == set()
    other = provision(node, small)
    assert attach(node, two, other) == "xvdc"
    assert (node.sim / "active" / f"data-{two}").open("rb").read(4) == b"kept"


def test_detach_of_a_busy_volume(node: Node, small: dict[str, Any]) -> None:
    slice_id = provision(node, small)
    volume = create(node)
    attach(node, volume, slice_id)
    node.settings(ignore_unplug=True)
    error = refused(node, "volume.detach", volume=volume)
    assert error.code == "volume_busy" and "xvdc" in error.message
    assert disks(node, slice_id) == {"xvdc": volume}
    assert volumes(node)[volume]["state"] == "attached" and active(node) == {volume}
    node.do("volume.detach", volume=volume, force=True)
    assert disks(node, slice_id) == {} and active(node) == set()
    # A slice that has ended is not asked.
    attach(node, volume, slice_id)
    node.settings(ignore_unplug=True, delay_ms={"domain_destroy": 300})
    node.end_domain(slice_id, "poweroff")
    node.do("volume.detach", volume=volume)
    assert active(node) == set()


def test_what_a_killed_worker_had_not_finished_is_no_domain(node: Node, small: dict[str, Any]) -> None:
    """Seen about once in a hundred power cuts: a file that waits to be renamed held the volume for ever."""
    slice_id, volume = provision(node, small), create(node)
    attach(node, volume, slice_id)
    domain = node.sim / "domains" / slice_id
    (domain.parent / f"{slice_id}.4711").write_bytes(domain.read_bytes())
    node.do("slice.stop", slice_id, force=True)
    assert node.do("volume.detach", volume=volume)["volume"]["state"] == "available"
    (domain.parent / f"{slice_id}.4711").unlink()


def test_resize(node: Node, small: dict[str, Any]) -> None:
    slice_id = provision(node, small)
    volume, free = create(node), free_mib(node)
    assert node.do("volume.resize", volume=volume, size_gib=2)["volume"]["size_gib"] == 2
    attach(node, volume, slice_id)
    assert node.domains()[slice_id]["disks"]["xvdc"]["bytes"] == 2 * GIB
    assert node.do("volume.resize", volume=volume, size_gib=5)["volume"]["size_gib"] == 5
    assert node.domains()[slice_id]["disks"]["xvdc"]["bytes"] == 5 * GIB
    assert free_mib(node) == free - 4 * 1024
    error = refused(node, "volume.resize", volume=volume, size_gib=4)
    assert error.code == "invalid_argument" and "cannot become smaller" in error.message
    assert refused(node, "volume.resize", volume=volume,
                   size_gib=60000).code == "insufficient_disk"
    node.do("slice.reboot", slice_id, force=True)
    assert node.domains()[slice_id]["disks"]["xvdc"]["bytes"] == 5 * GIB


def test_resize_that_fails(node: Node, small: dict[str, Any]) -> None:
    slice_id = provision(node, small)
    volume = create(node)
    attach(node, volume, slice_id)
    free = free_mib(node)
    node.settings(fail=[{"call": "activate", "code": "storage_error"}])
    assert refused(node, "volume.resize", volume=volume, size_gib=2).code == "storage_error"
    assert volumes(node)[volume]["size_gib"] == 1 and free_mib(node) == free
    # When it has grown and only the slice could not be told, it stays so: asking again tells it.
    node.settings(fail=[{"call": "disk_grow", "code": "hypervisor_error"}])
    assert refused(node, "volume.resize", volume=volume, size_gib=2).code == "hypervisor_error"
    assert volumes(node)[volume]["size_gib"] == 2 and free_mib(node) == free - 1024
    node.settings()
    node.do("volume.resize", volume=volume, size_gib=2)
    assert node.domains()[slice_id]["disks"]["xvdc"]["bytes"] == 2 * GIB


# --- What is refused -------------------------------------------------------------------------------

MISSING = "00000000-0000-4000-8000-00000000000f"


def test_unknown_ids_and_wrong_states(node: Node, small: dict[str, Any]) -> None:
    slice_id, other = provision(node, small), provision(node, small, name="other")
    volume = create(node)
    assert refused(node, "volume.create", volume=volume, name="x",
                   size_gib=1).code == "volume_exists"
    assert refused(node, "volume.attach", MISSING, volume=volume).code == "slice_not_found"
    calls: list[tuple[str, str | None, dict[str, Any]]] = [
        ("attach", slice_id, {}), ("detach", None, {}), ("delete", None, {}), ("resize", None, {"size_gib": 2})]
    for op, on, args in calls:
        assert refused(node, f"volume.{op}", on, volume=MISSING, **args).code == "volume_not_found"
    attach(node, volume, slice_id)
    error = refused(node, "volume.delete", volume=volume)
    assert error.code == "volume_attached" and slice_id in error.message
    error = refused(node, "volume.detach", other, volume=volume)
    assert error.code == "volume_attached" and slice_id in error.message
    assert disks(node, slice_id) == {"xvdc": volume}


@pytest.mark.parametrize("op, args", [
    ("create", {"name": "x", "size_gib": 0}), ("create", {"name": "x", "size_gib": 65537}),
    ("create", {"name": "x", "size_gib": "1"}), ("create", {"name": "a b", "size_gib": 1}),
    ("create", {"size_gib": 1}), ("create", {"name": "x"}), ("resize", {"size_gib": -1}),
    ("resize", {}), ("delete", {"volume": "nonsense"}), ("detach", {"force": "yes"}),
    ("detach", {"volume": None})])
def test_absurd_arguments(node: Node, op: str, args: dict[str, Any]) -> None:
    with pytest.raises(Refused) as caught:
        node.do(f"volume.{op}", None, **{"volume": MISSING, **args})
    assert caught.value.code == "invalid_argument"
    assert volumes(node) == {} and node.volumes() == set()


def test_slices_where_none_belongs(node: Node) -> None:
    calls: list[tuple[str, dict[str, Any]]] = [
        ("create", {"name": "x", "size_gib": 1}), ("resize", {"size_gib": 1}), ("delete", {})]
    for op, args in calls:
        assert refused(node, f"volume.{op}", MISSING, volume=MISSING,
                       **args).code == "invalid_argument"
        assert refused(node, f"volume.{op}", None, volume=MISSING, colour="red",
                       **args).code == "unknown_field"
    assert refused(node, "volume.attach", None, volume=MISSING).code == "invalid_argument"


def test_more_than_fits(node: Node, small: dict[str, Any]) -> None:
    node.do("image.fetch", **small)
    node.settings(pool_mib=2 * 1024 + 10)
    volume = create(node)
    assert refused(node, "volume.create", volume=MISSING, name="x",
                   size_gib=2).code == "insufficient_disk"
    assert refused(node, "volume.resize", volume=volume, size_gib=3).code == "insufficient_disk"
    provision(node, small)
    assert refused(node, "slice.provision", str(uuid.uuid4()),
                   **slice_args(small)).code == "insufficient_disk"
    assert len(volumes(node)) == 1 and volumes(node)[volume]["size_gib"] == 1


def test_sixteen_for_a_slice(node: Node, small: dict[str, Any]) -> None:
    slice_id = provision(node, small)
    made = [create(node, f"v{number}") for number in range(17)]
    assert [attach(node, volume, slice_id) for volume in made[:16]] == [
        f"xvd{letter}" for letter in "cdefghijklmnopqr"]
    error = refused(node, "volume.attach", slice_id, volume=made[16])
    assert error.code == "invalid_argument" and "16 volumes" in error.message
    node.do("slice.reboot", slice_id, force=True)
    assert len(disks(node, slice_id)) == 16


# --- Interruptions ---------------------------------------------------------------------------------

def test_all_at_once(node: Node, small: dict[str, Any]) -> None:
    """Requests on one volume and on its slice follow one another, whatever order they come in."""
    slice_id, other = provision(node, small), provision(node, small, name="other")
    volume = create(node)
    asked = [
        node.submit("volume.attach", slice_id, volume=volume),
        node.submit("volume.resize", volume=volume, size_gib=2),
        node.submit("slice.reboot", slice_id, force=True),
        node.submit("volume.detach", volume=volume),
        node.submit("slice.reboot", slice_id, force=True),
        node.submit("volume.attach", other, volume=volume),
        node.submit("volume.resize", volume=volume, size_gib=3),
        node.submit("slice.stop", slice_id, force=True),
        node.submit("slice.stop", other, force=True),
        node.submit("slice.start", other)]
    ended = [node.wait(request) for request in asked]
    assert [one["phase"] for one in ended] == ["done"] * len(asked), ended
    assert disks(node, other) == {"xvdc": volume} and volumes(node)[volume]["size_gib"] == 3
    assert node.domains()[other]["disks"]["xvdc"]["bytes"] == 3 * GIB


@pytest.mark.parametrize("op, calls", [
    ("attach", ["activate", "disk_plug"]), ("detach", ["disk_unplug", "deactivate"]),
    ("create", ["create"]), ("delete", ["deactivate", "remove"]),
    ("start", ["activate", "domain_start"])])
def test_each_call_that_fails(node: Node, small: dict[str, Any], op: str,
                              calls: list[str]) -> None:
    """What failed is as before, and the next try succeeds."""
    slice_id = provision(node, small)
    volume, made = create(node), str(uuid.uuid4())
    asked: dict[str, tuple[str, str | None, dict[str, Any]]] = {
        "attach": ("volume.attach", slice_id, {"volume": volume}),
        "detach": ("volume.detach", None, {"volume": volume}),
        "delete": ("volume.delete", None, {"volume": volume}),
        "create": ("volume.create", None, {"volume": made, "name": "x", "size_gib": 1}),
        "start": ("slice.start", slice_id, {})}
    if op in ("detach", "start"):
        attach(node, volume, slice_id)
    if op == "start":
        node.do("slice.stop", slice_id, force=True)
    before = (node.active(), node.volumes(), {key: domain.get("disks")
                                              for key, domain in node.domains().items()})
    told = {**volumes(node)[volume], "state": "deleting"} if op == "delete" else volumes(
        node)[volume]
    name, on, args = asked[op]
    for call in calls:
        count = json.loads((node.sim / "calls.json").read_text()).get(call, 0)
        node.settings(fail=[{"call": call, "nth": count + 1, "code": "storage_error",
                             "times": 3 if op == "delete" else 1}])  # what must go is tried again
        assert refused(node, name, on, **args).code == "storage_error"
        assert before == (node.active(), node.volumes(), {
            key: domain.get("disks") for key, domain in node.domains().items()})
        assert volumes(node) == {volume: told}
    node.settings()
    node.do(name, on, **args)
    if op == "start":
        assert disks(node, slice_id) == {"xvdc": volume}


def test_terminate_with_an_attach_under_way(node: Node, images: Images,
                                            small: dict[str, Any]) -> None:
    slice_id = provision(node, small)
    volume = create(node)
    node.settings(delay_ms={"disk_plug": 20000})
    request = node.submit("volume.attach", slice_id, volume=volume)
    wait_until(lambda: active(node) == {volume}, "the attach is under way")
    node.do("slice.terminate", slice_id)
    assert node.wait(request)["error"]["code"] == "cancelled"
    assert active(node) == set() and volumes(node)[volume]["state"] == "available"


# --- Those who ask ---------------------------------------------------------------------------------

def test_slicectl(node: Node, small: dict[str, Any]) -> None:
    def run(*words: str) -> str:
        done = node.slicectl(*words)
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout

    slice_id = provision(node, small)
    run("volume", "create", "data", "2")
    run("volume", "attach", "data", "web")
    assert "xvdc" in run("volume", "list") and slice_id in run("volume", "list")
    run("volume", "resize", "data", "3")
    assert "xvdc  3 GiB  data" in run("show", "web")
    assert json.loads(run("--json", "volume", "list"))[0]["size_gib"] == 3
    run("volume", "detach", "--force", "data")
    run("volume", "delete", "data")
    assert volumes(node) == {}
    refusal = node.slicectl("volume", "create", "data", "many")
    assert refusal.returncode == 2 and "size many: must be a number" in refusal.stderr
    assert node.slicectl("volume", "attach", "data", "web").returncode == 1
    assert node.slicectl("volume", "attach", MISSING).returncode == 2
    assert node.slicectl("volume", "create", "--force", "data", "1").returncode == 2


def test_controller(make_node: Callable[..., Node], controller: Controller,
                    small: dict[str, Any]) -> None:
    node = make_node(controller.conf())
    node.start()
    wait_until(lambda: node.call("node.status")["session"] == "ready", "the session is ready")
    on = ("--node", node.call("node.status")["node"])
    slice_id = str(uuid.uuid4())
    controller.text("request", "slice.provision", *on, "--slice", slice_id, "--args",
                    json.dumps(slice_args(small, name="with-volume")), "--wait")
    controller.text("volume", "create", "data", "1", *on, "--wait")
    controller.text("volume", "attach", "data", "with-volume", "--wait")
    shown = controller.json("volume", "list")
    assert [(one["name"], one["device"], one["slice"]) for one in shown] == [
        ("data", "xvdc", slice_id)]
    assert "xvdc 1 GiB data" in controller.text("slices", "show", "with-volume")
    controller.text("volume", "resize", "data", "2", "--wait")
    assert controller.run("volume", "resize", "data", "1", "--wait").returncode == 1
    controller.text("volume", "detach", "data", "--force", "--wait")
    controller.text("volume", "attach", "data", "with-volume", "--wait")
    node.kill()
    node.start()
    controller.text("terminate", "with-volume", "--wait")
    assert [one["state"] for one in controller.json("volume", "list")] == ["available"]
    controller.text("volume", "delete", "data", "--wait")
    assert controller.json("volume", "list") == []
    assert controller.run("protocol-violations").returncode == 0
