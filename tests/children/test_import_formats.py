"""sliced-import: qcow2 and VHD files as QEMU makes them, and as nobody should."""

from __future__ import annotations

import os
import random
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from test_import import MIB, Import, compress, expect_error, image_bytes

CLUSTER = 65536


def run(*words: str | Path) -> None:
    subprocess.run([str(word) for word in words], check=True, capture_output=True)


def make(folder: Path, disk: bytes, form: str, *options: str) -> bytes:
    """A file of `form`, by qemu-img."""
    raw, path = folder / "raw", folder / "image"
    raw.write_bytes(disk)
    arguments = ["-o", ",".join(options)] if options else []
    run("qemu-img", "convert", "-f", "raw", "-O", form, *arguments, raw, path)
    return path.read_bytes()


def take(folder: Path, stream: bytes, disk: bytes, form: str = "auto", **options: Any) -> Import:
    """Imports and compares; the result's length is the disk's."""
    import_ = Import(folder, stream, scratch=True, format=form, **options)
    outcome = import_.outcome()
    assert outcome["type"] == "done", outcome
    assert outcome["size_bytes"] == len(disk)
    assert import_.path.read_bytes() == disk
    return import_


@pytest.fixture(scope="module")
def disk() -> bytes:
    return image_bytes(5 * MIB + 300 * 512)


QCOW2 = [("compat=0.10",), ("compat=1.1",), ("cluster_size=512",), ("cluster_size=2M",),
         ("cluster_size=4k", "lazy_refcounts=on"), ("preallocation=metadata",),
         ("extended_l2=on", "cluster_size=16k"), ("refcount_bits=1",)]


@pytest.mark.parametrize("options", QCOW2, ids=",".join)
@pytest.mark.parametrize("form", ["auto", "qcow2"])
def test_qcow2(tmp_path: Path, disk: bytes, options: tuple[str, ...], form: str) -> None:
    take(tmp_path, make(tmp_path, disk, "qcow2", *options), disk, form)


@pytest.mark.parametrize("kind", ["zlib", "zstd"])
@pytest.mark.parametrize("size", ["4k", "64k", "2M"])
def test_qcow2_with_compressed_clusters(tmp_path: Path, disk: bytes, kind: str, size: str) -> None:
    (tmp_path / "raw").write_bytes(disk)
    path = tmp_path / "image"
    run("qemu-img", "convert", "-c", "-O", "qcow2", "-o",
        f"compression_type={kind},cluster_size={size}", tmp_path / "raw", path)
    take(tmp_path, path.read_bytes(), disk)


@pytest.mark.parametrize("compression", ["gzip", "xz", "zstd"])
def test_compressed_on_the_way(tmp_path: Path, disk: bytes, compression: str) -> None:
    for form in ("qcow2", "vpc"):
        stream = make(tmp_path, disk, form, *(["force_size=on"] if form == "vpc" else []))
        take(tmp_path, compress(stream, compression), disk, compression=compression)


def test_qcow2_with_snapshots_and_rewritten(tmp_path: Path) -> None:
    """Only what is active now counts, wherever in the file it is."""
    path = tmp_path / "image"
    run("qemu-img", "create", "-f", "qcow2", path, "64M")
    source = random.Random(7)
    for step in range(12):
        for _ in range(6):
            at, pattern = source.randrange(0, 63 * MIB, 512), source.randrange(256)
            run("qemu-io", "-f", "qcow2", "-c", f"write -P {pattern} {at} 70k", path)
        run("qemu-io", "-f", "qcow2", "-c", f"write -z {source.randrange(63) * MIB} 1M", path)
        if step % 4 == 0:
            run("qemu-img", "snapshot", "-c", f"s{step}", path)
    run("qemu-img", "convert", "-O", "raw", path, tmp_path / "expected")
    take(tmp_path, path.read_bytes(), (tmp_path / "expected").read_bytes())


def test_holes_are_not_written(tmp_path: Path) -> None:
    disk = bytes(200 * MIB) + b"x" + bytes(56 * MIB - 1)
    import_ = take(tmp_path, make(tmp_path, disk, "qcow2"), disk)
    assert import_.path.stat().st_blocks * 512 <= 128 << 10
    import_ = take(tmp_path, make(tmp_path, disk, "vpc", "force_size=on"), disk)
    assert import_.path.stat().st_blocks * 512 <= 128 << 10


