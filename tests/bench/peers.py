"""Stock programs of this machine, put into a node beside Slicenode's own to be measured in the same boot."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

from machine import available_mib
from node import REPOSITORY
from waiting import PATIENCE
from rack import OpenRack

FOLDER = "/tmp/peers"
QEMU_MIB = 512  # beside the memory of its machine
# For scripts that run in the node: its clock, in hundredths of a second.
NOW = """now() { read -r up _ </proc/uptime; echo "${up%.*}${up#*.}"; }"""


class CannotMeasure(Exception):
    """This machine lacks what a section needs: a program to compare with, memory, room on its disk."""


def need_room(folder: str, memory_mib: int, disk_gib: int) -> None:
    """For a node of so much memory, whose disk grows to so much in that folder."""
    available = available_mib()
    if available < memory_mib + QEMU_MIB:
        raise CannotMeasure(f"it takes {memory_mib + QEMU_MIB} MiB of memory, this machine has {available} to give")
    free_gib = shutil.disk_usage(folder).free >> 30
    if free_gib < disk_gib:
        raise CannotMeasure(f"it takes {disk_gib} GiB in {folder}, there are {free_gib}")


def libraries(program: Path) -> list[str]:
    """The libraries that a program needs, its dynamic loader among them."""
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    return re.findall(r"(?:=> |^\t)(/\S+) \(0x", listed, re.M)


def send(rack: OpenRack, files: dict[str, bytes]) -> None:
    """Puts files into the node, to be run there; their names are absolute or relative to FOLDER."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(str(Path(FOLDER, name)).lstrip("/"))
            entry.size, entry.mode = len(content), 0o755
            tar.addfile(entry, io.BytesIO(content))
    subprocess.run([*rack.dom0_words(), "tar -C / -x"], input=archive.getvalue(), check=True, timeout=120 * PATIENCE)


def send_tool(rack: OpenRack, name: str) -> str:
    """A program of tests/backend; returns how it is called in the node."""
    tool = REPOSITORY / "out" / "backend-try" / name
    subprocess.run(["make", "-s", "-C", REPOSITORY / "tests" / "backend", tool], check=True)
    send(rack, {name: tool.read_bytes()})
    return f"{FOLDER}/{name}"


def install(rack: OpenRack, *names: str) -> dict[str, str]:
    """Each program, and its libraries where its loader looks for them: the node has none of its own. Returns how each
    program is called in the node."""
    files: dict[str, bytes] = {}
    for name in names:
        found = shutil.which(name, path="/usr/bin:/usr/sbin:/bin:/sbin")
        if not found:
            raise CannotMeasure(f"{name} is not installed on this machine")
        files |= {path: Path(path).read_bytes() for path in libraries(Path(found))}
        files[f"bin/{name}"] = Path(found).read_bytes()
    send(rack, files)
    return {name: f"{FOLDER}/bin/{name}" for name in names}
