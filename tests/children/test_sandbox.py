"""What the children may and may not do once they are in their sandboxes."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from helper import ROOT

MODULES = "sandbox sandbox_filter err util file clock ident check log".split()
KILLED = "killed"
# A relation by Landlock shows only where the kernel has it.
LANDLOCK = "landlock" in Path("/sys/kernel/security/lsm").read_text() \
    if Path("/sys/kernel/security/lsm").exists() else True

# What is tried, and what comes of it in net, and in import and export.
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
    ("use io_uring", KILLED, KILLED),
    ("load a BPF program", KILLED, KILLED),
    ("use the x32 interface", KILLED, KILLED),
]


@pytest.fixture(scope="session")
def tool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Without sanitisers, for which the list of system calls is longer."""
    path = tmp_path_factory.mktemp("tool") / "sandbox-tool"
    agent = ROOT / "agent"
    subprocess.run(
        ["gcc", "-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Wno-format-truncation",
         "-Werror", "-g", "-O1", f"-I{agent}", "-o", path,
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
