"""What the children may and may not do once they are in their sandboxes."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from helper import ROOT

MODULES = ("process/sandbox process/filter process/landlock base/err base/text base/memory base/file base/clock "
           "base/ident base/check base/log").split()
KILLED = "killed"
# A relation by Landlock shows only where the kernel has it.
LANDLOCK = "landlock" in Path("/sys/kernel/security/lsm").read_text() \
    if Path("/sys/kernel/security/lsm").exists() else True

# What is tried, and what comes of it in net, and in import, export and ip6.
DEEDS: list[tuple[str, str, str]] = [
    ("write to a descriptor", "may", "may"),
    ("map memory", "may", "may"),
    ("map executable memory", "Operation not permitted", "Operation not permitted"),
    ("make memory executable", "Operation not permitted", "Operation not permitted"),
    ("read /etc/hosts", "may", KILLED),
    ("read /dev/random", "may", KILLED),
    ("read /proc/self/environ", "Permission denied", KILLED),
    ("read /usr/bin/env", "Permission denied", KILLED),
    ("read /tmp", "Permission denied", KILLED),
    ("write /etc/hosts", "Permission denied", KILLED),
    ("create a file", "Permission denied", KILLED),
    ("remove a file", KILLED, KILLED),
    ("make a TCP socket", "may", KILLED),
    ("make a UDP socket", "may", KILLED),
    ("make a raw socket", "Operation not permitted", KILLED),
    ("make a unix socket", "Address family not supported by protocol", KILLED),
    ("make a netlink socket", "Address family not supported by protocol", KILLED),
    ("make a packet socket", "Address family not supported by protocol", KILLED),
    ("connect by TCP", "may", KILLED),
    ("bind a TCP socket", "Permission denied", KILLED),
    ("bind a UDP socket", "may", KILLED),
    ("listen", KILLED, KILLED),
    ("execute a program", KILLED, KILLED),
    ("fork", KILLED, KILLED),
    ("clone a process", "Operation not permitted", KILLED),
    ("start a thread", "may", KILLED),
    ("trace", KILLED, KILLED),
    ("signal the parent", "Operation not permitted", "Operation not permitted"),
    ("kill the parent", KILLED, KILLED),
    ("mount", KILLED, KILLED),
    ("become root", KILLED, KILLED),
    ("change the root folder", KILLED, KILLED),
    ("raise a limit", KILLED, KILLED),
    ("set the clock", KILLED, KILLED),
    ("load a module", KILLED, KILLED),
    ("change an owner", KILLED, KILLED),
    ("make a device", KILLED, KILLED),
    ("enter a namespace", KILLED, KILLED),
    ("use io_uring", KILLED, KILLED),
    ("load a BPF program", KILLED, KILLED),
    ("use the x32 interface", KILLED, KILLED),
]

DENIED = "Operation not permitted"
OUTSIDE = "Permission denied"

# What is tried, and what comes of it for Xen's daemons and for dropbear, which `confine` starts. Here there are neither
# /dev/xen nor /run/xenstored, so no file is left to Xen's daemons.
CONFINED: list[tuple[str, str, str]] = [
    ("write to a descriptor", "may", "may"),
    ("read /etc/hosts", OUTSIDE, "may"),
    ("read /proc/self/environ", OUTSIDE, "may"),
    ("create a file", OUTSIDE, "may"),
    ("execute a program", OUTSIDE, "may"),
    ("fork", DENIED, "may"),
    ("make a unix socket", "may", "may"),
    ("make a TCP socket", "Address family not supported by protocol", "may"),
    ("make a raw socket", "Address family not supported by protocol", "may"),
    ("make a netlink socket", "Address family not supported by protocol", "may"),
    ("make a packet socket", "Address family not supported by protocol", "may"),
    ("trace", DENIED, DENIED),
    ("signal the parent", DENIED, "may"),
    ("kill the parent", DENIED, "may"),
    ("mount", DENIED, "may"),
    ("become root", DENIED, "may"),
    ("change the root folder", DENIED, "may"),
    ("set the clock", DENIED, "may"),
    ("load a module", DENIED, "may"),
    ("change an owner", DENIED, "may"),
    ("make a device", DENIED, "may"),
    ("enter a namespace", DENIED, "may"),
    ("use io_uring", DENIED, DENIED),
    ("load a BPF program", DENIED, DENIED),
]


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    """Which every user can enter."""
    with tempfile.TemporaryDirectory(prefix="sandbox-") as name:
        os.chmod(name, 0o755)
        yield Path(name)


@pytest.fixture(scope="session")
def tool(folder: Path) -> Path:
    """Without sanitisers, for which the list of system calls is longer."""
    path = folder / "sandbox-tool"
    agent = ROOT / "agent"
    subprocess.run(
        ["gcc", "-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Wno-format-truncation",
         "-Werror", "-g", "-O1", "-static", f"-I{agent}", "-o", path,
         ROOT / "tests" / "children" / "sandbox_tool.c",
         *(agent / f"{module}.c" for module in MODULES)], check=True)
    return path


def try_deed(tool: Path, profile: str, deed: str) -> str:
    result = subprocess.run([tool, profile, deed], capture_output=True, text=True, timeout=20)
    if result.returncode == -31:
        return KILLED
    assert result.returncode == 0, result.stderr
    return result.stdout.strip().removeprefix("may not: ")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.skipif(not LANDLOCK, reason="the kernel has no Landlock")
@pytest.mark.parametrize(("deed", "net", "importer"), DEEDS)
def test_deed(tool: Path, deed: str, net: str, importer: str) -> None:
    assert try_deed(tool, "net", deed) == net
    assert try_deed(tool, "import", deed) == importer
    assert try_deed(tool, "export", deed) == importer
    assert try_deed(tool, "ip6", deed) == importer


@pytest.fixture(scope="session")
def confine(folder: Path) -> Path:
    path = folder / "confine"
    agent = ROOT / "agent"
    subprocess.run(
        ["gcc", "-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Wno-format-truncation",
         "-Werror", "-g", "-O1", f"-I{agent}", "-o", path, agent / "confine" / "main.c",
         *(agent / f"{module}.c" for module in MODULES)], check=True)
    return path


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.skipif(not LANDLOCK, reason="the kernel has no Landlock")
@pytest.mark.parametrize(("deed", "daemon", "shells"), CONFINED)
def test_confined_deed(confine: Path, tool: Path, deed: str, daemon: str, shells: str) -> None:
    def tried(profile: str) -> str:
        result = subprocess.run([confine, profile, tool, "none", deed], capture_output=True,
                                text=True, timeout=20)
        assert result.returncode == 0, result.stderr
        return result.stdout.strip().removeprefix("may not: ")

    assert tried("xenstored") == daemon
    # xenconsoled insists on root, so it stays that by number, and may do what needs no more.
    if deed not in ("become root", "change an owner", "signal the parent", "kill the parent"):
        assert tried("xenconsoled") == daemon
    if shells != "may":  # what it may is not done to this machine
        assert tried("sshd") == shells


def test_confine_is_told_what_to_start(confine: Path) -> None:
    wrong: list[list[str]] = [[], ["xenstored"], ["nobody", "/bin/true"], ["xenstored", "true"]]
    for words in wrong:
        assert subprocess.run([confine, *words], capture_output=True).returncode == 2
