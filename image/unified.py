"""slicenode.efi: Xen's PE file with kernel, initramfs and configuration as sections of their own.

The new sections lie in the file at multiples of 2048 bytes, so that an ISO image which holds the file can show the
kernel and the initramfs inside it as files, without storing them twice.
"""

from __future__ import annotations

import struct

SECTOR = 2048
SECTION_HEADER = struct.Struct("<8sIIIIIIHHI")
INITIALIZED_READ = 0x40000040
HEADER_STEP = 512


class PeError(Exception):
    """The file is not a PE file that sections can be added to."""


def aligned(value: int, alignment: int) -> int:
    return -(-value // alignment) * alignment


class PeFile:
    """A PE32+ image in memory."""

    def __init__(self, content: bytes) -> None:
        self.data = bytearray(content)
        if self.data[:2] != b"MZ":
            raise PeError("not an EFI program")
        self.header = self._number("<I", 0x3C)
        if self.data[self.header : self.header + 4] != b"PE\0\0":
            raise PeError("no PE header")
        self.optional = self.header + 24
        if self._number("<H", self.optional) != 0x20B:
            raise PeError("not a 64-bit PE file")
        self.table = self.optional + self._number("<H", self.header + 20)
        self.section_alignment = self._number("<I", self.optional + 32)
        # no build time: the same input gives the same bytes
        struct.pack_into("<I", self.data, self.header + 8, 0)

    def _number(self, form: str, offset: int) -> int:
        value: int = struct.unpack_from(form, self.data, offset)[0]
        return value

    @property
    def count(self) -> int:
        return self._number("<H", self.header + 6)

    def _sections(self) -> list[tuple[int, ...]]:
        size = SECTION_HEADER.size
        return [SECTION_HEADER.unpack_from(self.data, self.table + index * size)[1:] for index in range(self.count)]

    def _make_room(self) -> None:
        """Room for one more section header; what stands behind the headers moves back for it."""
        size_of_headers = self._number("<I", self.optional + 60)
        if self.table + (self.count + 1) * SECTION_HEADER.size <= size_of_headers:
            return
        self.data[size_of_headers:size_of_headers] = bytes(HEADER_STEP)
        struct.pack_into("<I", self.data, self.optional + 60, size_of_headers + HEADER_STEP)
        # the table of long section names, then each section's content
        positions = [self.header + 12, *(self.table + i * SECTION_HEADER.size + 20 for i in range(self.count))]
        for position in positions:
            offset = self._number("<I", position)
            if offset:
                struct.pack_into("<I", self.data, position, offset + HEADER_STEP)

    def add(self, name: str, content: bytes) -> int:
        """Appends a section; returns where its content lies in the file."""
        self._make_room()
        entry = self.table + self.count * SECTION_HEADER.size
        address = aligned(max(start + size for size, start, *_ in self._sections()), self.section_alignment)
        offset = aligned(len(self.data), SECTOR)
        stored = aligned(len(content), SECTOR)
        self.data.extend(bytes(offset - len(self.data)))
        self.data.extend(content)
        self.data.extend(bytes(stored - len(content)))
        fields = (name.encode(), len(content), address, stored, offset, 0, 0, 0, 0, INITIALIZED_READ)
        SECTION_HEADER.pack_into(self.data, entry, *fields)
        struct.pack_into("<H", self.data, self.header + 6, self.count + 1)
        size_of_image = aligned(address + len(content), self.section_alignment)
        struct.pack_into("<I", self.data, self.optional + 56, size_of_image)
        return offset

    def finish(self) -> bytes:
        """The file with a correct checksum."""
        struct.pack_into("<I", self.data, self.optional + 64, 0)
        words = struct.unpack(f"<{len(self.data) // 2}H", self.data)
        total = sum(words)
        while total >> 16:
            total = (total & 0xFFFF) + (total >> 16)
        struct.pack_into("<I", self.data, self.optional + 64, total + len(self.data))
        return bytes(self.data)


def unified(xen: bytes, config: bytes, kernel: bytes, ramdisk: bytes) -> bytes:
    """Hypervisor, kernel, initramfs and configuration in one EFI program."""
    image = PeFile(xen)
    image.add(".config", config)
    image.add(".kernel", kernel)
    image.add(".ramdisk", ramdisk)
    return image.finish()
