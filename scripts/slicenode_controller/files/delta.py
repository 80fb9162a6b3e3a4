"""A snapshot's differences since an older one, as docs/protocol/delta.md states them."""

import json
import os
import shutil
import struct
from pathlib import Path
from typing import Any, BinaryIO

HEADER_BYTES = 4096
RECORD = struct.Struct(">4s4xQQ")
COPY_BYTES = 1024 * 1024


class BadDelta(Exception):
    """The stream is no delta, or not whole."""


def read_header(source: BinaryIO) -> dict[str, Any]:
    line = source.readline(HEADER_BYTES)
    try:
        header = json.loads(line) if line.endswith(b"\n") else None
    except ValueError:
        header = None
    if not isinstance(header, dict) or header.get("format") != "slicenode-delta":
        raise BadDelta("not a slicenode-delta stream")
    if header.get("version") != 1:
        raise BadDelta(f"version {header.get('version')} of the format is not known")
    size = header.get("size_bytes")
    if not isinstance(size, int) or isinstance(size, bool) or size <= 0:
        raise BadDelta("the header has no size_bytes")
    return header


def apply(base: Path, delta: Path, output: Path) -> dict[str, Any]:
    """Makes `output`, the newer snapshot, from `base`, the older one (raw), and what has changed."""
    with delta.open("rb") as source:
        header = read_header(source)
        part = output.with_name(f".{output.name}.part")
        try:
            shutil.copyfile(base, part)
            with part.open("r+b") as disk:
                disk.truncate(header["size_bytes"])
                _apply_records(source, disk, header["size_bytes"])
                disk.flush()
                os.fsync(disk.fileno())
            part.replace(output)
        finally:
            part.unlink(missing_ok=True)
    return header


def _apply_records(source: BinaryIO, disk: BinaryIO, size: int) -> None:
    end = 0
    while True:
        record = source.read(RECORD.size)
        if len(record) != RECORD.size:
            raise BadDelta("the stream ends early")
        kind, offset, length = RECORD.unpack(record)
        if kind == b"END ":
            if (offset, length) != (size, 0) or source.read(1):
                raise BadDelta("the stream's end is malformed")
            return
        if kind not in (b"DATA", b"ZERO") or length == 0:
            raise BadDelta(f"a record of kind {kind!r} with {length} bytes")
        if offset < end or offset + length > size:
            raise BadDelta(f"a record at byte {offset} is out of order or beyond the disk")
        end = offset + length
        disk.seek(offset)
        while length > 0:
            count = min(length, COPY_BYTES)
            data = source.read(count) if kind == b"DATA" else bytes(count)
            if len(data) != count:
                raise BadDelta("the stream ends early")
            disk.write(data)
            length -= count
