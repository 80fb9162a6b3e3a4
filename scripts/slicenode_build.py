"""What the scripts that make and boot the image have in common."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent


def version(*options: str) -> str:
    """What scripts/version prints: the version, or with --epoch the time that stands in every artefact."""
    command = [str(REPOSITORY / "scripts" / "version"), *options]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def boot_arguments(name: str) -> str:
    """The arguments that every boot path gives to Xen or to Linux, from the file in image/ that lists them."""
    lines = (line.strip() for line in (REPOSITORY / "image" / name).read_text().splitlines())
    return " ".join(line for line in lines if line and not line.startswith("#"))


def full_disk(folder: Path, error: Exception) -> str:
    """What to do, to be put behind an error, if it came of a full disk: programs say so in their own words only."""
    is_full = "No space left" in str(error) or shutil.disk_usage(folder).free < 1 << 20
    return f": the disk of {folder} is full: make room, then run make again" if is_full else ""
