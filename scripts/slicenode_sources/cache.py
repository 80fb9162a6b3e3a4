"""The content-addressed cache: sources/sha256/xx/HASH, the layout of every place of SLICENODE_SOURCES.

A file is put there whole and hashed, by a rename. What is on its way lies in partial/HASH, so that the next run
goes on with it; a lock for each lets two builds fetch side by side without fetching a file twice.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import stat
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from . import Interrupted, SourcesError
from .pins import Pin

BLOCK = 1 << 20


def address(sha256: str) -> str:
    """Where a file lies below a place."""
    return f"sha256/{sha256[:2]}/{sha256}"


def is_whole(path: Path, size: int, sha256: str) -> bool:
    """Whether this is the file: a regular one with this size and hash."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return False
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode) or status.st_size != size:
        os.close(handle)
        return False
    with os.fdopen(handle, "rb") as stream:
        found = hashlib.sha256()
        while block := stream.read(BLOCK):
            found.update(block)
    return found.hexdigest() == sha256


class Cache:
    """Sources by hash. `spare` below out/ is written instead where the cache can only be read."""

    def __init__(self, cache: Path, spare: Path) -> None:
        self._unusable: set[Path] = set()
        self.read_from = [cache / "sources"]
        self.write_to = cache / "sources"
        self.notice = ""
        reason = _why_not_writable(self.write_to)
        if reason:
            self.write_to = spare / "sources"
            self.read_from.append(self.write_to)
            if _why_not_writable(self.write_to):
                raise SourcesError(f"neither {cache} nor {spare} can be written ({reason})")
            self.notice = f"the cache {cache} cannot be written ({reason}): what is fetched stays in {spare}"

    def path(self, pin: Pin) -> Path:
        """Where the file is, or would be put."""
        for root in self.read_from:
            path = root / address(pin.sha256)
            if path not in self._unusable and os.path.lexists(path):
                return path
        return self.write_to / address(pin.sha256)

    def has(self, pin: Pin, check: bool = False) -> bool:
        """Whether the file is there with the right size; with `check`, whether it also has the right hash.

        What is there and is not the file (a bad disk, a person's hand) is put aside under bad/, one for each hash,
        and told.
        """
        path = self.path(pin)
        try:
            status = path.lstat()
        except OSError:
            return False
        if stat.S_ISREG(status.st_mode) and status.st_size == pin.size and not check:
            return True
        if is_whole(path, pin.size, pin.sha256):
            return True
        self._set_aside(path)
        return False

    def _set_aside(self, path: Path) -> None:
        aside = path.parents[2] / "bad" / path.name
        try:
            aside.parent.mkdir(parents=True, exist_ok=True)
            if aside.is_dir() and not aside.is_symlink():
                shutil.rmtree(aside)
            path.replace(aside)
        except OSError:
            # In a cache that can only be read it stays: another copy goes to the spare place.
            self._unusable.add(path)
            aside = path
        print(f"fetch: {path} was damaged: it stays as {aside} and is fetched again", file=sys.stderr, flush=True)

    def partial(self, pin: Pin) -> Path:
        return self.write_to / "partial" / pin.sha256

    def adopt(self, pin: Pin, path: Path) -> None:
        """Takes a file that was hashed while it came, by a rename."""
        target = self.write_to / address(pin.sha256)
        target.parent.mkdir(parents=True, exist_ok=True)
        path.replace(target)

    def locked(self, name: str, stopped: threading.Event) -> AbstractContextManager[None]:
        """One at a time for each name, in all builds. Files have their hash's first two digits for a name."""
        return locked(self.write_to / "locks" / name, stopped)


@contextmanager
def locked(path: Path, stopped: threading.Event) -> Iterator[None]:
    """Holds a lock. Its file stays: the kernel lets go of it when its holder dies. Interrupted: stopped."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(0.02)
            if stopped.is_set():
                raise Interrupted
        yield


def _why_not_writable(folder: Path) -> str:
    try:
        for part in ("sha256", "partial", "locks"):
            (folder / part).mkdir(parents=True, exist_ok=True)
            if not os.access(folder / part, os.W_OK | os.X_OK):
                return "no permission, or a read-only file system"
    except OSError as error:
        return error.strerror or str(error)
    return ""