def test_large_and_empty(tmp_path: Path) -> None:
    """What is not there costs nothing."""
    for form in ("qcow2", "vpc"):
        run("qemu-img", "create", "-f", form, tmp_path / "image", "1T")
        import_ = Import(tmp_path, (tmp_path / "image").read_bytes(), scratch=True, format="auto")
        outcome = import_.outcome()
        assert outcome["type"] == "done" and outcome["size_bytes"] >= 1 << 40
        assert import_.path.stat().st_blocks == 0


@pytest.mark.parametrize("form", ["auto", "vhd"])
@pytest.mark.parametrize("subformat", ["fixed", "dynamic"])
def test_vhd(tmp_path: Path, disk: bytes, subformat: str, form: str) -> None:
    stream = make(tmp_path, disk, "vpc", f"subformat={subformat}", "force_size=on")
    take(tmp_path, stream, disk, form)


def test_fixed_vhd_that_just_fits(tmp_path: Path, disk: bytes) -> None:
    stream = make(tmp_path, disk, "vpc", "subformat=fixed", "force_size=on")
    take(tmp_path, stream, disk, limit_bytes=len(disk))
    expect_error(Import(tmp_path, stream, scratch=True, format="auto", limit_bytes=len(disk) - 1),
                 "image_too_large")


def test_raw_is_found_to_be_raw(tmp_path: Path, disk: bytes) -> None:
    take(tmp_path, disk, disk)
    take(tmp_path, disk, disk, limit_bytes=len(disk))
    expect_error(Import(tmp_path, disk, scratch=True, format="auto", limit_bytes=len(disk) - 1),
                 "image_too_large")
    take(tmp_path, b"x", b"x")


def test_raw_as_stated_is_taken_as_it_is(tmp_path: Path, disk: bytes) -> None:
    """Whoever says raw gets the bytes, also those of a qcow2 or VHD file."""
    for form in ("qcow2", "vpc"):
        stream = make(tmp_path, disk, form)
        take(tmp_path, stream, stream, "raw")


@pytest.mark.parametrize("form", ["qcow2", "vhd"])
def test_not_what_is_stated(tmp_path: Path, form: str) -> None:
    for stream in (image_bytes(MIB), b"short", b"x" * 600):
        expect_error(Import(tmp_path, stream, scratch=True, format=form), "image_corrupt", "no " +
                     {"qcow2": "qcow2", "vhd": "VHD"}[form])


def test_scratch_volume_too_small(tmp_path: Path, disk: bytes) -> None:
    expect_error(Import(tmp_path, make(tmp_path, disk, "qcow2"), scratch=True, format="auto",
                        scratch_bytes=MIB), "image_too_large", "qcow2 file")


# --- qcow2 files that nobody should make -----------------------------------------------------------

Change = Callable[[bytearray], None]


def put(at: int, form: str, value: int) -> Change:
    def change(data: bytearray) -> None:
        struct.pack_into(form, data, at, value)
    return change


def name_backing_file(data: bytearray) -> None:
    name = b"/etc/shadow"
    struct.pack_into(">QI", data, 8, 400, len(name))
    data[400:400 + len(name)] = name


def l1_of(data: bytearray) -> int:
    return int(struct.unpack_from(">Q", data, 40)[0])


def l2_of(data: bytearray) -> int:
    return int(struct.unpack_from(">Q", data, l1_of(data))[0]) & 0xfffffffffffe00


def change_l1(value: Callable[[bytearray], int]) -> Change:
    def change(data: bytearray) -> None:
        struct.pack_into(">Q", data, l1_of(data), value(data))
    return change


def change_l2(value: Callable[[bytearray], int], entry: int = 0) -> Change:
    def change(data: bytearray) -> None:
        struct.pack_into(">Q", data, l2_of(data) + 8 * entry, value(data))
    return change


