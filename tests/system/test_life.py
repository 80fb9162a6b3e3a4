"""What a slice of the real node goes through besides starting and stopping: it stands still and goes on, gets more and
less, and is copied.

One node serves all tests of this file in their order.
"""

from __future__ import annotations

from typing import Any

import pytest
from conftest import Racks
from rack import OpenRack, Rack
from waiting import wait_until

READY = "small-guest: ready"
GIB_SECTORS = 2 << 20
MEMORY = "awk '/^MemTotal/ {print int($2 / 1024)}' /proc/meminfo"


@pytest.fixture(scope="module")
def rack(racks: Racks) -> OpenRack:
    rack = racks.make(OpenRack)
    rack.provision("life", "small.raw.zst", 0, "--type", "pvh")
    rack.wait_console("life", READY)
    return rack


def usage(rack: Rack, name: str) -> dict[str, Any]:
    """From a heartbeat that is later than this call."""
    before = rack.json("nodes")[0]["status"]["time"]
    wait_until(lambda: rack.json("nodes")[0]["status"]["time"] > before, "the next heartbeat", 30)
    found: dict[str, Any] = rack.slice(name)["usage"]
    return found


def test_pause_stops_the_clock_and_unpause_lets_it_go_on(rack: Rack) -> None:
    rack.ssh(0, "touch /tmp/awake; (while [ -e /tmp/awake ]; do cut -d' ' -f1 /proc/uptime; sleep 0.2; done) "
                "</dev/null >/dev/console 2>&1 &")
    before = rack.console("life")
    wait_until(lambda: rack.console("life") != before, "the slice prints its clock", 30)
    rack.do("pause", "life")
    assert rack.slice("life")["state"] == "paused"
    still, first = rack.console("life"), usage(rack, "life")
    again = usage(rack, "life")
    assert again["state"] == "paused" and again["cpu_ms"] == first["cpu_ms"] and again["memory_mib"] >= 150
    assert rack.console("life") == still
    rack.do("snapshot", "create", "life", "asleep")
    assert rack.slice("life")["state"] == "paused"
    rack.do("unpause", "life")
    assert rack.slice("life")["state"] == "running"
    wait_until(lambda: rack.console("life") != still, "the slice's clock goes on", 30)
    assert rack.ssh(0, "rm /tmp/awake; hostname") == "life"
    assert usage(rack, "life")["cpu_ms"] > first["cpu_ms"]


def test_seed_is_read_only_for_the_slice_and_for_dom0(rack: OpenRack) -> None:
    assert rack.ssh(0, "cat /sys/block/xvdb/ro") == "1"
    devices = dict(line.split() for line in rack.dom0(
        "for device in /sys/block/dm-*; do echo $(cat $device/dm/name) $(cat $device/ro); done").splitlines())
    slice_id = rack.slice("life")["id"]
    assert (devices[f"seed-{slice_id}"], devices[f"slice-{slice_id}"]) == ("1", "0")


def test_disk_grows_under_a_running_slice(rack: Rack) -> None:
    rack.ssh(0, "echo original >/root/note; sync")
    assert int(rack.ssh(0, "cat /sys/block/xvda/size")) == GIB_SECTORS
    assert rack.resize("life", "--disk-gib", "2") == {"disk_gib": "now"}
    wait_until(lambda: int(rack.ssh(0, "cat /sys/block/xvda/size")) == 2 * GIB_SECTORS,
               "the slice sees its larger disk", 60)
    rack.ssh(0, f"dd if=/dev/zero of=/dev/xvda bs=512 seek={2 * GIB_SECTORS - 8} count=8 2>/dev/null; sync")
    assert rack.ssh(0, "cat /root/note") == "original"
    smaller = rack.try_controller("resize", "life", "--disk-gib", "1", "--wait")
    assert smaller.returncode == 1 and "only grows" in smaller.stderr


def test_memory_changes_while_it_runs(rack: Rack) -> None:
    large = int(rack.ssh(0, MEMORY))
    assert rack.resize("life", "--memory-mib", "144") == {"memory_mib": "now"}
    assert int(rack.ssh(0, MEMORY)) <= large - 32
    assert usage(rack, "life")["memory_mib"] <= 144 + 8
    assert rack.resize("life", "--memory-mib", "192") == {"memory_mib": "now"}
    wait_until(lambda: int(rack.ssh(0, MEMORY)) >= large - 8, "the slice has its memory back", 60)
    too_much = rack.try_controller("resize", "life", "--memory-mib", "900000", "--wait")
    assert "insufficient_memory" in too_much.stderr
    assert rack.resize("life", "--memory-mib", "300") == {"memory_mib": "next_start"}
    two = rack.try_controller("resize", "life", "--vcpus", "2", "--wait")
    assert "insufficient_vcpus" in two.stderr and "the node has 1" in two.stderr


def test_clone_lives_on_without_its_original(rack: Rack) -> None:
    rack.do("snapshot", "create", "life", "base")
    rack.provision("copy", "life/base", 1, "--type", "pv", "--memory-mib", "128", "--max-memory-mib", "192",
                   "--disk-gib", "3")
    rack.do("terminate", "life")
    rack.wait_console("copy", READY)
    assert f"instance={rack.slice('copy')['id']}" in rack.console("copy")
    assert rack.ssh(1, "hostname; cat /root/note").split() == ["copy", "original"]
    assert int(rack.ssh(1, "cat /sys/block/xvda/size")) == 3 * GIB_SECTORS


def test_slice_with_room_to_grow_gets_more_than_it_was_started_with(rack: OpenRack) -> None:
    small = int(rack.ssh(1, MEMORY))
    assert rack.resize("copy", "--memory-mib", "192") == {"memory_mib": "now"}
    wait_until(lambda: int(rack.ssh(1, MEMORY)) > small + 40, "the slice has more memory", 60)
    rack.do("terminate", "copy")
    wait_until(lambda: "vif" not in rack.dom0("ls /sys/class/net"), "the vif is gone with its slice", 30)


def test_traffic_kept_to_the_protocol(rack: Rack) -> None:
    assert rack.controller("protocol-violations") == ""
