"""A node's disk as an NBD server in the test's own process: a disk that can lose power and can be sick.

    disk = NbdDisk(folder / "disk.img", 20 << 30)
    node.start(..., "--disk", f"nbd:{disk.socket_path}")
    node.power_off()
    disk.lose(random.Random(7), 0.5)    # what was written and not flushed: each sector stays or is lost
    disk.freeze_at(FLUSH, 3)    # the third flush that has work is never answered: the moment to cut the power
    disk.sick = [range(4 << 20, 5 << 20)]    # reading or writing there is an I/O error

Writes go to the file at once, and what they replaced is remembered until the next flush: that is the disk's volatile
cache. Sectors of 512 bytes are whole or lost; those written with FUA are kept, as is what a flush came after.
"""

from __future__ import annotations

import os
import random
import socket
import struct
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

SECTOR = 512
NBD_MAGIC = b"NBDMAGIC"
OPTION_MAGIC = b"IHAVEOPT"
REPLY_MAGIC = 0x3E889045565A9
REQUEST_MAGIC = 0x25609513
ANSWER_MAGIC = 0x67446698
OPTION_ABORT, OPTION_INFO, OPTION_GO = 2, 6, 7
REPLY_ACK, REPLY_INFO, REPLY_UNSUPPORTED = 1, 3, 0x80000001
READ, WRITE, DISCONNECT, FLUSH, TRIM, WRITE_ZEROES = 0, 1, 2, 3, 4, 6
COMMAND_FUA = 1
# has flags, flush, FUA, trim, write zeroes
EXPORT_FLAGS = 1 | 4 | 8 | 32 | 64
EIO = 5


@dataclass
class Cached:
    """A write that no flush has followed yet."""

    offset: int
    before: bytes
    after: bytes
    kept: bool


