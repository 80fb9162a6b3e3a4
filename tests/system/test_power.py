"""Ten power cuts of the real node by one seed: what was acknowledged is there, the rest is whole or gone."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

from artefacts import Artefacts
from node import Node
from power import run

SEED = 3
CUTS = 10


def test_nothing_is_lost_by_power_cuts(artefacts: Artefacts, tmp_path: Path) -> None:
    tally = run(tmp_path, artefacts, SEED, CUTS, print)
    assert tally.cuts == CUTS
    assert tally.acknowledged > 0 and tally.file_systems > CUTS and tally.records > 0


def test_disk_that_was_half_made_is_made_anew(
        nodes: Callable[[str], Node], artefacts: Artefacts, tmp_path: Path) -> None:
    """What a cut leaves of a disk on its way into the volume group; without the mark it would be somebody's data."""
    disk, foreign = tmp_path / "half.img", tmp_path / "foreign.img"
    remains = random.Random(1).randbytes(8192)
    mark = b"slicenode: this disk is being made part of a node, nothing is kept on it yet\n"
    for path, sector in ((disk, mark), (foreign, b"")):
        with path.open("wb") as file:
            file.truncate(5 << 30)
            file.write(sector.ljust(512, b"\0") + remains)
    node = nodes("half")
    node.start("--kernel", str(artefacts.out), "--disk", f"{disk},durable", "--disk", f"{foreign},durable")
    node.wait_for("disk vdb: 5120 MiB, foreign: data of an unknown kind; left untouched")
    node.wait_for("disk vda: power was cut while it was being made ready; making it anew")
    node.wait_for("storage ready")
    node.power_off()
    with disk.open("rb") as file:
        assert file.read(512).startswith(b"slicenode: this disk is part of a node\n")
    with foreign.open("rb") as file:
        assert file.read(8704) == bytes(512) + remains
