"""Disks as files for slicenode-disks: a folder for the kernel's /sys/block, one for /dev, a program in LVM's place."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from helper import PROGRAMS

MIB = 1 << 20
SIZE = 5000 * MIB
HALF_MADE = b"slicenode: this disk is being made part of a node, nothing is kept on it yet\n"


@dataclass
class Verdict:
    name: str
    mib: int
    state: str
    reason: str
    model: str
    serial: str


def data_hash(path: Path) -> str:
    """Of what a sparse file holds, with where it lies."""
    found = hashlib.sha256(str(path.stat().st_size).encode())
    with path.open("rb") as stream:
        at = 0
        while True:
            try:
                start = os.lseek(stream.fileno(), at, os.SEEK_DATA)
            except OSError:
                return found.hexdigest()
            at = os.lseek(stream.fileno(), start, os.SEEK_HOLE)
            stream.seek(start)
            block = stream.read(at - start)
            if block.strip(b"\0"):
                found.update(f"{start} ".encode() + block)


class DiskRig:
    """A machine's disks."""

    def __init__(self, folder: Path) -> None:
        self.sys, self.dev, self.run = folder / "sys", folder / "dev", folder / "run"
        for made in (self.sys / "block", self.dev, self.run / "conf"):
            made.mkdir(parents=True)
        self.lvm = folder / "lvm"
        self.volumes: list[dict[str, str]] = []
        self.lvm_says()

    def add(self, name: str, size: int = SIZE, also: dict[str, str] | None = None, **files: str) -> Path:
        """A sparse disk; `also` and `files` are further files of the kernel's, with __ for a slash."""
        folder = self.sys / "block" / name
        path = self.dev / name
        files = {"size": str(size // 512), "ro": "0", "removable": "0", "queue__logical_block_size": "512",
                 **(also or {}), **files}
        for file, value in files.items():
            target = folder / file.replace("__", "/")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(value + "\n")
        with path.open("wb") as stream:
            stream.truncate(size)
        return path

    def put(self, name: str, data: bytes, at: int = 0) -> None:
        """Data on a disk, from its end when `at` is negative; zeros stay holes."""
        path = self.dev / name
        start = at if at >= 0 else path.stat().st_size + at
        with path.open("r+b") as stream:
            for offset in range(0, len(data), 4096):
                block = data[offset:offset + 4096]
                if block.strip(b"\0"):
                    stream.seek(start + offset)
                    stream.write(block)

    def lvm_says(self, status: int = 0) -> None:
        """What the program in LVM's place answers: the rows of `volumes` for the devices that it is asked for."""
        rows = json.dumps(self.volumes)
        self.lvm.write_text(
            "#!/usr/bin/python3\nimport json, sys\n"
            f"status, rows = {status}, json.loads({rows!r})\n"
            "paths = sys.argv[sys.argv.index('--devices') + 1].split(',')\n"
            "rows = [row for row in rows if row['pv_name'] in paths]\n"
            "bad = [row for row in rows if row.pop('fails', None)]\n"
            "print(json.dumps({'report': [{'pv': [row for row in rows if row not in bad]}]}))\n"
            "sys.exit(5 if bad else status)\n")
        self.lvm.chmod(0o755)

    def volume(self, name: str, uuid: str, group: str = "slicenode", missing: int = 0, tags: str = "",
               fails: bool = False, size: int = SIZE - 4 * MIB, volumes: int = 2) -> None:
        """LVM answers so for this disk."""
        row = {"pv_name": str(self.dev / name), "pv_uuid": uuid, "pv_size": str(size), "vg_name": group,
               "vg_uuid": f"{group}-uuid" if group else "", "vg_missing_pv_count": str(missing),
               "vg_size": str(size), "vg_tags": tags, "lv_count": str(volumes)}
        if fails:
            row["fails"] = "yes"
        self.volumes.append(row)
        self.lvm_says()

    def call(self, *words: str) -> subprocess.CompletedProcess[str]:
        options: list[str | Path] = ["--run", self.run, "--sys", self.sys, "--dev", self.dev, "--lvm", self.lvm]
        return subprocess.run([PROGRAMS / "slicenode-disks", *options, *words], capture_output=True, text=True,
                              timeout=120, check=False)

    def look(self, rule: str = "") -> dict[str, Verdict]:
        conf = self.run / "conf" / "disk"
        if rule:
            conf.write_text(rule + "\n")
        else:
            conf.unlink(missing_ok=True)
        done = self.call("look")
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Sanitizer" not in done.stderr, done.stderr
        lines = (self.run / "disks").read_text().splitlines()
        fields = [line.split("\t") for line in lines]
        return {one[0]: Verdict(one[0], int(one[1]), *one[2:]) for one in fields}

    def storage(self) -> list[str]:
        return (self.run / "storage").read_text().splitlines()


def physical_volume(uuid: str = "AbCdEf-0123-4567-89ab-cdef-0123-456789") -> bytes:
    """LVM's label in the second sector, as libblkid looks for it (util-linux)."""
    header = uuid.replace("-", "").encode() + SIZE.to_bytes(8, "little") + bytes(64)
    body = (20 + 12).to_bytes(4, "little") + b"LVM2 001" + header
    body = body.ljust(512 - 20, b"\0")
    crc = crc32_lvm(body)
    label = b"LABELONE" + (1).to_bytes(8, "little") + crc.to_bytes(4, "little") + body
    return bytes(512) + label


def crc32_lvm(data: bytes) -> int:
    """LVM's checksum: CRC-32 with its own beginning and without the last complement."""
    crc = 0xF597A6CF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xEDB88320 if crc & 1 else 0)
    return crc
