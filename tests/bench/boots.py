"""A boot, from Xen's first line to the controller's acknowledgement of the registration, and its phases."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from figures import show
from rack import OpenRack

XEN, LINUX = b"Xen 4", b"about to get started"
# What the node notes in boot-times, in this order as it usually comes about, and what it means.
EVENTS = {"mounts": "init, the kernel's file systems", "clock": "clock", "modules": "modules for the hardware",
          "hardware": "devices without a driver looked for",
          "conf": "boot parameters", "status": "status screen", "xen": "xenstored", "network": "network",
          "disks": "disks and storage", "time": "time, or no NTP server answered", "agent": "agent started"}


class Console(threading.Thread):
    """Notes when the serial console of the next boot shows each of these texts."""

    def __init__(self, rack: OpenRack, *texts: bytes) -> None:
        super().__init__(daemon=True)
        self.path = rack.node.folder / f"console-{rack.node.boots + 1}.log"
        self.missing = list(texts)
        self.seen_at: dict[bytes, float] = {}

    def run(self) -> None:
        while self.missing:
            shown = self.path.read_bytes() if self.path.exists() else b""
            for text in [text for text in self.missing if text in shown]:
                self.seen_at[text] = time.monotonic()
                self.missing.remove(text)
            time.sleep(0.02)


@dataclass
class Boot:
    """Seconds since Xen's first line."""

    linux: float
    registered: float


def boot(rack: OpenRack) -> Boot:
    console = Console(rack, XEN, LINUX)
    console.start()
    rack.boot()
    console.join(1)
    first = console.seen_at[XEN]
    return Boot(console.seen_at[LINUX] - first, rack.registered_at - first)


def events(rack: OpenRack) -> dict[str, float]:
    """Seconds since the start of dom0's kernel."""
    lines = rack.dom0("cat /run/slicenode/boot-times").splitlines()
    return {name: float(seconds) for seconds, name in (line.split() for line in lines)}


def measure(rack: OpenRack, runs: int) -> dict[str, object]:
    """Boots of a node that has enrolled; each figure counts from Xen's first line."""
    linux, registered = [], []
    happened: dict[str, list[float]] = {name: [] for name in EVENTS}
    for _ in range(runs):
        rack.node.power_off()
        taken = boot(rack)
        linux.append(taken.linux)
        registered.append(taken.registered)
        for name, seconds in events(rack).items():
            happened[name].append(taken.linux + seconds)
    results: dict[str, object] = {"registered": show("later boots: Xen's first line to registered", registered),
                                  "linux": show("  dom0's kernel starts", linux)}
    for name, values in happened.items():
        if values:
            results[name] = show(f"  {EVENTS[name]}", values)
    return results
