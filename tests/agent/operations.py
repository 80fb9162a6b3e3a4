"""Every operation that has work for the backend, once for each way that its plan can look: how to
prepare it, how to ask for it, and what must be so when it is done. test_every_moment.py kills the
agent, fails a step and cancels at each point of each entry; what holds for every operation (nothing
left over, nothing missing) is audit.py's, so `check` only says what the operation was for."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from images import Images
from node import Node, slice_args
from receiver import receiver

DATA = b"BOOTS!" + bytes(range(256)) * 40


@dataclass
class World:
    """A node with what the operation needs. Ids stay the same in every run of an entry."""

    node: Node
    images: Images
    image: dict[str, Any] = field(default_factory=dict)
    slice: str = field(default_factory=lambda: str(uuid.uuid4()))
    other: str = field(default_factory=lambda: str(uuid.uuid4()))  # a snapshot
    ended: dict[str, Any] = field(default_factory=dict)  # the request's end, for `check`

    def provision(self, **changes: Any) -> None:
        if not self.image:
            self.image = self.images.add(DATA, compress=True)
        self.node.do("slice.provision", self.slice, **slice_args(self.image, **changes))

    def state(self) -> str:
        return self.node.state(self.slice)

    def disk(self) -> bytes:
        with self.node.disk(self.slice).open("rb") as disk:
            return disk.read(len(DATA))


@dataclass(frozen=True)
class Operation:
    """An entry of the table. `request` gives the slice (or None) and the arguments; `settings` are
    the simulated node's (backend/sim/folder.h) while it runs."""

    name: str
    op: str
    prepare: Callable[[World], None]
    request: Callable[[World], tuple[str | None, dict[str, Any]]]
    check: Callable[[World], None]
    settings: dict[str, Any] = field(default_factory=dict)
    forward: bool = False  # its plan has no way back, or no steps: it cannot be cancelled half way
    lasts: bool = True  # what `check` looks at is still so when the node has lost its power
    # No failing call of the backend leads to an undo: up to its point of no return it makes none, or only asks.
    never_undone: bool = False
    # So many moments come or do not, run by run, because a transfer tells its progress by the clock.
    varies: int = 0


# Operations that change nothing in the backend: there is nothing to be left half done.
WITHOUT_BACKEND = {"slice.console", "node.report", "node.drain", "request.cancel"}

# Ends with the machine: test_node.py.
WITH_THE_MACHINE = {"node.reboot"}

# Operations under way whose entries come with them or right after.
EXPECTED: set[str] = set()


THIN_ID_MAX = 0xffffff


def give_out_up_to(node: Node, number: int) -> None:
    """As if so many numbers of volumes had been given out."""
    node.stop()
    with closing(sqlite3.connect(node.folder / "state" / "sliced.db")) as store, store:
        store.execute("INSERT OR REPLACE INTO settings (name, value) VALUES ('thin_id', ?)", (str(number),))
    node.start()


def _image(world: World) -> None:
    world.image = world.images.add(DATA, compress=True)


def _fetched(world: World) -> None:
    _image(world)
    world.node.do("image.fetch", **world.image)


def _kernel(world: World) -> None:
    world.image = world.images.add(b"kernel" * 2000)


def _fetched_kernel(world: World) -> None:
    _kernel(world)
    world.node.do("image.fetch", kind="kernel", **world.image)


def _stopped(world: World) -> None:
    world.provision()
    world.node.do("slice.stop", world.slice, force=True)


def _paused(world: World) -> None:
    world.provision()
    world.node.do("slice.pause", world.slice)


def _snapshot(world: World) -> None:
    world.node.do("snapshot.create", world.slice, snapshot=world.other, name="before")


def _running_changed(world: World) -> None:
    """Running, with a snapshot of which the disk differs by now."""
    world.provision()
    _snapshot(world)
    with world.node.disk(world.slice).open("r+b") as disk:
        disk.write(b"CHANGE")


def _stopped_changed(world: World) -> None:
    _running_changed(world)
    world.node.do("slice.stop", world.slice, force=True)


def _with_memory(world: World) -> None:
    world.provision()
    world.node.change_domain(world.slice, memory="then")


