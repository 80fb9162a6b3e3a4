"""A small Debian archive in a folder: pool/, dists/SUITE with Packages, Sources, Release and InRelease.

Packages come and go as in the real one: a newer version takes the older one's place in the index, while the older
one's files stay in the pool until they are dropped. What was ever there is kept for the snapshot service.
"""

from __future__ import annotations

import hashlib
import io
import lzma
import random
import re
import shutil
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from email.utils import formatdate
from pathlib import Path

from openpgp import Key

DAY = 86400.0
NOISE = 60_000  # bytes in each upstream archive that do not compress: enough to cut and to resume


@dataclass(frozen=True)
class Pinned:
    """One file of the archive, as a line of a `pins` file has it."""

    kind: str
    package: str
    version: str
    size: int
    sha256: str
    sha1: str
    date: str
    path: str

    @property
    def file(self) -> str:
        return self.path.rpartition("/")[2]

    def line(self) -> str:
        return " ".join(str(field) for field in (self.kind, self.package, self.version, self.size, self.sha256,
                                                 self.sha1, self.date, self.path))


def stamp(seconds: float) -> str:
    """A time as the snapshot service and the pins write it."""
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(seconds))


def tar_xz(files: Mapping[str, bytes]) -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            member.mtime = 1700000000
            tar.addfile(member, io.BytesIO(content))
    return lzma.compress(raw.getvalue(), preset=0)


def without_epoch(version: str) -> str:
    return version.partition(":")[2] or version


def upstream_of(version: str) -> str:
    return without_epoch(version).rpartition("-")[0] or without_epoch(version)


def pool_folder(source: str) -> str:
    return f"{source[:4] if source.startswith('lib') else source[0]}/{source}"


