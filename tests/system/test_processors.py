"""A slice gets a second processor and gives it back, on a node that has two.

The two processors of the node take both of a small host and wait for each other: beside another test the slice hardly
gets on, so this file runs when nothing else does.
"""

from __future__ import annotations

import pytest
from conftest import Racks
from rack import Rack
from waiting import wait_until

READY = "small-guest: ready"
pytestmark = pytest.mark.alone


@pytest.fixture(scope="module")
def rack(racks: Racks) -> Rack:
    return racks.make(Rack, fresh=True, cpus=2)


def test_processors_come_and_go_while_it_runs(rack: Rack) -> None:
    """A PV slice, for the second CPU that the node needs is bad for one of PVH in QEMU 7.2."""
    rack.provision("wide", "small.raw.zst", 2, "--type", "pv", "--max-vcpus", "2")
    rack.wait_console("wide", READY, 300)
    assert rack.ssh(2, "nproc") == "1"
    assert rack.resize("wide", "--vcpus", "2") == {"vcpus": "now"}
    wait_until(lambda: rack.try_ssh(2, "echo 1 >/sys/devices/system/cpu/cpu1/online").returncode == 0,
               "the second processor can be used", 60)
    assert rack.ssh(2, "nproc") == "2"
    assert rack.resize("wide", "--vcpus", "1") == {"vcpus": "now"}
    assert rack.ssh(2, "nproc") == "1"