def _checkpoint_passed(world: World) -> None:
    """Running, with a snapshot of which both disk and memory differ by now."""
    _with_memory(world)
    world.node.do("snapshot.create", world.slice, snapshot=world.other, name="s", memory=True)
    world.node.change_domain(world.slice, memory="now")
    with world.node.disk(world.slice).open("r+b") as disk:
        disk.write(b"CHANGE")


def _checkpoint_stopped(world: World) -> None:
    _checkpoint_passed(world)
    world.node.do("slice.stop", world.slice, force=True)


def _slice(**args: Any) -> Callable[[World], tuple[str | None, dict[str, Any]]]:
    return lambda world: (world.slice, args)


def _provision(**changes: Any) -> Callable[[World], tuple[str | None, dict[str, Any]]]:
    return lambda world: (world.slice, slice_args(world.image, **changes))


def _on_snapshot(**args: Any) -> Callable[[World], tuple[str | None, dict[str, Any]]]:
    return lambda world: (world.slice, {"snapshot": world.other, **args})


def _is_running(world: World) -> None:
    assert world.state() == "running"
    assert world.disk() == DATA


def _is_stopped(world: World) -> None:
    assert world.state() == "stopped"


def _is_paused(world: World) -> None:
    assert world.state() == "paused" and world.disk() == DATA


def _to_clone(world: World) -> None:
    """A slice with a snapshot, and another id for the one that is to be made from it."""
    _running_changed(world)
    world.slice, world.other = world.other, world.slice


def _clone(**changes: Any) -> Callable[[World], tuple[str | None, dict[str, Any]]]:
    def request(world: World) -> tuple[str | None, dict[str, Any]]:
        args = slice_args({}, name="copy", **changes)
        del args["image"]
        return world.slice, {**args, "snapshot": world.slice}
    return request


def _room_to_grow(world: World) -> None:
    world.provision(max_vcpus=4, max_memory_mib=512)


def _sizes(world: World) -> tuple[int, int, int]:
    found = world.node.slices()[world.slice]
    return found["vcpus"], found["memory_mib"], found["disk_gib"]


def _given(world: World) -> tuple[int, int, int]:
    domain = world.node.domains()[world.slice]
    disk = world.node.disk(world.slice).stat().st_size >> 30
    return domain["vcpus"], domain["given_mib"], disk


def _is_resized(world: World) -> None:
    assert set(world.ended["result"]["applied"].values()) == {"now"}
    assert _sizes(world) == _given(world) == (2, 300, 3)
    assert world.disk() == DATA


def _is_resized_later(world: World) -> None:
    assert world.ended["result"]["applied"] == {"vcpus": "next_start", "memory_mib": "next_start"}
    assert _sizes(world) == (2, 300, 1) and _given(world) == (1, 128, 1)


def _has_snapshot(world: World) -> None:
    assert [item["id"] for item in world.node.slices()[world.slice]["snapshots"]] == [world.other]


def _as_it_was(world: World) -> None:
    _is_running(world)
    assert world.node.domains()[world.slice]["memory"] == "then"


def _has_checkpoint(world: World) -> None:
    """Whole: it is there, the slice went on, and there is a way back to it."""
    _has_snapshot(world)
    _as_it_was(world)
    world.node.change_domain(world.slice, memory="now")
    world.node.do("snapshot.revert", world.slice, snapshot=world.other, restart=True)
    _as_it_was(world)


def _has_no_snapshot(world: World) -> None:
    assert world.node.slices()[world.slice]["snapshots"] == []


def _reverted_stopped(world: World) -> None:
    _is_stopped(world)
    world.node.do("slice.start", world.slice)
    assert world.disk() == DATA


def _gone(world: World) -> None:
    assert world.node.slices() == {} and len(world.node.volumes()) == 1, "only the image is left"


def _image_there(world: World) -> None:
    assert [item["ready"] for item in world.node.call("image.list")] == [True]


def _nothing(world: World) -> None:
    assert world.node.call("image.list") == [] and world.node.volumes() == set()


def _exportable(world: World) -> None:
    """Two snapshots, `other` the newer one, and a server that takes exports."""
    world.node.conf(receiver().conf)
    world.provision()
    world.image["older"] = str(uuid.uuid4())
    world.node.do("snapshot.create", world.slice, snapshot=world.image["older"], name="older")
    with world.node.disk(world.slice).open("r+b") as disk:
        disk.seek(1 << 20)
        disk.write(b"CHANGE")
    _snapshot(world)


