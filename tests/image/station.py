"""What stands on the wire beside the node in a test: it answers raw frames in a thread of its own."""

from __future__ import annotations

import ctypes
import os
import select
import socket
import struct
import threading

CLONE_NEWNET = 0x40000000


def packet_socket(process: int, interface: str, protocol: int = 0x0800) -> socket.socket:
    """One in the network namespace of the process."""
    own = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    other = os.open(f"/proc/{process}/ns/net", os.O_RDONLY)
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        assert libc.setns(other, CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
        link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(protocol))
        link.bind((interface, 0))
    finally:
        libc.setns(own, CLONE_NEWNET)
        os.close(own)
        os.close(other)
    return link


def checksum(data: bytes) -> int:
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


class Station:
    """On an interface in the network namespace of a process; `_heard` has each frame of the protocol that came in."""

    def __init__(self, process: int, interface: str, protocol: int = 0x0800) -> None:
        self._link = packet_socket(process, interface, protocol)
        self._wake, self._ended = os.pipe()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        os.close(self._ended)
        self._thread.join()
        os.close(self._wake)
        self._link.close()

    def _serve(self) -> None:
        while True:
            ready, _, _ = select.select([self._link, self._wake], [], [])
            if self._wake in ready:
                return
            frame, where = self._link.recvfrom(2048)
            if where[2] != socket.PACKET_OUTGOING:
                self._heard(frame)

    def _heard(self, frame: bytes) -> None:
        raise NotImplementedError
