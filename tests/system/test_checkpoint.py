"""Snapshots with memory on the real image: a slice goes on after one, and comes back to it as it was at that instant,
with what it held in memory alone. One boot of the node, and a second one after a power cut.
"""

from __future__ import annotations

import pytest
from conftest import Racks
from rack import OpenRack
from waiting import wait_until

READY = "small-guest: ready"
NUMBERS = {"web": 0, "old": 1}
# The count is held by a process, in its memory and in a RAM disk.
COUNT = ("n=0; (while :; do n=$((n + 1)); echo $n >/run/count.new; mv /run/count.new /run/count; sleep 1; done)"
         " </dev/null >/dev/null 2>&1 &")
# Kills the agent as soon as the memory of a slice is being saved.
KILL_AGENT = ("until pidof libxl-save-helper >/dev/null; do usleep 20000; done; kill -9 $(pidof sliced | tr ' ' '\\n'"
              " | sort -n | head -n 1); echo killed")
KILL_HELPER = "until pidof libxl-save-helper >/dev/null; do usleep 20000; done; kill -9 $(pidof libxl-save-helper)"


class CheckpointRack(OpenRack):
    """A rack whose slices are asked for what they hold."""

    def make(self, name: str, kind: str) -> None:
        self.provision(name, "small.raw.zst", NUMBERS[name], "--type", kind)
        self.wait_console(name, READY)
        self.ssh(NUMBERS[name], COUNT)
        self.hold(name, "first")

    def hold(self, name: str, text: str) -> None:
        """In memory, and on the disk without a sync: what is not written yet is part of the memory."""
        self.ssh(NUMBERS[name], f"echo {text} >/run/held; echo {text} >/root/held")

    def held(self, name: str) -> list[str]:
        """What memory and disk hold, and which boot of the slice it is."""
        return self.ssh(NUMBERS[name], "cat /run/held /root/held /proc/sys/kernel/random/boot_id").splitlines()

    def count(self, name: str) -> int:
        return int(self.ssh(NUMBERS[name], "cat /run/count"))

    def checkpoint(self, name: str, snapshot: str) -> None:
        self.controller("snapshot", "create", name, snapshot, "--memory", "--wait", seconds=240)

    def counts_on(self, name: str) -> None:
        before = self.count(name)
        wait_until(lambda: self.count(name) > before, f"{name} counts on", 60)


@pytest.fixture(scope="module")
def rack(racks: Racks) -> CheckpointRack:
    return racks.make(CheckpointRack)


def check_comes_back(rack: CheckpointRack, name: str) -> None:
    """Checkpoint, go on, change, revert: memory and disk are of that instant, and life goes on from there."""
    number = NUMBERS[name]
    held = rack.held(name)
    before = rack.count(name)
    rack.checkpoint(name, "instant")
    assert [(one["name"], one["memory"]) for one in rack.slice(name)["snapshots"]] == [("instant", True)]
    assert rack.held(name) == held
    rack.counts_on(name)
    rack.hold(name, "second")
    rack.ssh(number, "echo 1000000 >/run/count; touch /root/later; sync")
    refused = rack.try_controller("snapshot", "revert", name, "instant", "--wait")
    assert refused.returncode == 1
    assert "slice_running" in refused.stderr
    rack.do("snapshot", "revert", name, "instant", "--restart")
    assert rack.slice(name)["state"] == "running"
    assert rack.held(name) == held
    # The checkpoint's work takes a while here, but nowhere near a thousand seconds.
    assert before <= rack.count(name) < before + 1000
    rack.counts_on(name)
    assert rack.ssh(number, "ls /root") == "held"
    # Its disk and network are at work again.
    rack.ssh(number, "dd if=/dev/urandom of=/root/data bs=64k count=64 2>/dev/null; sync;"
             " echo 3 >/proc/sys/vm/drop_caches; md5sum /root/data; rm /root/data")


def test_pvh_slice_comes_back_as_it_was(rack: CheckpointRack) -> None:
    rack.make("web", "pvh")
    check_comes_back(rack, "web")


def test_stopped_slice_continues(rack: CheckpointRack) -> None:
    held = rack.held("web")
    rack.do("stop", "web", "--force")
    rack.do("snapshot", "revert", "web", "instant")
    assert (rack.slice("web")["state"], rack.slice("web")["desired"]) == ("running", "running")
    assert rack.held("web") == held
    rack.counts_on("web")


def test_agent_is_killed_while_memory_is_saved(rack: CheckpointRack) -> None:
    """The request goes on where it was, and so does the slice."""
    held = rack.held("web")
    rack.dom0(f"({KILL_AGENT}) </dev/null >/run/killed 2>&1 &")
    rack.checkpoint("web", "killed")
    assert rack.dom0("cat /run/killed") == "killed"
    assert rack.held("web") == held
    rack.counts_on("web")
    rack.do("snapshot", "revert", "web", "killed", "--restart")
    assert rack.held("web") == held
    rack.do("snapshot", "delete", "web", "killed")
    assert "memory-" not in rack.dom0("ls /dev/mapper")


def test_saving_fails_halfway(rack: CheckpointRack) -> None:
    """Nothing of it is left, and the slice goes on."""
    held = rack.held("web")
    used = rack.disk_used_mib()
    rack.dom0(f"({KILL_HELPER}) </dev/null >/dev/null 2>&1 &")
    failed = rack.try_controller("snapshot", "create", "web", "halfway", "--memory", "--wait", seconds=240)
    assert failed.returncode == 1
    assert "hypervisor_error" in failed.stderr
    assert rack.held("web") == held
    rack.counts_on("web")
    assert [one["name"] for one in rack.slice("web")["snapshots"]] == ["instant"]
    assert rack.disk_used_mib() <= used + 1
    assert "memory-" not in rack.dom0("ls /dev/mapper")


def test_slice_comes_back_after_a_power_cut_of_the_node(rack: CheckpointRack) -> None:
    held = rack.held("web")
    rack.node.power_off()
    rack.boot()
    rack.wait_console("web", " boots=2 ", 150)
    assert rack.ssh(0, "cat /proc/sys/kernel/random/boot_id") != held[-1]
    rack.do("snapshot", "revert", "web", "instant", "--restart")
    assert rack.held("web") == held
    rack.counts_on("web")
    rack.do("terminate", "web")


def test_pv_slice_comes_back_as_it_was(rack: CheckpointRack) -> None:
    rack.make("old", "pv")
    check_comes_back(rack, "old")
    used = rack.disk_used_mib()
    rack.do("snapshot", "delete", "old", "instant")
    assert rack.disk_used_mib() < used - 20, "the memory's volume has gone"
    rack.do("terminate", "old")


def test_traffic_kept_to_the_protocol(rack: CheckpointRack) -> None:
    assert rack.controller("protocol-violations") == ""