def _exported(world: World) -> None:
    # Other nodes send to it meanwhile.
    assert world.ended["result"]["sha256"] in receiver().taken


# --- Volumes: `other` is the volume's id -------------------------------------------------------------

def _volume(world: World) -> None:
    world.node.do("volume.create", volume=world.other, name="data", size_gib=1)


def _numbers_used_up(world: World) -> None:
    """One number is left before the first ones are used again, of which another slice has some."""
    _fetched(world)
    world.node.do("slice.provision", world.other, **slice_args(world.image))
    with world.node.disk(world.other).open("r+b") as disk:
        disk.write(b"OTHERS")
    world.node.idle()
    give_out_up_to(world.node, THIN_ID_MAX - 1)


def _is_running_beside_another(world: World) -> None:
    _is_running(world)
    with world.node.disk(world.other).open("rb") as disk:
        assert disk.read(6) == b"OTHERS"


def _running_and_volume(world: World) -> None:
    world.provision()
    _volume(world)


def _running_with_volume(world: World) -> None:
    _running_and_volume(world)
    world.node.do("volume.attach", world.slice, volume=world.other)


def _stopped_and_volume(world: World) -> None:
    _stopped(world)
    _volume(world)


def _stopped_with_volume(world: World) -> None:
    _stopped_and_volume(world)
    world.node.do("volume.attach", world.slice, volume=world.other)


def _on_volume(attach: bool = False,
               **args: Any) -> Callable[[World], tuple[str | None, dict[str, Any]]]:
    return lambda world: (world.slice if attach else None, {"volume": world.other, **args})


def _volume_is(state: str, size_gib: int = 1) -> Callable[[World], None]:
    def check(world: World) -> None:
        found = world.node.call("volume.list")
        assert [(one["id"], one["state"], one["size_gib"], one["device"]) for one in found] == [
            (world.other, state, size_gib, "xvdc" if state == "attached" else None)]
        if state == "attached" and world.state() == "running":
            disk = world.node.domains()[world.slice]["disks"]["xvdc"]
            assert disk["bytes"] == size_gib << 30
    return check


def _no_volume(world: World) -> None:
    assert world.node.call("volume.list") == []


