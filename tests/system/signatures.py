"""Somebody's data on a disk that is off: what other systems write where, so that a node must leave the disk alone.

    put("mdraid 1.0", path)

Each kind is what the real tools leave, as far as libblkid looks at it; where a build host has the tool (mke2fs, mkswap,
mkfs.vfat, sfdisk), that is used. test_signatures asks the host's blkid whether it sees the same.
"""

from __future__ import annotations

import os
import struct
import subprocess
import uuid
import zlib
from collections.abc import Callable
from pathlib import Path

MIB = 1 << 20
SECTOR = 512
SOME_ID = uuid.UUID("5d6f6c1e-3f0a-4a64-9a52-2c1d6b8f7e90").bytes


class Disk:
    """The file of a disk. Negative offsets count from its end."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = path.stat().st_size

    def write(self, offset: int, data: bytes) -> None:
        with self.path.open("r+b") as file:
            file.seek(offset if offset >= 0 else self.size + offset)
            file.write(data)

    def zero(self, offset: int, length: int) -> None:
        self.write(offset, bytes(length))

    def run(self, *words: str, size: str = "", stdin: str = "") -> None:
        """A tool of the host; its last words are the disk and how much of it is used."""
        subprocess.run([*words, str(self.path), *size.split()], check=True, input=stdin.encode(),
                       stdout=subprocess.DEVNULL)


def put(kind: str, path: Path) -> None:
    """Makes the disk one of this kind; the file is there, and sparse."""
    KINDS[kind](Disk(path))


# --- File systems, swap, encryption --------------------------------------------------------------


def ext4(disk: Disk) -> None:
    disk.run("/sbin/mke2fs", "-q", "-F", "-t", "ext4", "-L", "customer", "-E", "lazy_journal_init=1", size="1g")


def vfat(disk: Disk) -> None:
    disk.run("/sbin/mkfs.vfat", "-F", "32", "-I", "-n", "CUSTOMER", size=str(1 << 20))


def swap(disk: Disk) -> None:
    disk.run("/sbin/mkswap", "-q")


def xfs_superblock(disk: Disk, blocks_per_group: int) -> bytes:
    """Version 4: without checksums."""
    groups = 4
    blocks = groups * blocks_per_group
    head = struct.pack(">4sIQQQ16sQQQQIIIIIHHHH12sBBBBBBBB", b"XFSB", 4096, blocks, 0, 0, SOME_ID, 4, 128, 129, 130, 16,
                       blocks_per_group, groups, 0, 2560, 0xB4A4, 512, 256, 16, b"customer", 12, 9, 8, 4,
                       (blocks_per_group - 1).bit_length(), 0, 0, 25)
    return head.ljust(SECTOR, b"\0")


def xfs(disk: Disk) -> None:
    """A superblock in each of four allocation groups."""
    per_group = disk.size // 4096 // 4
    for group in range(4):
        disk.write(group * per_group * 4096, xfs_superblock(disk, per_group))


def crc32c(data: bytes, crc: int = 0xFFFFFFFF) -> int:
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def btrfs(disk: Disk) -> None:
    """Its superblock, and the mirror at 64 MiB."""
    for where in (64 << 10, 64 << 20):
        body = struct.pack("<16sQQ8sQQQQQQQQQIIIII", SOME_ID, where, 1, b"_BHRfS_M", 5, 30 << 20, 0, 0, 0, disk.size,
                           131072, 6, 1, 4096, 16384, 16384, 4096, 129).ljust(4096 - 32, b"\0")
        disk.write(where, crc32c(body).to_bytes(4, "little").ljust(32, b"\0") + body)


def luks(disk: Disk) -> None:
    head = struct.pack(">6sH32s32s32sII", b"LUKS\xba\xbe", 1, b"aes", b"xts-plain64", b"sha256", 4096, 64)
    disk.write(0, head + os.urandom(52) + struct.pack(">I40s", 1000, b"5d6f6c1e-3f0a-4a64-9a52-2c1d6b8f7e90"))


def ntfs_boot(disk: Disk) -> bytes:
    sectors = disk.size // SECTOR - 1
    head = b"\xeb\x52\x90NTFS    " + struct.pack("<HBHBHHBHHHII", 512, 8, 0, 0, 0, 0, 0xF8, 0, 63, 255, 0, 0)
    body = struct.pack("<IQQQbxxxbxxxQ", 0x00800080, sectors, 4, sectors // 16, -10, 1, 0x1122334455667788)
    return (head + body).ljust(510, b"\0") + b"\x55\xaa"


def ntfs(disk: Disk) -> None:
    """The boot sector and its copy at the end, and the first records of the master file table."""
    disk.write(0, ntfs_boot(disk))
    disk.write(4 * 4096, 4 * b"FILE".ljust(1024, b"\0"))
    disk.write(-SECTOR, ntfs_boot(disk))


def zfs(disk: Disk) -> None:
    """Four labels of 256 KiB, two of them at the end, each with the pool's name and with uberblocks."""
    def pair(name: str, kind: int, value: bytes) -> bytes:
        body = struct.pack(">I", len(name)) + padded(name) + struct.pack(">II", kind, 1) + value
        return struct.pack(">II", len(body) + 8, len(body) + 8) + body

    def padded(text: str) -> bytes:
        return text.encode().ljust(-(-len(text) // 4) * 4, b"\0")

    numbers = {"version": 5000, "state": 0, "txg": 42, "pool_guid": 0x1122334455667788, "guid": 0x8877665544332211}
    pairs = pair("name", 9, struct.pack(">I", len("customer")) + padded("customer"))
    pairs += b"".join(pair(name, 8, struct.pack(">Q", number)) for name, number in numbers.items())
    end = disk.size // (256 << 10) * (256 << 10)
    for label in (0, 256 << 10, end - (512 << 10), end - (256 << 10)):
        disk.write(label + (16 << 10), b"\1\1\0\0" + struct.pack(">II", 0, 1) + pairs + bytes(8))
        for number in range(16):
            uberblock = struct.pack("<QQQQQ", 0x00BAB10C, 5000, 42 + number, 7, 1700000000)
            disk.write(label + (128 << 10) + number * 1024, uberblock)


def bluestore(disk: Disk) -> None:
    disk.write(0, b"bluestore block device\n5d6f6c1e-3f0a-4a64-9a52-2c1d6b8f7e90\n")


def vmfs(disk: Disk) -> None:
    """VMware's: the volume at 1 MiB, the file system at 2 MiB, nothing before."""
    disk.write(MIB, struct.pack("<II", 0xC001D00D, 5) + bytes(120) + SOME_ID)
    disk.write(2 * MIB, struct.pack("<II", 0x2FABF15E, 6) + bytes(120) + SOME_ID)


def iso9660(disk: Disk) -> None:
    disk.write(32768, (b"\x01CD001\x01\0" + b"LINUX".ljust(32) + b"CUSTOMER".ljust(32)).ljust(2048, b" "))
    disk.write(32768 + 2048, b"\xffCD001\x01".ljust(2048, b"\0"))


def drbd(disk: Disk) -> None:
    """Internal metadata: its last 4 KiB."""
    body = struct.pack(">QQQQQQQIIIiIiI", disk.size // SECTOR - 8, *range(1, 5), 7, 0, 0x10, 0x8374026B, 264, -8, 1237,
                       -256, 4096)
    disk.write(disk.size // 4096 * 4096 - 4096, body.ljust(4096, b"\0"))


# --- Parts of arrays and groups ------------------------------------------------------------------


def lvm(disk: Disk, group: str = "customer") -> None:
    """A physical volume of a group, as pvcreate and vgcreate leave it."""
    volume = "aaaaaa-bbbb-cccc-dddd-eeee-ffff-gggggg"
    extents = (disk.size - MIB) // (4 * MIB)
    text = f"""{group} {{
id = "hhhhhh-iiii-jjjj-kkkk-llll-mmmm-nnnnnn"
seqno = 1
format = "lvm2"
status = ["RESIZEABLE", "READ", "WRITE"]
flags = []
extent_size = 8192
max_lv = 0
max_pv = 0
metadata_copies = 0

physical_volumes {{

pv0 {{
id = "{volume}"
device = "/dev/sda"

status = ["ALLOCATABLE"]
flags = []
dev_size = {disk.size // SECTOR}
pe_start = 2048
pe_count = {extents}
}}
}}

}}
contents = "Text Format Volume Group"
version = 1
""".encode() + b"\0"
    start, length = 4096, MIB - 4096
    place = struct.pack("<QQII", SECTOR, len(text), lvm_crc(text), 0) + bytes(24)
    area = struct.pack("<16sIQQ", b" LVM2 x[5A%r0N*>", 1, start, length) + place
    area = area.ljust(SECTOR - 4, b"\0")
    disk.write(start, lvm_crc(area).to_bytes(4, "little") + area + text)
    physical = struct.pack("<32sQ", volume.replace("-", "").encode(), disk.size)
    physical += struct.pack("<QQQQQQQQ", MIB, 0, 0, 0, start, length, 0, 0)
    rest = (struct.pack("<I8s", 32, b"LVM2 001") + physical).ljust(SECTOR - 20, b"\0")
    disk.write(SECTOR, b"LABELONE" + struct.pack("<QI", 1, lvm_crc(rest)) + rest)


def lvm_crc(data: bytes) -> int:
    return zlib.crc32(data, 0xF597A6CF ^ 0xFFFFFFFF) ^ 0xFFFFFFFF


def mdraid(disk: Disk, minor: int, offset: int) -> None:
    """A superblock of version 1.x of a mirror's member at this sector."""
    body = struct.pack("<IIII16s32sQIIQIII", 0xA92B4EFC, 1, 0, 0, SOME_ID, b"host:customer", 1700000000, 1, 0,
                       disk.size // SECTOR - 4096, 0, 2, 0).ljust(128, b"\0")
    body += struct.pack("<QQQQIIII16s", 0 if minor == 0 else 2048, disk.size // SECTOR - 4096, offset, 0, 0, 0, 0, 0,
                        SOME_ID)
    body = body.ljust(192, b"\0") + struct.pack("<QQQII", 1700000000, 7, 0, 0, 2) + bytes(32) + struct.pack("<HH", 0, 1)
    total = sum(struct.unpack("<65I", body))
    body = body[:216] + struct.pack("<I", (total & 0xFFFFFFFF) + (total >> 32) & 0xFFFFFFFF) + body[220:]
    disk.write(offset * SECTOR, body)


def mdraid_0_90(disk: Disk) -> None:
    """In the last 64 KiB that are aligned to 64 KiB."""
    words = [0xA92B4EFC, 0, 90, 0, 0, 0x11111111, 1700000000, 1, min(disk.size // 1024 - 128, 0xFFFFFFFF), 2, 2, 0, 0,
             0x22222222, 0x33333333, 0x44444444, *[0] * 16, 1700000000, 1, 2, 2, 0, 0]
    total = sum(words)
    words.append((total & 0xFFFFFFFF) + (total >> 32))
    disk.write(disk.size // 65536 * 65536 - 65536, struct.pack("<39I", *words).ljust(4096, b"\0"))


def ddf(disk: Disk) -> None:
    """The header of SNIA's common format, in the last sector and where that says."""
    sectors = disk.size // SECTOR
    head = struct.pack(">II24s8sII", 0xDE11DE11, 0, b"LSI     customer........", b"02.00.00", 7, 0)
    head = head.ljust(96, b"\xff") + struct.pack(">Q", sectors - 64)
    for sector in (sectors - 64, sectors - 1):
        disk.write(sector * SECTOR, head)


def isw(disk: Disk) -> None:
    """Intel's, in the last sector but one."""
    disk.write(-2 * SECTOR, b"Intel Raid ISM Cfg Sig. 1.3.00".ljust(32, b"\0") + bytes(480))


def promise(disk: Disk) -> None:
    disk.write(disk.size // SECTOR * SECTOR - 63 * SECTOR, b"Promise Technology, Inc.")


# --- Partition tables ----------------------------------------------------------------------------


def mbr(disk: Disk) -> None:
    disk.run("/sbin/sfdisk", "-q", "--no-reread", stdin="label: dos\nstart=2048, size=204800, type=7\n")


def gpt(disk: Disk) -> None:
    disk.run("/sbin/sfdisk", "-q", "--no-reread", stdin="label: gpt\nstart=2048, name=customer\n")


def gpt_of(disk: Disk, sector: int) -> None:
    """A table whose sectors are not those of the disk: made in another drive bay or by a USB bridge."""
    entry = uuid.UUID("0fc63daf-8483-4772-8e79-3d69d8477de4").bytes_le + SOME_ID + struct.pack("<QQQ", 2048, 99999, 0)
    entries = entry.ljust(128 * 128, b"\0")
    last = disk.size // sector - 1
    head = struct.pack("<8sIIIIQQQQ16sQIII", b"EFI PART", 0x10000, 92, 0, 0, 1, last, 34, last - 34, SOME_ID, 2, 128,
                       128, zlib.crc32(entries))
    disk.write(sector, head[:16] + struct.pack("<I", zlib.crc32(head)) + head[20:])
    disk.write(2 * sector, entries)


def with_first_zeroed(kind: Callable[[Disk], None], length: int = MIB) -> Callable[[Disk], None]:
    """What a `dd` of the first MiB left of it."""
    def make(disk: Disk) -> None:
        kind(disk)
        disk.zero(0, length)
    return make


def gpt_cut_off(disk: Disk) -> None:
    """The main table alone: the disk has grown, or its end was zeroed."""
    gpt(disk)
    disk.zero(-MIB, MIB)


KINDS: dict[str, Callable[[Disk], None]] = {
    "ext4": ext4,
    "vfat": vfat,
    "swap": swap,
    "xfs": xfs,
    "btrfs": btrfs,
    "luks": luks,
    "ntfs": ntfs,
    "zfs": zfs,
    "bluestore": bluestore,
    "vmfs": vmfs,
    "iso9660": iso9660,
    "drbd": drbd,
    "lvm": lvm,
    "lvm slicenode": lambda disk: lvm(disk, "slicenode"),
    "mdraid 0.90": mdraid_0_90,
    "mdraid 1.0": lambda disk: mdraid(disk, 0, (disk.size // SECTOR - 16) // 8 * 8),
    "mdraid 1.1": lambda disk: mdraid(disk, 1, 0),
    "mdraid 1.2": lambda disk: mdraid(disk, 2, 8),
    "ddf": ddf,
    "isw": isw,
    "promise": promise,
    "mbr": mbr,
    "gpt": gpt,
    "gpt of 4096": lambda disk: gpt_of(disk, 4096),
    "gpt of 512": lambda disk: gpt_of(disk, 512),
    "gpt, end cut off": gpt_cut_off,
    "gpt, start zeroed": with_first_zeroed(gpt),
    "ext4, start zeroed": with_first_zeroed(ext4),
    "xfs, start zeroed": with_first_zeroed(xfs),
    "btrfs, start zeroed": with_first_zeroed(btrfs),
    "ntfs, start zeroed": with_first_zeroed(ntfs, 4 * MIB),
    "zfs, start zeroed": with_first_zeroed(zfs),
    "random start": lambda disk: disk.write(0, os.urandom(MIB)),
    "one byte at the end": lambda disk: disk.write(-1, b"\1"),
}
