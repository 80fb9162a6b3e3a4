"""An IPv6 router on raw Ethernet frames: advertises what the test gives it, right or wrong, and answers who asks."""

from __future__ import annotations

import socket
import struct

from station import Station, checksum

ALL_NODES = socket.inet_pton(socket.AF_INET6, "ff02::1")
FOREVER = 0xFFFFFFFF
SOLICITATION = 133


def six(text: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6, text)


def prefix(network: str, length: int = 64, flags: str = "LA", valid: int = 86400, preferred: int = 14400) -> bytes:
    bits = (0x80 if "L" in flags else 0) | (0x40 if "A" in flags else 0)
    return struct.pack("!BBBBIII", 3, 4, length, bits, valid, preferred, 0) + six(network)


def servers(*addresses: str, lifetime: int = 3600) -> bytes:
    return struct.pack("!BBHI", 25, 1 + 2 * len(addresses), 0, lifetime) + b"".join(six(text) for text in addresses)


def domains(*names: str, lifetime: int = 3600) -> bytes:
    text = b"".join(b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\0" for name in names)
    text += bytes(-len(text) % 8)
    return struct.pack("!BBHI", 31, 1 + len(text) // 8, 0, lifetime) + text


def route(network: str, length: int, lifetime: int = 1800) -> bytes:
    size = 0 if length == 0 else 8 if length <= 64 else 16
    return struct.pack("!BBBBI", 24, 1 + size // 8, length, 0, lifetime) + six(network)[:size]


def mtu(size: int) -> bytes:
    return struct.pack("!BBHI", 5, 1, 0, size)


def frame(source: str, message: bytes, destination: bytes = ALL_NODES, mac: bytes = bytes.fromhex("333300000001"),
          hops: int = 255) -> bytes:
    pseudo = six(source) + destination + struct.pack("!II", len(message), 58)
    padded = message + bytes(len(message) % 2)
    message = message[:2] + struct.pack("!H", checksum(pseudo + padded)) + message[4:]
    head = struct.pack("!IHBB", 0x60000000, len(message), 58, hops) + six(source) + destination
    return mac + bytes.fromhex("525400fffffe") + b"\x86\xdd" + head + message


def advertisement(options: bytes = b"", lifetime: int = 1800, flags: int = 0) -> bytes:
    return struct.pack("!BBHBBHII", 134, 0, 0, 64, flags, lifetime, 0, 0) + options


class Router(Station):
    """Answers in a thread of its own; None: says nothing. `asked` are the sources of the questions."""

    def __init__(self, process: int, interface: str, address: str = "fe80::1") -> None:
        self.address = address
        self.message: bytes | None = None
        self.asked: list[str] = []
        super().__init__(process, interface, 0x86DD)

    def send(self, message: bytes, address: str = "", hops: int = 255) -> None:
        self._link.send(frame(address or self.address, message, hops=hops))

    def raw(self, data: bytes) -> None:
        self._link.send(data)

    def say(self, message: bytes) -> None:
        """From now on, and at once."""
        self.message = message
        self.send(message)

    def _heard(self, frame: bytes) -> None:
        if frame[20] != 58 or frame[54] != SOLICITATION:
            return
        self.asked.append(socket.inet_ntop(socket.AF_INET6, frame[22:38]))
        if self.message is not None:
            self.send(self.message)
