"""Disk images are a cache: they go, the one used least recently first, when a request needs room."""

from __future__ import annotations

import json
import threading
import uuid
from pathlib import Path
from typing import Any

import pytest
from images import Images
from node import Connection, Node, Refused, slice_args
from waiting import wait_until
from test_recovery import killed_at_each_point

MIB = 1 << 20
SLICE_MIB = 1025  # its disk of one GiB and its seed


def three(images: Images) -> list[dict[str, Any]]:
    return [images.add((b"BOOTS!" + bytes([number + 1]) * (3 * MIB))[:3 * MIB])
            for number in range(3)]


@pytest.fixture
def cache(node: Node, images: Images) -> list[dict[str, Any]]:
    """Three images of three MiB each on the node, in the order of their fetch."""
    made = three(images)
    for image in made:
        node.do("image.fetch", **image)
    return made


def pool(node: Node, mib: int, **settings: Any) -> None:
    """Space besides one slice."""
    node.settings(pool_mib=SLICE_MIB + mib, **settings)


def pool_used(node: Node, mib: int, **settings: Any) -> None:
    """A pool with room for everything by what is promised, of which `mib` more than allowed are used,
    the three images' nine included."""
    node.settings(pool_mib=3000, data_used_mib=2850 - 1 - 9 + mib, **settings)


def there(node: Node, cache: list[dict[str, Any]]) -> list[int]:
    """Which of the images are ready."""
    ready = {image["id"] for image in node.call("image.list") if image["ready"]}
    return [number for number, image in enumerate(cache) if image["id"] in ready]


def events_of(follower: Connection, request: str) -> list[dict[str, Any]]:
    """All events up to the request's end."""
    events: list[dict[str, Any]] = []
    while not events or events[-1]["request"] != request or events[-1]["type"] not in (
            "request.done", "request.failed"):
        events.append(follower.receive()["params"])
    return events


def test_least_recently_used_goes_first(node: Node, cache: list[dict[str, Any]]) -> None:
    node.do("slice.provision", (first := str(uuid.uuid4())), **slice_args(cache[0]))
    node.do("slice.terminate", first)
    pool(node, 7)  # two of them and a slice fit
    follower = node.connect()
    follower.call("events.follow")
    slice_id = str(uuid.uuid4())
    request = node.submit("slice.provision", slice_id, **slice_args(cache[2]))
    assert node.wait(request)["phase"] == "done"
    assert there(node, cache) == [0, 2], "the first one was used since"
    assert node.disk(slice_id).read_bytes()[:7] == b"BOOTS!\x03"
    events = events_of(follower, request)
    follower.close()
    collected = [event for event in events if event["type"] == "image.state"]
    assert [(event["request"], event["result"]) for event in collected] == [
        (None, {"id": cache[1]["id"], "state": "deleted", "reason": "collected"})]
    assert [event["type"] for event in events if event["request"] not in (request, None)] == []
    assert "LAST USED" in node.slicectl("image", "list").stdout
    assert all(image["last_used"] for image in node.call("image.list"))


def test_slice_keeps_its_disk_without_the_image(node: Node, cache: list[dict[str, Any]]) -> None:
    slice_id = str(uuid.uuid4())
    node.do("slice.provision", slice_id, **slice_args(cache[1]))
    pool(node, SLICE_MIB + 3)
    node.do("slice.provision", str(uuid.uuid4()), **slice_args(cache[0], name="other"))
    assert there(node, cache) == [0]
    node.do("slice.stop", slice_id)
    node.do("slice.start", slice_id)
    assert node.disk(slice_id).read_bytes()[:7] == b"BOOTS!\x02"


def test_no_image_goes_in_vain(node: Node, cache: list[dict[str, Any]]) -> None:
    pool(node, 0)
    for changes in ({"disk_gib": 2}, {"memory_mib": 1 << 20}):
        with pytest.raises(Refused):
            node.do("slice.provision", str(uuid.uuid4()), **slice_args(cache[0], **changes))
    with pytest.raises(Refused) as refused:
        node.do("slice.provision", str(uuid.uuid4()), **slice_args(cache[0], disk_gib=2))
    assert refused.value.code == "insufficient_disk"
    assert there(node, cache) == [0, 1, 2]


REQUESTS: dict[str, tuple[str, dict[str, Any]]] = {
    "snapshot.create": ("running", {"name": "s", "snapshot": str(uuid.uuid4())}),
    "slice.resize": ("running", {"disk_gib": 2}),
    "volume.create": ("", {"volume": str(uuid.uuid4()), "name": "v", "size_gib": 1}),
}


