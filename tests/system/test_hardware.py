"""The real image on the machines of hardware.py: who is claimed, who is left alone, and what is said of each.

Only the usual ones, unless HARDWARE=all.
"""

from __future__ import annotations

import itertools
import os
import re

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from artefacts import Artefacts
from disk_file import digest
from hardware import CASES, LARGE, READY, Boot, Case, Disk
from node import BOOT_SECONDS, Node
from offline import OfflineError, lvm_text, parse_lvm
from signatures import KINDS, put

Nodes = Callable[[str], Node]
PLAYED = [case for case in CASES if case.usual or os.environ.get("HARDWARE") == "all"]
SCREEN_DISK = re.compile(r"^  disk +\S+ \d+ MiB (?P<state>\w+): (?P<reason>.*) \(.*, (?P<serial>.*)\)$", re.M)
# What blkid of the host has no name for, or finds only where there is a whole disk.
NAMELESS = ("gpt of 4096", "gpt of 512", "gpt, start zeroed", "ext4, start zeroed", "xfs, start zeroed",
            "btrfs, start zeroed", "ntfs, start zeroed", "random start", "one byte at the end")


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in NAMELESS])
def test_data_is_what_a_host_takes_it_for(kind: str, tmp_path: Path) -> None:
    disk = tmp_path / "disk.img"
    with disk.open("wb") as file:
        file.truncate((5 << 30) + 4096)
    put(kind, disk)
    found = subprocess.run(["/sbin/blkid", "-p", "-o", "export", disk], capture_output=True, text=True)
    word = kind.split(",")[0].split(" ")[0].lower()
    known = {"lvm": "lvm2", "mdraid": "linux_raid", "mbr": "dos", "vmfs": "vmfs_volume"}
    assert known.get(word, word) in found.stdout.lower(), found


@pytest.mark.parametrize("case", PLAYED, ids=[case.name for case in PLAYED])
def test_hardware(case: Case, nodes: Nodes, artefacts: Artefacts) -> None:
    node = nodes("node")
    wrong: list[str] = []
    for number, boot in enumerate(case.boots, 1):
        before = {file_of(node, disk): bytes_of(node, disk) for disk in boot.disks}
        play(node, boot, artefacts)
        wrong += [f"boot {number}: {fault}" for fault in faults_of(node, boot, before)]
    assert not wrong, "\n".join([case.name, *wrong, "", told(node)])


# --- The machine ---------------------------------------------------------------------------------


def file_of(node: Node, disk: Disk) -> Path:
    return node.folder / f"{disk.file or disk.serial}.img"


def bytes_of(node: Node, disk: Disk) -> str:
    """Makes the disk, if it is not there, as large as it is to be; then what is on it."""
    path = file_of(node, disk)
    if "qcow2" in disk.keys:
        return ""
    size = size_of(disk.size)
    if not path.exists():
        if disk.copy_of:
            subprocess.run(["cp", "--sparse=always", node.folder / f"{disk.copy_of}.img", path], check=True)
        with path.open("ab") as file:
            file.truncate(size)
        if disk.content:
            put(disk.content, path)
    elif path.stat().st_size != size:
        os.truncate(path, size)
    return digest(path)


def size_of(text: str) -> int:
    shift = {"M": 20, "G": 30, "T": 40}.get(text[-1])
    return int(text[:-1]) << shift if shift else int(text)


def play(node: Node, boot: Boot, artefacts: Artefacts) -> None:
    """Boots, waits until the node has said what it makes of its disks and cards, and pulls the plug."""
    words = ["--cpus", str(boot.cpus), "--memory", str(boot.memory_mib)]
    if boot.machine:
        words += ["--machine", boot.machine]
    words += medium_of(node, boot, artefacts)
    for model, _ in boot.nics:
        words += ["--nic", f"user,model={model}"]
    for disk in boot.disks:
        keys = [f"size={disk.size}", f"serial={disk.serial}", f"bus={disk.bus}", "durable"]
        keys += [f"fault={disk.fault}"] if disk.fault else []
        keys += [f"sector={disk.sector}"] if disk.sector != 512 else []
        keys += [disk.keys] if disk.keys else []
        words += ["--disk", ",".join([str(file_of(node, disk)), *keys])]
    node.start(*words)
    seconds = BOOT_SECONDS * (1 if boot.medium == "kernel" else 2) * (1 if boot.cpus == 1 else 3)
    screen = r"[\s\S]*?^---- slicenode: status ready"
    node.wait_for(rf"^  storage +(?! |being prepared|wiping){screen}", seconds)
    driven = [driver for _, driver in boot.nics if driver]
    if driven:
        node.wait_for(rf"^  address +\d+\.{screen}", 60)
    node.power_off()