class Archive:
    """One archive with one suite; `publish` writes the index of what is in it now."""

    def __init__(self, folder: Path, key: Key, suite: str = "trixie", pool: str = "pool/main") -> None:
        self.folder = folder
        self.suite = suite
        self.key = key
        self.history: dict[str, bytes] = {}  # SHA-1 -> bytes, of all that ever was in the pool
        self.paths: dict[str, bytes] = {}  # the same by its place
        self.published = time.time() - DAY
        self._pool = pool
        self._sources: dict[str, str] = {}
        self._binaries: dict[str, str] = {}
        folder.mkdir(parents=True, exist_ok=True)

    # --- What is in it ----------------------------------------------------------------------------

    def source(self, name: str, version: str, files: Mapping[str, str] | None = None,
               patches: Mapping[str, str] | None = None, indexed: bool = True) -> list[Pinned]:
        """Adds a source package; gives its .orig.tar.xz and .debian.tar.xz, which a recipe pins."""
        upstream = upstream_of(version)
        noise = random.Random(f"{name} {upstream}").randbytes(NOISE)
        content = {"hello.txt": f"{name} {upstream}\n", **(files or {})}
        orig = tar_xz({f"{name}-{upstream}/{path}": text.encode() for path, text in content.items()}
                      | {f"{name}-{upstream}/noise": noise})
        debian = {"debian/changelog": f"{name} ({version}) {self.suite}; urgency=low\n",
                  "debian/patches/series": "".join(f"{patch}\n" for patch in patches or {})}
        debian |= {f"debian/patches/{patch}": text for patch, text in (patches or {}).items()}
        folder = f"{self._pool}/{pool_folder(name)}"
        plain = without_epoch(version)
        made = [self._put("source", name, version, f"{folder}/{name}_{upstream}.orig.tar.xz", orig),
                self._put("source", name, version, f"{folder}/{name}_{plain}.debian.tar.xz",
                          tar_xz({path: text.encode() for path, text in debian.items()}))]
        dsc = f"Format: 3.0 (quilt)\nSource: {name}\nVersion: {version}\n".encode()
        listed = [self._put("source", name, version, f"{folder}/{name}_{plain}.dsc", dsc), *made]
        if indexed:
            self._sources[name] = self._source_entry(name, version, folder, listed)
        return made

    def binary(self, name: str, version: str, content: str | None = None, source: str = "",
               architecture: str = "all", indexed: bool = True, fields: str = "") -> Pinned:
        """Adds a .deb with usr/share/NAME/hello.txt; `fields` are further lines of its control file."""
        with tempfile.TemporaryDirectory() as scratch:
            tree = Path(scratch) / "tree"
            data = tree / "usr" / "share" / name
            data.mkdir(parents=True)
            (data / "hello.txt").write_text(content or f"{name} {version}\n")
            (data / "noise").write_bytes(random.Random(f"{name} {version}").randbytes(NOISE // 4))
            (tree / "DEBIAN").mkdir()
            control = f"Package: {name}\nVersion: {version}\nArchitecture: {architecture}\n" \
                      f"{f'Source: {source}' + chr(10) if source else ''}" \
                      f"Maintainer: Nobody <nobody@example.invalid>\n{fields}Description: a package of the tests\n"
            (tree / "DEBIAN" / "control").write_text(control)
            deb = Path(scratch) / "made.deb"
            subprocess.run(["dpkg-deb", "--root-owner-group", "-Zgzip", "-b", tree, deb], check=True,
                           capture_output=True)
            folder = f"{self._pool}/{pool_folder(source.partition(' ')[0] or name)}"
            path = f"{folder}/{name}_{without_epoch(version)}_{architecture}.deb"
            made = self._put("binary", name, version, path, deb.read_bytes())
        if indexed:
            self._binaries[name] = control + f"Filename: {path}\nSize: {made.size}\nSHA256: {made.sha256}\n"
        return made

    def drop(self, *pinned: Pinned) -> None:
        """Takes files out of the pool; the index stays as it is."""
        for pin in pinned:
            (self.folder / pin.path).unlink()

    def move(self, pin: Pinned, path: str) -> Pinned:
        """Puts a file elsewhere in the pool, and the index with it."""
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(self.folder / pin.path, target)
        entries = self._binaries if pin.kind == "binary" else self._sources
        moved = entries[pin.package].replace(f"Filename: {pin.path}\n", f"Filename: {path}\n")
        moved = moved.replace(f"Directory: {pin.path.rpartition('/')[0]}\n",
                              f"Directory: {path.rpartition('/')[0]}\n")
        entries[pin.package] = moved
        return replace(pin, path=path)

    def forget(self, name: str) -> None:
        """Takes a package out of the index; its files stay in the pool."""
        self._sources.pop(name, None)
        self._binaries.pop(name, None)

    def _put(self, kind: str, package: str, version: str, path: str, content: bytes) -> Pinned:
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists():  # another Debian revision of the same upstream version
            content = target.read_bytes()
        target.write_bytes(content)
        sha1 = hashlib.sha1(content).hexdigest()
        self.history[sha1] = self.paths[path] = content
        return Pinned(kind, package, version, len(content), hashlib.sha256(content).hexdigest(), sha1,
                      stamp(self.published), path)

    @staticmethod
    def _source_entry(name: str, version: str, folder: str, files: Sequence[Pinned]) -> str:
        def listed(algorithm: str) -> str:
            sums = {"sha256": [pin.sha256 for pin in files], "sha1": [pin.sha1 for pin in files]}[algorithm]
            return "".join(f" {value} {pin.size} {pin.file}\n" for value, pin in zip(sums, files))

        return (f"Package: {name}\nFormat: 3.0 (quilt)\nBinary: {name}\nArchitecture: any\nVersion: {version}\n"
                f"Maintainer: Nobody <nobody@example.invalid>\nDirectory: {folder}\nSection: misc\n"
                f"Checksums-Sha1:\n{listed('sha1')}Checksums-Sha256:\n{listed('sha256')}")

    # --- Its index --------------------------------------------------------------------------------

    def publish(self, date: float | None = None, valid: float | None = 7 * DAY, key: Key | None = None) -> None:
        """Writes dists/SUITE as of `date` (default: a day ago), valid for so many seconds (None: without end)."""
        self.published = time.time() - DAY if date is None else date
        dists = self.folder / "dists" / self.suite
        shutil.rmtree(dists, ignore_errors=True)
        texts = {"main/binary-amd64/Packages": "\n".join(self._binaries.values()),
                 "main/binary-all/Packages": "",
                 "main/source/Sources": "\n".join(self._sources.values())}
        sums = []
        for name, text in texts.items():
            for suffix, content in (("", text.encode()), (".xz", lzma.compress(text.encode(), preset=0))):
                self._write_index(dists / f"{name}{suffix}", content)
                sums.append(f" {hashlib.sha256(content).hexdigest()} {len(content)} {name}{suffix}\n")
        release = (f"Origin: Debian\nLabel: Debian\nSuite: {self._suite_name()}\nCodename: {self.suite}\n"
                   f"Date: {formatdate(self.published, usegmt=True)}\n"
                   + (f"Valid-Until: {formatdate(self.published + valid, usegmt=True)}\n" if valid else "")
                   + "Acquire-By-Hash: yes\nArchitectures: all amd64\nComponents: main\n"
                   f"Description: an archive of the tests\nSHA256:\n{''.join(sums)}")
        release = re.sub(r"GMT", "UTC", release)
        (dists / "Release").write_text(release)
        (dists / "InRelease").write_text((key or self.key).clearsign(release, self.published))

    def _suite_name(self) -> str:
        return "stable" + self.suite.removeprefix("trixie")

    @staticmethod
    def _write_index(path: Path, content: bytes) -> None:
        by_hash = path.parent / "by-hash" / "SHA256" / hashlib.sha256(content).hexdigest()
        by_hash.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        by_hash.write_bytes(content)


def security_archive(folder: Path, key: Key) -> Archive:
    """The archive of the security updates, whose pool is pool/updates."""
    return Archive(folder, key, suite="trixie-security", pool="pool/updates/main")


def place(folder: Path, pins: Sequence[Pinned], archive: Archive) -> Path:
    """A folder in the layout of SLICENODE_SOURCES with these files."""
    for pin in pins:
        target = folder / "sha256" / pin.sha256[:2] / pin.sha256
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(archive.history[pin.sha1])
    return folder