def twice(data: bytearray) -> None:
    data[l2_of(data) + 8:l2_of(data) + 16] = data[l2_of(data):l2_of(data) + 8]


COPIED = 1 << 63
QCOW2_BAD: list[tuple[str, Change, str, str]] = [
    ("backing file", name_backing_file, "image_unsupported", '"/etc/shadow"'),
    ("backing file nowhere", put(8, ">Q", 1 << 60), "image_corrupt", "outside"),
    ("endless name", put(8, ">Q", 400), "image_unsupported", "backing"),
    ("version 4", put(4, ">I", 4), "image_unsupported", "version 4"),
    ("version 1", put(4, ">I", 1), "image_unsupported", "version 1"),
    ("cluster bits", put(20, ">I", 63), "image_corrupt", "clusters"),
    ("small clusters", put(20, ">I", 8), "image_corrupt", "clusters"),
    ("encryption", put(32, ">I", 1), "image_unsupported", "encrypted"),
    ("size 0", put(24, ">Q", 0), "image_corrupt", "size"),
    ("size odd", put(24, ">Q", 1000), "image_corrupt", "size"),
    ("size huge", put(24, ">Q", 1 << 62), "image_too_large", "allowed"),
    ("size grown", put(24, ">Q", 1 << 40), "image_corrupt", "too short"),
    ("short L1", put(36, ">I", 0), "image_corrupt", "too short"),
    ("L1 nowhere", put(40, ">Q", 1 << 40), "image_corrupt", "outside"),
    ("L1 at the end of numbers", put(40, ">Q", (1 << 64) - CLUSTER), "image_corrupt", "outside"),
    ("L1 odd", put(40, ">Q", 196609), "image_corrupt", "odd"),
    ("L1 in the header", put(40, ">Q", 0), "image_corrupt", "odd"),
    ("dirty", put(72, ">Q", 1), "image_corrupt", "dirty"),
    ("corrupt", put(72, ">Q", 2), "image_corrupt", "corrupt"),
    ("data file", put(72, ">Q", 4), "image_unsupported", "another file"),
    ("compression contradicted", put(72, ">Q", 8), "image_corrupt", "compression"),
    ("compression unknown", put(104, ">B", 9), "image_unsupported", "type 9"),
    ("unknown features", put(72, ">Q", 1 << 40), "image_unsupported", "0x10000000000"),
    ("header length", put(100, ">I", 8), "image_corrupt", "header"),
    ("header length huge", put(100, ">I", 1 << 31), "image_corrupt", "header"),
    ("L2 nowhere", change_l1(lambda data: COPIED | 1 << 40), "image_corrupt", "outside"),
    ("L2 cut off", change_l1(lambda data: COPIED | len(data) // CLUSTER * CLUSTER),
     "image_corrupt", "outside"),
    ("L2 odd", change_l1(lambda data: l2_of(data) + 512), "image_corrupt", "odd place"),
    ("L2 reserved", change_l1(lambda data: l2_of(data) | 1), "image_corrupt", "L1 entry"),
    ("L2 is L1", change_l1(l1_of), "image_corrupt", "overlaps"),
    ("L2 is the header", change_l2(l2_of), "image_corrupt", "overlaps"),
    ("cluster is its table", change_l2(l2_of, 3), "image_corrupt", "overlaps"),
    ("cluster nowhere", change_l2(lambda data: COPIED | 1 << 50), "image_corrupt", "outside"),
    ("cluster odd", change_l2(lambda data: l2_of(data) + CLUSTER + 512), "image_corrupt", "odd"),
    ("cluster reserved", change_l2(lambda data: 0x3f << 56), "image_corrupt", "L2 entry"),
    ("cluster twice", twice, "image_corrupt", "overlaps"),
    ("compressed nowhere", change_l2(lambda data: 1 << 62 | 1 << 45), "image_corrupt", "outside"),
    ("compressed noise", change_l2(lambda data: 1 << 62 | l2_of(data)), "image_corrupt", "damaged"),
]


@pytest.fixture(scope="module")
def plain_qcow2(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return make(tmp_path_factory.mktemp("qcow2"), random.Random(3).randbytes(MIB), "qcow2")


@pytest.mark.parametrize(("change", "code", "word"), [bad[1:] for bad in QCOW2_BAD],
                         ids=[bad[0] for bad in QCOW2_BAD])
def test_bad_qcow2(tmp_path: Path, plain_qcow2: bytes, change: Change, code: str,
                   word: str) -> None:
    data = bytearray(plain_qcow2)
    change(data)
    if code != "image_too_large":
        expect_error(Import(tmp_path, bytes(data), scratch=True, format="auto"), code, word)
    expect_error(Import(tmp_path, bytes(data), scratch=True, format="qcow2",
                        limit_bytes=1 << 41), code, word)


@pytest.mark.parametrize("length", [4, 71, 72, 103, 200, CLUSTER, 4 * CLUSTER, 5 * CLUSTER + 1])
def test_qcow2_cut_off(tmp_path: Path, plain_qcow2: bytes, length: int) -> None:
    expect_error(Import(tmp_path, plain_qcow2[:length], scratch=True, format="auto"),
                 "image_corrupt")


def test_qcow2_of_one_compressed_cluster_many_times(tmp_path: Path) -> None:
    """A bomb: each entry names the same few bytes."""
    (tmp_path / "raw").write_bytes(b"bomb" * (64 << 20 >> 2))
    path = tmp_path / "image"
    run("qemu-img", "convert", "-c", "-O", "qcow2", tmp_path / "raw", path)
    data = bytearray(path.read_bytes())
    entry = struct.unpack_from(">Q", data, l2_of(data))[0] | 0x3f << 54  # as long as can be
    for index in range(1024):
        struct.pack_into(">Q", data, l2_of(data) + 8 * index, entry)
    expect_error(Import(tmp_path, bytes(data), scratch=True, format="auto"), "image_corrupt",
                 "compressed clusters that overlap")


# --- VHD files that nobody should make --------------------------------------------------------------


def sign(data: bytearray, at: int, length: int, place: int) -> None:
    struct.pack_into(">I", data, at + place, 0)
    struct.pack_into(">I", data, at + place, ~sum(data[at:at + length]) & 0xffffffff)


def footer(place: int, form: str, value: int) -> Change:
    """Changes footer and copy, with their checksums."""
    def change(data: bytearray) -> None:
        for at in (0, len(data) - 512):
            struct.pack_into(form, data, at + place, value)
            sign(data, at, 512, 64)
    return change


def header(place: int, form: str, value: int) -> Change:
    def change(data: bytearray) -> None:
        struct.pack_into(form, data, 512 + place, value)
        sign(data, 512, 1024, 36)
    return change


def block(entry: int, sector: int) -> Change:
    return put(1536 + 4 * entry, ">I", sector)


def first_block(data: bytearray, shift: int = 0) -> None:
    sector = struct.unpack_from(">I", data, 1536)[0]
    struct.pack_into(">I", data, 1540, sector + shift)


def first_footer_of_1_mib(data: bytearray) -> None:
    struct.pack_into(">Q", data, 48, MIB)
    sign(data, 0, 512, 64)


VHD_BAD: list[tuple[str, Change, str, str]] = [
    ("differencing", footer(60, ">I", 4), "image_unsupported", "stand alone"),
    ("fixed at the beginning", footer(60, ">I", 2), "image_corrupt", "type 2"),
    ("type", footer(60, ">I", 77), "image_corrupt", "type 77"),
    ("version", footer(12, ">I", 2), "image_unsupported", "version"),
    ("size 0", footer(48, ">Q", 0), "image_corrupt", "size"),
    ("size odd", footer(48, ">Q", 1000), "image_corrupt", "size"),
    ("size huge", footer(48, ">Q", 1 << 63), "image_too_large", "allowed"),
    ("size grown", footer(48, ">Q", 1 << 39), "image_corrupt", "too short"),
    ("checksum", put(64, ">I", 1), "image_corrupt", "checksum"),
    ("header nowhere", footer(16, ">Q", (1 << 64) - 1), "image_corrupt", "outside"),
    ("header elsewhere", footer(16, ">Q", 2048), "image_corrupt", "dynamic header"),
    ("header is the footer", footer(16, ">Q", 0), "image_corrupt", "dynamic header"),
    ("header checksum", put(512 + 36, ">I", 1), "image_corrupt", "checksum"),
    ("header version", header(24, ">I", 9), "image_unsupported", "version"),
    ("table nowhere", header(16, ">Q", 1 << 62), "image_corrupt", "outside"),
    ("table short", header(28, ">I", 0), "image_corrupt", "too short"),
    ("table endless", header(28, ">I", 0xffffffff), "image_corrupt", "outside"),
    ("blocks of 0", header(32, ">I", 0), "image_corrupt", "blocks of"),
    ("blocks of 3", header(32, ">I", 3 << 20), "image_corrupt", "blocks of"),
    ("blocks of 2 GiB", header(32, ">I", 1 << 31), "image_corrupt", "blocks of"),
    ("block nowhere", block(0, 0xfffffffe), "image_corrupt", "outside"),
    ("block 0", block(0, 0), "image_corrupt", "overlaps"),
    ("block twice", first_block, "image_corrupt", "overlaps"),
    ("block in a block", lambda data: first_block(data, 1), "image_corrupt", "overlaps"),
    ("no footer", lambda data: data.extend(bytes(512)), "image_corrupt", "footer"),
    ("cut off", lambda data: data.__delitem__(slice(-600, None)), "image_corrupt", "footer"),
    ("footers differ", first_footer_of_1_mib, "image_corrupt", "contradicts"),
    ("nothing but a footer", lambda data: data.__delitem__(slice(512, None)), "image_corrupt",
     "short"),
    ("half a footer", lambda data: data.__delitem__(slice(200, None)), "image_corrupt", "outside"),
]


@pytest.fixture(scope="module")
def dynamic_vhd(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return make(tmp_path_factory.mktemp("vhd"), random.Random(4).randbytes(5 * MIB), "vpc",
                "force_size=on")


@pytest.mark.parametrize(("change", "code", "word"), [bad[1:] for bad in VHD_BAD],
                         ids=[bad[0] for bad in VHD_BAD])
def test_bad_vhd(tmp_path: Path, dynamic_vhd: bytes, change: Change, code: str,
                 word: str) -> None:
    data = bytearray(dynamic_vhd)
    change(data)
    expect_error(Import(tmp_path, bytes(data), scratch=True, format="auto"), code, word)


def test_vhd_sectors_never_written(tmp_path: Path, dynamic_vhd: bytes) -> None:
    """What a block's bitmap does not name reads as zeroes, whatever lies there."""
    data = bytearray(dynamic_vhd)
    at = struct.unpack_from(">I", data, 1536)[0] * 512
    disk = bytearray(random.Random(4).randbytes(5 * MIB))
    data[at:at + 2] = b"\x0f\xfe"
    for sector in (0, 1, 2, 3, 15):
        disk[512 * sector:512 * sector + 512] = bytes(512)
    take(tmp_path, bytes(data), bytes(disk))


@pytest.mark.parametrize(("place", "form", "value", "word"), [
    (48, ">Q", 512, "before it"), (48, ">Q", 1 << 60, "before it"), (60, ">I", 3, "type 3"),
    (60, ">I", 4, "type 4")])
def test_bad_fixed_vhd(tmp_path: Path, place: int, form: str, value: int, word: str) -> None:
    data = bytearray(make(tmp_path, image_bytes(MIB), "vpc", "subformat=fixed", "force_size=on"))
    struct.pack_into(form, data, len(data) - 512 + place, value)
    sign(data, len(data) - 512, 512, 64)
    for stated in ("auto", "vhd"):
        expect_error(Import(tmp_path, bytes(data), scratch=True, format=stated), "image_corrupt",
                     word)


def test_agent_goes_during_the_conversion(tmp_path: Path) -> None:
    stream = make(tmp_path, b"\1" * (64 * MIB), "qcow2")
    import_ = Import(tmp_path, stream, scratch=True, format="qcow2", close_input=False)
    import_.feeder.join()
    import_.child.socket.close()
    os.close(import_.write_end)
    assert import_.child.wait(20) == 1
    import_.child.close()
