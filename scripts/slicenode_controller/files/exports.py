"""Where nodes send exported snapshots: PUT below /exports/, to places that were offered before."""

import hashlib
import os
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from typing import Protocol as Shape

PREFIX = "/exports/"
CHUNK_BYTES = 256 * 1024
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}\Z")


class Input(Shape):
    """Where a body comes from."""

    def read(self, count: int, /) -> bytes: ...

    def readline(self, limit: int, /) -> bytes: ...


class Broken(Exception):
    """The body is malformed or ended early."""


@dataclass(frozen=True)
class Exports:
    """One folder; each export has a folder in it with a name that cannot be guessed."""

    folder: Path

    def offer(self, name: str) -> tuple[str, Path]:
        """A place for one file: the path of its URL, and where the file will be."""
        if not NAME.match(name):
            raise ValueError(f"not a file name: {name}")
        place = str(uuid.uuid4())
        (self.folder / place).mkdir(mode=0o700, parents=True)
        return f"{PREFIX}{place}/{name}", self.folder / place / name

    def find(self, url_path: str) -> Path | None:
        """The file for a URL's path, if its place was offered."""
        parts = url_path.removeprefix(PREFIX).split("/")
        if not url_path.startswith(PREFIX) or len(parts) != 2 or not NAME.match(parts[1]):
            return None
        try:
            place = str(uuid.UUID(parts[0]))
        except ValueError:
            return None
        folder = self.folder / place
        return folder / parts[1] if place == parts[0] and folder.is_dir() else None


def receive(file: Path, body: Iterator[bytes]) -> dict[str, Any]:
    """Writes the file; what comes later takes its place, what breaks off leaves nothing."""
    part = file.with_name(f".{file.name}.{uuid.uuid4()}")
    digest, length = hashlib.sha256(), 0
    try:
        with part.open("xb") as target:
            for data in body:
                target.write(data)
                digest.update(data)
                length += len(data)
            target.flush()
            os.fsync(target.fileno())
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)
    return {"bytes": length, "sha256": digest.hexdigest()}


def counted(source: Input, length: int) -> Iterator[bytes]:
    """A body with Content-Length."""
    while length > 0:
        data = source.read(min(length, CHUNK_BYTES))
        if not data:
            raise Broken(f"{length} bytes are missing")
        length -= len(data)
        yield data


def chunked(source: Input) -> Iterator[bytes]:
    """A body with Transfer-Encoding: chunked (RFC 9112, 7.1)."""
    while True:
        line = source.readline(1024)
        match = re.match(rb"([0-9A-Fa-f]{1,15})[ \t]*(;[^\r\n]*)?\r\n\Z", line)
        if match is None:
            raise Broken("a chunk has no length")
        left = int(match[1], 16)
        if left == 0:
            break
        yield from counted(source, left)
        if source.readline(3) != b"\r\n":
            raise Broken("a chunk does not end where it says")
    while (line := source.readline(4096)) != b"\r\n":
        if not line.endswith(b"\n"):
            raise Broken("the body does not end")


def body_of(headers: Any, source: Input) -> Iterator[bytes]:
    """The body as the headers say; raises Broken at once when they say nothing usable."""
    encoding = headers.get("Transfer-Encoding")
    if encoding is not None:
        if encoding.strip().lower() != "chunked" or "Content-Length" in headers:
            raise Broken("Transfer-Encoding is not chunked")
        return chunked(source)
    length = headers.get("Content-Length", "")
    if not (length.isascii() and length.isdigit()):
        raise Broken("neither Content-Length nor Transfer-Encoding: chunked")
    return counted(source, int(length[:18]))
