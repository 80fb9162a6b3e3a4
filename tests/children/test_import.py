"""sliced-import: hash, decompression, zero blocks, and what it says about bad input."""

from __future__ import annotations

import gzip
import hashlib
import lzma
import os
import random
import subprocess
import threading
import time
import zlib
from pathlib import Path
from typing import Any

import pytest
from helper import Child, Message

MIB = 1 << 20


def image_bytes(size: int, seed: int = 1) -> bytes:
    """Alternating stretches of noise and zeroes, with an odd length at the end."""
    source = random.Random(seed)
    parts: list[bytes] = []
    length = 0
    while length < size:
        part = source.choice([4096, 65536, 200_000, 3])
        parts.append(source.randbytes(part) if source.random() < 0.4 else bytes(part))
        length += part
    return b"".join(parts)[:size]


def compress(data: bytes, compression: str) -> bytes:
    if compression == "gzip":
        return gzip.compress(data, 1)
    if compression == "xz":
        return lzma.compress(data, preset=0)
    if compression == "zstd":
        return subprocess.run(["zstd", "-q", "-c"], input=data, capture_output=True,
                              check=True).stdout
    return data


class Import:
    """One run of sliced-import over `stream` into a file."""

    def __init__(self, folder: Path, stream: bytes, output: int | None = None, *,
                 close_input: bool = True, scratch: bool = False, **options: Any) -> None:
        self.path = folder / "volume"
        own = output is None
        if output is None:
            output = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        read_end, self.write_end = os.pipe()
        self.scratch = folder / "scratch"
        descriptors = [read_end, output]
        if scratch:
            descriptors.append(os.open(self.scratch, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600))
            options.setdefault("scratch_bytes", 1 << 40)
        self.child = Child("sliced-import", descriptors=tuple(descriptors))
        os.close(read_end)
        if scratch:
            os.close(descriptors[2])
        if own:
            os.close(output)
        self.child.send({"type": "import", "format": "raw", "compression": "none",
                         "sha256": None, "transfer_bytes": None, "limit_bytes": 1 << 40,
                         **options})
        self.close_input = close_input
        self.feeder = threading.Thread(target=self._feed, args=(stream,))
        self.feeder.start()

    def _feed(self, stream: bytes) -> None:
        try:
            view = memoryview(stream)
            while view:
                view = view[os.write(self.write_end, view[:100_000]):]
        except BrokenPipeError:
            pass
        finally:
            if self.close_input:
                os.close(self.write_end)

    def outcome(self) -> Message:
        message = self.child.outcome()
        self.feeder.join(10)
        self.exit_status = self.child.wait()
        self.child.close()
        return message


@pytest.mark.parametrize("compression", ["none", "gzip", "xz", "zstd"])
def test_round_trip(tmp_path: Path, compression: str) -> None:
    data = image_bytes(9 * MIB + 12345)
    stream = compress(data, compression)
    digest = hashlib.sha256(stream).hexdigest()
    run = Import(tmp_path, stream, compression=compression, sha256=digest,
                 transfer_bytes=len(stream))
    assert run.outcome() == {"type": "done", "size_bytes": len(data),
                             "transfer_bytes": len(stream), "sha256": digest, "progress": 0}
    assert run.exit_status == 0
    assert run.path.read_bytes() == data


@pytest.mark.parametrize("compression", ["gzip", "xz", "zstd"])
def test_members_one_after_another(tmp_path: Path, compression: str) -> None:
    parts = [image_bytes(MIB, seed) for seed in range(3)]
    run = Import(tmp_path, b"".join(compress(part, compression) for part in parts),
                 compression=compression)
    assert run.outcome()["type"] == "done"
    assert run.path.read_bytes() == b"".join(parts)


def test_zero_blocks_are_not_written(tmp_path: Path) -> None:
    data = bytes(32 * MIB) + b"x" + bytes(32 * MIB)
    run = Import(tmp_path, data)
    assert run.outcome()["size_bytes"] == len(data)
    assert run.path.stat().st_size == len(data)
    assert run.path.stat().st_blocks * 512 <= 128 << 10
    assert run.path.read_bytes() == data


