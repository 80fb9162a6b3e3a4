"""Fixtures of the system tests: the artefacts of the build, and nodes that are gone when a test ends."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from node import REPOSITORY, Node  # noqa: E402


SETUP_SECONDS = 10.0
# The files that take longest come first, lest one worker ends alone with one of them.
LONGEST = ("test_debian", "test_power", "test_slices", "test_sick", "test_checkpoint", "test_boot")


@dataclass(frozen=True)
class Artefacts:
    """What the build made."""

    out: Path
    iso: Path
    efi: Path
    pxe: Path

    @classmethod
    def of(cls, out: Path) -> Artefacts:
        isos = sorted(out.glob("slicenode-*.iso"))
        assert isos, "the image is not built: run make"
        return cls(out=out, iso=isos[-1], efi=out / "slicenode.efi", pxe=out / "pxe")

    def personalised(self, image: Path, conf: str, folder: Path) -> Path:
        """A copy of the image with this slicenode.conf in its slot, mistakes and all."""
        conf_path = folder / "slicenode.conf"
        conf_path.write_text(conf)
        copy = folder / image.name
        shutil.copyfile(image, copy)
        command = [str(REPOSITORY / "scripts" / "personalise"), "--force", str(conf_path), str(copy)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return copy


@pytest.fixture(scope="session")
def artefacts() -> Artefacts:
    return Artefacts.of(REPOSITORY / "out")


@pytest.fixture
def nodes(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[str], Node]]:
    """Makes nodes; those of a test that failed keep their consoles in out/test/system."""
    made: list[Node] = []

    def make(name: str = "node") -> Node:
        made.append(Node(tmp_path / name, name))
        return made[-1]

    yield make
    for node in made:
        node.power_off()
    kept = REPOSITORY / "out" / "test" / "system" / request.node.name
    shutil.rmtree(kept, ignore_errors=True)
    for node in made:
        for log in sorted(node.folder.glob("*.log")):
            kept.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(log, kept / f"{node.name}-{log.name}")
        for image in node.folder.glob("*.img"):
            image.unlink()


def pytest_configure(config: pytest.Config) -> None:
    """A test run that is told to end cleans up like one that is interrupted at the keyboard, also where a shell has
    started it in the background, which ignores the keyboard's signal. A worker of several is interrupted by SIGINT."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    config.addinivalue_line("markers", "alone: needs the whole host; tests/run gives it a level of its own")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, interrupt)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def place(item: pytest.Item) -> int:
        name = item.path.stem
        return LONGEST.index(name) if name in LONGEST else len(LONGEST)
    items.sort(key=place)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Notes in the JUnit file what the boot before a test took: it serves all tests of a file."""
    outcome: Any = yield
    if call.when == "setup":
        item.user_properties.append(("setup_seconds", f"{outcome.get_result().duration:.1f}"))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Says what each test took, and the boot before it: a level that lasts the better part of an hour shows how far
    it is."""
    is_worker = "PYTEST_XDIST_WORKER" in os.environ
    if not is_worker and (report.when == "call" or report.outcome != "passed" or report.duration > SETUP_SECONDS):
        print(f"\n{report.duration:6.0f} s  {report.nodeid} {report.when} {report.outcome}", flush=True)
