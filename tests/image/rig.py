"""The image's own scripts, busybox and programs in a root folder and namespaces of a test's own: a bridge's port
eth0, and what is at the other end of its cable, peer0."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol, TypeVar

import pytest

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "out"
SECONDS = 30

APPLETS = ("sh ip udhcpc cat grep mv rm ln cmp sed sort tr "
           "hostname mkfifo pidof kill readlink flock sleep mkdir touch timeout").split()
PREPARE = """
for folder in proc sys dev; do mount --rbind /$folder "$0/$folder" 2>/dev/null; done
mount -t sysfs sysfs "$0/sys"
# as etc/sysctl.conf
echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6
echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6
ip link set lo up
ip link add eth0 address 52:54:00:12:34:56 type veth peer name peer0
ip link set peer0 up
mount -t tmpfs tmpfs "$0/run"
mkdir -p "$0/run/slicenode/conf" "$0/run/slicenode/problems" "$0/run/slicenode/status" "$0/run/slicenode/ready"
: >"$0/run/slicenode/ready/network"
mkdir -p "$0/run/slicenode/net"
echo ready
exec sleep 600
"""
# Instead of the machine's console.
BEGIN = """. /etc/rc/network
say() { echo "$*" >>/run/said; }
ip link set eth0 up; parse_net; make_bridge; attach eth0
"""


class Host:
    """A root folder with the image's scripts, in namespaces of its own."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "root"
        for name in ("proc", "sys", "dev", "run", "tmp", "etc", "usr/bin", "var/empty"):
            (self.root / name).mkdir(parents=True)
        shutil.copytree(ROOT / "initramfs" / "etc" / "rc", self.root / "etc" / "rc")
        for name in ("bin", "sbin", "usr/sbin"):
            (self.root / name).symlink_to("/usr/bin")
        shutil.copy(OUT / "sysroot" / "bin" / "busybox", self.root / "usr/bin/busybox")
        for program in ("slicenode-conf", "slicenode-ip6"):
            shutil.copy(OUT / "agent" / program, self.root / "usr/bin" / program)
        for applet in APPLETS:
            (self.root / "usr/bin" / applet).symlink_to("busybox")
        # The machine that runs the tests has a console, too.
        functions = self.root / "etc/rc/functions"
        text = functions.read_text().replace(">/dev/console", ">>/run/said")
        functions.write_text(text.replace("/dev/tty1", "/run/no"))
        for event in ("dhcp-event", "ip6-event"):
            os.chmod(self.root / "etc/rc" / event, 0o755)
        self.holder = subprocess.Popen(["unshare", "-m", "-n", "sh", "-c", PREPARE, self.root], text=True,
                                       stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert self.holder.stdout is not None and self.holder.stdout.readline() == "ready\n"

    def enter(self, script: str) -> list[str]:
        return ["nsenter", "-m", "-n", "-t", str(self.holder.pid), "chroot", str(self.root), "/bin/sh", "-c", script]

    def run(self, script: str) -> str:
        done = subprocess.run(self.enter(script), capture_output=True, text=True, timeout=SECONDS)
        return done.stdout + done.stderr

    def outside(self, script: str) -> str:
        """By the machine's own programs, in the host's network."""
        return subprocess.run(["nsenter", "-n", "-t", str(self.holder.pid), "sh", "-ec", script], capture_output=True,
                              text=True, timeout=SECONDS, check=True).stdout

    def routes_of(self, which: str, family: int = 4) -> str:
        """The machine's own ip shows more than busybox's."""
        return self.outside(f"ip -{family} route show {which}")

    def routes(self, family: int = 4) -> list[str]:
        lines = [line.replace(" linkdown", "").split() for line in self.routes_of("dev xenbr0", family).splitlines()]
        return sorted(" ".join(words) for words in lines if "kernel" not in words and words[0] != "fe80::/64")

    def close(self) -> None:
        self.holder.kill()
        self.holder.wait()


class Closable(Protocol):
    def close(self) -> None: ...


SomeRig = TypeVar("SomeRig", bound=Closable)


def until_the_test_ends(kind: Callable[[Path], SomeRig], folder: Path) -> Iterator[SomeRig]:
    """For a fixture: a rig that is there during the test."""
    if os.geteuid() != 0:
        pytest.skip("only root can make network namespaces with packet sockets")
    own = kind(folder)
    yield own
    own.close()
