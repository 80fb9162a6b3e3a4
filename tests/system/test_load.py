"""Slices that use every processor there is do not keep the node from its own work."""

from __future__ import annotations

from rack import OpenRack

BUSY_SLICES = 3
MOST_STOLEN = 0.4
LOOKS = 8
# How much of ten seconds in which dom0 wants a processor all the time it does not get.
STOLEN = """
look() { while read -r name user nice system idle wait irq soft steal _; do
    [ "$name" != cpu ] || echo $((user + nice + system + idle + wait + irq + soft + steal)) $steal
done </proc/stat; }
set -- $(look)
timeout 10 sh -c 'while :; do :; done'
echo $* $(look)
"""


def test_dom0_comes_before_slices_that_compute(rack: OpenRack) -> None:
    for number in range(BUSY_SLICES):
        rack.provision(f"busy{number}", "small.raw.zst", number, "--type", "pvh", "--memory-mib", "128")
    for number in range(BUSY_SLICES):
        rack.ssh(number, "(while :; do :; done) >/dev/null 2>&1 </dev/null &")
    # As one among equals it would lack three quarters of them, each time. A busy host gives the emulator only bits of
    # time, which Xen cannot share out well: then a later look counts.
    shares: list[float] = []
    while not shares or shares[-1] >= MOST_STOLEN:
        assert len(shares) < LOOKS, f"dom0 lacked {shares} of the time"
        before, stolen_before, after, stolen = (int(word) for word in rack.dom0(STOLEN).split())
        shares.append(round((stolen - stolen_before) / (after - before), 2))
    print(f"dom0 lacked {shares}")
