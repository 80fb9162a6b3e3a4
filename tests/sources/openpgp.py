"""Signs an archive's index: OpenPGP's packets (RFC 4880) around what openssl signs with a key of the test's own.

Both Debian's gpgv and sqv take these signatures, and no agent and no home folder of GnuPG is needed.
"""

from __future__ import annotations

import base64
import hashlib
import subprocess
from pathlib import Path

KEY_MADE = 1577836800  # 2020-01-01: before whatever is signed
TEXT, CERTIFICATION = 0x01, 0x13
RSA, SHA256 = 1, 8


def packet(tag: int, body: bytes) -> bytes:
    return bytes([0xC0 | tag, 0xFF]) + len(body).to_bytes(4, "big") + body


def subpacket(kind: int, body: bytes) -> bytes:
    return bytes([len(body) + 1, kind]) + body


def number(value: int) -> bytes:
    """A multi-precision integer."""
    return value.bit_length().to_bytes(2, "big") + value.to_bytes((value.bit_length() + 7) // 8, "big")


def armour(kind: str, body: bytes) -> str:
    crc = 0xB704CE
    for byte in body:
        crc ^= byte << 16
        for _ in range(8):
            crc <<= 1
            if crc & 0x1000000:
                crc ^= 0x1864CFB
    text = base64.b64encode(body).decode()
    lines = [text[at:at + 64] for at in range(0, len(text), 64)]
    check = base64.b64encode((crc & 0xFFFFFF).to_bytes(3, "big")).decode()
    return "\n".join([f"-----BEGIN PGP {kind}-----", "", *lines, f"={check}", f"-----END PGP {kind}-----", ""])


class Key:
    """A signing key; `public` is the file for signed-by, `armoured` the same as text."""

    def __init__(self, folder: Path, name: str = "archive") -> None:
        self._secret = folder / f"{name}.pem"
        self.public = folder / f"{name}.gpg"
        self.armoured = folder / f"{name}.asc"
        subprocess.run(["openssl", "genrsa", "-out", self._secret, "3072"], check=True, capture_output=True)
        shown = subprocess.run(["openssl", "rsa", "-in", self._secret, "-noout", "-modulus"], check=True,
                               capture_output=True, text=True).stdout
        modulus = int(shown.partition("=")[2], 16)
        self._body = b"\x04" + KEY_MADE.to_bytes(4, "big") + bytes([RSA]) + number(modulus) + number(65537)
        self._hashed_key = b"\x99" + len(self._body).to_bytes(2, "big") + self._body
        self._fingerprint = hashlib.sha1(self._hashed_key).digest()
        user = f"Slicenode's test archive ({name}) <{name}@example.invalid>".encode()
        certified = self._hashed_key + b"\xb4" + len(user).to_bytes(4, "big") + user
        flags = subpacket(27, b"\x03") + subpacket(21, bytes([SHA256]))
        own = self._signature(CERTIFICATION, certified, KEY_MADE, flags)
        packets = packet(6, self._body) + packet(13, user) + own
        self.public.write_bytes(packets)
        self.armoured.write_text(armour("PUBLIC KEY BLOCK", packets))

    def clearsign(self, text: str, when: float) -> str:
        """The text with its signature under it, as InRelease is."""
        lines = [line.rstrip() for line in text.rstrip("\n").split("\n")]
        signature = self._signature(TEXT, "\r\n".join(lines).encode(), int(when))
        escaped = "\n".join("- " + line if line.startswith("-") else line for line in lines)
        return f"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n{escaped}\n{armour('SIGNATURE', signature)}"

    def _signature(self, kind: int, data: bytes, when: int, more: bytes = b"") -> bytes:
        hashed = subpacket(2, when.to_bytes(4, "big")) + subpacket(33, b"\x04" + self._fingerprint) + more
        head = bytes([4, kind, RSA, SHA256]) + len(hashed).to_bytes(2, "big") + hashed
        signed = data + head + b"\x04\xff" + len(head).to_bytes(4, "big")
        raw = subprocess.run(["openssl", "dgst", "-sha256", "-sign", self._secret], input=signed, check=True,
                             capture_output=True).stdout
        loose = subpacket(16, self._fingerprint[-8:])
        return packet(2, head + len(loose).to_bytes(2, "big") + loose + hashlib.sha256(signed).digest()[:2]
                      + number(int.from_bytes(raw, "big")))
