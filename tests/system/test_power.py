"""Ten power cuts of the real node by one seed: what was acknowledged is there, the rest is whole or gone."""

from __future__ import annotations

from pathlib import Path

from conftest import Artefacts
from power import run

SEED = 3
CUTS = 10


def test_nothing_is_lost_by_power_cuts(artefacts: Artefacts, tmp_path: Path) -> None:
    tally = run(tmp_path, artefacts, SEED, CUTS, print)
    assert tally.cuts == CUTS
    assert tally.acknowledged > 0 and tally.file_systems > CUTS and tally.records > 0
