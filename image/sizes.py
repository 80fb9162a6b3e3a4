#!/usr/bin/env python3
"""What the image weighs, beside the sizes recorded in image/limits.json: a growth is to be a decision.

usage: image/sizes.py [--out FOLDER] [--record]

Without an option it prints the table and ends with 1 when something is over its limit. `--record` writes the sizes of
now down as the new ones, for a commit that says why.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
RECORDED = REPOSITORY / "image" / "limits.json"
GROWTH_PERCENT = 3
# With other sources than the recorded sizes are of (HACKING.md: moved pins): a newer kernel may take as much.
MOVED_GROWTH_PERCENT = 10
ISO_STEP_BYTES = 1024 * 1024  # an ISO grows in whole MiB
LARGEST = 12
PAYLOAD, EFI, ISO, UNPACKED = "xen.gz + vmlinuz + initramfs", "slicenode.efi", "ISO", "initramfs unpacked"

# What is measured -> its contents -> bytes.
Sizes = dict[str, dict[str, int]]


def unpacked_files(out: Path) -> list[tuple[int, str, str]]:
    """Bytes, part and path of each file in the initramfs, the largest first."""
    command = [str(REPOSITORY / "scripts" / "mkinitramfs"), "--out", str(out), "--list"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return [(int(size), part, path) for size, part, path in (line.split(" ", 2) for line in lines)]


def artefacts(out: Path) -> Sizes:
    """Sizes of what image/build left in `out`."""
    iso = sorted(out.glob("slicenode-*.iso"))[-1]
    return {
        PAYLOAD: {name: (out / "pxe" / name).stat().st_size for name in ("xen.gz", "vmlinuz", "initramfs")},
        EFI: {EFI: (out / "slicenode.efi").stat().st_size},
        ISO: {ISO: iso.stat().st_size},
    }


def measured(out: Path) -> Sizes:
    """These, and what the initramfs takes of dom0's memory, by the manifest's parts."""
    parts: dict[str, int] = {}
    for size, part, _ in unpacked_files(out):
        parts[part] = parts.get(part, 0) + size
    return {**artefacts(out), UNPACKED: dict(sorted(parts.items(), key=lambda part: -part[1]))}


def recorded() -> Sizes:
    sizes: Sizes = json.loads(RECORDED.read_text())
    return sizes


def total(contents: dict[str, int]) -> int:
    return sum(contents.values())


def is_moved(out: Path) -> bool:
    return any((out / "moved").glob("*.pins"))


def limit(name: str, recorded_bytes: int, moved: bool = False) -> int:
    """How many bytes it may have."""
    allowed = recorded_bytes * (100 + (MOVED_GROWTH_PERCENT if moved else GROWTH_PERCENT)) // 100
    # One step of the ISO may be more than the growth that is allowed.
    return -(-allowed // ISO_STEP_BYTES) * ISO_STEP_BYTES if name == ISO else allowed


def growth(now: int, before: int) -> str:
    percent = (now - before) * 100 / max(before, 1)
    return f"{now:11,} bytes, {before:11,} recorded, {now - before:+11,} ({percent:+.1f} %)"


def table(now: Sizes, before: Sizes) -> str:
    """One line for each."""
    return "".join(f"  {name:30} {growth(total(contents), total(before[name]))}\n" for name, contents in now.items())


def excess(out: Path, now: Sizes, before: Sizes) -> list[str]:
    """What is over its limit, by how much, and where to look; empty when all is well."""
    moved = is_moved(out)
    over = [name for name, contents in now.items() if total(contents) > limit(name, total(before[name]), moved)]
    lines = []
    for name in over:
        most = limit(name, total(before[name]), moved)
        lines.append(f"{name}: {total(now[name]) - most:,} bytes above its limit of {most:,}")
    if not over:
        return []
    lines.append("what it is made of:")
    for name, contents in now.items():
        for content, size in contents.items():
            title = content if content == name else f"{name}: {content}"
            lines.append(f"  {title:42} {growth(size, before[name].get(content, 0))}")
    lines.append("largest files of the initramfs, unpacked:")
    lines += [f"  {size:11,} {part:8} {path}" for size, part, path in unpacked_files(out)[:LARGEST]]
    lines.append("if the growth is worth it: image/sizes.py --record, in a commit that says why")
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description="The image's sizes beside the recorded ones.")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "out", help="folder of everything built")
    parser.add_argument("--record", action="store_true", help="write the sizes of now to image/limits.json")
    options = parser.parse_args()
    now = measured(options.out)
    if options.record:
        RECORDED.write_text(json.dumps(now, indent=2) + "\n")
    before = recorded()
    print(table(now, before), end="")
    lines = excess(options.out, now, before)
    print("".join(f"{line}\n" for line in lines), end="")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
