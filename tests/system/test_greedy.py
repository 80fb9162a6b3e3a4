"""A guest that asks its disks and its NIC for all that its drivers can ask for takes no more of dom0's memory than it
was counted with (agent/capacity/admit.c)."""

from __future__ import annotations

import re

from rack import SMALL_KERNEL, OpenRack
from waiting import wait_until

READY = "small-guest: ready"
# Rings of 16 pages, requests of 1 MiB, a queue for each processor: 40 MiB for each of a disk's queues, would the back
# end give them.
GREEDY = ("xen_blkfront.max_ring_page_order=4 xen_blkfront.max_queues=4 xen_blkfront.max_indirect_segments=256 "
          "xen_netfront.max_queues=4")
COUNTED_KIB = 2304  # the domain, two disks and a NIC
NOISE_KIB = 512  # what the agent, its logs and the slabs of the rest move by meanwhile
# Writes back and reads as much at the same time as the rings hold, and sends what a NIC's ring holds.
LOAD = """for part in 0 1 2 3; do
    dd if=/dev/xvda of=/dev/null bs=1M skip=$((part * 24)) count=24 2>/dev/null &
    dd if=/dev/zero of=/root/part$part bs=1M count=6 conv=fsync 2>/dev/null &
    ping -c 200 -i 0.02 -s 8000 -q 10.0.2.2 >/dev/null &
done
wait"""
# In dom0: what is in use, in KiB, but for what would be given back at once: files that were read, the lists of free
# pages that each processor keeps, blocks of the pool's metadata.
USED = """awk 'NF == 1 {free += $1 / 1024} /^ *count:/ {free += 4 * $2} /^Shmem:/ {free -= $2}
    /^(MemFree|Buffers|Cached|SReclaimable):/ {free += $2} /^MemTotal:/ {all = $2} END {print int(all - free)}' \
    /sys/module/dm_bufio/parameters/current_allocated_bytes /proc/zoneinfo /proc/meminfo"""
# The same again and again while the file is there. Those lists are made short: they would move by more than a slice
# takes between the reading of the two files.
SAMPLE = f"""echo 1000 >/proc/sys/vm/percpu_pagelist_high_fraction
: >/tmp/sample; (while [ -e /tmp/sample ]; do
    {USED}
    sleep 0.1
done) </dev/null >/tmp/samples 2>/dev/null &"""
ENDS = 15  # the first and the last samples: the session that starts or ends the sampling takes 3 MiB itself


def offered(rack: OpenRack, kind: str, what: str) -> set[str]:
    """What the back ends of all slices say that a guest may have."""
    text = rack.dom0(f"xenstore ls -f /local/domain/0/backend/{kind}")
    return set(re.findall(rf'/{what} = "([^"]*)"', text))


def settled_kib(rack: OpenRack) -> int:
    """What dom0 uses when it has nothing to do: the least of a few looks."""
    return min(int(rack.dom0(USED)) for _ in range(5))


def most_kib(rack: OpenRack, name: str, command_line: str) -> int:
    """What dom0 uses at most while a new slice of this name does its worst."""
    rack.provision(name, "small.raw.zst", 0, "--type", "pvh", *SMALL_KERNEL[:-1], command_line)
    rack.wait_console(name, READY)
    rack.dom0(SAMPLE)
    rack.ssh(0, LOAD, seconds=300)
    samples = [int(used) for used in rack.dom0("rm /tmp/sample; cat /tmp/samples").split()][ENDS:-ENDS]
    assert len(samples) > 2 * ENDS, samples
    return max(samples)


def test_greedy_guest_gets_no_more_than_it_was_counted_with(rack: OpenRack) -> None:
    most_kib(rack, "usual", SMALL_KERNEL[-1])  # what the first slice makes dom0 take, all others have
    rack.do("terminate", "usual")
    before = settled_kib(rack)
    most = most_kib(rack, "greedy", SMALL_KERNEL[-1] + " " + GREEDY) - before
    assert rack.ssh(0, "cat /sys/module/xen_blkfront/parameters/max_ring_page_order") == "4", "asks for it"
    assert offered(rack, "vbd", "multi-queue-max-queues") == {"1"}
    assert offered(rack, "vbd", "max-ring-page-order") == {"0"}
    assert offered(rack, "vbd", "feature-max-indirect-segments") == {"32"}
    assert offered(rack, "vif", "multi-queue-max-queues") == {"1"}
    left = settled_kib(rack) - before
    rack.do("terminate", "greedy")
    print(f"dom0 used {before} KiB; with the greedy guest {most} KiB more at most, {left} KiB when it rests")
    assert most < COUNTED_KIB
    wait_until(lambda: settled_kib(rack) - before < NOISE_KIB, "its back ends are gone", 30)
