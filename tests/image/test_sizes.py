"""The image does not grow unnoticed, nor does what dom0 reserves; what it uses of that, test_cycles looks at."""

from __future__ import annotations

import copy
import re
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
OUT = REPOSITORY / "out"
sys.path.append(str(REPOSITORY / "image"))

import sizes


def test_nothing_is_over_its_limit() -> None:
    now, before = sizes.measured(OUT), sizes.recorded()
    print(sizes.table(now, before))
    lines = sizes.excess(OUT, now, before)
    assert not lines, "\n".join(lines)


def test_dom0_reserves_no_more() -> None:
    """And the most is what it has: its kernel would make its page table for more."""
    reserved = re.findall(r"^dom0_mem=(.+),max:(.+)$", (REPOSITORY / "image" / "arguments.xen").read_text(), re.M)
    assert reserved == [("256M+1%", "256M+1%")]


def test_other_sources_than_the_recorded_ones_may_take_more() -> None:
    assert sizes.limit(sizes.EFI, 1000, moved=True) > sizes.limit(sizes.EFI, 1000)


def test_what_grew_is_named_with_its_contents() -> None:
    before = sizes.measured(OUT)
    now = copy.deepcopy(before)
    percent = sizes.total(before[sizes.UNPACKED]) // 100
    allowed = sizes.MOVED_GROWTH_PERCENT if sizes.is_moved(OUT) else sizes.GROWTH_PERCENT
    now[sizes.UNPACKED]["agent"] += (allowed - 1) * percent
    assert sizes.excess(OUT, now, before) == []
    now[sizes.UNPACKED]["agent"] += 2 * percent
    lines = sizes.excess(OUT, now, before)
    assert lines[0].startswith("initramfs unpacked: ") and "above its limit" in lines[0]
    assert any("initramfs unpacked: agent" in line and "+0 (" not in line for line in lines)
    assert any("sliced" in line for line in lines), "the largest files"


def test_the_iso_may_take_one_step_more() -> None:
    step = sizes.ISO_STEP_BYTES
    assert sizes.limit(sizes.ISO, 32 * step) == 33 * step
    assert sizes.limit(sizes.EFI, 32 * step) < 33 * step
