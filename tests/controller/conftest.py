"""Fixtures: one controller for each file of tests, and no violation that nobody asked for."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from rig import Controller

# So that the fixtures' ends run, and no controller is left.
signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("images")


@pytest.fixture(scope="module")
def faults(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("faults") / "faults.json"


@pytest.fixture(scope="module")
def controller(
    tmp_path_factory: pytest.TempPathFactory, images: Path, faults: Path
) -> Iterator[Controller]:
    folder = tmp_path_factory.mktemp("controller") / "state"
    running = Controller(
        folder, "--images", str(images), "--http", "0", "--faults", str(faults), "--verbose"
    )
    yield running
    ours = [line for line in running.violations() if line.startswith("controller")]
    assert running.stop() == 0
    assert ours == []
