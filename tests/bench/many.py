"""Whether each slice makes a node slower: the first beside the last, what dom0 takes, and many at once."""

from __future__ import annotations

import statistics

import memory
from figures import show
from phases import Runs, ask, phases, span
from rack import OpenRack

MEMORY_MIB = 128
LOOKED_AT = (1, 10, 50, 100)
ENDS = 5  # how many of the first and the last are taken together
AT_ONCE = 20


def node_memory_mib(slices: int) -> int:
    """For dom0, Xen and each slice with what it needs beside its memory."""
    return 1536 + slices * (MEMORY_MIB + 12)


def provision(rack: OpenRack, number: int, wait: bool = True, name: str = "many") -> str:
    made = rack.provision(f"{name}{number}", "small.raw.zst", number, "--type", "pvh", "--memory-mib", str(MEMORY_MIB),
                          "--disk-gib", "1", wait=wait)
    return str(made["request"])


def one_by_one(rack: OpenRack, slices: int) -> dict[str, object]:
    """Each has booted to its end before the next one, and is then paused, so that it does not slow the others: its back
    ends have what a guest that has written to its disk and sent packets makes them take."""
    used = {0: rack.dom0_used_kib() / 1024}
    print(f"  dom0 uses {used[0]:.0f} MiB without slices", flush=True)
    each: list[dict[str, float]] = []
    for number in range(1, slices + 1):
        each.append(phases(rack, provision(rack, number)))
        rack.wait_console(f"many{number}", "small-guest: ready")
        ask(rack, "pause", f"many{number}")
        if number in LOOKED_AT:
            used[number] = rack.dom0_used_kib() / 1024
            print(f"  slice {number}: {sum(each[-1].values()):.2f} s; dom0 uses {used[number]:.0f} MiB", flush=True)
    first, last = Runs(each[:ENDS]), Runs(each[-ENDS:])
    results: dict[str, object] = {"first": first.show(f"slice.provision, the first {ENDS}"),
                                  "last": last.show(f"slice.provision, the last {ENDS} of {slices}")}
    ratio = statistics.median(last.totals) / statistics.median(first.totals)
    print(f"  the last ones take {ratio:.2f} times as long as the first", flush=True)
    return results | {"dom0_used_mib": used, "private_kib": memory.show_private(rack), "all": each,
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
