"""What snapshots cost: how long the disk stands still, the hundredth beside the first, and a boot with a thousand."""

from __future__ import annotations

import os
import statistics
import subprocess
from pathlib import Path

import peers
from boots import boot
from figures import show, show_ratio
from waiting import PATIENCE
from rack import OpenRack

MANY = 100
PAUSES = 20
# Prints how many hundredths of a second each snapshot took, as the node's clock has it.
CREATE = peers.NOW + r"""
for number in $(seq FIRST LAST); do
    began=$(now)
    slicectl snapshot create SLICE "s$number" >/dev/null 2>/tmp/snapshot.err || { cat /tmp/snapshot.err; exit 1; }
    echo $(($(now) - began))
done
"""


def create(rack: OpenRack, name: str, first: int, last: int) -> list[float]:
    """Seconds for each of the snapshots with these numbers, asked for on the node itself."""
    script = CREATE.replace("FIRST", str(first)).replace("LAST", str(last)).replace("SLICE", name)
    done = subprocess.run([*rack.dom0_words(), script], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=20 * (last - first + 1) * PATIENCE)
    assert done.returncode == 0, f"{done.stdout[-2000:]}{done.stderr}"
    return [int(line) / 100 for line in done.stdout.split()]


def pauses(rack: OpenRack) -> dict[str, object]:
    """The longest write of a program that writes to a disk while a snapshot is taken of it."""
    tool, dmsetup = peers.send_tool(rack, "snapshot-pause"), peers.install(rack, "dmsetup")["dmsetup"]
    lines = rack.dom0(f"{tool} slicenode-pool {PAUSES} {dmsetup}", 120).splitlines()
    agent, by_hand = ([int(line.split()[column]) / 1000 for line in lines] for column in (0, 1))
    return {"pause": show("a disk's pause while a snapshot is taken", agent, "ms"),
            "pause_by_hand": show("by hand: dmsetup suspend, message, resume", by_hand, "ms"),
            "pause_beyond_ms": statistics.median(agent) - statistics.median(by_hand)}


def processor_seconds(rack: OpenRack) -> float:
    """What the emulator has used since the node was switched on; proc_pid_stat(5)."""
    assert rack.node.process is not None
    fields = Path(f"/proc/{rack.node.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def compare_boots(rack: OpenRack, runs: int, before: str, count: int) -> dict[str, object]:
    """Boots with the disk as it is and as it was before the snapshots. By turns, and also in what the emulator uses:
    the host is not equally fast all the time."""
    disks = {f"{count} snapshots": rack.disk, "no snapshot": before}
    seconds: dict[str, list[float]] = {what: [] for what in disks}
    used: dict[str, list[float]] = {what: [] for what in disks}
    for _ in range(runs):
        for what, rack.disk in disks.items():
            rack.node.power_off()
            seconds[what].append(boot(rack).registered)
            used[what].append(processor_seconds(rack))
    many, none = disks
    return {"boot_without": show(f"boot with one slice and {none}, to registered", seconds[none]),
            "boot_with": show(f"boot with one slice and {many}, to registered", seconds[many]),
            "boot_ratio": show_ratio("times as fast as with none", seconds[many], seconds[none]),
            "boot_used_without": show(f"processor time of the emulator, {none}", used[none]),
            "boot_used_with": show(f"processor time of the emulator, {many}", used[many]),
            "boot_used_ratio": show_ratio("times as little as with none", used[many], used[none])}


def measure(rack: OpenRack, runs: int, count: int) -> dict[str, object]:
    """The node is on and has the small guest's image; `count` is how many snapshots the last boots find."""
    results = pauses(rack)
    rack.provision("origin", "small.raw.zst", 0, "--type", "pv", boot_loader=True)
    rack.wait_console("origin", "small-guest: ready")

    rack.node.power_off()
    before = rack.disk.replace("disk.img", "before.img")
    subprocess.run(["cp", "--sparse=always", rack.disk.partition(",")[0], before.partition(",")[0]], check=True)
    boot(rack)
    rack.wait_console("origin", "small-guest: ready")
    seconds = create(rack, "origin", 1, MANY)
    results["first"] = show("snapshot.create, the first ten", seconds[:10])
    results["hundredth"] = show(f"snapshot.create, the last ten of {MANY}", seconds[-10:])
    if count > MANY:
        seconds = create(rack, "origin", MANY + 1, count)
        results["last"] = show(f"snapshot.create, the last ten of {count}", seconds[-10:])
    return results | compare_boots(rack, runs, before, count)