class NbdDisk:
    """Serves one client at a time; the file outlives it."""

    def __init__(self, path: Path, size: int) -> None:
        self.path = path
        self.size = size
        self.file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        os.truncate(path, size)
        self.cache: list[Cached] = []
        self.lock = threading.Lock()
        self.alone = threading.Event()
        self.alone.set()
        self.sick: list[range] = []
        self.sick_writes_only = False
        self.errors = 0
        self.flushes = 0
        self.writes = 0
        self.delay_seconds = 0.0
        self.freeze_command = -1
        self.freeze_count = 0
        self.frozen = threading.Event()
        self.thawed = threading.Event()
        # a Unix socket's path must be short, pytest's folders are long
        self.folder = tempfile.TemporaryDirectory(prefix="slicenode-disk-")
        self.socket_path = Path(self.folder.name) / "nbd"
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.socket_path))
        self.listener.listen(1)
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self.thaw()
        self.listener.close()
        self.folder.cleanup()
        os.close(self.file)

    # --- power ---------------------------------------------------------------------------------

    def freeze_at(self, command: int, count: int) -> None:
        """The count-th command of that kind from now that finds something unflushed is not carried out, and nothing is
        answered from then on: `frozen` is set, and the client waits until it is killed and `lose` or `thaw` is called.
        """
        with self.lock:
            self.frozen.clear()
            self.thawed.clear()
            self.freeze_command, self.freeze_count = command, count

    def thaw(self) -> None:
        with self.lock:
            self.freeze_command = -1
        self.thawed.set()

    def _is_frozen(self, command: int) -> bool:
        with self.lock:
            if self.freeze_command == command and self.cache and not self.frozen.is_set():
                self.freeze_count -= 1
                if self.freeze_count == 0:
                    self.frozen.set()
            return self.freeze_command >= 0 and self.frozen.is_set()

    def lose(self, chance: random.Random, probability: float) -> tuple[int, int]:
        """Power is gone: each sector in the cache is lost with this probability. Returns how many were, of how many.

        What a QEMU that was killed has sent before still arrives, unless the disk was frozen.
        """
        self.thaw()
        self.alone.wait()
        with self.lock:
            lost = sectors = 0
            for write in reversed(self.cache):
                os.pwrite(self.file, write.before, write.offset)
            for write in self.cache:
                for at in range(0, len(write.after), SECTOR):
                    sectors += 1
                    if not write.kept and chance.random() < probability:
                        lost += 1
                    else:
                        os.pwrite(self.file, write.after[at:at + SECTOR], write.offset + at)
            self.cache.clear()
            return lost, sectors

    # --- commands ------------------------------------------------------------------------------

    def _is_sick(self, offset: int, length: int, writes: bool) -> bool:
        if self.sick_writes_only and not writes:
            return False
        return any(offset < bad.stop and bad.start < offset + length for bad in self.sick)

    def _read(self, offset: int, length: int) -> bytes:
        data = os.pread(self.file, length, offset)
        return data + bytes(length - len(data))

    def _write(self, offset: int, data: bytes, fua: bool) -> None:
        self.writes += 1
        self.cache.append(Cached(offset, self._read(offset, len(data)), data, fua))
        os.pwrite(self.file, data, offset)

    def _erase(self, offset: int, length: int, fua: bool) -> None:
        """Zeros, without storing them where there are zeros already."""
        step = 1 << 20
        for at in range(offset, offset + length, step):
            size = min(step, offset + length - at)
            if any(self._read(at, size)):
                self._write(at, bytes(size), fua)

    def _carry_out(self, command: int, flags: int, offset: int, length: int, data: bytes) -> tuple[int, bytes]:
        if self.delay_seconds:
            time.sleep(self.delay_seconds)
        with self.lock:
            if length and offset + length > self.size:
                return EIO, b""
            if command in (READ, WRITE, WRITE_ZEROES) and self._is_sick(offset, length, command != READ):
                self.errors += 1
                return EIO, b""
            if command == READ:
                return 0, self._read(offset, length)
            if command == WRITE:
                self._write(offset, data, bool(flags & COMMAND_FUA))
            elif command in (TRIM, WRITE_ZEROES):
                self._erase(offset, length, bool(flags & COMMAND_FUA))
            elif command == FLUSH:
                self.cache.clear()
                self.flushes += 1
            return 0, b""

    # --- the protocol --------------------------------------------------------------------------

    def _serve(self) -> None:
        while True:
            try:
                link, _ = self.listener.accept()
            except OSError:
                return
            self.alone.clear()
            with link, link.makefile("rb") as stream:
                try:
                    if self._negotiate(link, stream):
                        self._transmit(link, stream)
                except (OSError, struct.error):
                    pass  # the client's end is how a power cut looks from here
            self.alone.set()

    def _negotiate(self, link: socket.socket, stream: BinaryIO) -> bool:
        link.sendall(NBD_MAGIC + OPTION_MAGIC + struct.pack(">H", 3))
        stream.read(4)
        while True:
            _, option, length = struct.unpack(">8sII", stream.read(16))
            stream.read(length)
            if option in (OPTION_GO, OPTION_INFO):
                export = struct.pack(">HQH", 0, self.size, EXPORT_FLAGS)
                link.sendall(struct.pack(">QIII", REPLY_MAGIC, option, REPLY_INFO, len(export)) + export)
            known = option in (OPTION_GO, OPTION_INFO, OPTION_ABORT)
            link.sendall(struct.pack(">QIII", REPLY_MAGIC, option, REPLY_ACK if known else REPLY_UNSUPPORTED, 0))
            if option in (OPTION_GO, OPTION_ABORT):
                return option == OPTION_GO

    def _transmit(self, link: socket.socket, stream: BinaryIO) -> None:
        while True:
            _, flags, command, handle, offset, length = struct.unpack(">IHHQQI", stream.read(28))
            if command == DISCONNECT:
                return
            data = stream.read(length) if command == WRITE else b""
            if command == WRITE and len(data) < length:
                return
            if self._is_frozen(command):
                self.thawed.wait()
                return
            error, answer = self._carry_out(command, flags, offset, 0 if command == FLUSH else length, data)
            link.sendall(struct.pack(">IIQ", ANSWER_MAGIC, error, handle) + answer)
