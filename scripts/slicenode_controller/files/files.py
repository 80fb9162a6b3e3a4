"""Images over HTTP: whole or in part, so that a node can resume a transfer that broke."""

import contextlib
import hashlib
import re
from dataclasses import dataclass
from datetime import UTC
from email.utils import formatdate, parsedate_to_datetime
from pathlib import Path
from typing import Protocol as Shape
from typing import cast
from urllib.parse import quote, unquote

from ..state.store import Store
from .faults import Rule

PREFIX = "/images/"
CHUNK_BYTES = 256 * 1024


class Output(Shape):
    """Where an answer goes."""

    def write(self, data: bytes, /) -> object: ...


@dataclass(frozen=True)
class Reply:
    """Status line, headers, and which bytes of the file follow."""

    status: int
    headers: list[tuple[str, str]]
    first: int = 0
    count: int = 0


class Images:
    """Regular files below one folder. No listing, nothing hidden, no way out by links."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()

    def find(self, url_path: str) -> Path | None:
        """The file for a URL's path, None if there is none to give."""
        if not url_path.startswith(PREFIX):
            return None
        parts = unquote(url_path[len(PREFIX) :]).split("/")
        if any(part in ("", "..") or part.startswith(".") or "\0" in part for part in parts):
            return None
        with contextlib.suppress(OSError):
            found = self.folder.joinpath(*parts).resolve()
            if found.is_relative_to(self.folder) and found.is_file():
                return found
        return None

    def url_path(self, file: Path) -> str:
        """The URL's path for a file of the folder; ValueError for one elsewhere."""
        return PREFIX + quote(str(file.resolve().relative_to(self.folder)))


def reply_to(
    file: Path, byte_range: str | None, if_range: str | None, fault: Rule | None
) -> Reply:
    """What to answer to a GET or HEAD of the file with these headers."""
    found = file.stat()
    kind = fault.kind if fault is not None else ""
    size = found.st_size
    etag = f'"{size:x}-{found.st_mtime_ns:x}"'
    if fault is not None and kind == "short":
        size = min(size, int(fault.number))
    if kind == "new_etag":
        etag = f'"{id(fault):x}-{fault.left if fault else 0}-{found.st_mtime_ns:x}"'
    modified = formatdate(found.st_mtime, usegmt=True)
    headers = [
        ("Content-Type", "application/octet-stream"),
        ("Accept-Ranges", "none" if kind == "no_range" else "bytes"),
        ("ETag", etag),
        ("Last-Modified", modified),
    ]
    wanted = None
    if byte_range is not None and kind != "no_range" and _still(if_range, etag, modified):
        wanted = _read_range(byte_range, size)
    if wanted is None:
        return Reply(200, [*headers, _length(size, fault)], 0, size)
    first, count = wanted
    if count == 0:
        return Reply(416, [*headers, ("Content-Range", f"bytes */{size}"), ("Content-Length", "0")])
    place = ("Content-Range", f"bytes {first}-{first + count - 1}/{size}")
    return Reply(206, [*headers, place, _length(count, fault)], first, count)


def _length(count: int, fault: Rule | None) -> tuple[str, str]:
    extra = int(fault.number) if fault is not None and fault.kind == "long" else 0
    return "Content-Length", str(count + extra)


def _still(if_range: str | None, etag: str, modified: str) -> bool:
    """Whether the part that the caller has is of the file as it is now."""
    if if_range is None or if_range == etag:
        return True
    if if_range.startswith(('"', "W/")):
        return False
    try:
        theirs = parsedate_to_datetime(if_range).replace(tzinfo=UTC)
    except ValueError:
        return False
    return theirs == parsedate_to_datetime(modified).replace(tzinfo=UTC)


def _read_range(text: str, size: int) -> tuple[int, int] | None:
    """First byte and count; count 0 if it cannot be given; None if Range is to be ignored."""
    match = re.fullmatch(r"bytes=(\d{0,18})-(\d{0,18})", text.strip(), re.ASCII)
    if match is None or match[1] + match[2] == "":
        return None
    if match[1] == "":
        count = min(int(match[2]), size)
        return size - count, count
    first = int(match[1])
    last = int(match[2]) if match[2] else size - 1
    if match[2] and last < first:
        return None
    return first, max(0, min(last, size - 1) - first + 1)


def send(file: Path, reply: Reply, out: Output, fault: Rule | None) -> bool:
    """Writes the body; False if the connection must be closed because of a fault."""
    kind = fault.kind if fault is not None else ""
    number = int(fault.number) if fault is not None else 0
    left = min(reply.count, number) if kind == "drop" else reply.count
    place = reply.first
    with file.open("rb") as source:
        source.seek(place)
        while left > 0:
            data = source.read(min(left, CHUNK_BYTES))
            if not data:
                return False  # The file became shorter meanwhile.
            if kind == "corrupt" and place <= number < place + len(data):
                changed = bytearray(data)
                changed[number - place] ^= 0xFF
                data = bytes(changed)
            out.write(data)
            place += len(data)
            left -= len(data)
    return kind not in ("drop", "long")


def sha256_of(store: Store, file: Path) -> str:
    """SHA-256 of a file; remembered until its size or time changes."""
    found = file.stat()
    known = store.find("SELECT * FROM file_hashes WHERE path = ?", str(file))
    if known is not None and (known["size"], known["mtime_ns"]) == (
        found.st_size,
        found.st_mtime_ns,
    ):
        return cast(str, known["sha256"])
    with file.open("rb") as source:
        result = hashlib.file_digest(source, "sha256").hexdigest()
    store.run(
        "INSERT OR REPLACE INTO file_hashes VALUES (?, ?, ?, ?)",
        str(file),
        found.st_size,
        found.st_mtime_ns,
        result,
    )
    return result
