"""A few slices come and go; nothing of them stays. `make soak-cycles CYCLES=200` does it longer."""

from __future__ import annotations

from pathlib import Path

from artefacts import Artefacts
from cycles import run


def test_nothing_stays_of_slices_that_came_and_went(artefacts: Artefacts, tmp_path: Path) -> None:
    # Booted for this: what dom0 uses after a boot is told apart from what images have left in its memory.
    run(tmp_path, artefacts, 8, print)