@pytest.mark.parametrize("op", ["slice.provision", "image.fetch", *REQUESTS])
def test_pool_that_is_used_up_to_its_limit(node: Node, images: Images, cache: list[dict[str, Any]],
                                           op: str) -> None:
    """By what is in use, not by what is promised: the same images go, and the request goes on."""
    slice_id = str(uuid.uuid4())
    state, args = REQUESTS.get(op, ("", {}))
    if state:
        node.do("slice.provision", slice_id, **slice_args(images.add(b"BOOTS!")))
    pool_used(node, 4)
    if op == "slice.provision":
        node.do(op, slice_id, **slice_args(cache[0]))
        assert there(node, cache) == [0]
    elif op == "image.fetch":
        node.do(op, **images.add(bytes(MIB)))
        assert there(node, cache) == [2]
    else:
        node.do(op, slice_id if state else None, **args)
        assert there(node, cache) == [2]


def test_pool_that_images_cannot_help(node: Node, cache: list[dict[str, Any]]) -> None:
    """Slices or the metadata have used it up: no image goes, and the request is refused."""
    reasons: list[tuple[int, dict[str, Any]]] = [(7, {}), (4, {"metadata_percent": 90})]
    for mib, settings in reasons:
        pool_used(node, mib, **settings)
        with pytest.raises(Refused) as refused:  # two of the three could go
            node.do("slice.provision", str(uuid.uuid4()), **slice_args(cache[0]))
        assert refused.value.code == "pool_full"
    assert there(node, cache) == [0, 1, 2]


def test_pool_that_fills_while_a_snapshot_is_measured(node: Node,
                                                      cache: list[dict[str, Any]]) -> None:
    slice_id, snapshot = str(uuid.uuid4()), str(uuid.uuid4())
    node.do("slice.provision", slice_id, **slice_args(cache[0], desired="stopped"))
    moments = json.loads((node.sim / "calls.json").read_text())["moments"]
    # After one commit its disk is activated, to be measured.
    node.settings(hold_moment=moments + 3)
    request = node.submit("snapshot.create", slice_id, snapshot=snapshot, name="s")
    wait_until((node.sim / "held").exists, "it is measured")
    pool_used(node, 2 - 3)  # the slice's disk takes three
    assert node.wait(request)["phase"] == "done"
    assert there(node, cache) == [0, 2]
    assert [item["id"] for item in node.slices()[slice_id]["snapshots"]] == [snapshot]


def test_kernels_stay(node: Node, images: Images, cache: list[dict[str, Any]]) -> None:
    kernel = images.add(b"kernel" * MIB)
    node.do("image.fetch", kind="kernel", **kernel)
    pool(node, 4)
    node.do("slice.provision", str(uuid.uuid4()), **slice_args(cache[2]))
    assert there(node, [*cache, kernel]) == [2, 3]


def test_image_of_a_queued_provision_stays(node: Node, cache: list[dict[str, Any]]) -> None:
    """It is the oldest, but a slice is to be made from it: the others go."""
    pool(node, SLICE_MIB + 6, delay_ms={"domain_start": 1500})
    busy = str(uuid.uuid4())
    first = node.submit("slice.provision", busy, **slice_args(cache[2]))
    wait_until(lambda: any("seed-" in name for name in node.active()), "the first one runs")
    # Waits behind the first one, since it is for the same slice, and holds its image.
    second = node.submit("slice.provision", busy, **slice_args(cache[0]))
    third = node.submit("slice.provision", str(uuid.uuid4()), **slice_args(cache[2], name="third"))
    assert node.wait(third)["phase"] == "done"
    assert there(node, cache) == [0, 2]
    assert node.wait(first)["phase"] == "done"
    assert node.wait(second)["error"]["code"] == "slice_exists"


def test_only_images_in_use_are_left(node: Node, images: Images,
                                     cache: list[dict[str, Any]]) -> None:
    """What a running request concerns does not go, even if the other one must be refused."""
    for image in cache[1:]:
        node.do("image.delete", id=image["id"])
    pool(node, 3, delay_ms={"domain_start": 1500})
    first = node.submit("slice.provision", str(uuid.uuid4()), **slice_args(cache[0]))
    wait_until(lambda: any("seed-" in name for name in node.active()), "the first one runs")
    with pytest.raises(Refused) as refused:
        node.do("image.fetch", **images.add(bytes(MIB)))
    assert refused.value.code == "insufficient_disk"
    assert node.wait(first)["phase"] == "done" and there(node, cache) == [0]


def test_keeps_its_place_in_the_queue(node: Node, cache: list[dict[str, Any]]) -> None:
    pool(node, 4, delay_ms={"remove": 300})
    slice_id = str(uuid.uuid4())
    provision = node.submit("slice.provision", slice_id, **slice_args(cache[0]))
    stop = node.submit("slice.stop", slice_id, force=True)
    assert node.wait(stop)["phase"] == "done"
    assert node.wait(provision)["phase"] == "done" and node.state(slice_id) == "stopped"


