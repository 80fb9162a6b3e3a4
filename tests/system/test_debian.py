"""A real Debian on the real node: two slices at once, PV and PVH, set up by cloud-init and reached from outside.

Their first boot may have been in an earlier run of the same build (debian.py); the node goes on from there.
"""

from __future__ import annotations

import pytest
from artefacts import Artefacts
from conftest import Racks
from debian import FIRST_BOOT_SECONDS, KINDS, booted
from rack import Rack


@pytest.fixture(scope="module")
def rack(racks: Racks, artefacts: Artefacts) -> Rack:
    """A node that keeps its slices from test to test."""
    return racks.make(Rack, saved=racks.enter(booted(artefacts)))


@pytest.mark.parametrize("kind", KINDS)
def test_debian_is_set_up_by_cloud_init_and_reached_from_outside(rack: Rack, kind: str) -> None:
    number = KINDS.index(kind)
    status = rack.ssh(number, "cloud-init status --wait --long", "debian", FIRST_BOOT_SECONDS)
    assert "status: done" in status
    assert "DataSourceNoCloud" in status
    assert "errors: []" in status
    slice_id = rack.slice(f"debian-{kind}")["id"]
    said = rack.ssh(number, "hostname; cat /etc/made-by-user-data; sudo cat /run/cloud-init/.instance-id; "
                            "cat /home/debian/.ssh/authorized_keys; ls /sys/hypervisor/uuid; "
                            "cat /sys/hypervisor/guest_type; df --output=size -BM / | tail -1", "debian").splitlines()
    assert said[0] == f"debian-{kind}"
    assert said[1] == "yes it was"
    assert said[2] == slice_id
    assert said[3] == rack.key.with_suffix(".pub").read_text().strip()
    assert said[5].lower() == kind
    assert int(said[6].strip().removesuffix("M")) > 3500, "the root did not grow to the slice's disk"
    assert rack.slice(f"debian-{kind}")["state"] == "running"


def test_both_run_at_once(rack: Rack) -> None:
    assert [rack.ssh(number, "hostname", "debian") for number in range(2)] == [f"debian-{kind}" for kind in KINDS]


def test_it_stops_when_it_is_asked_to(rack: Rack) -> None:
    stopped = rack.json("stop", "debian-pv", "--timeout-seconds", "600", "--wait", seconds=700)
    assert stopped["result"]["forced"] is False
    assert rack.slice("debian-pv")["state"] == "stopped"
    assert rack.ssh(1, "hostname", "debian") == "debian-pvh"