OPERATIONS = [
    Operation("provision-fetch", "slice.provision", _image, _provision(), _is_running, varies=4),
    Operation("provision", "slice.provision", _fetched, _provision(), _is_running),
    Operation("provision-numbers-again", "slice.provision", _numbers_used_up, _provision(), _is_running_beside_another),
    Operation("provision-stopped", "slice.provision", _fetched, _provision(desired="stopped"),
              _is_stopped),
    Operation("clone", "slice.provision", _to_clone, _clone(disk_gib=2), _is_running),
    Operation("clone-stopped", "slice.provision", _to_clone, _clone(desired="stopped"), _is_stopped),
    Operation("resize", "slice.resize", _room_to_grow, _slice(vcpus=2, memory_mib=300, disk_gib=3),
              _is_resized, lasts=False),
    Operation("resize-later", "slice.resize", World.provision, _slice(vcpus=2, memory_mib=300),
              _is_resized_later, lasts=False),
    Operation("resize-stopped", "slice.resize", _stopped, _slice(vcpus=2, memory_mib=300, disk_gib=3),
              _is_stopped, forward=True),
    Operation("start", "slice.start", _stopped, _slice(), _is_running),
    Operation("stop", "slice.stop", World.provision, _slice(timeout_seconds=1), _is_stopped, never_undone=True),
    Operation("stop-force", "slice.stop", World.provision, _slice(force=True), _is_stopped,
              forward=True),
    Operation("reboot", "slice.reboot", World.provision, _slice(timeout_seconds=1), _is_running, never_undone=True),
    Operation("pause", "slice.pause", World.provision, _slice(), _is_paused, lasts=False),
    Operation("unpause", "slice.unpause", _paused, _slice(), _is_running),
    Operation("start-paused", "slice.start", _paused, _slice(), _is_running),
    Operation("stop-paused", "slice.stop", _paused, _slice(timeout_seconds=1), _is_stopped),
    Operation("reboot-paused", "slice.reboot", _paused, _slice(timeout_seconds=1), _is_running),
    Operation("terminate-paused", "slice.terminate", _paused, _slice(), _gone, forward=True),
    Operation("terminate", "slice.terminate", _running_changed, _slice(), _gone, forward=True),
    Operation("snapshot", "snapshot.create", World.provision, _on_snapshot(name="s"),
              _has_snapshot),
    Operation("snapshot-stopped", "snapshot.create", _stopped, _on_snapshot(name="s"),
              _has_snapshot),
    Operation("revert", "snapshot.revert", _running_changed, _on_snapshot(restart=True),
              _is_running),
    Operation("revert-stopped", "snapshot.revert", _stopped_changed, _on_snapshot(),
              _reverted_stopped),
    Operation("snapshot-delete", "snapshot.delete", _running_changed, _on_snapshot(),
              _has_no_snapshot, forward=True),
    Operation("export", "snapshot.export", _exportable, lambda world: (world.slice, {
        "snapshot": world.other, "url": receiver().url, "compression": "zstd"}), _exported, varies=4),
    Operation("export-since", "snapshot.export", _exportable, lambda world: (world.slice, {
        "snapshot": world.other, "url": receiver().url, "since": world.image["older"]}), _exported, varies=4),
    Operation("checkpoint", "snapshot.create", _with_memory, _on_snapshot(name="s", memory=True),
              _has_checkpoint, lasts=False),
    Operation("checkpoint-revert", "snapshot.revert", _checkpoint_passed,
              _on_snapshot(restart=True), _as_it_was, lasts=False),
    Operation("checkpoint-revert-stopped", "snapshot.revert", _checkpoint_stopped, _on_snapshot(),
              _as_it_was, lasts=False),
    Operation("checkpoint-delete", "snapshot.delete", _checkpoint_passed, _on_snapshot(),
              _has_no_snapshot, forward=True),
    Operation("fetch", "image.fetch", _image, lambda world: (None, world.image), _image_there, varies=4),
    Operation("fetch-kernel", "image.fetch", _kernel,
              lambda world: (None, {"kind": "kernel", **world.image}), _image_there, never_undone=True, varies=4),
    Operation("image-delete", "image.delete", _fetched,
              lambda world: (None, {"id": world.image["id"]}), _nothing, forward=True),
    Operation("kernel-delete", "image.delete", _fetched_kernel,
              lambda world: (None, {"id": world.image["id"]}), _nothing, forward=True),
    Operation("volume-create", "volume.create", lambda _: None, _on_volume(name="v", size_gib=1),
              _volume_is("available")),
    Operation("volume-attach", "volume.attach", _running_and_volume, _on_volume(True),
              _volume_is("attached")),
    Operation("volume-attach-stopped", "volume.attach", _stopped_and_volume, _on_volume(True),
              _volume_is("attached"), forward=True),
    Operation("volume-detach", "volume.detach", _running_with_volume, _on_volume(),
              _volume_is("available")),
    Operation("volume-detach-force", "volume.detach", _running_with_volume, _on_volume(force=True),
              _volume_is("available"), settings={"ignore_unplug": True}),
    Operation("volume-detach-stopped", "volume.detach", _stopped_with_volume, _on_volume(),
              _volume_is("available")),
    Operation("volume-resize", "volume.resize", _running_with_volume, _on_volume(size_gib=3),
              _volume_is("attached", 3), forward=True),
    Operation("volume-resize-stopped", "volume.resize", _stopped_with_volume,
              _on_volume(size_gib=3), _volume_is("attached", 3), forward=True),
    Operation("volume-delete", "volume.delete", _volume, _on_volume(), _no_volume, forward=True),
    Operation("start-with-volume", "slice.start", _stopped_with_volume, _slice(),
              _volume_is("attached")),
    Operation("stop-with-volume", "slice.stop", _running_with_volume, _slice(force=True),
              _volume_is("attached"), forward=True),
    Operation("terminate-with-volume", "slice.terminate", _running_with_volume, _slice(),
              _volume_is("available"), forward=True),
]
