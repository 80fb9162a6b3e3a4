"""What this machine has to give."""

from __future__ import annotations

import re
from pathlib import Path


def available_mib() -> int:
    """Memory that can be taken without others' having to give theirs."""
    found = re.search(r"^MemAvailable: +(\d+) kB", Path("/proc/meminfo").read_text(), re.M)
    assert found, "/proc/meminfo has no MemAvailable"
    return int(found.group(1)) >> 10
