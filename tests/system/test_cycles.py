"""A few slices come and go; nothing of them stays. `make soak-cycles CYCLES=200` does it longer."""

from __future__ import annotations

from pathlib import Path

from artefacts import Artefacts
from cycles import run
from saved import Saved


def test_nothing_stays_of_slices_that_came_and_went(artefacts: Artefacts, saved_node: Saved, tmp_path: Path) -> None:
    run(tmp_path, artefacts, 8, print, saved=saved_node)
