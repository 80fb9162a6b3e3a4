"""A node that has booted and registered, kept at that moment: memory, disk and the state of its controller.

    saved = save(rack, folder)               # ends the rack
    rack = OpenRack(folder, artefacts, saved=saved)
    rack.boot()                              # goes on from there, in seconds

QEMU writes the machine's memory and devices to a file, as if it moved to another host. The node knows its controller by
address and port: all racks from one saved node have the same port, and there is one at a time. The time between is
missing: clocks of node and slices are behind by the age of what was saved. Slices that ran are paused meanwhile.
"""

from __future__ import annotations

import contextlib
import json
import random
import re
import shlex
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from waiting import PATIENCE

if TYPE_CHECKING:
    from rack import Rack

SAVE_SECONDS = 60.0
KEY_FILES = ("key", "key.pub")
# Below those that the kernel gives out by itself: a kept node's is to be free again another day.
PORTS = range(20000, 32000)


@dataclass(frozen=True)
class Saved:
    """Lies in its folder; a rack made from it takes copies."""

    folder: Path
    parameters: str
    machine: tuple[int, int]  # MiB of memory, processors
    paused: tuple[str, ...]  # slices that ran
    port: int
    # Bound to the port and never listening: the kernel gives the port to nobody but the next controller.
    holder: socket.socket

    @classmethod
    def load(cls, folder: Path) -> Saved:
        """OSError when the port is taken."""
        kept = json.loads((folder / "saved.json").read_text())
        memory_mib, cpus = kept["machine"]
        return cls(folder, kept["parameters"], (memory_mib, cpus), tuple(kept["paused"]), kept["port"],
                   hold(kept["port"]))

    @property
    def incoming(self) -> str:
        """For QEMU's -incoming."""
        return f"exec:cat {shlex.quote(str(self.folder / 'memory'))}"

    def copy_controller(self, folder: Path) -> None:
        """The controller's state and its operator's key."""
        shutil.copytree(self.folder / "controller", folder / "controller")
        for name in KEY_FILES:
            shutil.copy2(self.folder / name, folder / name)

    def copy_disk(self, target: Path) -> None:
        copy_sparse_file(self.folder / "disk.img", target)


def save(rack: Rack, folder: Path) -> None:
    """Keeps the rack as it is, in a new folder; the rack has ended then."""
    folder.mkdir(parents=True)
    # QEMU 7.2 cannot read what it has saved while its processor was in a PVH slice.
    paused = [one["name"] for one in rack.json("slices") if one["state"] == "running"]
    for name in paused:
        rack.do("pause", name)
    # The node is to learn that its connections are gone; nobody would tell it later.
    rack.stop_controller()
    wait_for_silence(rack)
    rack.node.save_memory(folder / "memory", SAVE_SECONDS)
    copy_sparse_file(rack.disk_file, folder / "disk.img")
    shutil.copytree(rack.folder / "controller", folder / "controller")
    for name in KEY_FILES:
        shutil.copy2(rack.folder / name, folder / name)
    described = {"parameters": rack.parameters, "machine": [rack.memory_mib, rack.cpus], "paused": paused,
                 "port": rack.port}
    (folder / "saved.json").write_text(json.dumps(described))


def hold(port: int) -> socket.socket:
    """Both have SO_REUSEADDR, and one does not listen: the controller can still bind it."""
    holder = socket.socket()
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        holder.bind(("127.0.0.1", port))
    except OSError:
        holder.close()
        raise
    return holder


def lasting_port() -> int:
    """For the controller of a node that will be saved."""
    for port in random.SystemRandom().sample(PORTS, len(PORTS)):
        with contextlib.suppress(OSError), hold(port):
            return port
    raise AssertionError(f"no port from {PORTS.start} to {PORTS.stop - 1} is free")


def wait_for_silence(rack: Rack) -> None:
    """Until no connection through the node's network is open."""
    end = time.monotonic() + SAVE_SECONDS * PATIENCE
    while re.search(r"TCP\[(ESTABLISHED|SYN_\w+)\]", connections := rack.node.monitor("info usernet")):
        assert time.monotonic() < end, f"the node keeps its connections:\n{connections}"
        time.sleep(0.05)


def copy_sparse_file(source: Path, target: Path) -> None:
    subprocess.run(["cp", "--sparse=always", "--reflink=auto", source, target], check=True)
