"""What each daemon of the real node may still do: users, capabilities, system calls; and that Xen's daemons do their
work all the same, which is what slices, their devices and their consoles need."""

from __future__ import annotations

import subprocess

import pytest
from conftest import Racks
from rack import OpenRack
from waiting import wait_until

NOTHING = "0000000000000000"
USERS = {"sliced-net": "101", "sliced-import": "102", "xenconsoled": "0", "xenstored": "104"}


class PrivilegesRack(OpenRack):
    def on_node(self, command: str) -> str:
        return self.dom0(command, 90)

    def status(self, process: str) -> dict[str, str]:
        """/proc/PID/status of the first process that was started as `process`."""
        text = self.on_node(f"set -- $(pidof {process}); cat /proc/$1/status")
        return {key: value.strip() for key, value in (line.split(":", 1) for line in text.splitlines())}


@pytest.fixture(scope="module")
def rack(racks: Racks) -> PrivilegesRack:
    return racks.make(PrivilegesRack)


def has_nothing(status: dict[str, str], process: str) -> None:
    assert status["Uid"].split() == [USERS[process]] * 4
    for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert status[kind] == NOTHING, kind
    assert (status["NoNewPrivs"], status["Seccomp"], status["Groups"]) == ("1", "2", "")


@pytest.mark.parametrize("process", ["sliced-net", "xenstored", "xenconsoled"])
def test_daemon_has_no_privileges(rack: PrivilegesRack, process: str) -> None:
    has_nothing(rack.status(process), process)


def test_import_has_no_privileges(rack: PrivilegesRack) -> None:
    """Started by hand as the agent starts it; it waits for its order. The shell has a filter of its SSH server already:
    the sandbox is complete when there is one more."""
    text = rack.on_node("filters() { sed -n 's/^Seccomp_filters:[^0-9]*//p' /proc/$1/status; }; mkfifo /run/wire; "
                        "/usr/lib/slicenode/sliced-import 3<>/run/wire </dev/null >/dev/null 2>&1 & "
                        "until [ \"$(filters $!)\" -gt \"$(filters $$)\" ]; do sleep 0.1; done; "
                        "cat /proc/$!/status; kill $!; rm /run/wire")
    has_nothing({key: value.strip() for key, value in (line.split(":", 1) for line in text.splitlines())},
                "sliced-import")


def test_what_the_sandboxes_refuse(rack: PrivilegesRack) -> None:
    """A program of the operator's, in xenconsoled's place."""
    def tried(command: str) -> str:
        return rack.on_node(f"confine xenconsoled /bin/busybox {command} 2>&1 || true")

    assert "ermission denied" in tried("cat /etc/passwd")
    assert "ermission denied" in tried("ls /state/agent")
    assert "ermission denied" in tried("touch /run/made")
    assert "permission denied" in tried("mount -t tmpfs none /tmp")
    assert "not permitted" in tried("chown 101 /run/xenconsoled")
    assert "not permitted" in tried("kill -0 1")
    assert "ermission denied" in tried("env /sbin/lvm version") or "not permitted" in tried("env /sbin/lvm version")
    assert tried("id -u") == "0", "xenconsoled insists on it"


def test_ssh_is_bounded(rack: PrivilegesRack) -> None:
    status = rack.status("dropbear")
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    assert int(status["CapBnd"], 16) & 1 << 17 == 0, "CAP_SYS_RAWIO"
    assert rack.on_node("id -u; modprobe dm-flakey && echo loaded").split() == ["0", "loaded"]


def test_ssh_comes_back_when_its_key_was_cut_off(rack: PrivilegesRack) -> None:
    """As a power cut leaves it that comes while the host key is being made."""
    folder = "/state/ssh"
    before = rack.on_node(f"sha256sum {folder}/host_key")
    rack.on_node(f"(sleep 1; rm {folder}/host_key; echo half >{folder}/host_key.new; sv restart /etc/service/sshd)"
                 " </dev/null >/dev/null 2>&1 & echo")
    wait_until(lambda: rack.on_node(f"sha256sum {folder}/*; true") not in (before, ""), "another key", 60)
    assert rack.on_node(f"ls {folder}") == "host_key"


def convert(rack: PrivilegesRack, form: str, *options: str) -> str:
    """The small guest's image in another format, where the controller serves images from."""
    guests = rack.artefacts.out / "guest"
    raw, name = rack.folder / "small.raw", f"small.{form}"
    subprocess.run(["zstd", "-q", "-d", "-f", guests / "small.raw.zst", "-o", raw], check=True)
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", *options, raw, guests / name], check=True)
    return name


def test_slices_live_with_confined_daemons(rack: PrivilegesRack) -> None:
    """From a qcow2 image and a VHD; devices by xenstore, consoles by xenconsoled, also by one that has started anew."""
    rack.provision("web", convert(rack, "qcow2", "qcow2", "-c"), 0)
    rack.wait_console("web", "small-guest: ready")
    assert rack.ssh(0, "hostname") == "web"
    rack.on_node("sv restart /etc/service/xenconsoled")
    rack.provision("other", convert(rack, "vhd", "vpc", "-o", "force_size=on"), 1)
    rack.wait_console("other", "small-guest: ready")
    # The old domain's console goes on as well.
    rack.ssh(0, "echo again >/dev/console")
    rack.wait_console("web", "again")
    assert "guest-" in rack.on_node("ls /state/console")
    assert rack.on_node("pidof xenstored | wc -w") == "1"
    assert "scratch" not in rack.on_node("ls /dev/mapper")
    rack.do("terminate", "web")
    rack.do("terminate", "other")
    assert rack.controller("protocol-violations") == ""
