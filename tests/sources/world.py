"""All that a test of the sources needs: an archive, its mirror, a snapshot service, a tree and a machine's apt."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from archive import Archive, Pinned, place, security_archive
from openpgp import Key
from server import Route, Server
from tree import Tree, host_suite

ALPHA, BETA, GUESTLIB = "1.2.3-1", "20250101+deb13u1", "1:3.0~rc1-2+b1"


class World:
    """Two recipes (`alpha` from source, `beta` from a .deb) and a guest of two packages, all of them current."""

    def __init__(self, key: Key, template: Path, name: str = "tree") -> None:
        # Not in pytest's folders: apt's user without rights must be able to enter.
        self.folder = Path(tempfile.mkdtemp(prefix="slicenode-sources-"))
        self.folder.chmod(0o755)
        self.key = key
        self.servers: list[Server] = []
        self.archive = Archive(self.folder / "mirror" / "debian", key)
        self.security = security_archive(self.folder / "mirror" / "debian-security", key)
        self.mirror = self.server(folder=self.folder / "mirror")
        self.snapshot = self.server(route=self._snapshot)
        self.keyring = self.folder / "keyring.gpg"
        shutil.copy(key.public, self.keyring)
        self.template = template
        self.tree = Tree(template, self.folder, self.keyring, name)
        self.alpha = self.archive.source("alpha", ALPHA)
        self.beta = self.archive.binary("beta", BETA)
        self.guestlib = self.archive.binary("guestlib", GUESTLIB, source="guest (1:3.0~rc1-2)", architecture="amd64")
        self.base = self.archive.binary("apt", "3.0.3", fields="Essential: yes\nPriority: required\n")
        self.publish()
        self.tree.recipe("alpha", self.alpha)
        self.tree.recipe("beta", [self.beta], below="hv")
        self.tree.guest([self.base, self.guestlib])
        self.apt()
        self.tree.environment["SLICENODE_SNAPSHOT"] = self.snapshot.url

    @property
    def all(self) -> list[Pinned]:
        return [*self.alpha, self.beta, self.base, self.guestlib]

    def publish(self) -> None:
        self.archive.publish()
        self.security.publish()

    def server(self, folder: Path | None = None, route: Route | None = None) -> Server:
        """A server that is closed at the end."""
        made = Server(folder, route)
        self.servers.append(made)
        return made

    def place(self, pins: Sequence[Pinned] | None = None, name: str = "place") -> Path:
        """A folder as SLICENODE_SOURCES names one."""
        return place(self.folder / name, self.all if pins is None else pins, self.archive)

    def all_there(self) -> bool:
        return all(self.tree.has(pin) for pin in self.all)

    def apt(self, *mirrors: str, options: str = "") -> None:
        """What apt is configured with: these roots with debian and debian-security in them."""
        suite = host_suite()
        roots = " ".join(f"{mirror}/debian" for mirror in mirrors or (self.mirror.url,))
        security = " ".join(f"{mirror}/debian-security" for mirror in mirrors or (self.mirror.url,))
        (self.tree.etc / "sources.list.d" / "debian.sources").write_text(
            f"Types: deb\nURIs: {roots}\nSuites: {suite} {suite}-updates\nComponents: main\n{options}\n"
            f"Types: deb\nURIs: {security}\nSuites: {suite}-security\nComponents: main\n{options}")

    def apt_lines(self, text: str) -> None:
        """A one-line sources.list instead; MIRROR and SUITE stand for what they are."""
        (self.tree.etc / "sources.list.d" / "debian.sources").unlink(missing_ok=True)
        (self.tree.etc / "sources.list").write_text(
            text.replace("MIRROR", self.mirror.url).replace("SUITE", host_suite()))

    def apt_conf(self, text: str) -> None:
        (self.tree.etc / "apt.conf.d" / "50test").write_text(text)

    def close(self) -> None:
        for server in self.servers:
            server.close()
        for path in (self.folder, *self.folder.rglob("*")):
            if path.is_dir() and not path.is_symlink():
                path.chmod(0o755)
        shutil.rmtree(self.folder)

    def _snapshot(self, path: str) -> bytes | None:
        """/file/SHA1 and /archive/ARCHIVE/DATE/PATH."""
        by_hash = re.fullmatch(r"/file/([0-9a-f]{40})", path)
        if by_hash:
            return self.archive.history.get(by_hash[1]) or self.security.history.get(by_hash[1])
        by_date = re.fullmatch(r"/archive/(debian|debian-security)/[0-9]{8}T[0-9]{6}Z/(pool/.*)", path)
        if by_date:
            archive = self.archive if by_date[1] == "debian" else self.security
            return archive.paths.get(by_date[2])
        return None
