"""sliced-import: an operator's kernel is kept unpacked, so that no start of a slice has to unpack it."""

from __future__ import annotations

import gzip
import lzma
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from test_import import MIB, Import, compress, expect_error, image_bytes

ELF = b"\x7fELF" + image_bytes(3 * MIB + 4321)
SECTOR = 512
VERSION = 0x20F


def appended(packed: bytes, data: bytes) -> bytes:
    return packed + struct.pack("<I", len(data))


def xz(data: bytes) -> bytes:
    """As Linux' scripts/xz_wrap.sh does it."""
    filters: list[dict[str, Any]] = [{"id": lzma.FILTER_X86}, {"id": lzma.FILTER_LZMA2, "dict_size": 32 * MIB}]
    return appended(lzma.compress(data, lzma.FORMAT_XZ, lzma.CHECK_CRC32, filters=filters), data)


def zstd(data: bytes) -> bytes:
    return appended(subprocess.run(["zstd", "-q", "-22", "--ultra", "-c"], input=data, capture_output=True,
                                   check=True).stdout, data)


PACKERS: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "xz": xz, "zstd": zstd}


def bzimage(payload: bytes, *, sectors: int = 27, before: int = 700, version: int = VERSION, length: int | None = None,
            after: bytes = b"decompressor" * 1000) -> bytes:
    """A file of the form in Linux' Documentation/arch/x86/boot.rst."""
    setup = bytearray((sectors or 4) * SECTOR + SECTOR)
    setup[0x1F1] = sectors
    setup[0x202:0x208] = struct.pack("<4sH", b"HdrS", version)
    setup[0x248:0x250] = struct.pack("<II", before, len(payload) if length is None else length)
    return bytes(setup) + b"\x90" * before + payload + after


def take(folder: Path, stream: bytes, expected: bytes, compression: str = "none") -> Path:
    run = Import(folder, stream, format="kernel", compression=compression)
    outcome = run.outcome()
    assert outcome["type"] == "done", outcome
    assert (outcome["size_bytes"], outcome["transfer_bytes"]) == (len(expected), len(stream))
    assert run.path.read_bytes() == expected
    return run.path


@pytest.mark.parametrize("packing", PACKERS)
@pytest.mark.parametrize("sectors", [0, 1, 64])
def test_unpacked(tmp_path: Path, packing: str, sectors: int) -> None:
    take(tmp_path, bzimage(PACKERS[packing](ELF), sectors=sectors, before=0 if sectors == 1 else 700), ELF)


@pytest.mark.parametrize("compression", ["gzip", "xz", "zstd"])
def test_packed_once_more_on_the_way(tmp_path: Path, compression: str) -> None:
    take(tmp_path, compress(bzimage(zstd(ELF)), compression), ELF, compression)


def test_stretches_of_zeroes_take_no_room(tmp_path: Path) -> None:
    elf = b"\x7fELF" + bytes(40 * MIB) + b"end"
    assert take(tmp_path, bzimage(zstd(elf)), elf).stat().st_blocks * 512 <= 192 << 10


@pytest.mark.parametrize("stream", [ELF, b"kernel", bzimage(b"\x02\x21" + ELF), bzimage(zstd(ELF), version=0x207),
                                    bzimage(zstd(ELF), before=1 << 21), bzimage(zstd(ELF), length=7)[:4000],
                                    bzimage(b"")],
                         ids=["elf", "other", "lz4", "old", "far", "short", "empty"])
def test_what_cannot_be_unpacked_stays_as_it_is(tmp_path: Path, stream: bytes) -> None:
    take(tmp_path, stream, stream)


def damaged(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1:]


@pytest.mark.parametrize("packing", PACKERS)
def test_damaged(tmp_path: Path, packing: str) -> None:
    payload = PACKERS[packing](ELF)
    whole = bzimage(payload)
    for stream, words in ((damaged(whole, len(whole) // 2), "payload"), (whole[:len(whole) // 2], "cut off"),
                          (bzimage(payload, length=len(payload) + (1 << 30)), "")):
        expect_error(Import(tmp_path, stream, format="kernel"), "image_corrupt", "kernel", words)


def test_two_lengths(tmp_path: Path) -> None:
    expect_error(Import(tmp_path, bzimage(zstd(ELF)[:-4] + b"\1\0\0\0"), format="kernel"), "image_corrupt",
                 "says that it has 1 bytes", str(len(ELF)))


def test_no_elf_file(tmp_path: Path) -> None:
    for data in (b"text" * 1000, b"\x7fE"):
        expect_error(Import(tmp_path, bzimage(gzip.compress(data)), format="kernel"), "image_corrupt", "no ELF file")


def test_more_than_there_is_room_for(tmp_path: Path) -> None:
    stream = bzimage(zstd(b"\x7fELF" + bytes(64 * MIB)))
    expect_error(Import(tmp_path, stream, format="kernel", limit_bytes=32 * MIB), "image_too_large", str(32 * MIB))