def medium_of(node: Node, boot: Boot, artefacts: Artefacts) -> list[str]:
    conf = f"slicenode.disk={boot.disk}\n" if boot.disk else ""
    if boot.medium == "kernel":
        return ["--kernel", str(artefacts.out), *(["--append", conf.strip()] if conf else [])]
    iso = artefacts.personalised(artefacts.iso, conf, node.folder) if conf else artefacts.iso
    return [{"iso": "--iso", "usb": "--usb", "uefi": "--uefi-disk"}[boot.medium], str(iso)]


# --- What is wrong -------------------------------------------------------------------------------


def told(node: Node) -> str:
    """What the last boot said of disks and storage."""
    lines = [line for line in node.console.splitlines() if line.startswith("slicenode: ")]
    return "\n".join([*lines, node.status()])


def faults_of(node: Node, boot: Boot, before: dict[Path, str]) -> list[str]:
    """Where the boot was not as its row says."""
    screen = node.status()
    wrong = wrong_disks(boot, screen)
    storage = re.search(r"^  storage +(.*)$", screen, re.M)
    if not storage or not re.search(boot.storage, storage[1]):
        wrong.append(f"storage is not {boot.storage!r}: {storage[1] if storage else 'nothing'}")
    wrong += [f"not said: {words!r}" for words in boot.says if not re.search(words, node.console)]
    wrong += [f"said: {found[0]!r}" for words in boot.never if (found := re.search(words, node.console))]
    for _, driver in boot.nics:
        if driver and not re.search(rf"^  nic +\S+ \S+ {driver} link up$", screen, re.M):
            wrong.append(f"no card with a link that {driver} serves")
    if storage and re.search(READY, storage[1]):
        wrong += wrong_pool(node, boot)
    for disk in boot.disks:
        path = file_of(node, disk)
        if not may_be_written(disk, boot) and before[path] and digest(path) != before[path]:
            wrong.append(f"BYTES CHANGED on {disk.serial}, which is {disk.expected}")
    return wrong


def may_be_written(disk: Disk, boot: Boot) -> bool:
    """Only what may be made ours, by one path or another."""
    same_file = [other for other in boot.disks if (other.file or other.serial) == (disk.file or disk.serial)]
    states = {words.partition(":")[0] for other in same_file for words in other.expected.split(" or ")}
    return not disk.untouched and bool(states & {"claimed", "failed"})


def wrong_pool(node: Node, boot: Boot) -> list[str]:
    """Whether the thin pool can map all its chunks once: 16 bytes each in leaves that are two thirds full."""
    head = node.folder / "head.raw"
    for disk in boot.disks:
        form = "qcow2" if LARGE in disk.keys else "raw"
        subprocess.run(["qemu-img", "dd", "-f", form, "-O", "raw", "bs=1M", "count=2", f"if={file_of(node, disk)}",
                        f"of={head}"], check=True)
        with head.open("rb") as file:
            try:
                group = parse_lvm(lvm_text(file.fileno()))
            except OfflineError:
                continue
        volumes = group.get("logical_volumes", {})
        if "pool" in volumes:
            break
    else:
        return ["no disk has a pool"]
    extents = {name: sum(segment["extent_count"] for key, segment in volume.items() if re.fullmatch(r"segment\d+", key))
               for name, volume in volumes.items()}
    chunk = volumes["pool"]["segment1"]["chunk_size"]
    chunks = extents["pool"] * group["extent_size"] // chunk
    has = extents[volumes["pool"]["segment1"]["metadata"]] * group["extent_size"] * 512
    return [f"the pool's metadata is {has >> 20} MiB for {chunks} chunks"] if has < 24 * chunks else []


def wrong_disks(boot: Boot, screen: str) -> list[str]:
    lines: dict[str, list[tuple[str, str]]] = {}
    for match in SCREEN_DISK.finditer(screen):
        lines.setdefault(match["serial"], []).append((match["state"], match["reason"]))
    wrong = []
    for serial in dict.fromkeys(disk.serial for disk in boot.disks):
        wanted = [disk.expected for disk in boot.disks if disk.serial == serial]
        got = lines.get(serial, [])
        if not any(all(map(fits, wanted, order)) for order in orders(got, len(wanted))):
            said = "; ".join(f"{state}: {reason}" for state, reason in got) or "absent"
            wrong.append(f"{serial} is not {' and '.join(wanted)}, but {said}")
    return wrong


def orders(got: list[tuple[str, str]], number: int) -> list[tuple[tuple[str, str] | None, ...]]:
    """Which line may be which disk's, where several have the same serial number."""
    if len(got) > number:
        return []
    return list(itertools.permutations([*got, *[None] * (number - len(got))]))


def fits(expected: str, line: tuple[str, str] | None) -> bool:
    for words in expected.split(" or "):
        state, _, reason = words.partition(": ")
        if line is None:
            if state == "absent":
                return True
        elif state == line[0] and re.search(reason, line[1]):
            return True
    return False
