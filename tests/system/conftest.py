"""Fixtures of the system tests: the artefacts of the build, and nodes that are gone when a test ends."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from node import REPOSITORY, Node  # noqa: E402


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


def pytest_configure() -> None:
    """A test run that is told to end cleans up like one that is interrupted at the keyboard."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
