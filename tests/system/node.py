"""A node in QEMU for system tests: start it, wait for what its console says, pull its plug.

    def test_something(nodes, artefacts):
        node = nodes("name")
        node.start("--kernel", str(artefacts.out), "--disk", f"{node.folder}/disk.img,size=10G", "--append", "...")
        node.wait_for(r"storage ready")

Tests wait for events, never for a time. Times are for a machine of two cores without KVM that does nothing else;
SLICENODE_TEST_PATIENCE multiplies them, by 2 unless set.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import os
import re
import shlex
import signal
import socket
import subprocess
import time
from pathlib import Path

from waiting import PATIENCE

REPOSITORY = Path(__file__).resolve().parents[2]
BOOT_SECONDS = 120.0
# What a console says when waiting any longer is in vain.
HOPELESS = re.compile(r"Kernel panic|FATAL TRAP|Panic on CPU|not syncing|No bootable device|boot failed", re.IGNORECASE)
# An emulator that got no time while Xen counted timer ticks: Xen starts again by itself, and the wait goes on.
STARVED = "IO-APIC + timer doesn't work"
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None, use_errno=True)


class NodeError(AssertionError):
    """The node did not do what the test waits for; carries the end of its console."""


def die_with_parent() -> None:
    """No QEMU is left behind, not even when the test process is killed."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Node:
    """One machine. Its disks and logs lie in its folder and outlive a power cut."""

    running: set[Node] = set()

    def __init__(self, folder: Path, name: str = "node") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.name = name
        self.boots = 0
        self.process: subprocess.Popen[bytes] | None = None
        self.console_path = folder / "console.log"
        self._mark = 0

    def start(self, *arguments: str) -> None:
        """Switches the machine on; arguments are those of scripts/qemu. It has one processor unless they say otherwise:
        two emulated ones wait for each other, and a boot takes the host three times the work."""
        assert self.process is None, f"{self.name} is on already"
        self.boots += 1
        self.console_path = self.folder / f"console-{self.boots}.log"
        self.console_path.unlink(missing_ok=True)
        self._mark = 0
        command = [str(REPOSITORY / "scripts" / "qemu"), "--serial", str(self.console_path)]
        command += ["--monitor", self._monitor, "--cpus", "1", *arguments]
        with (self.folder / f"qemu-{self.boots}.log").open("wb") as log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=die_with_parent,
            )
        Node.running.add(self)

    @property
    def _monitor(self) -> str:
        """An abstract socket: a file's path must be short, pytest's folders are long, and it would stay behind when
        the test is killed."""
        return f"@slicenode-{os.getpid()}-{id(self):x}"

    @property
    def is_on(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def console(self) -> str:
        """All that the serial console said in this boot, without colours and carriage returns."""
        try:
            text = self.console_path.read_bytes().decode(errors="replace")
        except FileNotFoundError:
            return ""
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", text)

    def mark(self) -> None:
        """wait_for looks only at what the console says from here on."""
        self._mark = len(self.console)

    def wait_for(self, pattern: str, seconds: float = BOOT_SECONDS) -> re.Match[str]:
        """Until the console has said it; NodeError when it did not, or never will."""
        expression = re.compile(pattern, re.MULTILINE)
        end = time.monotonic() + seconds * PATIENCE
        while True:
            ended = not self.is_on
            text = self.console[self._mark :]
            found = expression.search(text)
            if found:
                return found
            hopeless = HOPELESS.search(text)
            if hopeless and STARVED not in text:
                raise NodeError(self._story(f"{hopeless.group(0)} while waiting for {pattern!r}"))
            if ended:
                raise NodeError(self._story(f"QEMU ended while waiting for {pattern!r}"))
            if time.monotonic() > end:
                raise NodeError(self._story(f"not within {seconds * PATIENCE:.0f} s: {pattern!r}"))
            time.sleep(0.1)

    def wait_for_end(self, seconds: float = 90.0) -> None:
        """Until the machine has switched itself off."""
        assert self.process is not None
        try:
            self.process.wait(seconds * PATIENCE)
        except subprocess.TimeoutExpired:
            raise NodeError(self._story("the machine did not switch off")) from None
        self._forget()

    def status(self) -> str:
        """The status screen as it was printed last."""
        # Xen may put a word of its own behind the first line.
        block = re.compile(r"^---- slicenode status ----[^\n]*\n(.*?)^---- slicenode: status ready", re.M | re.S)
        blocks = block.findall(self.console)
        return blocks[-1] if blocks else ""

    def monitor(self, command: str) -> str:
        """Carries out a command of QEMU's monitor; returns what it printed."""
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(30 * PATIENCE)
            link.connect("\0" + self._monitor[1:])
            self._until_prompt(link)
            link.sendall(command.encode() + b"\n")
            return self._until_prompt(link)

    def save_memory(self, file: Path, seconds: float) -> None:
        """Stops the machine, writes its memory and devices to the file, and switches it off."""
        self.monitor("stop")
        self.monitor("migrate_set_parameter max-bandwidth 100G")
        self.monitor(f'migrate -d "exec:cat >{shlex.quote(str(file))}"')
        end = time.monotonic() + seconds * PATIENCE
        while "Migration status: completed" not in (said := self.monitor("info migrate")):
            if "status: failed" in said or time.monotonic() > end:
                raise NodeError(self._story(f"its memory is not saved: {said}"))
            time.sleep(0.05)
        # Ends by itself: what its disk has not written yet is written.
        self.monitor("quit")
        self.wait_for_end()

    def go_on(self, seconds: float) -> None:
        """After a start with QEMU's -incoming: once all is read, the machine goes on where it was saved."""
        end = time.monotonic() + seconds * PATIENCE
        while True:
            if not self.is_on:
                raise NodeError(self._story("QEMU ended while it read what was saved"))
            if time.monotonic() > end:
                raise NodeError(self._story(f"not within {seconds * PATIENCE:.0f} s: what was saved is read"))
            with contextlib.suppress(ConnectionError):
                # "paused (inmigrate)" before
                if re.search(r"VM status: paused\s*$", self.monitor("info status").replace("(qemu) ", "")):
                    break
            time.sleep(0.02)
        self.monitor("cont")

    @staticmethod
    def _until_prompt(link: socket.socket) -> str:
        received = b""
        while not received.endswith(b"(qemu) "):
            part = link.recv(65536)
            if not part:
                break
            received += part
        return received.decode(errors="replace")

    def reset(self) -> None:
        """The reset button: no shutdown, the same QEMU; the console's log goes on."""
        self.mark()
        self.monitor("system_reset")

    def press_power_button(self) -> None:
        self.monitor("system_powerdown")

    def power_off(self) -> None:
        """Pulls the plug: what was not written is lost."""
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._forget()

    def _forget(self) -> None:
        self.process = None
        Node.running.discard(self)

    def _story(self, what: str) -> str:
        lines = self.console.splitlines()[-40:]
        errors = (self.folder / f"qemu-{self.boots}.log").read_text(errors="replace")
        return "\n".join([f"{self.name}: {what}", f"console ({self.console_path}):", *lines, errors])


def ssh_words(key: Path, port: int, user: str, *options: str) -> list[str]:
    """The ssh command for a port of the loopback behind which a node or a slice listens."""
    settings = ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR", "BatchMode=yes",
                "IdentitiesOnly=yes", "ConnectTimeout=30",
                # The usual post-quantum exchange takes an emulated CPU seconds, at each connection.
                "KexAlgorithms=curve25519-sha256",
                # A guest that crashes closes no connection.
                "ServerAliveInterval=10", "ServerAliveCountMax=6", *options)
    words = ["ssh", "-i", str(key), "-p", str(port)]
    for setting in settings:
        words += ["-o", setting]
    return [*words, f"{user}@127.0.0.1"]


def run_ssh(words: list[str]) -> subprocess.CompletedProcess[str]:
    """One try."""
    return subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300 * PATIENCE)


def retry_ssh(words: list[str], seconds: float) -> subprocess.CompletedProcess[str]:
    """Until the other end lets us in; then what the command did."""
    end = time.monotonic() + seconds * PATIENCE
    while True:
        done = run_ssh(words)
        # 255 is ssh's own: not there yet, or gone in between.
        if done.returncode != 255 or time.monotonic() > end:
            return done
        time.sleep(1)


@atexit.register
def stop_all() -> None:
    for node in list(Node.running):
        node.power_off()
