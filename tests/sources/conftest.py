"""Fixtures: the world around a fetch."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from openpgp import Key
from tree import make_template
from world import World

NAMESPACE = ["unshare", "-rm"]

# So that whoever ends the run in the middle leaves no server and no folder behind.
signal.signal(signal.SIGTERM, signal.default_int_handler)
# A run in the background (nohup, &) ignores these, and so would all that it starts, also what a test interrupts.
for number in (signal.SIGINT, signal.SIGHUP):
    signal.signal(number, signal.default_int_handler)


@pytest.fixture(scope="session")
def key(tmp_path_factory: pytest.TempPathFactory) -> Key:
    """The archive's signing key: made once, that takes a second."""
    return Key(tmp_path_factory.mktemp("key"))


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What every tree has of this repository."""
    return make_template(tmp_path_factory.mktemp("scripts"))


@pytest.fixture
def make_world(key: Key, template: Path) -> Iterator[Callable[..., World]]:
    made: list[World] = []

    def make(name: str = "tree") -> World:
        made.append(World(key, template, name))
        return made[-1]

    yield make
    for world in made:
        world.close()


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    return make_world()


@pytest.fixture(scope="session")
def namespace() -> list[str]:
    """Runs a command as root of a namespace of users and mounts."""
    tried = subprocess.run([*NAMESPACE, "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, text=True,
                           check=False)
    if tried.returncode != 0:
        pytest.skip(f"no mount namespace can be made here: {tried.stderr.strip()}")
    return NAMESPACE
