"""The file of a disk: what is on it."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path


def digest(path: Path) -> str:
    """Of a sparse file's blocks that are not zero, and where they stand: its gigabytes of holes are not read."""
    seen = hashlib.sha256()
    block_bytes = 4096
    with path.open("rb") as file:
        end = 0
        while True:
            try:
                start = os.lseek(file.fileno(), end, os.SEEK_DATA) // block_bytes * block_bytes
            except OSError:
                return seen.hexdigest()
            end = os.lseek(file.fileno(), start, os.SEEK_HOLE)
            file.seek(start)
            for at in range(start, end, block_bytes):
                block = file.read(block_bytes)
                if any(block):
                    seen.update(f"{at}:".encode() + block)
