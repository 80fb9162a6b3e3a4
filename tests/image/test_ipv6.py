"""The image's own scripts and slicenode-ip6 in a network namespace: what routers of the test advertise on the
wire, and a slice behind the bridge, and what comes of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv6Address
from pathlib import Path
from typing import Any

import pytest
from dhcp6 import DECLINE, NO_ADDRESS, NO_BINDING, RENEW, REQUEST, SERVERS, TIMES, Dhcp6Server, option
from rig import BEGIN, SECONDS, Host, until_the_test_ends
from routers import FOREVER, Router, advertisement, domains, frame, mtu, prefix, route, servers, six

ASK = BEGIN + "ask_routers"
# What a slice has: a port of the bridge, whose other end it sends from.
SLICE = """ip link add vif1.0 type veth peer name slice0
ip link set slice0 up
ip link set vif1.0 up master xenbr0
"""


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    for own in until_the_test_ends(Host, tmp_path):
        own.run("echo auto6 >/run/slicenode/conf/net")
        yield own


class Node:
    """slicenode-ip6 in the host, with a router that the test commands."""

    def __init__(self, host: Host, script: str = ASK, message: bytes | None = None) -> None:
        self.host = host
        self.router = Router(host.holder.pid, "peer0")
        self.router.message = message
        self.process = subprocess.Popen(host.enter(script + " 2>/run/log"), start_new_session=True,
                                        stdout=subprocess.DEVNULL)
        self.until(lambda: "xenbr0" in host.outside("ip -o link show"))

    def close(self) -> None:
        self.router.close()
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def ip(self, *words: str) -> Any:
        return json.loads(self.host.outside("ip -6 -j " + " ".join(words)) or "[]")

    def addresses(self) -> dict[str, tuple[int, int]]:
        """With the times that they are valid and preferred; only those that nobody else has."""
        return {entry["local"]: (entry["valid_life_time"], entry["preferred_life_time"])
                for link in self.ip("addr", "show", "dev", "xenbr0", "scope", "global")
                for entry in link.get("addr_info", []) if "local" in entry and not entry.get("tentative")}

    def routes(self) -> list[str]:
        lines = []
        for entry in self.ip("route", "show", "dev", "xenbr0"):
            if entry.get("protocol") == "ra":
                hops = entry.get("nexthops") or [entry]
                lines += [f"{entry['dst']} {hop.get('gateway', '-')} {entry['metric']}" for hop in hops]
        for entry in self.ip("route", "show"):  # those with several gateways belong to no one device
            if entry.get("protocol") == "ra" and "nexthops" in entry:
                lines += [f"{entry['dst']} {hop['gateway']} {entry['metric']}" for hop in entry["nexthops"]]
        return sorted(lines)

    def until(self, good: Callable[[], bool], about: str = "") -> None:
        end = time.monotonic() + SECONDS
        while not good():
            assert time.monotonic() < end, "\n".join(
                [about, str(self.addresses()), str(self.routes()), self.said(), self.problem(),
                 self.host.run("cat /run/log")])
            time.sleep(0.05)

    def said(self) -> str:
        return self.host.run("cat /run/said 2>/dev/null")

    def problem(self) -> str:
        return self.host.run("cat /run/slicenode/problems/network-ip6 2>/dev/null")

    def names(self) -> str:
        return self.host.run("cat /etc/resolv.conf 2>/dev/null")


@pytest.fixture
def node(host: Host) -> Iterator[Node]:
    own = Node(host)
    yield own
    own.close()


def own(network: str) -> str:
    """The address that the card makes of a prefix."""
    return str(IPv6Address(int(IPv6Address(network)) | 0x505400FFFE123456))


def near(have: tuple[int, int], wanted: tuple[int, int]) -> bool:
    return all(one - SECONDS <= other <= one for one, other in zip(wanted, have))


A, B = "2001:db8::", "2001:db8:1::"
DEFAULT = "default fe80::1 1024"
LINK_A, LINK_B = "2001:db8::/64 - 1024", "2001:db8:1::/64 - 1024"
DAY = (86400, 14400)


@dataclass(frozen=True)
class Case:
    """What the router says, after all that it said before; what the node has of each prefix then."""

    about: str
    message: bytes
    has: dict[str, tuple[int, int]]
    routes: list[str]
    problem: str = ""
    said: str = ""


CASES = [
    Case("a usual router", advertisement(prefix(A)), {A: DAY}, [DEFAULT, LINK_A]),
    Case("the same again", advertisement(prefix(A)), {A: DAY}, [DEFAULT, LINK_A]),
    Case("high preference", advertisement(prefix(A), flags=0x08), {A: DAY}, ["default fe80::1 512", LINK_A]),
    Case("low preference", advertisement(prefix(A), flags=0x18), {A: DAY}, ["default fe80::1 2048", LINK_A]),
    Case("no gateway", advertisement(prefix(A), lifetime=0), {A: DAY}, [LINK_A], problem="says that it is a gateway"),
    Case("a gateway again", advertisement(prefix(A, preferred=600)), {A: (86400, 600)}, [DEFAULT, LINK_A]),
    Case("off the link", advertisement(prefix(A, flags="L", valid=0, preferred=0)), {A: (86400, 600)}, [DEFAULT]),
    Case("two hours at least", advertisement(prefix(A, flags="A", valid=30, preferred=0)), {A: (7200, 0)}, [DEFAULT]),
    Case("renumbered", advertisement(prefix(B)), {A: (7200, 0), B: DAY}, [DEFAULT, LINK_B]),
    Case("for ever", advertisement(prefix(B, valid=FOREVER, preferred=FOREVER)),
         {A: (7200, 0), B: (FOREVER, FOREVER)}, [DEFAULT, LINK_B]),
    Case("not for ever after all", advertisement(prefix(B)), {A: (7200, 0), B: DAY}, [DEFAULT, LINK_B]),
    Case("routes of its own", advertisement(route("2001:db8:ff::", 48) + route("::", 0)), {A: (7200, 0), B: DAY},
         [DEFAULT, LINK_B, "2001:db8:ff::/48 fe80::1 1024"]),
    Case("no such route", advertisement(route("2001:db8:ff::", 48, lifetime=0)), {A: (7200, 0), B: DAY},
         [DEFAULT, LINK_B]),
    Case("preferred for longer than valid", advertisement(prefix("2001:db8:2::", valid=10)), {A: (7200, 0), B: DAY},
         [DEFAULT, LINK_B], said="preferred for longer"),
    Case("a prefix of 48 bits", advertisement(prefix("2001:db8:3::", 48)), {A: (7200, 0), B: DAY},
         [DEFAULT, LINK_B, "2001:db8:3::/48 - 1024"], said="only 64 bits would leave room"),
]


def came_about(node: Node, case: Case) -> bool:
    have, wanted = node.addresses(), {own(network): times for network, times in case.has.items()}
    problem = node.problem()
    return (have.keys() == wanted.keys() and all(near(have[address], wanted[address]) for address in have) and
            node.routes() == sorted(case.routes) and case.said in node.said() and
            case.problem in problem and bool(case.problem) == bool(problem))


def test_what_a_router_advertises(node: Node) -> None:
    node.until(lambda: bool(node.router.asked))
    for case in CASES:
        node.host.run(": >/run/said; rm -f /run/slicenode/net/notes-6")
        node.router.say(case.message)
        node.until(partial(came_about, node, case), case.about)
    assert "gateway fe80::1, DNS none (auto6)" in node.host.run("cat /run/slicenode/status/20-net")
    # Ended, it leaves nothing.
    node.process.terminate()
    node.process.wait(SECONDS)
    assert node.addresses() == {} and node.routes() == []


def test_nothing_is_taken_from_a_slice(node: Node) -> None:
    """Nor from beyond a router, with a wrong sum, from a VLAN that is not ours, or for another machine."""
    node.until(lambda: bool(node.router.asked))
    node.host.outside(SLICE)
    forged = advertisement(prefix("2001:db8:bad::") + servers("2001:db8:bad::53"))
    slice_ = Router(node.host.holder.pid, "slice0", "fe80::bad")
    try:
        slice_.send(forged)
        slice_.send(forged, node.router.address)
        node.router.send(forged, hops=254)
        node.router.send(forged, "2001:db8::1")
        whole = frame("fe80::2", forged)
        node.router.raw(whole[:-1] + b"\xff")
        node.router.raw(whole[:12] + bytes.fromhex("81000007") + whole[12:])
        node.router.raw(bytes.fromhex("525400999999") + whole[6:])
        node.router.say(advertisement(prefix(A)))
        slice_.send(forged)
        slice_.send(advertisement(lifetime=0), node.router.address)
        node.until(lambda: own(A) in node.addresses())
        assert list(node.addresses()) == [own(A)]
        assert node.routes() == sorted([DEFAULT, LINK_A])
        # A slice hears nothing of what the node asks.
        assert slice_.asked == []
        log = node.host.run("cat /run/log")
        assert "beyond a router" in log and "no link-local address" in log and "checksum is wrong" in log, log
    finally:
        slice_.close()
    node.router.raw(whole[:12] + bytes.fromhex("81000000") + whole[12:])  # a priority, and no VLAN
    node.until(lambda: own("2001:db8:bad::") in node.addresses())


def test_two_routers_of_which_one_ends(node: Node) -> None:
    other = Router(node.host.holder.pid, "peer0", "fe80::2")
    try:
        node.until(lambda: bool(node.router.asked))
        node.router.say(advertisement(prefix(A) + servers("2001:db8::53", "fe80::53") + domains("a.example")))
        other.send(advertisement(prefix(A) + prefix("2001:db8:5::", flags="A", valid=6, preferred=6) +
                                 servers("2001:db8::54") + mtu(1400), lifetime=6))
        both = sorted(["default fe80::1 1024", "default fe80::2 1024", LINK_A])
        node.until(lambda: node.routes() == both and own("2001:db8:5::") in node.addresses())
        node.until(lambda: node.names().count("nameserver") == 3)
        assert node.names().startswith("search a.example\nnameserver ")
        assert "nameserver fe80::53%xenbr0\n" in node.names()
        assert "mtu 1400" in node.host.routes_of("default", 6)
        assert "gateway fe80::1 fe80::2, DNS" in node.host.run("cat /run/slicenode/status/20-net")
        asked = len(node.router.asked)
        node.until(lambda: node.routes() == sorted(["default fe80::1 1024", LINK_A]))
        assert list(node.addresses()) == [own(A)]
        # Before it ended, the node has asked whether it is still there.
        assert len(node.router.asked) > asked
        assert node.problem() == ""
    finally:
        other.close()


def test_only_the_router_that_is_named(host: Host) -> None:
    host.run("echo auto6,gateway=fe80::1 >/run/slicenode/conf/net")
    node = Node(host, message=advertisement(prefix(A)))
    try:
        node.until(lambda: own(A) in node.addresses() and node.problem() == "")
        assert "by the IPv6 router fe80::1 on eth0" in node.said()
        node.router.send(advertisement(prefix(B)), "fe80::2")
        node.until(lambda: "fe80::2 is left out: slicenode.net names the gateway fe80::1" in host.run("cat /run/log"))
        assert list(node.addresses()) == [own(A)]
        # The cable goes to another network: what the old one had stays for its time, and the new one is asked.
        asked = len(node.router.asked)
        host.run("ip link set eth0 down; sleep 0.2; ip link set eth0 up")
        node.until(lambda: len(node.router.asked) > asked)
    finally:
        node.close()


def test_another_host_has_the_address(node: Node) -> None:
    node.until(lambda: bool(node.router.asked))
    node.host.outside(f"echo 0 >/proc/sys/net/ipv6/conf/peer0/disable_ipv6; ip addr add {own(A)}/64 dev peer0 nodad")
    node.router.say(advertisement(prefix(A) + prefix(B)))
    node.until(lambda: f"another host has the address {own(A)}" in node.problem())
    node.until(lambda: list(node.addresses()) == [own(B)])


MANAGED, OTHER = 0x80, 0x40


@pytest.fixture
def server(node: Node) -> Iterator[Dhcp6Server]:
    own_server = Dhcp6Server(node.host.holder.pid, "peer0")
    yield own_server
    own_server.close()


def test_an_address_by_dhcp(node: Node, server: Dhcp6Server) -> None:
    node.host.outside("ip link add vif1.0 type veth peer name slice0; ip link set slice0 up")
    node.until(lambda: bool(node.router.asked))
    node.host.outside("ip link set vif1.0 up master xenbr0")
    tenant = Dhcp6Server(node.host.holder.pid, "slice0")
    try:
        server.renew, server.rebind, server.valid = 3, 3000, 3600
        server.more = option(SERVERS, six("2001:db8::53")) + option(TIMES, option(1, six("2001:db8::123")))
        node.router.say(advertisement(prefix(A, flags="L") + servers("2001:db8::53", "2001:db8::54"), flags=MANAGED))
        node.until(lambda: list(node.addresses()) == [server.address])
        assert node.routes() == sorted([DEFAULT, LINK_A])
        node.until(lambda: node.names() == "nameserver 2001:db8::53\nnameserver 2001:db8::54\n")
        assert node.host.run("cat /run/slicenode/ntp-from-dhcp") == "2001:db8::123\n"
        assert f"{server.address}/128 by the IPv6 router fe80::1" in node.said()
        node.until(lambda: RENEW in server.asked)
        node.until(lambda: node.addresses()[server.address][0] > 3597)
        # The server has forgotten; then it gives another address; which another host has.
        server.status = NO_BINDING
        node.until(lambda: server.asked[-1] == REQUEST)
        server.status, server.address = 0, "2001:db8:6::11"
        node.until(lambda: list(node.addresses()) == [server.address])
        # A slice hears nothing of all this.
        assert tenant.asked == []
        assert node.problem() == ""
    finally:
        tenant.close()


def test_an_address_by_dhcp_that_another_has(node: Node, server: Dhcp6Server) -> None:
    node.host.outside("echo 0 >/proc/sys/net/ipv6/conf/peer0/disable_ipv6; "
                      f"ip addr add {server.address}/64 dev peer0 nodad")
    node.router.say(advertisement(flags=MANAGED))
    node.until(lambda: DECLINE in server.asked)
    server.address = "2001:db8:6::12"
    node.until(lambda: list(node.addresses()) == [server.address])


def test_dhcp_without_an_address(node: Node, server: Dhcp6Server) -> None:
    server.status = NO_ADDRESS
    node.until(lambda: bool(node.router.asked))
    node.router.say(advertisement(flags=MANAGED))
    node.until(lambda: "NoAddrsAvail: none for you" in node.problem())
    assert "says that DHCPv6 gives addresses, but its server has none" in node.problem()
    # The router has one after all; what DHCPv6 should give as well is no problem then, and still comes.
    node.router.say(advertisement(prefix(A), flags=MANAGED))
    node.until(lambda: own(A) in node.addresses() and node.problem() == "")
    server.status = 0
    node.until(lambda: sorted(node.addresses()) == sorted([own(A), server.address]))


def test_dhcp_for_other_things(node: Node, server: Dhcp6Server) -> None:
    # Options of all numbers come before those that are asked for.
    server.more = option(4242, b"x") + option(SERVERS, six("fe80::53"))
    node.until(lambda: bool(node.router.asked))
    node.router.say(advertisement(prefix(A), flags=OTHER))
    node.until(lambda: "nameserver fe80::53%xenbr0" in node.names() and own(A) in node.addresses())
    assert server.asked == [11]
