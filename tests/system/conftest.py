"""Fixtures of the system tests: the artefacts of the build, and nodes that are gone when a test ends."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any, TypeVar

import pytest

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[1] / "common")]

from artefacts import Artefacts  # noqa: E402
from node import REPOSITORY, Node  # noqa: E402
from rack import OpenRack, Rack  # noqa: E402
from saved import Saved, lasting_port, save  # noqa: E402


SETUP_SECONDS = 10.0
# The files that take longest come first, lest one worker ends alone with one of them.
LONGEST = ("test_debian", "test_power", "test_slices", "test_sick", "test_hardware", "test_checkpoint", "test_boot")
# What slices of the small guest are made of: its disk and, given from outside, its kernel.
SMALL_IMAGES = (("small.raw.zst", "disk"), ("small.vmlinuz", "kernel"), ("small.initrd", "ramdisk"))
SomeRack = TypeVar("SomeRack", bound=Rack)
Something = TypeVar("Something")


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


class Racks:
    """Makes the racks of one file of tests, and ends them."""

    def __init__(self, request: pytest.FixtureRequest, folders: pytest.TempPathFactory) -> None:
        self.request = request
        self.folders = folders
        self.made: list[Rack] = []
        self.held = ExitStack()

    def make(self, kind: type[SomeRack], *, fresh: bool = False, boot: bool = True, **options: Any) -> SomeRack:
        """Its node goes on from a saved one, the usual one unless `saved` is given, or boots for the first time when it
        is to be fresh. The options are those of the kind of rack."""
        if not fresh and "saved" not in options:
            options["saved"] = self.request.getfixturevalue("saved_node")
        rack = kind(self.folders.mktemp("rack"), self.request.getfixturevalue("artefacts"), **options)
        self.made.append(rack)
        if boot:
            rack.boot()
        return rack

    def enter(self, context: AbstractContextManager[Something]) -> Something:
        """Until the racks have ended."""
        return self.held.enter_context(context)

    def end(self) -> None:
        name = self.request.module.__name__.removeprefix("test_")
        with self.held:
            for rack in self.made:
                rack.end(name)


@pytest.fixture(scope="module")
def racks(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Racks]:
    made = Racks(request, tmp_path_factory)
    try:
        yield made
    finally:
        made.end()


@pytest.fixture(scope="module")
def rack(racks: Racks) -> OpenRack:
    """The node of a file's tests; a file that needs another kind has its own fixture of this name."""
    return racks.make(OpenRack)


@pytest.fixture(scope="session")
def saved_node(artefacts: Artefacts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Saved]:
    """A node that has enrolled and registered, has the small guest's images and nothing else, and lets its operator in.
    Booted once by each worker."""
    folder = tmp_path_factory.mktemp("saved")
    rack = OpenRack(folder, artefacts, port=lasting_port())
    try:
        rack.boot()
        for image, kind in SMALL_IMAGES:
            rack.do("image", "fetch", image, "--kind", kind)
        save(rack, folder / "kept")
    finally:
        rack.end("saved")
    saved = Saved.load(folder / "kept")
    with saved.holder:
        yield saved
    shutil.rmtree(saved.folder)


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
