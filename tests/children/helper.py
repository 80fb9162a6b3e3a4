"""Runs sliced-net and sliced-import as the agent does: with a wire socket and descriptors."""

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import socket
import struct
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
PROGRAMS = Path(os.environ.get("SLICENODE_AGENT_DIR", ROOT / "out" / "agent-host"))

Message = dict[str, Any]


class Child:
    """A helper program; `descriptors` become its 4, 5, ..."""

    def __init__(self, program: str, *arguments: str, descriptors: tuple[int, ...] = ()) -> None:
        self.socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        sources = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 64)
                   for fd in (theirs.fileno(), *descriptors)]
        actions = [(os.POSIX_SPAWN_DUP2, fd, 3 + index) for index, fd in enumerate(sources)]
        self.error_read, error_write = os.pipe()
        actions.append((os.POSIX_SPAWN_DUP2, error_write, 2))
        path = PROGRAMS / program
        self.pid = os.posix_spawn(path, [program, *arguments],
                                  {"PATH": "/usr/bin:/bin"}, file_actions=actions)
        for fd in (*sources, error_write):
            os.close(fd)
        theirs.close()
        self.buffer = b""
        self.status: int | None = None

    def send_bytes(self, data: bytes) -> None:
        self.socket.sendall(data)

    def send(self, message: Message) -> None:
        data = json.dumps(message).encode()
        self.send_bytes(struct.pack("<I", len(data)) + data)

    def receive(self, timeout: float = 20.0) -> Message | None:
        """The next message; None at the end of the stream."""
        deadline = time.monotonic() + timeout
        while True:
            if len(self.buffer) >= 4:
                length = struct.unpack("<I", self.buffer[:4])[0]
                if len(self.buffer) >= 4 + length:
                    data, self.buffer = self.buffer[4:4 + length], self.buffer[4 + length:]
                    message: Message = json.loads(data)
                    return message
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"no message within {timeout} s")
            if not select.select([self.socket], [], [], left)[0]:
                continue
            try:
                data = self.socket.recv(65536)
            except ConnectionResetError:
                data = b""
            if not data:
                return None
            self.buffer += data

    def outcome(self, timeout: float = 60.0) -> Message:
        """The last message, with the number of progress messages before it as `progress`."""
        progress = 0
        deadline = time.monotonic() + timeout
        while True:
            message = self.receive(deadline - time.monotonic())
            assert message is not None, f"the child left without a word: {self.errors()}"
            if message["type"] != "progress":
                return {**message, "progress": progress}
            progress += 1

    def wait(self, timeout: float = 10.0) -> int:
        """How it ended: the exit status, or minus the signal."""
        deadline = time.monotonic() + timeout
        while self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
            elif time.monotonic() > deadline:
                raise TimeoutError("the child does not end")
            else:
                time.sleep(0.005)
        return self.status

    def errors(self) -> str:
        """What it wrote to standard error so far."""
        text = b""
        while select.select([self.error_read], [], [], 0.2)[0]:
            data = os.read(self.error_read, 65536)
            if not data:
                break
            text += data
        return text.decode(errors="replace")

    def process_status(self) -> dict[str, str]:
        """/proc/PID/status, without blanks around the values."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        pairs = (line.split(":", 1) for line in lines)
        return {key: value.strip() for key, value in pairs}

    def close(self) -> None:
        self.socket.close()
        if self.status is None:
            try:
                self.wait(5)
            except TimeoutError:
                os.kill(self.pid, signal.SIGKILL)
                self.wait(5)
        os.close(self.error_read)