def test_progress_is_told(tmp_path: Path) -> None:
    run = Import(tmp_path, b"a" * MIB, close_input=False)
    run.feeder.join()
    time.sleep(1.1)
    os.write(run.write_end, b"b")
    message = run.child.receive(5)
    assert message == {"type": "progress", "bytes": MIB, "transfer_bytes": MIB + 1}
    os.close(run.write_end)
    assert run.outcome()["size_bytes"] == MIB + 1


def expect_error(run: Import, code: str, *words: str) -> None:
    message = run.outcome()
    assert (message["type"], message["code"]) == ("error", code), message
    for word in words:
        assert word in message["message"]
    assert run.exit_status == 1


def test_wrong_hash(tmp_path: Path) -> None:
    data = image_bytes(MIB)
    wrong = hashlib.sha256(b"other").hexdigest()
    expect_error(Import(tmp_path, data, sha256=wrong), "image_hash_mismatch", wrong,
                 hashlib.sha256(data).hexdigest())


@pytest.mark.parametrize(("announced", "words"), [(MIB - 1, "more than"), (MIB + 1, "announced")])
def test_wrong_length(tmp_path: Path, announced: int, words: str) -> None:
    expect_error(Import(tmp_path, image_bytes(MIB), transfer_bytes=announced),
                 "image_length_mismatch", words, str(announced))


@pytest.mark.parametrize("compression", ["gzip", "xz", "zstd"])
def test_truncated(tmp_path: Path, compression: str) -> None:
    stream = compress(image_bytes(MIB), compression)
    expect_error(Import(tmp_path, stream[:-5], compression=compression), "image_corrupt",
                 compression, "too early")


