"""slicectl console --attach: a person, or a program, at the console of a slice."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import termios
import time
import tty
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from node import PROGRAMS, TIMEOUT, Node, slice_args
from waiting import wait_until

HINT = "Ctrl-] leaves it"


class Guest:
    """What stands for the slice: it answers each line."""

    def __init__(self, node: Node, slice_id: str) -> None:
        self.master, self.slave = pty.openpty()
        tty.setraw(self.slave)
        path = node.sim / "domains" / slice_id
        domain = json.loads(path.read_text())
        part = node.sim / f"part-{slice_id}"
        part.write_text(json.dumps({**domain, "tty": os.ttyname(self.slave)}))
        part.rename(path)

    def close(self) -> None:
        """The domain has ended: xenconsoled closes both ends."""
        for end in (self.master, self.slave):
            if end >= 0:
                os.close(end)
        self.master = self.slave = -1


class Person:
    """slicectl at a terminal, or (`piped`) between two pipes."""

    def __init__(self, node: Node, *words: str, piped: bool = False) -> None:
        command: list[str | Path] = [PROGRAMS / "slicectl", *words]
        environment = {**os.environ, "SLICENODE_SOCKET": str(node.run / "api.sock")}
        self.master, self.slave = pty.openpty()
        self.before = termios.tcgetattr(self.slave)
        self.seen = b""
        ends: Any = subprocess.PIPE if piped else self.slave
        self.process = subprocess.Popen(command, env=environment, stdin=ends, stdout=ends,
                                        stderr=subprocess.PIPE if piped else self.slave)

    def type(self, data: bytes) -> None:
        os.write(self.master, data)

    def see(self, text: bytes) -> None:
        see(self.master, text, self)

    def leave(self) -> int:
        """Its exit code; the terminal is as it was."""
        code = self.process.wait(TIMEOUT)
        assert termios.tcgetattr(self.slave) == self.before
        return code

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream:
                stream.close()
        os.close(self.master)
        os.close(self.slave)


def see(fd: int, text: bytes, whose: Person | None = None) -> bytes:
    """Reads until the text has come."""
    seen = b""
    while text not in seen:
        assert select.select([fd], [], [], TIMEOUT)[0], f"{text!r} does not come, but {seen!r}"
        seen += os.read(fd, 4096)
        if whose:
            whose.seen += seen
    return seen


@pytest.fixture
def slice_id(node: Node, small: dict[str, Any]) -> str:
    made = str(uuid.uuid4())
    node.do("slice.provision", made, **slice_args(small))
    return made


@pytest.fixture
def guest(node: Node, slice_id: str) -> Iterator[Guest]:
    made = Guest(node, slice_id)
    yield made
    made.close()


@pytest.fixture
def person(node: Node, guest: Guest) -> Iterator[Person]:
    made = Person(node, "console", "--attach", "web")
    made.see(HINT.encode())
    wait_until(lambda: is_raw(made.slave), "the terminal is raw")
    yield made
    made.close()


def is_raw(terminal: int) -> bool:
    return not termios.tcgetattr(terminal)[3] & termios.ICANON


def test_typing_and_leaving(person: Person, guest: Guest) -> None:
    person.type(b"ls\x03\x1a\r")
    assert see(guest.master, b"\r") == b"ls\x03\x1a\r", "control characters are the slice's"
    os.write(guest.master, b"\x1b[1mfile\x1b[0m\r\n")
    person.see(b"\x1b[1mfile\x1b[0m\r\n")
    person.type(b"last\x1dnever")
    assert person.leave() == 0
    assert see(guest.master, b"last") == b"last"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT])
def test_signals(person: Person, number: signal.Signals) -> None:
    person.process.send_signal(signal.SIGTSTP)
    person.process.send_signal(number)
    assert person.leave() == -number


def test_slice_that_ends_meanwhile(person: Person, guest: Guest) -> None:
    os.write(guest.master, b"Power down.\r\n")
    person.see(b"Power down.\r\n")
    guest.close()
    assert person.leave() == 1
    person.see(b"slice web has ended, or was restarted")


def test_slice_that_does_not_read(person: Person, guest: Guest) -> None:
    """Its operator gets away nevertheless."""
    for _ in range(40):
        person.type(b"x" * 1000)
    person.type(b"\x1d")
    assert person.leave() == 0


def test_reader_that_does_not_read(node: Node, guest: Guest) -> None:
    """A full pipe neither blocks signals nor eats the processor."""
    program = Person(node, "console", "--attach", "web", piped=True)
    os.set_blocking(guest.master, False)
    try:
        for _ in range(200):
            os.write(guest.master, b"y" * 1000)
            time.sleep(0.001)
    except BlockingIOError:
        pass
    guest.close()
    time.sleep(0.3)
    spent = sum(os.times()[2:4])
    program.process.terminate()
    assert program.process.wait(TIMEOUT) in (-signal.SIGTERM, 1)
    assert sum(os.times()[2:4]) - spent < 0.25
    program.close()


def test_pipe(node: Node, guest: Guest) -> None:
    program = Person(node, "console", "--attach", "web", piped=True)
    assert program.process.stdin and program.process.stdout and program.process.stderr
    program.process.stdin.write(b"uptime\n\x1dmore\n")
    program.process.stdin.close()
    assert see(guest.master, b"more\n") == b"uptime\n\x1dmore\n", "Ctrl-] is a person's"
    os.write(guest.master, b"up 3 days\n")
    assert program.process.stdout.read() == b"up 3 days\n", "the answer after the input's end"
    assert program.process.wait(TIMEOUT) == 0 and program.process.stderr.read() == b""
    program.close()


def test_reader_that_goes_away(node: Node, guest: Guest) -> None:
    program = Person(node, "console", "--attach", "web", piped=True)
    assert program.process.stdout
    program.process.stdout.close()
    os.write(guest.master, b"to nobody")
    assert program.process.wait(TIMEOUT) == 0
    program.close()


def test_one_at_a_time(node: Node, person: Person) -> None:
    second = node.slicectl("console", "--attach", "web", text="")
    assert second.returncode == 1 and "somebody else is attached" in second.stderr
    person.type(b"\x1d")
    assert person.leave() == 0
    assert node.slicectl("console", "--attach", "web", text="").returncode == 0


def test_refusals(node: Node, slice_id: str) -> None:
    def refused(*words: str) -> str:
        done = node.slicectl("console", *words, text="")
        assert done.returncode == 1, done
        return done.stderr

    assert "console_unavailable: there is no terminal for slice" in refused("--attach", "web")
    assert "no slice other" in refused("--attach", "other")
    assert node.slicectl("console", "--attach", "-f", "web").returncode == 2
    path = node.sim / "domains" / slice_id
    path.write_text(json.dumps({**json.loads(path.read_text()), "tty": "/dev/null"}))
    assert "/dev/null is no terminal" in refused("--attach", "web")
    node.do("slice.stop", slice_id, force=True)
    assert "slice_state: slice" in refused("--attach", "web")
