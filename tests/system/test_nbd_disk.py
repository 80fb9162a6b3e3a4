"""The disk of the power cuts and of the sick disks does itself what it is said to."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from nbd_disk import FLUSH, NbdDisk


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[NbdDisk]:
    made = NbdDisk(tmp_path / "disk.img", 1 << 20)
    yield made
    made.close()


def qemu_io(disk: NbdDisk, *commands: str) -> str:
    words = ["qemu-io", "-f", "raw", "-t", "writeback"]
    for command in commands:
        words += ["-c", command]
    return subprocess.run([*words, f"nbd+unix:///?socket={disk.socket_path}"], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=60).stdout


def content(disk: NbdDisk, at: int, length: int) -> bytes:
    with disk.path.open("rb") as file:
        file.seek(at)
        return file.read(length)


def test_power_cut_takes_what_was_not_flushed(disk: NbdDisk) -> None:
    qemu_io(disk, "write -P 1 0 64k", "flush", "write -P 2 32k 64k", "abort")
    assert disk.lose(random.Random(1), 1.0) == (128, 128)
    assert content(disk, 0, 96 << 10) == b"\1" * (64 << 10) + bytes(32 << 10)


def test_power_cut_takes_some_sectors_by_the_seed(disk: NbdDisk) -> None:
    results = []
    for _ in range(2):
        qemu_io(disk, "write -P 1 0 64k", "flush", "write -P 2 0 64k", "abort")
        lost, of = disk.lose(random.Random(5), 0.5)
        data = content(disk, 0, 64 << 10)
        assert of == 128 and 30 < lost < 98
        assert {data[at:at + 512] for at in range(0, len(data), 512)} == {b"\1" * 512, b"\2" * 512}
        results.append(data)
    assert results[0] == results[1]


def test_forced_and_flushed_writes_stay(disk: NbdDisk) -> None:
    qemu_io(disk, "write -f -P 3 0 4k", "write -P 4 4k 4k", "abort")
    disk.lose(random.Random(1), 1.0)
    assert content(disk, 0, 8192) == b"\3" * 4096 + bytes(4096)


def test_frozen_disk_keeps_what_was_flushed_before(disk: NbdDisk) -> None:
    disk.freeze_at(FLUSH, 2)
    words = ["qemu-io", "-f", "raw", "-t", "writeback", "-c", "write -P 1 0 4k", "-c", "flush", "-c", "write -P 2 0 8k",
             "-c", "flush", f"nbd+unix:///?socket={disk.socket_path}"]
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as client:
        assert disk.frozen.wait(60)
        client.kill()
    assert disk.lose(random.Random(1), 1.0) == (16, 16)
    assert content(disk, 0, 8192) == b"\1" * 4096 + bytes(4096)
    # and serves the next client
    assert "read 4096/4096" in qemu_io(disk, "read -P 1 0 4k")


def test_sick_sectors_are_errors_and_change_nothing(disk: NbdDisk) -> None:
    qemu_io(disk, "write -P 1 0 64k", "flush")
    disk.sick = [range(8192, 12288)]
    told = qemu_io(disk, "write -P 2 8k 4k", "read 4k 8k", "read -P 1 16k 4k")
    assert told.count("failed: Input/output error") == 2 and "read 4096/4096 bytes at offset 16384" in told
    assert disk.errors == 2
    assert content(disk, 0, 64 << 10) == b"\1" * (64 << 10)
