"""cpio archives of the kind that the kernel unpacks into its first root file system (newc)."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Entry:
    """One file of the image."""

    path: str
    mode: int
    owner: tuple[int, int] = (0, 0)
    content: bytes = b""
    device: tuple[int, int] = (0, 0)


def with_parents(entries: Iterator[Entry], known: set[str]) -> Iterator[Entry]:
    """Adds the folders that a tree needs and the manifest does not name."""
    for entry in entries:
        for parent in reversed(Path(entry.path).parents):
            if str(parent) not in known and str(parent) != "/":
                known.add(str(parent))
                yield Entry(str(parent), stat.S_IFDIR | 0o755)
        known.add(entry.path)
        yield entry


def pack(entries: list[Entry], epoch: int) -> bytes:
    """The entries as an archive: dated alike and numbered from 1, so that the same input gives the same bytes."""
    archive = bytearray()

    def add(number: int, entry: Entry) -> None:
        name = entry.path.lstrip("/").encode() + b"\0"
        links = 2 if stat.S_ISDIR(entry.mode) else 1
        size = len(entry.content)
        numbers = (number, entry.mode, *entry.owner, links, epoch, size, 0, 0, *entry.device, len(name), 0)
        archive.extend(b"070701" + b"".join(b"%08X" % value for value in numbers) + name)
        archive.extend(bytes(-len(archive) % 4))
        archive.extend(entry.content)
        archive.extend(bytes(-len(archive) % 4))

    for number, entry in enumerate(entries, 1):
        add(number, entry)
    add(0, Entry("TRAILER!!!", 0))
    return bytes(archive)
