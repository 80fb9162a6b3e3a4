"""The network service with two cards, of which one leads nowhere: the image's own scripts in a network namespace. What
waits for a minute on a node waits for a second here."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from dhcp import DhcpServer, addresses
from rig import ROOT, SECONDS, Host, until_the_test_ends
from routers import Router, advertisement, prefix

CARDS = """
ip link add eth1 address 52:54:00:12:34:57 type veth peer name peer1
ip link set peer1 up
"""
USUAL = {1: addresses("255.255.255.0"), 3: addresses("192.0.2.1")}


class Cards:
    """The service, and what it says."""

    def __init__(self, folder: Path) -> None:
        self.host = Host(folder)
        self.host.outside(CARDS)
        service = (ROOT / "initramfs/etc/service/network.run").read_text().replace("sleep 10", "sleep 0.2")
        (self.host.root / "etc/network.run").write_text(service)
        with (self.host.root / "etc/rc/network").open("a") as script:
            script.write("read_nics() { nics='eth0 eth1'; }\n")
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, net: str) -> None:
        self.host.run(f"echo {net} >/run/slicenode/conf/net")
        self.process = subprocess.Popen(self.host.enter("exec sh /etc/network.run >/run/log"), start_new_session=True)

    def wait_for(self, file: str, *texts: str) -> str:
        end = time.monotonic() + SECONDS
        while True:
            said = self.host.run(f"cat {file}")
            if all(text in said for text in texts):
                return said
            assert time.monotonic() < end, (texts, said, self.host.run("cat /run/said /run/log"))
            time.sleep(0.1)

    def wait_for_file(self, path: str) -> None:
        end = time.monotonic() + SECONDS
        while self.host.run(f"[ ! -e {path} ] || echo there") != "there\n":
            assert time.monotonic() < end, path
            time.sleep(0.1)

    def status(self, *texts: str) -> str:
        return self.wait_for("/run/slicenode/status/20-net", *texts)

    def close(self) -> None:
        if self.process:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.host.close()


@pytest.fixture
def cards(tmp_path: Path) -> Iterator[Cards]:
    yield from until_the_test_ends(Cards, tmp_path)


def test_a_card_without_the_controller_is_left(cards: Cards) -> None:
    """Both have a DHCP server, and with auto6 a router; once the controller was reached, the card stays."""
    servers = [DhcpServer(cards.host.holder.pid, f"peer{number}") for number in range(2)]
    routers = [Router(cards.host.holder.pid, f"peer{number}") for number in range(2)]
    try:
        for number, server in enumerate(servers):
            server.address, server.options = f"192.0.2.{10 + number}", USUAL
            routers[number].message = advertisement(prefix(f"2001:db8:{number}::"))
        cards.start("dhcp+auto6")
        cards.status("192.0.2.10/24 2001:db8::5054:ff:fe12:3456/64 on eth0")
        cards.host.run("echo 'problem: controller_unreachable' >/run/slicenode/status/50-agent")
        cards.status("192.0.2.11/24 2001:db8:1:0:5054:ff:fe12:3457/64 on eth1")
        cards.wait_for("/run/said", "no controller is reached through eth0 for a minute; trying the next network card")
        # Nothing of the other network is left.
        assert "2001:db8::5054" not in cards.host.outside("ip -6 addr show dev xenbr0")
        assert "52:54:00:12:34:57" in cards.host.outside("ip link show xenbr0")
        cards.host.run("echo 'session: ready' >/run/slicenode/status/50-agent")
        cards.wait_for_file("/run/slicenode/net/controller-reached")
        # Twice the time after which it would be left: nobody watches any more.
        cards.host.run("echo 'problem: controller_unreachable' >/run/slicenode/status/50-agent; sleep 2.4")
        cards.status("192.0.2.11/24 2001:db8:1:0:5054:ff:fe12:3457/64 on eth1")
        assert cards.host.run("cat /run/slicenode/problems/* 2>/dev/null") == ""
    finally:
        for server in servers:
            server.close()
        for router in routers:
            router.close()


@pytest.mark.parametrize("net, also", [("auto6", ""), ("dhcp+auto6", "no DHCP server answered on eth1, though")])
def test_a_router_behind_the_second_card(cards: Cards, net: str, also: str) -> None:
    router = Router(cards.host.holder.pid, "peer1")
    router.message = advertisement(prefix("2001:db8::"))
    try:
        cards.start(net)
        cards.status("address: 2001:db8::5054:ff:fe12:3457/64 on eth1, gateway fe80::1")
        cards.wait_for("/run/said", "no IPv6 router has advertised itself on eth0" if net == "auto6" else "by the IPv6")
        if also:
            cards.wait_for("/run/slicenode/problems/network", also)
        else:
            assert cards.host.run("cat /run/slicenode/problems/* 2>/dev/null") == ""
        # It stays, also while DHCP is asked on.
        cards.status("address: 2001:db8::5054:ff:fe12:3457/64 on eth1, gateway fe80::1")
    finally:
        router.close()


def test_no_server_on_the_first_card(cards: Cards) -> None:
    server = DhcpServer(cards.host.holder.pid, "peer1")
    server.options = USUAL
    try:
        cards.start("dhcp")
        cards.status("address: 192.0.2.10/24 on eth1, gateway 192.0.2.1")
        assert cards.host.run("cat /proc/sys/net/ipv6/conf/xenbr0/disable_ipv6") == "1\n"
    finally:
        server.close()
