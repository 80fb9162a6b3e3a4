"""A few slices come and go; nothing of them stays. `make soak-cycles CYCLES=200` does it longer."""

from __future__ import annotations

from pathlib import Path

from conftest import Artefacts
from cycles import run


def test_nothing_stays_of_slices_that_came_and_went(artefacts: Artefacts, tmp_path: Path) -> None:
    run(tmp_path, artefacts, 8, print)
