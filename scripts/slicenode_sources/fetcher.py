"""Fetches many files side by side, with one line of progress, and remembers what each place answered."""

from __future__ import annotations

import errno
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from pathlib import Path

from . import Interrupted, SourcesError
from .archive import Archive
from .cache import Cache
from .download import Calls
from .mirrors import Apt
from .pins import Pin
from .places import Failure, Places
from .servers import Servers
from .settings import Settings

# Side by side: enough that one slow file holds up no other. Ten times as many is what mirrors call an attack.
WORKERS = 4
# Without a terminal a line of progress comes this often.
LINE_S = 10


def say(text: str) -> None:
    print(f"fetch: {text}", file=sys.stderr, flush=True)


class Progress:
    """Files and bytes of one run, on one line of a terminal, or a line now and then in a log."""

    def __init__(self, files: int, size: int) -> None:
        self._files, self._size = files, size
        self._done, self._bytes = 0, 0
        self._shown = 0.0
        self._terminal = sys.stderr.isatty()
        self._lock = threading.Lock()

    def __call__(self, count: int) -> None:
        with self._lock:
            self._bytes += count
            self._show(0.2 if self._terminal else LINE_S)

    def file_done(self) -> None:
        with self._lock:
            self._done += 1
            self._show(0.2 if self._terminal else LINE_S)

    def text(self) -> str:
        return f"{self._done} of {self._files} files, {self._bytes / 1e6:.1f} of {self._size / 1e6:.1f} MB"

    def _show(self, every_s: float) -> None:
        now = time.monotonic()
        if now - self._shown < every_s:
            return
        self._shown = now
        self._print("" if self._terminal else "\n")

    def end(self) -> None:
        self._print("\n")

    def _print(self, end: str) -> None:
        line = f"\rfetch: {self.text()} " if self._terminal else f"fetch: {self.text()}"
        print(line, end=end, file=sys.stderr, flush=True)


class Fetcher:
    """The cache with all that fills it. One for each command; `close` ends what still runs."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.cache = Cache(settings.cache, settings.spare)
        self._private = Path(tempfile.mkdtemp(prefix="slicenode-fetch-"))
        self.apt = Apt(self._private)
        servers = Servers(settings.stall_s)
        self.calls = Calls()
        self.archive = Archive(settings, self.cache.write_to.parent / "apt", self.apt, servers, self.calls)
        self._places = Places(settings, self.cache, self.apt, self.archive, servers, self.calls)

    def close(self) -> None:
        self.calls.stop()
        shutil.rmtree(self._private, ignore_errors=True)

    def fetch(self, pins: Iterable[Pin], check: bool = False) -> list[Failure]:
        """Brings these files into the cache and gives those that cannot be had; `check` hashes what is there
        already."""
        missing = [pin for pin in dict.fromkeys(pins) if not self.cache.has(pin, check)]
        if not missing:
            return []
        self._say_what_is_odd()
        progress = Progress(len(missing), sum(pin.size for pin in missing))
        # The largest first, so that it is not the one that all wait for at the end.
        order = sorted(missing, key=lambda pin: -pin.size)
        pool = ThreadPoolExecutor(max_workers=WORKERS)
        try:
            running = [pool.submit(self._one, pin, progress) for pin in order]
            # In short waits: a signal that comes just before a long one would be seen only at its end.
            while wait(running, timeout=0.2, return_when=FIRST_EXCEPTION).not_done:
                if any(future.done() and future.exception() for future in running):
                    break
            errors = [error for future in running if future.done() and (error := future.exception())]
            for error in sorted(errors, key=lambda error: isinstance(error, Interrupted)):
                raise error
            return [failure for failure in (future.result() for future in running) if failure]
        except BaseException:
            self.calls.stop()
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
            progress.end()

    def _say_what_is_odd(self) -> None:
        if self.cache.notice:
            say(self.cache.notice)
        try:
            self.apt.mirrors()
        except SourcesError as error:
            say(str(error))
        for place in self.settings.sources:
            if "://" not in place and not Path(place).is_dir():
                say(f"SLICENODE_SOURCES: there is no folder {place}")

    def _one(self, pin: Pin, progress: Progress) -> Failure | None:
        try:
            with self.cache.locked(pin.sha256[:2], self.calls.stopped):
                # Another build may have brought it meanwhile.
                failure = None if self.cache.has(pin) else self._places.get(pin, progress)
        except OSError as error:
            where = error.filename2 or error.filename or "writing"
            text = f"{pin.file} cannot be kept in {self.cache.write_to}: {error.strerror}: {where}"
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                self.calls.stop()
                raise SourcesError(f"{text}: make room, what came is kept") from error
            # Of this one file: a limit of its size, a folder of somebody else.
            return Failure(pin, [("the cache", text)])
        if not failure:
            progress.file_done()
        return failure
