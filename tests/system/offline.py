"""Reads a node's disk while the node is off: volume group, thin pool, the agent's store. No code of the node's is used.

    with OfflineNode(disk.img, folder) as node:
        node.thin_ids()                      # what the pool itself says: {id: blocks that it maps}
        node.store("SELECT id FROM slices")  # what the agent's store says
        node.fsck_thin(3)                    # the slice's first partition: journal replayed, then nothing to repair

The formats: LVM2's text metadata; linux/drivers/md/dm-thin-metadata.c and persistent-data/dm-btree-internal.h.
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SECTOR = 512
METADATA_BLOCK = 4096
THIN_MAGIC = 27022010
PARTITION_START = 1 << 20
MIB = 1 << 20


class OfflineError(AssertionError):
    """The disk is not what it must be."""


class OfflineNode:
    """One disk, read-only; copies go to `folder`, which is made and removed."""

    def __init__(self, image: Path, folder: Path) -> None:
        self.file = os.open(image, os.O_RDONLY)
        self.folder = folder
        self.group = parse_lvm(lvm_text(self.file))
        self.extent_bytes = self.group["extent_size"] * SECTOR
        (self.physical,) = self.group["physical_volumes"].values()
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self._database: sqlite3.Connection | None = None

    def __enter__(self) -> OfflineNode:
        return self

    def __exit__(self, *_: object) -> None:
        if self._database:
            self._database.close()
        os.close(self.file)
        shutil.rmtree(self.folder, ignore_errors=True)

    # --- Logical volumes -----------------------------------------------------------------------

    def has_volume(self, name: str) -> bool:
        return name in self.group.get("logical_volumes", {})

    def _segments(self, volume: str) -> Iterator[tuple[int, int, int]]:
        """(offset in the volume, offset on the disk, length), all in bytes."""
        lv = self.group["logical_volumes"][volume]
        for number in range(1, lv["segment_count"] + 1):
            segment = lv[f"segment{number}"]
            start = self.physical["pe_start"] * SECTOR + segment["stripes"][1] * self.extent_bytes
            yield segment["start_extent"] * self.extent_bytes, start, segment["extent_count"] * self.extent_bytes

    def read(self, volume: str, offset: int, length: int) -> bytes:
        for at, on_disk, size in self._segments(volume):
            if at <= offset and offset + length <= at + size:
                return os.pread(self.file, length, on_disk + offset - at)
        raise OfflineError(f"{volume} has no {length} bytes at {offset}")

    def copy(self, volume: str) -> Path:
        target = self.folder / volume
        with target.open("wb") as out:
            for at, on_disk, size in self._segments(volume):
                out.truncate(at + size)
                copy_sparse(self.file, on_disk, out.fileno(), at, size)
        return target

    # --- The thin pool -------------------------------------------------------------------------

    def _superblock(self) -> tuple[int, int, int, int]:
        """Mapping root, details root, pool blocks, allocated pool blocks."""
        block = self.read("pool_tmeta", 0, METADATA_BLOCK)
        magic, = struct.unpack_from("<Q", block, 32)
        if magic != THIN_MAGIC:
            raise OfflineError("the pool's metadata has no superblock")
        blocks, allocated = struct.unpack_from("<QQ", block, 64)
        mapping, details = struct.unpack_from("<QQ", block, 320)
        return mapping, details, blocks, allocated

    def _tree(self, root: int) -> Iterator[tuple[int, bytes]]:
        node = self.read("pool_tmeta", root * METADATA_BLOCK, METADATA_BLOCK)
        flags, number = struct.unpack_from("<II", node, 4)[0], struct.unpack_from("<Q", node, 8)[0]
        if number != root:
            raise OfflineError(f"block {root} of the pool's metadata says that it is block {number}")
        entries, maximum, value_bytes = struct.unpack_from("<III", node, 16)
        for index in range(entries):
            key, = struct.unpack_from("<Q", node, 32 + 8 * index)
            at = 32 + 8 * maximum + value_bytes * index
            value = node[at:at + value_bytes]
            if flags & 1:
                yield from self._tree(struct.unpack("<Q", value)[0])
            else:
                yield key, value

    def thin_ids(self) -> dict[int, int]:
        """The volumes that the pool knows, and how many blocks each maps."""
        _, details, _, _ = self._superblock()
        return {thin_id: struct.unpack_from("<Q", value)[0] for thin_id, value in self._tree(details)}

    def mappings(self, thin_id: int) -> dict[int, int]:
        """Block of the volume -> block of the pool."""
        roots = dict(self._tree(self._superblock()[0]))
        if thin_id not in roots:
            raise OfflineError(f"the pool has no volume {thin_id}")
        tree = self._tree(struct.unpack("<Q", roots[thin_id])[0])
        return {block: struct.unpack("<Q", value)[0] >> 24 for block, value in tree}

    def leaked_blocks(self) -> int:
        """Pool blocks that are taken and belong to no volume."""
        used = {block for thin_id in self.thin_ids() for block in self.mappings(thin_id).values()}
        return self._superblock()[3] - len(used)

    def copy_partition(self, thin_id: int, size: int) -> Path:
        """The first partition of a slice's disk."""
        block_bytes = self.group["logical_volumes"]["pool"]["segment1"]["chunk_size"] * SECTOR
        target = self.folder / f"thin-{thin_id}"
        with target.open("wb") as out:
            out.truncate(size)
            for block, place in self.mappings(thin_id).items():
                at = block * block_bytes - PARTITION_START
                if 0 <= at < size:
                    data = self.read("pool_tdata", place * block_bytes, block_bytes)
                    os.pwrite(out.fileno(), data[:size - at], at)
        return target

    # --- File systems --------------------------------------------------------------------------

    def fsck_state(self) -> Path:
        return fsck(self.copy("state"))

    def fsck_thin(self, thin_id: int, size: int = 127 * MIB) -> Path:
        return fsck(self.copy_partition(thin_id, size))

    def store(self, query: str) -> list[Any]:
        """Rows of the agent's store."""
        if self._database is None:
            volume = self.fsck_state()
            for name in ("sliced.db", "sliced.db-wal"):
                read_file(volume, f"/agent/{name}", self.folder / name)
            if not (self.folder / "sliced.db").exists():
                return []
            self._database = sqlite3.connect(self.folder / "sliced.db")
            self._database.row_factory = sqlite3.Row
            if not self._database.execute("SELECT * FROM sqlite_master").fetchall():
                return []
            (verdict,), = self._database.execute("PRAGMA integrity_check").fetchall()
            if verdict != "ok":
                raise OfflineError(f"the store is damaged: {verdict}")
        return self._database.execute(query).fetchall()


