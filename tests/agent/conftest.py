"""Fixtures: nodes, images and the development controller."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "common")]

from controller import Controller
from hostile import Hostile
from images import Images
from node import ROOT, Node


# So that whoever ends the run in the middle leaves no node behind.
signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def _programs() -> None:
    """The tests always run what the sources say; of several workers one builds and the others wait."""
    (ROOT / "out").mkdir(exist_ok=True)
    for build in ("host", "release"):
        built = subprocess.run(["flock", ROOT / "out" / "agent.lock", "make", "-s", "-j2", "-C", ROOT / "agent",
                                f"BUILD={build}"], check=False, capture_output=True, text=True)
        assert built.returncode == 0, built.stderr


@pytest.fixture(scope="session")
def images() -> Iterator[Images]:
    server = Images()
    yield server
    server.shutdown()


@pytest.fixture(scope="session")
def small(images: Images) -> dict[str, Any]:
    """A small image that boots."""
    return images.add(b"BOOTS!" + bytes(range(256)) * 400, compress=True)


@pytest.fixture
def make_node(request: pytest.FixtureRequest) -> Iterator[Callable[..., Node]]:
    """Makes nodes; each must end cleanly, without a complaint of the sanitizers."""
    nodes: list[Node] = []

    def make(*args: Any, **kwargs: Any) -> Node:
        nodes.append(Node(*args, **kwargs))
        return nodes[-1]

    yield make
    try:
        for node in nodes:
            node.stop()
    finally:
        for node in nodes:
            node.kill()
            node.remove()


@pytest.fixture
def node(make_node: Callable[..., Node]) -> Node:
    """A node without a controller, running."""
    made = make_node()
    made.start()
    return made


@pytest.fixture(scope="module")
def controller() -> Iterator[Controller]:
    made = Controller()
    made.start()
    yield made
    made.stop()
    made.remove()


@pytest.fixture
def hostile() -> Iterator[Hostile]:
    made = Hostile()
    yield made
    made.remove()
