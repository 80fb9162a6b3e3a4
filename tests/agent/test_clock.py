"""A clock that is wrong by years, in both directions: certificates seem to be of another time. Slices are
not affected, the node says what is wrong, keeps its identity, and goes on when the clock is right."""

from __future__ import annotations

import struct
import subprocess
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hostile import Hostile, new_request
from node import RELEASE, Node, slice_args
from waiting import wait_until
from test_controller import problem
from test_network_away import all_arrived, ready, work

YEAR = timedelta(days=365)


def years_from_now(years: int) -> str:
    return (datetime.now(timezone.utc) + years * YEAR).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    built = tmp_path_factory.mktemp("clock") / "shifted_clock.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", built,
                    Path(__file__).parent / "shifted_clock.c"], check=True)
    return built


class Clock:
    """Of one node: sliced, its workers and sliced-net, which does not inherit the environment."""

    def __init__(self, node: Node, library: Path) -> None:
        self.node = node
        self.shift = node.folder / "shift"
        self.set(0)
        node.wrapper = ["env", f"LD_PRELOAD={library}", f"CLOCK_SHIFT={self.shift}"]
        self.libexec = node.folder / "libexec"
        self.libexec.mkdir()
        for program in ("sliced-net", "sliced-import"):
            path = self.libexec / program
            path.write_text(f'#!/bin/sh\nLD_PRELOAD={library} CLOCK_SHIFT={self.shift} '
                            f'exec {RELEASE / program} "$@"\n')
            path.chmod(0o755)

    def set(self, years: float) -> None:
        with self.shift.open("r+b" if self.shift.exists() else "wb") as file:
            file.write(struct.pack("q", int(years * YEAR.total_seconds())))

    def start(self) -> None:
        self.node.start("--libexec", str(self.libexec))


def ended(node: Node, slice_id: str, deadline: str) -> str:
    """How a request with a deadline ends."""
    answer = node.call("slice.console", slice=slice_id, args={"bytes": 10}, deadline=deadline, wait=True)
    return str(answer["error"]["code"] if answer["error"] else answer["phase"])


@pytest.mark.parametrize(("years", "words"), [(20, "expired"), (-20, "not yet valid")])
@pytest.mark.parametrize("restart", [False, True])
def test_clock_that_is_wrong_by_years(make_node: Callable[..., Node], hostile: Hostile, library: Path,
                                      small: dict[str, Any], years: int, words: str,
                                      restart: bool) -> None:
    node = make_node(hostile.conf(), programs=RELEASE)
    clock = Clock(node, library)
    clock.start()
    ready(node)
    slice_id = str(uuid.uuid4())
    node.do("slice.provision", slice_id, **slice_args(small))
    before = node.call("node.status")["node"]
    identity = (node.folder / "state" / "identity" / "certificate.pem").read_text()
    hostile.stop()
    if restart:
        node.stop()
    clock.set(years)
    if restart:
        clock.start()
    hostile.start()  # connections that were made before would go on
    found = problem(node, "controller_certificate")["message"]
    assert words in found and f"clock says {years_from_now(years)[:4]}" in found, found
    assert ended(node, slice_id, years_from_now(10)) == (
        "deadline_passed" if years > 0 else "done")
    assert ended(node, slice_id, years_from_now(-10)) == (
        "deadline_passed" if years > 0 else "done")
    node.do("slice.stop", slice_id)
    node.do("slice.start", slice_id)
    requests = work(node, 3)
    clock.set(0)
    all_arrived(node, hostile, *requests)
    asked = new_request("node.report")
    hostile.ask(asked)
    all_arrived(node, hostile, asked["id"])
    wait_until(lambda: node.call("node.status")["problems"] == [], "the problem is over", 60)
    assert node.call("node.status")["node"] == before and hostile.calls["enroll"] == 1
    assert (node.folder / "state" / "identity" / "certificate.pem").read_text() == identity
    assert ended(node, slice_id, years_from_now(-10)) == "deadline_passed"


@pytest.mark.parametrize("years", [20, -20])
def test_node_that_enrols_with_a_wrong_clock(make_node: Callable[..., Node], hostile: Hostile,
                                             library: Path, years: int) -> None:
    """A new server whose clock nobody has set yet."""
    node = make_node(hostile.conf(), programs=RELEASE)
    clock = Clock(node, library)
    clock.set(years)
    clock.start()
    assert "clock says" in problem(node, "controller_certificate")["message"]
    assert "enroll" not in hostile.calls, "not even the token is sent"
    clock.set(0)
    node.stop()
    clock.start()  # the next attempt may be a minute away
    ready(node)
    assert hostile.calls["enroll"] == 1


def test_certificate_that_is_over_when_it_comes(make_node: Callable[..., Node], hostile: Hostile,
                                                library: Path) -> None:
    """By a clock that is half a month ahead: it is not renewed over and over."""
    hostile.stop()
    hostile.start(hostile.authority.server("long", until="20991231000000Z"))
    node = make_node(hostile.conf(), programs=RELEASE)
    clock = Clock(node, library)
    clock.set(15 / 365)
    clock.start()
    ready(node)
    assert "had expired when it was issued: the clock is wrong" in node.log()
    assert "certificate" not in hostile.calls