@pytest.mark.parametrize("compression", ["gzip", "xz", "zstd"])
def test_damaged(tmp_path: Path, compression: str) -> None:
    stream = bytearray(compress(image_bytes(MIB), compression))
    for position in range(len(stream) // 2, len(stream) // 2 + 64):
        stream[position] ^= 0xa5
    expect_error(Import(tmp_path, bytes(stream), compression=compression), "image_corrupt",
                 compression, "damaged")


@pytest.mark.parametrize("compression", ["gzip", "xz", "zstd"])
def test_garbage_after_the_end(tmp_path: Path, compression: str) -> None:
    stream = compress(image_bytes(MIB), compression) + b"and something else"
    expect_error(Import(tmp_path, stream, compression=compression), "image_corrupt", compression)


@pytest.mark.parametrize("compression", ["gzip", "xz", "zstd"])
def test_not_compressed_that_way(tmp_path: Path, compression: str) -> None:
    expect_error(Import(tmp_path, b"<html>404 Not Found</html>" * 100, compression=compression),
                 "image_corrupt", compression, "damaged")


@pytest.mark.parametrize("compression", ["gzip", "xz", "zstd"])
def test_empty_stream(tmp_path: Path, compression: str) -> None:
    expect_error(Import(tmp_path, b"", compression=compression), "image_corrupt", "too early")


def test_empty_raw_image(tmp_path: Path) -> None:
    expect_error(Import(tmp_path, b""), "image_corrupt", "empty")


@pytest.mark.parametrize("compression", ["none", "gzip", "xz", "zstd"])
def test_larger_than_the_limit(tmp_path: Path, compression: str) -> None:
    """A small file that swells is stopped at the limit, even when it is all zeroes."""
    stream = compress(bytes(40 * MIB), compression)
    expect_error(Import(tmp_path, stream, compression=compression, limit_bytes=8 * MIB),
                 "image_too_large", str(8 * MIB))
    assert (tmp_path / "volume").stat().st_size <= 8 * MIB


def test_endless_input(tmp_path: Path) -> None:
    """Import gives up while the sender would go on for ever."""
    run = Import(tmp_path, b"endless " * (4 * MIB), limit_bytes=MIB)
    expect_error(run, "image_too_large")


def test_zstd_window_beyond_the_limit(tmp_path: Path) -> None:
    stream = subprocess.run(["zstd", "-q", "-c", "--long=30", "--ultra", "-1"],
                            input=image_bytes(MIB) * 2, capture_output=True, check=True).stdout
    # The frame header states the window: magic 4, descriptor 1, then the window descriptor.
    stream = stream[:4] + bytes([stream[4] & ~0x20 & 0x3f]) + bytes([20 << 3]) + stream[5:]
    expect_error(Import(tmp_path, stream, compression="zstd"), "image_too_large", "128 MiB")


def test_xz_dictionary_beyond_the_limit(tmp_path: Path) -> None:
    header = bytearray(lzma.compress(b"x" * 100, filters=[{"id": lzma.FILTER_LZMA2, "preset": 0}]))
    # Block header: size, flags, filter id, property size, then the dictionary size's code.
    assert header[12 + 2] == 0x21
    header[12 + 4] = 36  # 1 GiB
    size = (header[12] + 1) * 4
    header[12 + size - 4:12 + size] = zlib.crc32(header[12:12 + size - 4]).to_bytes(4, "little")
    expect_error(Import(tmp_path, bytes(header), compression="xz"), "image_too_large", "memory")


@pytest.mark.parametrize("options", [
    {"compression": "lzo"}, {"format": "vmdk"}, {"sha256": "XYZ"}, {"sha256": "g" * 64}])
def test_options_that_are_refused(tmp_path: Path, options: dict[str, Any]) -> None:
    expect_error(Import(tmp_path, b"data", **options), "invalid_argument")


@pytest.mark.parametrize("options", [
    {"limit_bytes": 0}, {"limit_bytes": -1}, {"transfer_bytes": 0}, {"extra": 1},
    {"type": "fetch"}, {"format": 7}])
def test_malformed_first_message(tmp_path: Path, options: dict[str, Any]) -> None:
    message = Import(tmp_path, b"data", **options).outcome()
    assert message["type"] == "error"


@pytest.mark.parametrize("frame", [
    b"\x00\x00\x00\x00", b"\xff\xff\xff\xff", b"\x02\x00\x00\x00[]", b"\x04\x00\x00\x00nope"])
def test_malformed_frame(tmp_path: Path, frame: bytes) -> None:
    read_end, write_end = os.pipe()
    output = os.open(tmp_path / "volume", os.O_RDWR | os.O_CREAT)
    child = Child("sliced-import", descriptors=(read_end, output))
    child.send_bytes(frame)
    assert child.wait() == 1
    child.close()
    for fd in (read_end, write_end, output):
        os.close(fd)


def test_full_volume(tmp_path: Path) -> None:
    full = os.open("/dev/full", os.O_RDWR)
    run = Import(tmp_path, b"data" * 100_000, full)
    os.close(full)
    expect_error(run, "storage_error", "No space left")


def test_read_only_volume(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    output = os.open(tmp_path / "file", os.O_RDONLY)
    run = Import(tmp_path, b"data" * 100_000, output)
    os.close(output)
    expect_error(run, "storage_error")


def test_leaves_when_the_agent_goes(tmp_path: Path) -> None:
    run = Import(tmp_path, b"data", close_input=False)
    run.feeder.join()
    run.child.socket.close()
    assert run.child.wait(5) == 1
    os.close(run.write_end)
    run.child.close()


def test_sandbox(tmp_path: Path) -> None:
    """What the process has given up; what the filter forbids is in test_sandbox.py."""
    run = Import(tmp_path, b"a", close_input=False)
    run.feeder.join()
    deadline = time.monotonic() + 10
    while (status := run.child.process_status())["Seccomp"] != "2":
        assert time.monotonic() < deadline
    assert status["NoNewPrivs"] == "1"
    assert set(status["CapEff"] + status["CapPrm"] + status["CapInh"] + status["CapAmb"]) == {"0"}
    if os.geteuid() == 0:
        assert status["Uid"].split() == ["102"] * 4
        assert status["Gid"].split() == ["102"] * 4
        assert status["Groups"] == ""
        assert set(status["CapBnd"]) == {"0"}
    os.close(run.write_end)
    assert run.outcome()["type"] == "done"
