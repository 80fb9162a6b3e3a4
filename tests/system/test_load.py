"""Slices that use every processor there is do not keep the node from its own work."""

from __future__ import annotations

from rack import OpenRack

BUSY_SLICES = 3
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
    before, stolen_before, after, stolen = (int(word) for word in rack.dom0(STOLEN).split())
    # As one among equals it would lack three quarters of them.
    assert (stolen - stolen_before) / (after - before) < 0.4
