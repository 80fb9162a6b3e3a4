"""What dom0 has of memory, and what each process has to itself."""

from __future__ import annotations

from figures import WIDTH
from rack import OpenRack

KINDS = ("Used", "Slab", "SUnreclaim", "KernelStack", "PageTables", "Percpu", "VmallocUsed", "AnonPages", "Shmem")
# Kernel threads have none. A process may end meanwhile.
PRIVATE = r"""
for process in /proc/[0-9]*; do
    awk -v name="$(cat $process/comm 2>/dev/null)" '
        /^Private_/ { sum += $2 } END { if (sum) print sum, name }' $process/smaps_rollup 2>/dev/null
done
true"""


def private(rack: OpenRack) -> list[tuple[int, str]]:
    """KiB and name of each process, the largest first; without those of the question itself."""
    found = [(int(kib), name) for kib, name in (line.split(" ", 1) for line in rack.dom0(PRIVATE).splitlines())]
    return sorted((one for one in found if one[1] not in ("awk", "sh")), reverse=True)


def show_private(rack: OpenRack) -> dict[str, list[int]]:
    """Prints it with processes of one name on one line."""
    found: dict[str, list[int]] = {}
    for kib, name in private(rack):
        found.setdefault(name, []).append(kib)
    for name, sizes in found.items():
        title = f"  private memory of {name}" + (f", {len(sizes)} of them" if len(sizes) > 1 else "")
        print(f"  {title:{WIDTH}} {sum(sizes) / 1024:7.2f} MiB")
    return found


def show_growth(before: dict[str, int], after: dict[str, int], slices: int) -> dict[str, float]:
    """What each slice has added to the kinds of dom0's memory, in KiB. One that the kernel gives back when it is asked,
    as the cache of files, is not among Used."""
    found = {name: (after[name] - before[name]) / slices for name in KINDS}
    for name, kib in found.items():
        print(f"  {f'  each slice takes of {name}':{WIDTH}} {kib:7.0f} KiB")
    return found


def measure(rack: OpenRack) -> dict[str, object]:
    kib = rack.dom0_meminfo()
    print(f"  {'dom0 has, of what is reserved for it':{WIDTH}} {kib['MemTotal'] / 1024:7.2f} MiB")
    print(f"  {'in use without slices':{WIDTH}} {kib['Used'] / 1024:7.2f} MiB")
    for name in ("Shmem", "Slab", "KernelStack", "PageTables", "AnonPages"):
        print(f"  {f'  of it {name}':{WIDTH}} {kib[name] / 1024:7.2f} MiB")
    return {"meminfo_kib": kib, "private_kib": show_private(rack)}