def test_terminate_while_waiting(node: Node, cache: list[dict[str, Any]]) -> None:
    pool(node, 4, delay_ms={"remove": 500})
    slice_id = str(uuid.uuid4())
    provision = node.submit("slice.provision", slice_id, **slice_args(cache[0]))
    node.do("slice.terminate", slice_id)
    assert node.wait(provision)["error"]["code"] == "cancelled"
    node.idle()
    assert there(node, cache) == [0, 2] and node.slices() == {}


def test_image_that_grows_while_it_comes(node: Node, images: Images,
                                         cache: list[dict[str, Any]]) -> None:
    """Compressed, its size is known only at the end; the room is made nevertheless."""
    packed = images.add(bytes(range(1, 256)) * 32 * 1024, compress=True, size_bytes=None)
    pool(node, 10)
    gate = images.gates[packed["id"]] = threading.Event()
    gate.set()
    node.do("slice.provision", (slice_id := str(uuid.uuid4())), **slice_args(packed))
    assert node.state(slice_id) == "running"
    assert there(node, [*cache, packed]) == [3], "8 MiB: two of nine have to go, then the third"


def test_snapshot_is_measured_and_makes_room(node: Node, cache: list[dict[str, Any]]) -> None:
    slice_id = str(uuid.uuid4())
    node.do("slice.provision", slice_id, **slice_args(cache[2]))
    pool(node, 9)
    snapshot = str(uuid.uuid4())
    node.do("snapshot.create", slice_id, snapshot=snapshot, name="s")
    assert there(node, cache) == [1, 2]
    assert [item["id"] for item in node.slices()[slice_id]["snapshots"]] == [snapshot]
    with pytest.raises(Refused) as refused:
        pool(node, 3)
        node.do("snapshot.create", slice_id, snapshot=str(uuid.uuid4()), name="t")
    assert refused.value.code == "insufficient_disk"


def test_deletion_that_fails(node: Node, cache: list[dict[str, Any]]) -> None:
    """The next one is tried, and the pool keeps what could not be removed."""
    removals = json.loads((node.sim / "calls.json").read_text())["remove"]
    pool(node, 7, fail=[{"call": "remove", "code": "storage_error", "nth": removals + 1,
                         "times": 3}])
    node.do("slice.provision", str(uuid.uuid4()), **slice_args(cache[2]))
    assert there(node, cache) == [2]


@pytest.mark.parametrize("op", ["slice.provision", "snapshot.create"])
def test_killed_at_each_point(node: Node, images: Images, op: str) -> None:
    """Whenever the agent dies, the request is carried out and one image has gone, not two."""
    cache = three(images)
    slice_ids: list[str] = []
    snapshots: list[str] = []

    def prepare() -> None:
        for image in cache[:2]:
            if image["id"] not in {one["id"] for one in node.call("image.list")}:
                node.do("image.fetch", **image)
        slice_ids.append(str(uuid.uuid4()))
        snapshots.append(str(uuid.uuid4()))
        if op == "snapshot.create":
            node.do("slice.provision", slice_ids[-1], **slice_args(cache[2]))
        elif cache[2]["id"] not in {one["id"] for one in node.call("image.list")}:
            node.do("image.fetch", **cache[2])

    def submit() -> str:
        if op == "snapshot.create":
            return node.submit(op, slice_ids[-1], snapshot=snapshots[-1], name="s")
        return node.submit(op, slice_ids[-1], **slice_args(cache[2]))

    def check(ended: dict[str, Any]) -> None:
        assert ended["phase"] == "done", ended
        node.idle()
        ready = there(node, cache)
        assert 2 in ready and len(ready) == 2, ready
        assert all(image["ready"] for image in node.call("image.list"))
        node.settings()
        node.do("slice.terminate", slice_ids[-1])
        assert len(node.volumes()) == 2 and node.active() == set()

    room = 9 if op == "snapshot.create" else 7
    assert killed_at_each_point(node, submit, check, stride=1 if op == "snapshot.create" else 2,
                                prepare=prepare, pool_mib=SLICE_MIB + room) >= 4


def test_power_cut_while_collecting(node: Node, cache: list[dict[str, Any]], tmp_path: Path) -> None:
    pool(node, 4, delay_ms={"remove": 20000})
    request = node.submit("slice.provision", str(uuid.uuid4()), **slice_args(cache[0]))
    wait_until(lambda: len(there(node, cache)) == 2, "an image is on its way out")
    node.power_cut()
    pool(node, 4)
    node.start()
    assert node.wait(request)["phase"] == "done"
    assert there(node, cache) == [0]
