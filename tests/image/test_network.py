"""What the node makes of addresses and leases: its own scripts and busybox, in a network namespace of the test's."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
OUT = REPOSITORY / "out"
# Runs one event in the image's files, and prints what came of it.
SCRIPT = """
set -e
mkdir -p proc sys dev
for folder in net status problems conf ready; do mkdir -p run/slicenode/$folder; done
chroot . /bin/busybox --install -s
mount -t proc proc proc && mount -t sysfs sysfs sys
mount -t tmpfs tmpfs dev && : >dev/console && : >dev/null
ip link add xenbr0 type bridge && ip link add eth0 type dummy 2>/dev/null || :
ip link set xenbr0 up
set +e
{events}
"""
SHOW = "echo address: $(ip -o addr show dev xenbr0 scope global | cut -d' ' -f7); " \
       "ip route; ip -6 route show default; cat /run/slicenode/problems/network 2>/dev/null; " \
       "cat /run/slicenode/status/20-net"

Events = Callable[..., str]


@pytest.fixture
def events(tmp_path: Path) -> Events:
    """Plays events to the image's scripts: `("bound", {...})` as udhcpc calls them, or a line of shell."""
    root = tmp_path / "root"
    for folder in ("bin", "etc", "run", "usr/bin", "sbin", "usr/sbin"):
        (root / folder).mkdir(parents=True)
    shutil.copy(OUT / "sysroot" / "bin" / "busybox", root / "bin" / "busybox")
    shutil.copy(OUT / "agent" / "slicenode-conf", root / "usr" / "bin" / "slicenode-conf")
    shutil.copytree(REPOSITORY / "initramfs" / "etc" / "rc", root / "etc" / "rc")

    def run(*all_events: tuple[str, dict[str, str]] | str, net: str = "dhcp") -> str:
        lines = [f"echo '{net}' >run/slicenode/conf/net"]
        for event in all_events:
            if isinstance(event, str):
                lines.append(f"chroot . /bin/sh -c '. /etc/rc/network; parse_net; {event}'")
                continue
            words = " ".join(f"{key}='{value}'" for key, value in event[1].items())
            lines.append(f"chroot . /usr/bin/env {words} /bin/sh /etc/rc/dhcp-event {event[0]}")
        lines.append(f"chroot . /bin/sh -c \"{SHOW}\"".replace("$(", r"\$("))
        own = "-nm" if os.geteuid() == 0 else "-rnmpf"
        done = subprocess.run(["unshare", own, "sh", "-c", SCRIPT.format(events="\n".join(lines))], cwd=root,
                              capture_output=True, text=True, timeout=60, check=False)
        return done.stdout + done.stderr

    return run


LEASE = {"ip": "192.0.2.10", "mask": "24", "router": "192.0.2.1", "serverid": "192.0.2.1", "dns": "192.0.2.53"}


def test_a_lease_gives_address_and_gateway(events: Events) -> None:
    said = events(("bound", LEASE))
    assert "192.0.2.10/24" in said and "default via 192.0.2.1" in said and "gateway 192.0.2.1," in said, said
    assert "network_error" not in said


def test_a_network_of_one_address_has_its_gateway_outside(events: Events) -> None:
    said = events(("bound", {**LEASE, "mask": "32", "router": "10.0.0.1"}))
    assert "192.0.2.10/32" in said and "default via 10.0.0.1" in said and "10.0.0.1 dev xenbr0 scope link" in said, said
    assert "network_error" not in said


def test_classless_routes_count_and_the_router_does_not(events: Events) -> None:
    routes = "172.16.0.0/12 192.0.2.2 198.51.100.0/24 0.0.0.0 0.0.0.0/0 192.0.2.3"
    said = events(("bound", {**LEASE, "staticroutes": routes}))
    assert "default via 192.0.2.3" in said and "172.16.0.0/12 via 192.0.2.2" in said, said
    assert "198.51.100.0/24 dev xenbr0" in said and "192.0.2.1 " not in said.replace("gateway 192.0.2.1,", ""), said


def test_classless_routes_with_a_gateway_outside(events: Events) -> None:
    """As clouds give them: the gateway's own route first, on the link."""
    said = events(("bound", {**LEASE, "mask": "32", "staticroutes": "169.254.1.1/32 0.0.0.0 0.0.0.0/0 169.254.1.1"}))
    assert "default via 169.254.1.1" in said and "network_error" not in said, said


def test_a_renewal_changes_routes_and_address(events: Events) -> None:
    said = events(("bound", {**LEASE, "staticroutes": "172.16.0.0/12 192.0.2.2 0.0.0.0/0 192.0.2.3"}),
                  ("renew", {**LEASE, "router": "192.0.2.4"}))
    assert "default via 192.0.2.4" in said and "172.16.0.0" not in said and "192.0.2.3" not in said, said
    said = events(("bound", LEASE), ("renew", {**LEASE, "ip": "192.0.2.77"}))
    assert "192.0.2.77/24" in said and "192.0.2.10/" not in said and "default via 192.0.2.1" in said, said


def test_what_cannot_be_set_stays_a_problem(events: Events) -> None:
    """It was set and cleared at once."""
    said = events(("bound", {**LEASE, "staticroutes": "10.0.0.0/40 192.0.2.2 0.0.0.0/0 192.0.2.1"}))
    assert "network_error" in said and "10.0.0.0/40" in said, said
    assert "default via 192.0.2.1" in said, said
    said = events(("bound", {key: value for key, value in LEASE.items() if key != "router"}))
    assert "no gateway" in said, said
    said = events(("bound", {**LEASE, "staticroutes": "10.0.0.0/40 192.0.2.2"}), ("renew", LEASE))
    assert "network_error" not in said, said


def test_a_lease_without_a_mask_has_its_class(events: Events) -> None:
    said = events(("bound", {"ip": "10.1.2.3", "router": "10.0.0.1"}))
    assert "10.1.2.3/8" in said and "default via 10.0.0.1" in said, said


@pytest.mark.parametrize(("net", "gateway"), [
    ("192.0.2.10/32,gateway=10.0.0.1", "default via 10.0.0.1"),
    ("192.0.2.10/24,gateway=192.0.2.1", "default via 192.0.2.1"),
    ("192.0.2.10/31,gateway=192.0.2.11", "default via 192.0.2.11"),
    ("2001:db8::10/64,gateway=fe80::1", "default via fe80::1"),
    ("2001:db8::10/128,gateway=2001:db8:ffff::1", "default via 2001:db8:ffff::1"),
])
def test_static_addresses(events: Events, net: str, gateway: str) -> None:
    said = events('set_static; echo "trouble: $complaints."; net_status', net=net)
    assert f"address: {net.split(',')[0]}" in said and gateway in said and "trouble: .\n" in said, said
    assert gateway.split()[-1] + "," in said, said
