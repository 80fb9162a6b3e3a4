#!/usr/bin/python3 -B
"""Slices come and go on the real node, and nothing of them stays: the agent's memory and open files, xenstore's nodes,
thin volumes, device mapper's and loop devices, domains, files of the state volume.

usage: tests/system/cycles.py [--cycles N] [--seconds N]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[1] / "common")]

from artefacts import Artefacts  # noqa: E402
from nbd_rack import NbdRack  # noqa: E402
from node import REPOSITORY  # noqa: E402
from waiting import PATIENCE  # noqa: E402
from offline import OfflineError, OfflineNode  # noqa: E402

DISK_BYTES = 20 << 30
WARM_UP = 3
REST_SECONDS = 30
# Ended requests are remembered up to 2000, and SQLite keeps up to 2 MiB of the store's pages: until both are reached
# the agent grows by some 2 KiB a cycle. What comes after that is for `make soak-sim`, which begins with 2200 requests.
MEMORY_KIB = 1024
# What dom0 cannot give to anything else after a boot; 53 to 55 MiB were measured, and 3 % more is a decision.
DOM0_USED_KIB = 57 << 10
# To the controller: the long poll's and one for all else (CONNECTIONS_KEPT). They come and go with the network and are
# no open files that could be left over; in a busy moment there are more.
CONNECTIONS_MOST = 2
FIGURES = r"""
tcp=$(awk 'NR > 1 { printf "socket:[%s] ", $10 }' /proc/net/tcp)
connections=0
for name in sliced sliced-net; do
    memory=0 files=0
    for pid in $(pidof $name); do
        memory=$((memory + $(awk '/^Private_/ { sum += $2 } END { print sum }' /proc/$pid/smaps_rollup)))
        for link in $(ls -l /proc/$pid/fd | awk '/ -> / { print $NF }'); do
            case " $tcp" in *" $link "*) connections=$((connections + 1)) ;; *) files=$((files + 1)) ;; esac
        done
    done
    echo "$name-memory-kib $memory"
    echo "$name-files $files"
done
echo "connections $connections"
echo "processes $(pidof sliced sliced-net sliced-import | wc -w)"
echo "xenstore-nodes $(xenstore ls -f / | wc -l)"
echo "domains $(xenstore list /local/domain | wc -l)"
echo "mapper-devices $(ls /dev/mapper | wc -l)"
echo "loop-devices $(ls -d /sys/block/loop*/loop 2>/dev/null | wc -l)"
echo "interfaces $(ls /sys/class/net | wc -l)"
echo "state-files $(find /state -type f ! -path '/state/log/*' | wc -l)"
"""


def figures(rack: NbdRack) -> dict[str, int]:
    """What there is now, by name."""
    found = {name: int(value) for name, value in (line.split() for line in rack.dom0(FIGURES).splitlines())}
    for _ in range(20):
        # Read while the node writes: again when it was not whole.
        try:
            with OfflineNode(rack.image, rack.folder / "offline") as node:
                found["thin-volumes"] = len(node.thin_ids())
                break
        except (OfflineError, IndexError):
            time.sleep(0.5)
    return found


def growth(before: dict[str, int], now: dict[str, int]) -> dict[str, str]:
    most = {name: value + (MEMORY_KIB if name.endswith("memory-kib") else 0) for name, value in before.items()}
    most["connections"] = CONNECTIONS_MOST
    return {name: f"{before[name]} -> {now[name]}" for name in before if now[name] > most[name]}


def cycle(rack: NbdRack, number: int) -> None:
    name = f"c{number}"
    rack.provision(name, "small.raw.zst", number % 6, "--type", "pv" if number % 2 else "pvh",
                   boot_loader=True)
    if number % 4 == 0:
        rack.do("snapshot", "create", name, "one")
    rack.do("terminate", name)


def run(folder: Path, artefacts: Artefacts, cycles: int, say: Callable[[str], None], seconds: float = 0) -> None:
    rack = NbdRack(folder, artefacts, DISK_BYTES)
    try:
        rack.boot()
        used = rack.dom0_used_kib()
        say(f"dom0 uses {used} KiB")
        assert used <= DOM0_USED_KIB, f"dom0 uses {used} KiB after a boot, more than {DOM0_USED_KIB}"
        end = time.monotonic() + seconds
        for number in range(WARM_UP):
            cycle(rack, number)
        before = figures(rack)
        say("before: " + ", ".join(f"{name} {value}" for name, value in before.items()))
        began, done = time.monotonic(), 0
        for number in range(WARM_UP, WARM_UP + cycles):
            if seconds and time.monotonic() > end:
                break
            cycle(rack, number)
            done += 1
            if done % 20 == 0:
                say(f"{done} cycles, {(time.monotonic() - began) / done:.1f} s each")
        last = time.monotonic() + REST_SECONDS * PATIENCE
        while growth(before, now := figures(rack)) and time.monotonic() < last:
            time.sleep(1)
        say(f"after {done}: " + ", ".join(f"{name} {value}" for name, value in now.items()))
        assert not growth(before, now), f"after {done} cycles more is there than before: {growth(before, now)}"
        assert rack.controller("protocol-violations") == ""
        say(f"cycles: {done} slices came and went in {time.monotonic() - began:.0f} s; nothing is left of them")
    finally:
        rack.close()


def main() -> int:
    options = argparse.ArgumentParser(description="Let slices come and go.")
    options.add_argument("--cycles", type=int, default=200)
    options.add_argument("--seconds", type=float, default=0, help="no new cycle after this time")
    arguments = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="slicenode-cycles-") as folder:
        run(Path(folder), Artefacts.of(REPOSITORY / "out"), arguments.cycles, lambda text: print(text, flush=True),
            arguments.seconds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
