"""Whether each slice makes a node slower: the first beside the last, what dom0 takes, and many at once."""

from __future__ import annotations

import statistics

import memory
from figures import show
from phases import Runs, ask, phases, span
from rack import OpenRack

MEMORY_MIB = 96
# 8 MiB to the disk, past every ring's 32 requests, and packets both ways. The sum stands in no echo of the line.
WORK = ("dd if=/dev/zero of=/root/work bs=64k count=128 conv=fsync && ping -c 20 -i 0.1 -q 10.0.2.2"
        " && echo did $((40+2))")
WORKED = "did 42"
# In dom0: a line typed at the console of the newest domain.
TYPE = """id=$(xenstore list /local/domain | sort -n | tail -n 1)
printf '%s\\n' '{}' >$(xenstore read /local/domain/$id/console/tty)"""
LOOKED_AT = (1, 10, 20, 40, 50, 100)
LOOKS = 5
ENDS = 5  # how many of the first and the last are taken together
AT_ONCE = 20


def node_memory_mib(slices: int) -> int:
    """For dom0, Xen and each slice with what it needs beside its memory. A hundredth of it is dom0's: with less there
    would be no room for the back ends of a hundred slices as admission counts them."""
    return 2048 + slices * (MEMORY_MIB + 12)


def provision(rack: OpenRack, number: int, wait: bool = True, name: str = "many") -> str:
    made = rack.provision(f"{name}{number}", "small.raw.zst", number, "--type", "pvh", "--memory-mib", str(MEMORY_MIB),
                          "--disk-gib", "1", wait=wait)
    return str(made["request"])


def look(rack: OpenRack) -> dict[str, int]:
    """dom0's memory, the least used of a few looks: what ends just now, and files that were read, are not what slices
    take."""
    rack.dom0("sync; echo 3 >/proc/sys/vm/drop_caches")
    return min((rack.dom0_meminfo() for _ in range(LOOKS)), key=lambda kib: kib["Used"])


def work(rack: OpenRack, name: str) -> None:
    """The newest slice has booted, written and sent."""
    for until, line in (("press Enter", ""), ("built-in shell", WORK), (WORKED, None)):
        rack.wait_console(name, until)
        if line is not None:
            rack.dom0(TYPE.format(line))


def one_by_one(rack: OpenRack, slices: int) -> dict[str, object]:
    """Each boots, writes to its disk and sends packets before the next one comes, and is then paused, so that it does
    not slow the others."""
    without = look(rack)
    used = {0: without["Used"] / 1024}
    print(f"  dom0 uses {used[0]:.0f} MiB without slices", flush=True)
    each: list[dict[str, float]] = []
    for number in range(1, slices + 1):
        each.append(phases(rack, provision(rack, number)))
        work(rack, f"many{number}")
        ask(rack, "pause", f"many{number}")
        if number in LOOKED_AT:
            used[number] = look(rack)["Used"] / 1024
            print(f"  slice {number}: {sum(each[-1].values()):.2f} s; dom0 uses {used[number]:.1f} MiB, "
                  f"{(used[number] - used[0]) * 1024 / number:.0f} KiB for each", flush=True)
    grown = memory.show_growth(without, look(rack), slices)
    first, last = Runs(each[:ENDS]), Runs(each[-ENDS:])
    results: dict[str, object] = {"first": first.show(f"slice.provision, the first {ENDS}"),
                                  "last": last.show(f"slice.provision, the last {ENDS} of {slices}")}
    ratio = statistics.median(last.totals) / statistics.median(first.totals)
    print(f"  the last ones take {ratio:.2f} times as long as the first", flush=True)
    return results | {"dom0_used_mib": used, "each_kib": grown, "private_kib": memory.show_private(rack), "all": each,
                      "last_to_first": ratio}


def at_once(rack: OpenRack, slices: int, runs: int) -> dict[str, object]:
    """The place of the last ones is given to as many that are asked for in one go."""
    numbers = range(max(slices - AT_ONCE, 0) + 1, slices + 1)
    took = []
    for run in range(runs):
        for number in numbers:
            rack.do("terminate", f"again{number}" if run else f"many{number}")
        requests = [provision(rack, number, wait=False, name="again") for number in numbers]
        for request in requests:
            rack.controller("wait", request, "--timeout", "1800s", seconds=1810)
        spans = [span(rack, request) for request in requests]
        took.append(max(end for _, end in spans) - min(begin for begin, _ in spans))
    return {"at_once": len(numbers),
            "at_once_seconds": show(f"{len(numbers)} asked for at once, first accepted to all running", took)}


def measure(rack: OpenRack, slices: int, runs: int) -> dict[str, object]:
    rack.do("terminate", str(rack.provision("first", "small.raw.zst", 0)["slice"]))
    return one_by_one(rack, slices) | at_once(rack, slices, runs)