def read_file(volume: Path, path: str, target: Path) -> bool:
    """Copies a file out of an ext4 file system; False when it is not there."""
    subprocess.run(["debugfs", "-R", f"dump {path} {target}", str(volume)], check=True, capture_output=True)
    return target.exists()


def fsck(volume: Path) -> Path:
    """What a boot does to the file system, then a check that finds nothing."""
    for words, good in ((["-p"], 1), (["-f", "-n"], 0)):
        done = subprocess.run(["e2fsck", *words, str(volume)], capture_output=True, text=True)
        if done.returncode > good:
            raise OfflineError(f"e2fsck {' '.join(words)} {volume.name}: {done.returncode}\n{done.stdout}{done.stderr}")
    return volume


def copy_sparse(source: int, start: int, target: int, at: int, size: int) -> None:
    place, end = start, start + size
    while place < end:
        try:
            place = os.lseek(source, place, os.SEEK_DATA)
        except OSError:
            return
        hole = min(os.lseek(source, place, os.SEEK_HOLE), end)
        while place < hole:
            data = os.pread(source, min(hole - place, MIB), place)
            os.pwrite(target, data, at + place - start)
            place += len(data)


# --- LVM's metadata ----------------------------------------------------------------------------

def lvm_text(file: int) -> str:
    """The current text metadata of a disk with one metadata area."""
    label = os.pread(file, 4 * SECTOR, 0)
    at = label.find(b"LABELONE")
    if at < 0:
        raise OfflineError("the disk is no physical volume")
    header = at + struct.unpack_from("<I", label, at + 20)[0] + 32 + 8
    while struct.unpack_from("<Q", label, header)[0]:
        header += 16
    area, area_bytes = struct.unpack_from("<QQ", label, header + 16)
    locations = os.pread(file, SECTOR, area)
    offset, length = struct.unpack_from("<QQ", locations, 40)
    if offset == 0:
        raise OfflineError("the disk belongs to no volume group")
    first = os.pread(file, min(length, area_bytes - offset), area + offset)
    rest = os.pread(file, length - len(first), area + SECTOR) if length > len(first) else b""
    return (first + rest).rstrip(b"\0").decode()


def parse_lvm(text: str) -> dict[str, Any]:
    """The group's section; numbers, strings, lists and sections as Python has them."""
    text = re.sub(r'("(?:\\.|[^"\\])*")|#[^\n]*', lambda found: found.group(1) or "", text)
    tokens = re.findall(r'"(?:\\.|[^"\\])*"|[][{}=,]|[^\s][^\s=\[\]{},"]*', text)
    place = 0

    def value() -> Any:
        nonlocal place
        token = tokens[place]
        place += 1
        if token != "[":
            return token[1:-1] if token[0] == '"' else int(token)
        items = []
        while tokens[place] != "]":
            items.append(value())
            if tokens[place] == ",":
                place += 1
        place += 1
        return items

    def section() -> dict[str, Any]:
        nonlocal place
        found: dict[str, Any] = {}
        while place < len(tokens) and tokens[place] != "}":
            name, mark = tokens[place], tokens[place + 1]
            place += 2
            found[name] = section() if mark == "{" else value()
        place += 1
        return found

    top = section()
    (group,) = [part for part in top.values() if isinstance(part, dict)]
    return group
