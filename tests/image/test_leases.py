"""The image's own scripts, busybox and slicenode-conf in a network namespace: what a DHCP server of the test says, and
what comes of it. One client for all of its cases: each is a renewal with other contents."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from dhcp import SERVER_MAC, DhcpServer, addresses, routes
from rig import BEGIN, OUT, SECONDS, Host, until_the_test_ends


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    yield from until_the_test_ends(Host, tmp_path)


class Client:
    """udhcpc in the host, with a server that the test commands."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.server = DhcpServer(host.holder.pid, "peer0")
        self.process = subprocess.Popen(host.enter(BEGIN + "echo $$ >/run/asking; ask_dhcp"), start_new_session=True,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def wait_for(self, script: str, text: str) -> str:
        """Until what the script prints holds the text."""
        end = time.monotonic() + SECONDS
        while True:
            said = self.host.run(script)
            if text in said:
                return said
            assert time.monotonic() < end, f"no {text!r} in: {said}\n{self.host.run('cat /run/slicenode/problems/*')}"
            time.sleep(0.05)

    def know_neighbours(self) -> None:
        """Renewals go to the server by the kernel, which would ask for a MAC address first, for a second."""
        for neighbour in ("192.0.2.254", "192.0.2.1", "192.0.2.2", "198.51.100.1", "172.31.1.1"):
            subprocess.run(["nsenter", "-n", "-t", str(self.host.holder.pid), "ip", "neigh", "replace", neighbour,
                            "lladdr", SERVER_MAC.hex(":"), "dev", "xenbr0"], check=True, timeout=SECONDS)

    def renew(self, address: str, options: dict[int, bytes]) -> None:
        """udhcpc renews at SIGUSR1; the lease is applied when the status has been written after it."""
        self.server.address = address
        self.server.options = options
        self.host.run("rm -f /run/slicenode/status/20-net")
        self.host.run("kill -USR1 $(pidof udhcpc)")
        self.wait_for("cat /run/slicenode/status/20-net", "address:")

    def close(self) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.server.close()


@dataclass(frozen=True)
class Case:
    about: str
    address: str
    options: dict[int, bytes]
    routes: list[str]
    problem: str = ""
    said: str = ""


MASK24, MASK32 = addresses("255.255.255.0"), addresses("255.255.255.255")
DEFAULT = "default via 192.0.2.1"
CASES = [
    Case("a usual lease", "192.0.2.10", {1: MASK24, 3: addresses("192.0.2.1")}, [DEFAULT]),
    Case("the gateway changes", "192.0.2.10", {1: MASK24, 3: addresses("192.0.2.2")},
         ["default via 192.0.2.2"]),
    Case("several routers", "192.0.2.10", {1: MASK24, 3: addresses("192.0.2.1", "192.0.2.2")}, [DEFAULT]),
    Case("no router", "192.0.2.10", {1: MASK24}, [], problem="names no gateway"),
    Case("/32 and an off-link gateway", "192.0.2.10", {1: MASK32, 3: addresses("198.51.100.1")},
         ["198.51.100.1 scope link", "default via 198.51.100.1"]),
    Case("/31 and an off-link gateway", "192.0.2.10", {1: addresses("255.255.255.254"), 3: addresses("198.51.100.1")},
         ["198.51.100.1 scope link", "default via 198.51.100.1"]),
    Case("/31, whose other address is the gateway", "192.0.2.10",
         {1: addresses("255.255.255.254"), 3: addresses("192.0.2.11")}, ["default via 192.0.2.11"]),
    Case("/24 and a gateway elsewhere", "192.0.2.10", {1: MASK24, 3: addresses("198.51.100.1")},
         ["198.51.100.1 scope link", "default via 198.51.100.1"]),
    Case("option 121 alone", "192.0.2.10",
         {1: MASK24, 121: routes(("0.0.0.0/0", "192.0.2.1"), ("10.0.0.0/8", "192.0.2.2"))},
         ["10.0.0.0/8 via 192.0.2.2", DEFAULT]),
    Case("option 121 beside a router", "192.0.2.10",
         {1: MASK24, 3: addresses("192.0.2.9"), 121: routes(("0.0.0.0/0", "192.0.2.1"))}, [DEFAULT]),
    Case("a gateway that option 121 puts on the link", "192.0.2.10",
         {1: MASK32, 121: routes(("0.0.0.0/0", "172.31.1.1"), ("172.31.1.1/32", "0.0.0.0"))},
         ["172.31.1.1 scope link", "default via 172.31.1.1"]),
    Case("everything on the link", "192.0.2.10", {1: MASK24, 121: routes(("0.0.0.0/0", "0.0.0.0"))},
         ["default scope link"]),
    Case("option 121 without a default route", "192.0.2.10",
         {1: MASK24, 3: addresses("192.0.2.1"), 121: routes(("10.5.1.0/24", "192.0.2.8"))},
         ["10.5.1.0/24 via 192.0.2.8"], said="no default route"),
    Case("a default route and one on the link", "10.0.0.7",
         {1: MASK24, 121: routes(("0.0.0.0/0", "10.0.0.1"), ("169.254.0.0/16", "0.0.0.0"))},
         ["169.254.0.0/16 scope link", "default via 10.0.0.1"]),
    Case("option 249", "192.0.2.10", {1: MASK24, 249: routes(("0.0.0.0/0", "192.0.2.1"))}, [DEFAULT]),
    Case("option 121 with a prefix of 200", "192.0.2.10",
         {1: MASK24, 3: addresses("192.0.2.1"), 121: bytes([200, 1, 2, 3, 4, 5, 6, 7, 8])}, [DEFAULT],
         problem="(option 121) holds none"),
    Case("option 121 cut off", "192.0.2.10", {1: MASK24, 3: addresses("192.0.2.1"), 121: bytes([24, 10, 0, 0, 192, 0])},
         [DEFAULT], problem="(option 121) holds none"),
    Case("itself as the gateway", "192.0.2.10", {1: MASK24, 3: addresses("192.0.2.10")}, [], problem="cannot be one"),
    Case("the address changes", "192.0.2.77", {1: MASK24, 3: addresses("192.0.2.1")}, [DEFAULT]),
    Case("no netmask", "192.0.2.77", {3: addresses("192.0.2.1")}, [DEFAULT], said="no netmask"),
    Case("a short MTU", "192.0.2.77", {1: MASK24, 3: addresses("192.0.2.1"), 26: struct.pack("!H", 1400)},
         [DEFAULT + " mtu 1400"]),
    Case("an MTU of 68", "192.0.2.77", {1: MASK24, 3: addresses("192.0.2.1"), 26: struct.pack("!H", 68)},
         [DEFAULT], said="MTU"),
    Case("an address that no host has", "192.0.2.255", {1: MASK24, 3: addresses("192.0.2.1")}, [DEFAULT],
         problem="which no host can have"),
    Case("all is well again", "192.0.2.10",
         {1: MASK24, 3: addresses("192.0.2.1"), 6: addresses("192.0.2.3", "192.0.2.4"), 15: b"example.net",
          42: addresses("192.0.2.5")}, [DEFAULT]),
]


def test_what_a_dhcp_server_says(host: Host) -> None:
    client = Client(host)
    try:
        client.server.options = CASES[0].options
        client.server.refuse = True
        client.wait_for("cat /run/slicenode/status/20-net", "address: 192.0.2.10/24")
        assert client.server.asked >= {121, 249, 26, 42, 119}
        for case in CASES:
            host.run(": >/run/said; rm -f /run/slicenode/net/notes")
            client.renew(case.address, case.options)
            assert host.routes() == sorted(case.routes), case.about
            assert "broadcast 192.0.2.11" not in host.routes_of("table local"), case.about
            problem = host.run("cat /run/slicenode/problems/network 2>/dev/null")
            assert case.problem in problem and bool(problem) == bool(case.problem), (case.about, problem)
            said = host.run("cat /run/said")
            assert case.said in said, (case.about, said)
        assert host.run("cat /etc/resolv.conf") == "search example.net\nnameserver 192.0.2.3\nnameserver 192.0.2.4\n"
        assert host.run("cat /run/slicenode/ntp-from-dhcp") == "192.0.2.5\n"
        assert "gateway 192.0.2.1, DNS 192.0.2.3 192.0.2.4 (dhcp)" in host.run("cat /run/slicenode/status/20-net")
    finally:
        client.close()


STATIC = BEGIN + "set_static; addresses_set network; net_status; cat /run/slicenode/status/20-net"


@pytest.mark.parametrize("net, four, six, gateway", [
    ("192.0.2.10/24+2001:db8::10/64,gateway=192.0.2.1+fe80::1", [DEFAULT], ["default via fe80::1"],
     "192.0.2.1 fe80::1"),
    ("dhcp+2001:db8::10/64,gateway=2001:db8:0:ff::1", [], ["2001:db8:0:ff::1", "default via 2001:db8:0:ff::1"],
     "2001:db8:0:ff::1"),
])
def test_addresses_of_both_kinds(host: Host, net: str, four: list[str], six: list[str], gateway: str) -> None:
    host.run(f"echo {net} >/run/slicenode/conf/net; echo eth0 >/run/slicenode/net/uplink")
    status = host.run(STATIC)
    assert f"gateway {gateway}, DNS" in status, status
    assert host.routes() == sorted(four)
    assert [line.split(" metric ")[0] for line in host.routes(6)] == sorted(six)
    assert host.run("cat /run/slicenode/problems/network 2>/dev/null") == ""


def test_a_problem_stays_until_it_is_over(host: Host) -> None:
    """An address that cannot be set is not forgotten by the one who set it."""
    host.run("echo 192.0.2.10/24 >/run/slicenode/conf/net")
    host.run(BEGIN + "set_address 4 192.0.2.300/24; addresses_set network")
    assert "192.0.2.300/24 cannot be had" in host.run("cat /run/slicenode/problems/network")
    host.run(BEGIN + "set_address 4 192.0.2.30/24; addresses_set network")
    assert host.run("cat /run/slicenode/problems/network 2>/dev/null") == ""


@pytest.mark.parametrize("linux, xen, card", [
    ("ro BOOTIF=01-52-54-00-AB-cd-ef quiet", "", "52:54:00:ab:cd:ef\n"),
    ("ro", "dom0_mem=1G BOOTIF=01-52-54-00-ab-cd-ee", "52:54:00:ab:cd:ee\n"),
    ("BOOTIF=01-52-54-00-ab-cd-ef", "BOOTIF=01-52-54-00-ab-cd-ee", "52:54:00:ab:cd:ef\n"),
    ("ro BOOTIF=01-52-54-00-ab-cd-$(", "", ""),
    ("ro BOOTIF=20-52-54-00-ab-cd-ef", "", ""),
    ("ro BOOTIF=01-52-54-00-ab-cd-ef-00", "xBOOTIF=01-52-54-00-ab-cd-ef", ""),
])
def test_the_card_that_the_machine_booted_from(tmp_path: Path, linux: str, xen: str, card: str) -> None:
    (tmp_path / "linux").write_text(linux + "\n")
    (tmp_path / "xen").write_text(xen + "\n")
    subprocess.run([OUT / "agent" / "slicenode-conf", "--output", tmp_path / "conf", "--cmdline", tmp_path / "linux",
                    "--xen", tmp_path / "xen"], check=True, timeout=SECONDS)
    said = tmp_path / "conf" / "bootif"
    assert (said.read_text() if said.exists() else "") == card


def test_the_card_that_uefi_has_booted_from(tmp_path: Path) -> None:
    """By its variables, as efivarfs shows them; what a command line says comes first."""
    guid = "8be4df61-93ca-11d2-aa0d-00e098032b8c"
    mac = bytes.fromhex("525400abcdef")
    path = struct.pack("<BBH", 3, 11, 37) + mac + bytes(26) + b"\x01" + struct.pack("<BBH", 0x7F, 0xFF, 4)
    option = struct.pack("<IIH", 7, 1, len(path)) + "PXE\0".encode("utf-16-le") + path
    (tmp_path / f"BootCurrent-{guid}").write_bytes(struct.pack("<IH", 6, 0x1A))
    (tmp_path / f"Boot001A-{guid}").write_bytes(option)
    for line, card in ("ro", "52:54:00:ab:cd:ef\n"), ("BOOTIF=01-52-54-00-ab-cd-ee", "52:54:00:ab:cd:ee\n"):
        (tmp_path / "linux").write_text(line)
        subprocess.run([OUT / "agent" / "slicenode-conf", "--output", tmp_path / "conf", "--efivars", tmp_path,
                        "--cmdline", tmp_path / "linux", "--xen", tmp_path / "linux"], check=True, timeout=SECONDS)
        assert (tmp_path / "conf" / "bootif").read_text() == card


def test_the_card_that_the_machine_booted_from_comes_first(host: Host) -> None:
    script = BEGIN + "read_nics() { nics='eth1 eth0 eth2'; }; read_allowed_nics; echo $allowed"
    assert host.run(script) == "eth1 eth0 eth2\n"
    host.run("cat /sys/class/net/eth0/address >/run/slicenode/conf/bootif")
    assert host.run(script) == "eth0 eth1 eth2\n"
    host.run("echo dhcp,nic=peer0 >/run/slicenode/conf/net")
    assert host.run(BEGIN + "read_nics() { nics='eth0 peer0'; }; read_allowed_nics; echo $allowed") == "peer0\n"
