"""Who is not let in, and who does not let itself in: the refusals of enrolment, on the real image."""

from __future__ import annotations

import base64
import contextlib
import json
import select
import socket
import socketserver
import ssl
import subprocess
import threading
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import Racks
from node import Node
from rack import Rack


@pytest.fixture(scope="module")
def rack(racks: Racks) -> Rack:
    """Only the controller of it is used; each test boots a node of its own, without a disk."""
    return racks.make(Rack, fresh=True, boot=False)


class Passer(socketserver.BaseRequestHandler):
    """Passes a connection on to the same port of 127.0.0.1."""

    def handle(self) -> None:
        with socket.create_connection(("127.0.0.1", self.request.getsockname()[1]), 20) as other:
            ends = {self.request: other, other: self.request}
            while True:
                for end in select.select(list(ends), [], [])[0]:
                    data = end.recv(65536)
                    if not data:
                        return
                    ends[end].sendall(data)


class SixServer(socketserver.ThreadingTCPServer):
    address_family = socket.AF_INET6
    allow_reuse_address = daemon_threads = True


@contextlib.contextmanager
def by_ipv6(port: int) -> Iterator[str]:
    """Where a node that has only IPv6 finds the controller: QEMU's host, whose ::1 listens as well."""
    with SixServer(("::1", port), Passer) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.1,))
        thread.start()
        try:
            yield f"https://[fec0::2]:{port}"
        finally:
            server.shutdown()
            thread.join()


def start(node: Node, rack: Rack, *parameters: str, controller: str = "") -> None:
    words = [f"slicenode.controller={controller or f'https://10.0.2.2:{rack.port}'}", "slicenode.ntp=none", *parameters]
    node.start("--kernel", str(rack.artefacts.out), "--append", " ".join(words), "--memory", "1024")


def use_up(rack: Rack, token: str, folder: Path) -> None:
    """Another machine enrols with the token."""
    key, csr = folder / "key.pem", folder / "csr.pem"
    subprocess.run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-subj", "/CN=node", "-keyout", key, "-out", csr], check=True, capture_output=True)
    hardware = {"uuid": "5eed0003-0000-4000-8000-000000000003", "serial": None, "vendor": None, "product": None,
                "macs": ["52:54:00:00:00:03"]}
    body = json.dumps({"token": token, "csr": csr.read_text(), "hardware": hardware}).encode()
    context = ssl.create_default_context(cadata=rack.controller("ca"))
    request = urllib.request.Request(f"https://127.0.0.1:{rack.port}/v1/enroll", body,
                                     {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=20, context=context) as answer:
        assert json.load(answer)["node_id"]


def test_wrong_pin_is_refused(nodes: Callable[[str], Node], rack: Rack) -> None:
    wrong = base64.b64encode(bytes(32)).decode()
    token = rack.controller("token", "create").strip()
    node = nodes("wrong-pin")
    start(node, rack, f"slicenode.pin=sha256//{wrong}", f"slicenode.token={token}")
    node.wait_for(r"problem +.*controller_certificate.*pin")
    assert rack.json("nodes") == []


def test_used_token_is_refused_by_ipv6(nodes: Callable[[str], Node], rack: Rack, tmp_path: Path) -> None:
    """The node has no IPv4: QEMU's network advertises a router and a prefix."""
    token = rack.controller("token", "create").strip()
    use_up(rack, token, tmp_path)
    node = nodes("used-token")
    with by_ipv6(rack.port) as controller:
        start(node, rack, f"slicenode.pin={rack.controller('pin').strip()}", f"slicenode.token={token}",
              "slicenode.net=auto6", controller=controller)
        node.wait_for(r"problem +.*token_used")
        node.wait_for(r"address +fec0::\S+/64 on eth0, gateway fe80::2,")
    assert len(rack.json("nodes")) == 1


def test_without_ca_or_pin_nothing_is_sent(nodes: Callable[[str], Node], rack: Rack) -> None:
    before = rack.json("nodes")
    token = rack.controller("token", "create").strip()
    node = nodes("no-trust")
    start(node, rack, f"slicenode.token={token}")
    node.wait_for(r"problem +.*not_configured.*(slicenode\.ca|slicenode\.pin)")
    assert rack.json("nodes") == before
