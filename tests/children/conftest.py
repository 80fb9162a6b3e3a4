"""Shared by the tests of the agent's children: a CA, servers that are closed afterwards."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from certificates import Authority
from helper import PROGRAMS, ROOT, Child
from server import Responder, Server
from session import NODE, Session

sys.path.append(str(ROOT / "tests" / "common"))


@pytest.fixture(scope="session", autouse=True)
def _programs() -> None:
    """The sanitised host build, unless other programs were named."""
    if PROGRAMS == ROOT / "out" / "agent-host":
        (ROOT / "out").mkdir(exist_ok=True)
        subprocess.run(["flock", ROOT / "out" / "agent.lock", "make", "-s", "-C", ROOT / "agent", "BUILD=host",
                        "sliced-net", "sliced-import", "sliced-export", "slicenode-disks"], check=True)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="session")
def certificate(authority: Authority) -> tuple[Path, Path]:
    return authority.server("server")


ServerMaker = Callable[..., Server]


@pytest.fixture
def serve(authority: Authority, certificate: tuple[Path, Path]) -> Iterator[ServerMaker]:
    """Makes HTTPS servers (or, with certificate=None, HTTP ones)."""
    servers: list[Server] = []

    def make(responder: Responder, certificate: tuple[Path, Path] | None = certificate) -> Server:
        server = Server(responder, certificate, authority.certificate)
        servers.append(server)
        return server

    yield make
    for server in servers:
        server.close()


@pytest.fixture
def session() -> Iterator[Session]:
    own = Session()
    yield own
    own.child.close()
    assert own.child.status == 0, own.child.status


@pytest.fixture(scope="session")
def identity(authority: Authority) -> dict[str, str]:
    """Key and certificate of a node, the key made by sliced-net."""
    child = Child("sliced-net", "session")
    child.send({"type": "keygen"})
    made = child.receive()
    child.close()
    assert made is not None
    certificate = authority.sign(made["csr"], f"/CN={NODE}")
    return {"key": made["key"], "certificate": certificate, "node_id": NODE}
