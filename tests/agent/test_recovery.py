"""kill -9 of sliced and of its workers, with the sanitizers watching. Every moment of every operation
is test_every_moment.py's."""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from images import Images
from node import Node, slice_args
from waiting import wait_until

POINTS_MAX = 120


def killed_at_each_point(node: Node, submit: Callable[[], str],
                         check: Callable[[dict[str, Any]], None], stride: int,
                         prepare: Callable[[], None] = lambda: None, first: int = 1,
                         **settings: Any) -> int:
    """Lets sliced die at one point after another of the request that `submit` makes, until it ends
    without. Returns how often it died."""
    deaths = 0
    for point in range(first, POINTS_MAX, stride):
        node.settings()
        prepare()
        node.settings(kill_at=node.points() + point, **settings)
        request = submit()
        assert node.process is not None
        process = node.process
        wait_until(lambda: process.poll() is not None or node_idle(node),
                   "sliced dies or the request ends")
        died = process.poll() is not None
        node.settings(**settings)
        if died:
            deaths += 1
            node.process = None
            node.start()
        check(node.wait(request))
        if not died:
            return deaths
    raise AssertionError(f"the request has more than {POINTS_MAX} points")


def node_idle(node: Node) -> bool:
    try:
        return node.call("node.status")["requests"] == 0
    except OSError:
        return False


def restart_clean(node: Node) -> None:
    """A restart without a reason does nothing at all."""
    points = node.points()
    node.stop()
    node.start()
    node.idle()
    assert node.points() == points


def test_provision_and_terminate(node: Node, images: Images) -> None:
    image = images.add(b"BOOTS!" + b"\1" * 200000)
    slice_ids: list[str] = []

    def submit() -> str:
        slice_ids.append(str(uuid.uuid4()))
        return node.submit("slice.provision", slice_ids[-1], **slice_args(image))

    def check(ended: dict[str, Any]) -> None:
        assert ended["phase"] == "done", ended
        slice_id = slice_ids[-1]
        assert node.state(slice_id) == "running"
        assert node.domains()[slice_id]["domain_id"] == node.slices()[slice_id]["domain_id"]
        assert node.disk(slice_id).read_bytes()[:200006] == b"BOOTS!" + b"\1" * 200000
        node.do("slice.terminate", slice_id)
        node.do("image.delete", id=image["id"])
        assert node.volumes() == set() and node.active() == set() and node.domains() == {}

    assert killed_at_each_point(node, submit, check, stride=8) >= 3
    restart_clean(node)


def killed_in_a_transfer(node: Node, images: Images) -> tuple[str, str]:
    """The slice that was being provisioned, and the request, whose image can be had from now on."""
    image = images.add(b"BOOTS!" + bytes(300000))
    gate = images.gates[image["id"]] = threading.Event()
    slice_id = str(uuid.uuid4())
    request = node.submit("slice.provision", slice_id, **slice_args(image))
    wait_until(lambda: any("image-" in name for name in node.active()), "the import runs")
    node.kill()
    gate.set()
    return slice_id, request


def test_killed_by_hand_in_a_transfer(node: Node, images: Images) -> None:
    slice_id, request = killed_in_a_transfer(node, images)
    node.start()
    assert node.wait(request)["phase"] == "done"
    assert node.state(slice_id) == "running"


def test_request_of_another_version_is_kept(node: Node, images: Images) -> None:
    """An older image is booted while a request is under way whose steps it does not know (compozy/compozy#451,
    dapr/dapr#8364): it neither guesses nor drops it, and the version that knows them ends it."""
    slice_id, request = killed_in_a_transfer(node, images)

    def rename_step(old: str, new: str) -> None:
        with sqlite3.connect(node.folder / "state" / "sliced.db") as store:
            changed = store.execute("UPDATE requests SET scratch = replace(scratch, ?, ?) WHERE id = ?",
                                    (f'"{old}"', f'"{new}"', request))
            assert changed.rowcount == 1

    rename_step("domain.start", "domain.levitate")
    with pytest.raises(AssertionError, match="sliced ended") as ended:
        node.start()
    assert (f"request {request} (slice.provision) was begun by another slicenode: the recorded step domain.levitate is "
            "not known: boot that version again") in str(ended.value)
    rename_step("domain.levitate", "domain.start")
    node.start()
    assert node.wait(request)["phase"] == "done"
    assert node.state(slice_id) == "running"


def test_worker_that_dies(node: Node, small: dict[str, Any]) -> None:
    """Only the worker is killed: the request is undone and says so."""
    node.settings(delay_ms={"domain_start": 3000})
    request = node.submit("slice.provision", str(uuid.uuid4()), **slice_args(small))
    wait_until(lambda: any("seed-" in name for name in node.active()), "the seed is there")
    assert node.process is not None
    pid = node.process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    os.kill(int(children[0]), signal.SIGKILL)
    ended = node.wait(request)
    assert ended["error"]["code"] == "internal" and "signal 9" in ended["error"]["message"]
    assert node.slices() == {} and node.active() == set() and len(node.volumes()) == 1
