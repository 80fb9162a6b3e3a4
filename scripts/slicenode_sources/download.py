"""One file from one address: curl brings the bytes, and they are hashed as they come.

curl's own --retry is not used: it starts again where the first try began, and waits as long as a server tells it to
(curl 7.88 and 8.14). Each call here goes on where the last one stopped, and what counts is whether it got further.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import re
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from . import Interrupted
from .pins import Pin
from .settings import Settings

BLOCK = 1 << 16
# Tries without a byte more than before; each waits twice as long as the last: 1, 2, 4 s. Ten times as many would be
# over an hour.
TRIES = 4
# Connections for one file, however little each brings: a server that cuts each at half needs 28 for 150 MB.
CONNECTIONS = 200
# A server that cannot go on where it stopped sends the same bytes again each time.
RESTARTS = 3
STALLS = 3
# A server may ask for this much patience, in units of the first pause; for more it is left alone in this run.
PATIENCE = 10
# Slower than this for the time of a stall is not a download. 150 MB would take two days.
LEAST_BYTES_PER_S = 1000
TRANSIENT = {408, 425, 429, 500, 502, 503, 504}
# curl's exit codes (its manual page): what is wrong with the server or the way there, whatever the file.
UNREACHABLE = {5, 6, 7, 28, 35, 51, 58, 60, 77, 83, 90, 91, 97}
NO_NAME = 6
NO_RANGE = 33
BROKEN_HTTP2 = {16, 92}


@dataclass(frozen=True)
class Answer:
    """How asking one address ended; a `strike` counts against the server, whatever the file was; `silent`: it never
    said anything."""

    ok: bool
    text: str
    strike: bool = False
    silent: bool = False


@dataclass(frozen=True)
class Way:
    """How a host is reached: the proxy that apt uses ("" for none, None for curl's own choice), a netrc file, IPv4
    only."""

    proxy: str | None = None
    netrc: Path | None = None
    ipv4: bool = False


class Patience(Protocol):
    """What is known of the server that is asked, over all files of this run."""

    def waited(self, seconds: float, why: str) -> bool:
        """Counts seconds that were waited for it in vain; gives whether they are too many now."""

    def has_served(self) -> bool:
        """Whether it has sent a whole file: then a silence is a bad moment and not a dead server."""


@dataclass
class Try:
    """One call of curl."""

    code: int = 0
    status: int = 0
    kind: str = ""
    retry_after: str = ""
    message: str = ""
    got: int = 0
    too_long: bool = False


@dataclass
class Course:
    """How the tries at one address went so far; `foreign` while the partial file holds bytes from elsewhere."""

    foreign: bool
    vain: int = 0
    stalls: int = 0
    restarts: int = 0
    http1: bool = False


class Calls:
    """The curls that run now, so that an interrupted fetch ends them."""

    def __init__(self) -> None:
        self.stopped = threading.Event()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()

    @contextmanager
    def running(
        self, command: list[str], environment: Mapping[str, str] | None = None, text: str = ""
    ) -> Iterator[subprocess.Popen[bytes]]:
        """Runs a program that reads this text, its outputs as pipes; it is killed if the block ends with an error."""
        with subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "LC_ALL": "C", **(environment or {})},
        ) as process:
            with self._lock:
                self._running.add(process)
            try:
                if self.stopped.is_set():
                    raise Interrupted
                assert process.stdin
                with contextlib.suppress(BrokenPipeError), process.stdin as stdin:
                    stdin.write(text.encode())
                process.stdin = None
                yield process
            except BaseException:
                process.kill()
                raise
            finally:
                with self._lock:
                    self._running.discard(process)

    def stop(self) -> None:
        self.stopped.set()
        with self._lock:
            for process in self._running:
                process.kill()


def shown(text: str) -> str:
    """An address, or a text with addresses, without users and passwords, also where one is written wrongly."""
    return re.sub(r"//[^\s'\"]*@", "//", text)


def _quoted(text: str) -> str:
    """A word of curl's configuration file."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "") + '"'


def secrets(address: str, way: Way) -> str:
    """What may hold a password goes to curl on its standard input: others can read a command line."""
    lines = [f"url = {_quoted(address)}"]
    if way.proxy is not None:
        lines.append(f"proxy = {_quoted(way.proxy)}" if way.proxy else 'noproxy = "*"')
    return "\n".join(lines) + "\n"


def _curl(offset: int, way: Way, settings: Settings, http1: bool) -> list[str]:
    stall = settings.stall_s
    command = [
        "curl",
        "-q",
        "--silent",
        "--show-error",
        "--fail",
        "--globoff",
        "--location",
        "--max-redirs",
        "5",
        "--proto",
        "=http,https,ftp",
        "--proto-redir",
        "=http,https",
        "--header",
        "Accept-Encoding: identity",
        "--connect-timeout",
        str(stall),
        "--speed-time",
        str(max(1, round(stall))),
        "--speed-limit",
        str(LEAST_BYTES_PER_S),
        "--write-out",
        "%{stderr}\n#%{http_code}#%{content_type}#%header{retry-after}\n",
    ]
    if offset:
        command += ["--continue-at", str(offset)]
    if http1:
        command.append("--http1.1")
    if way.ipv4:
        command.append("--ipv4")
    if way.netrc:
        command += ["--netrc-optional", "--netrc-file", str(way.netrc)]
    return [*command, "--config", "-"]


class Download:
    """One pinned file on its way into a partial file, from one address after another."""

    def __init__(
        self, pin: Pin, partial: Path, settings: Settings, calls: Calls, progress: Callable[[int], None]
    ) -> None:
        self.pin = pin
        self.partial = partial
        self.settings = settings
        self.calls = calls
        self.progress = progress
        self._hash = hashlib.sha256()
        self._size = 0
        self._start = b""
        self._resume()

    def _resume(self) -> None:
        """Hashes what an earlier run left. More than the whole file is no part of it."""
        self._forget()
        try:
            with self.partial.open("rb") as stream:
                while block := stream.read(1 << 20):
                    self._count(block)
        except OSError:
            return
        if self._size > self.pin.size or self._size == self.pin.size and not self.whole():
            self.drop()

    def _forget(self) -> None:
        if self._size:
            self.progress(-self._size)
        self._hash, self._size, self._start = hashlib.sha256(), 0, b""

    def _count(self, block: bytes) -> None:
        self._hash.update(block)
        self._size += len(block)
        self._start = (self._start + block)[:64]
        self.progress(len(block))

    def drop(self) -> None:
        self.partial.unlink(missing_ok=True)
        self._forget()

    def whole(self) -> bool:
        return self._size == self.pin.size and self._hash.hexdigest() == self.pin.sha256

    def ask(self, address: str, way: Way, server: Patience) -> Answer:
        """Asks one address until the file is whole or there is no point in going on."""
        course = Course(foreign=self._size > 0)
        for _ in range(CONNECTIONS):
            if self.whole():
                return Answer(True, "")
            before = self._size
            one = self._call(address, way, course.http1)
            if self.whole():
                return Answer(True, "")
            if self.calls.stopped.is_set():
                return Answer(False, "interrupted")
            answer = self._judge(one, before, course, server)
            if answer:
                if one.code == 28:
                    server.waited(self.settings.stall_s, answer.text)
                return answer
            pause = self._pause(course.vain, one) if course.vain else 0
            if server.waited(pause + (self.settings.stall_s if one.code == 28 else 0), self._in_words(one)):
                return Answer(False, self._in_words(one), strike=True)
            if self.calls.stopped.wait(pause):
                return Answer(False, "interrupted")
        return Answer(
            False, f"cut {CONNECTIONS} connections and sent {self._size} of {self.pin.size} bytes", strike=True
        )

    def _judge(self, one: Try, before: int, course: Course, server: Patience) -> Answer | None:
        """What a try that did not bring the whole file means: the answer, or None for another try."""
        course.http1 = course.http1 or one.code in BROKEN_HTTP2
        no_range = one.code == NO_RANGE or one.status == 416
        if course.foreign and (no_range or one.too_long or one.code == 0):
            # What an earlier place or run left does not fit here: once from the first byte.
            course.foreign = False
            self.drop()
            return None
        if one.code == 0 or one.too_long:
            text = self._other_file(one)
            self.drop()
            return Answer(False, text)
        if no_range:
            course.restarts += 1
            self.drop()
            if course.restarts >= RESTARTS:
                return Answer(False, "cuts connections, and does not go on where it stopped", strike=True)
        if one.code == 22 and one.status not in TRANSIENT and not no_range:
            return Answer(False, self._in_words(one), strike=one.status in (407, 511))
        course.stalls += one.code == 28
        course.vain = course.vain + 1 if self._size <= before else 0
        unreachable = one.code in UNREACHABLE and not one.got and (one.code != NO_NAME or course.vain > 1)
        if unreachable and not server.has_served() or course.stalls >= STALLS or course.vain >= TRIES:
            return Answer(False, self._in_words(one), strike=True, silent=one.code == 28 and unreachable)
        if one.code in (1, 2, 3, 4, 27, 43, 47):
            return Answer(False, self._in_words(one))
        if one.retry_after.isdigit() and int(one.retry_after) > PATIENCE * self.settings.retry_s:
            return Answer(False, f"{self._in_words(one)} and asks for a pause of {one.retry_after} s", strike=True)
        return None

    def _other_file(self, one: Try) -> str:
        page = " (an HTML page)" if "html" in one.kind or re.match(rb"\s*<(!doctype|html)", self._start, re.I) else ""
        if one.too_long:
            return f"sent another file{page}: more than {self.pin.size} bytes"
        if self._size < self.pin.size:
            return f"sent another file{page}: {self._size} of {self.pin.size} bytes"
        return f"sent another file{page}: sha256 {self._hash.hexdigest()}"

    def _in_words(self, one: Try) -> str:
        if one.code == 22 and one.status:
            return f"answered {one.status}"
        if one.code == 28:
            what = "was too slow or stopped sending" if one.got or self._size else "did not answer"
            return f"{what} for {self.settings.stall_s:g} s" + (
                f" ({self._size} of {self.pin.size} bytes came)" if self._size else ""
            )
        return one.message or f"curl ended with {one.code}"

    def _pause(self, vain: int, one: Try) -> float:
        """Seconds until the next try: what the server asks for, or twice as long each time."""
        if one.retry_after.isdigit():
            return float(one.retry_after)
        return self.settings.retry_s * 2.0 ** (vain - 1) * random.uniform(0.75, 1.25)

    def _call(self, address: str, way: Way, http1: bool) -> Try:
        """One connection: appends to the partial file what belongs to the file, and no byte more."""
        one = Try()
        command = _curl(self._size, way, self.settings, http1)
        with self.partial.open("ab") as target, self.calls.running(command, text=secrets(address, way)) as curl:
            assert curl.stdout and curl.stderr
            self._receive(curl.stdout, target, one)
            if one.too_long:
                curl.kill()
            words = curl.stderr.read().decode(errors="replace")
        one.code = curl.returncode
        told = re.search(r"^#([0-9]*)#(.*)#(.*)$", words, re.MULTILINE)
        if told:
            one.status, one.kind, one.retry_after = int(told[1] or 0), told[2].lower(), told[3].strip()
        complaint = re.search(r"^curl: (?:\([0-9]+\) )?(.*)$", words, re.MULTILINE)
        one.message = shown(complaint[1].strip()) if complaint else ""
        return one

    def _receive(self, source: IO[bytes], target: IO[bytes], one: Try) -> None:
        while block := source.read1(BLOCK):  # type: ignore[attr-defined]
            if self._size + len(block) > self.pin.size:
                one.too_long = True
                return
            target.write(block)
            target.flush()
            one.got += len(block)
            self._count(block)
