"""What takes minutes to make and comes out the same for the same build: made by whoever needs it first, and kept in
out/test/kept for all tests that need it, also those of the next run.

    with one("debian", [out / "xen" / "xen", ...], make, folder) as saved:
        ...                                  # nobody else has it until the end

`make clean` removes it, a change in one of its inputs makes it anew, and so does SLICENODE_KEPT=no.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from node import REPOSITORY
from saved import Saved

FOLDER = REPOSITORY / "out" / "test" / "kept"
# The clocks in it are behind by its age; certificates are not to run out meanwhile.
AGE_DAYS = 7.0
KEY = "inputs.sha256"


def key_of(inputs: Iterable[Path]) -> str:
    """Of the contents, and of the emulator that must understand what it has written."""
    seen = hashlib.sha256(subprocess.run(["qemu-system-x86_64", "--version"], check=True, capture_output=True).stdout)
    for path in sorted(inputs):
        with path.open("rb") as file:
            seen.update(f"{path.name} {hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return seen.hexdigest()


@contextlib.contextmanager
def one(name: str, inputs: Iterable[Path], make: Callable[[Path], None], folder: Path = FOLDER) -> Iterator[Saved]:
    """The saved node of this name, which `make` puts into the folder that it is given."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        key = key_of(inputs)
        saved = find(folder / name, key) if os.environ.get("SLICENODE_KEPT") != "no" else None
        if saved is None:
            saved = make_anew(folder / name, key, make)
        else:
            print(f"{name}: as an earlier test has left it in {folder / name}", flush=True)
        with saved.holder:
            yield saved


def find(folder: Path, key: str) -> Saved | None:
    """None, and it says why, when it has to be made."""
    try:
        if (folder / KEY).read_text() != key:
            print(f"{folder.name}: made anew, what it is made from has changed", flush=True)
            return None
        if time.time() - (folder / KEY).stat().st_mtime > AGE_DAYS * 86400:
            print(f"{folder.name}: made anew, it is older than {AGE_DAYS:.0f} days", flush=True)
            return None
        return Saved.load(folder)
    except FileNotFoundError:
        return None
    except OSError as error:
        print(f"{folder.name}: made anew, its controller's port cannot be had: {error}", flush=True)
        return None


def make_anew(folder: Path, key: str, make: Callable[[Path], None]) -> Saved:
    """Has its name only when it is whole."""
    half = folder.with_name(folder.name + ".half")
    # Also what somebody who was killed has left.
    for old in (folder, *folder.parent.glob(half.name + "*")):
        shutil.rmtree(old, ignore_errors=True)
    try:
        make(half)
        (half / KEY).write_text(key)
        half.rename(folder)
    finally:
        shutil.rmtree(half, ignore_errors=True)
    return Saved.load(folder)
