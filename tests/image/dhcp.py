"""A DHCP server on raw Ethernet frames, for one client: says what the test gives it, right or wrong."""

from __future__ import annotations

import socket
import struct

from station import Station, checksum

SERVER = socket.inet_aton("192.0.2.254")
SERVER_MAC = bytes.fromhex("525400fffffe")
COOKIE = bytes.fromhex("63825363")
DISCOVER, OFFER, REQUEST, ACK, NAK = 1, 2, 3, 5, 6


def addresses(*texts: str) -> bytes:
    return b"".join(socket.inet_aton(text) for text in texts)


def routes(*pairs: tuple[str, str]) -> bytes:
    """Option 121: of each network only the bytes that count."""
    answer = b""
    for network, gateway in pairs:
        base, prefix = network.split("/")
        answer += bytes([int(prefix)]) + socket.inet_aton(base)[: (int(prefix) + 7) // 8] + socket.inet_aton(gateway)
    return answer


class DhcpServer(Station):
    """Answers in a thread of its own. `address` and `options` are what it gives from the next question on; without an
    address it refuses."""

    def __init__(self, process: int, interface: str) -> None:
        self.address: str = "192.0.2.10"
        self.options: dict[int, bytes] = {}
        self.refuse = False
        self.asked: set[int] = set()
        super().__init__(process, interface)

    def _heard(self, frame: bytes) -> None:
        if frame[23] == socket.IPPROTO_UDP and frame[36:38] == b"\0\x43":
            self._answer(frame[42:])

    def _answer(self, question: bytes) -> None:
        said = self._read(question[240:])
        self.asked = set(said.get(55, b""))
        kind = said[53][0]
        if kind not in (DISCOVER, REQUEST):
            return
        if kind == REQUEST and self.refuse:
            self.refuse = False
            self._send(question, "0.0.0.0", {53: bytes([NAK]), 54: SERVER})
            return
        head = {53: bytes([OFFER if kind == DISCOVER else ACK]), 54: SERVER, 51: struct.pack("!I", 3600)}
        self._send(question, self.address, head | self.options)

    @staticmethod
    def _read(data: bytes) -> dict[int, bytes]:
        found = {}
        while data and data[0] != 255:
            if data[0] == 0:
                data = data[1:]
                continue
            found[data[0]] = data[2 : 2 + data[1]]
            data = data[2 + data[1] :]
        return found

    def _send(self, question: bytes, address: str, options: dict[int, bytes]) -> None:
        body = b"\2\1\6\0" + question[4:8] + bytes(4) + bytes(4) + socket.inet_aton(address) + SERVER + bytes(4)
        body += question[28:44] + bytes(192) + COOKIE
        body += b"".join(bytes([code, len(value)]) + value for code, value in options.items()) + b"\xff"
        body += bytes(max(0, 300 - len(body)))
        udp = struct.pack("!HHHH", 67, 68, 8 + len(body), 0) + body
        head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, SERVER, b"\xff" * 4)
        head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
        self._link.send(b"\xff" * 6 + SERVER_MAC + b"\x08\x00" + head + udp)
