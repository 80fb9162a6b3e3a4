"""A DHCPv6 server on raw Ethernet frames, for one client: says what the test gives it, right or wrong."""

from __future__ import annotations

import socket
import struct

from routers import six
from station import Station, checksum

SOLICIT, ADVERTISE, REQUEST, RENEW, REBIND, REPLY, DECLINE, INFORMATION = 1, 2, 3, 5, 6, 7, 9, 11
CLIENT, ASSOCIATION, ADDRESS, STATUS, SERVERS, TIMES = 1, 3, 5, 13, 23, 56
NO_ADDRESS, NO_BINDING = 2, 3
SERVER_ID = bytes.fromhex("0002000a00030001525400fffffe")
SERVER = "fe80::547"


def option(number: int, value: bytes) -> bytes:
    return struct.pack("!HH", number, len(value)) + value


def options(data: bytes) -> dict[int, bytes]:
    found = {}
    while len(data) >= 4:
        number, length = struct.unpack("!HH", data[:4])
        found[number] = data[4:4 + length]
        data = data[4 + length:]
    return found


class Dhcp6Server(Station):
    """Answers in a thread of its own, with `address` for `valid` seconds or with the `status`, and with `more` options;
    says nothing while it is `silent`. `asked` are the types of the questions."""

    def __init__(self, process: int, interface: str) -> None:
        self.address = "2001:db8:6::10"
        self.valid, self.renew, self.rebind = 3600, 0, 0
        self.status = 0
        self.more = b""
        self.silent = False
        self.asked: list[int] = []
        super().__init__(process, interface, 0x86DD)

    def _heard(self, frame: bytes) -> None:
        if frame[20] == socket.IPPROTO_UDP and frame[56:58] == b"\x02\x23":
            self.asked.append(frame[62])
            if not self.silent:
                self._answer(frame[6:12], frame[22:38], frame[62:])

    def _answer(self, mac: bytes, to: bytes, question: bytes) -> None:
        said = options(question[4:])
        body = option(CLIENT, said[CLIENT]) + SERVER_ID + self.more
        if question[0] == DECLINE:
            body += option(STATUS, b"\0\0")
        elif question[0] != INFORMATION:
            body += option(ASSOCIATION, said[ASSOCIATION][:4] + self._association())
        kind = ADVERTISE if question[0] == SOLICIT else REPLY
        message = bytes([kind]) + question[1:4] + body
        length = 8 + len(message)
        udp = struct.pack("!HHHH", 547, 546, length, 0) + message
        pseudo = six(SERVER) + to + struct.pack("!II", length, 17)
        udp = udp[:6] + struct.pack("!H", checksum(pseudo + udp + bytes(length % 2))) + udp[8:]
        head = struct.pack("!IHBB", 0x60000000, length, 17, 64) + six(SERVER) + to
        self._link.send(mac + bytes.fromhex("525400fffffe") + b"\x86\xdd" + head + udp)

    def _association(self) -> bytes:
        if self.status:
            return bytes(8) + option(STATUS, struct.pack("!H", self.status) + b"none for you")
        address = six(self.address) + struct.pack("!II", self.valid, self.valid)
        return struct.pack("!II", self.renew, self.rebind) + option(ADDRESS, address)
