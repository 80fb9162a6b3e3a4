"""Stock programs of this machine, put into a node beside Slicenode's own to be measured in the same boot."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

from node import PATIENCE, REPOSITORY
from rack import OpenRack

FOLDER = "/tmp/peers"
# For scripts that run in the node: its clock, in hundredths of a second.
NOW = """now() { read -r up _ </proc/uptime; echo "${up%.*}${up#*.}"; }"""
WRAPPER = """#!/bin/sh
exec {folder}/lib/{loader} --library-path {folder}/lib {folder}/bin/{name} "$@"
"""


class PeerMissing(Exception):
    """This machine lacks a program that we compare with."""


def libraries(program: Path) -> tuple[Path, list[Path]]:
    """The dynamic loader of a program, and the libraries that it needs."""
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    paths = [Path(path) for path in re.findall(r"(?:=> |^\t)(/\S+) \(0x", listed, re.M)]
    loader = next(path for path in paths if path.name.startswith("ld-linux"))
    return loader, paths


def send(rack: OpenRack, files: dict[str, bytes]) -> None:
    """Puts files into the node, to be run there; their names are relative to FOLDER."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755
            tar.addfile(entry, io.BytesIO(content))
    subprocess.run([*rack.dom0_words(), f"mkdir -p {FOLDER} && tar -C {FOLDER} -x"], input=archive.getvalue(),
                   check=True, timeout=120 * PATIENCE)


def send_tool(rack: OpenRack, name: str) -> str:
    """A program of tests/backend; returns how it is called in the node."""
    tool = REPOSITORY / "out" / "backend-try" / name
    subprocess.run(["make", "-s", "-C", REPOSITORY / "tests" / "backend", tool], check=True)
    send(rack, {name: tool.read_bytes()})
    return f"{FOLDER}/{name}"


def install(rack: OpenRack, *names: str) -> dict[str, str]:
    """Each program with its libraries; returns how each is called in the node."""
    files: dict[str, bytes] = {}
    for name in names:
        found = shutil.which(name, path="/usr/bin:/usr/sbin:/bin:/sbin")
        if not found:
            raise PeerMissing(f"{name} is not installed on this machine")
        loader, needed = libraries(Path(found))
        files |= {f"lib/{path.name}": path.read_bytes() for path in needed}
        files[f"bin/{name}"] = Path(found).read_bytes()
        files[name] = WRAPPER.format(folder=FOLDER, loader=loader.name, name=name).encode()
    send(rack, files)
    return {name: f"{FOLDER}/{name}" for name in names}
