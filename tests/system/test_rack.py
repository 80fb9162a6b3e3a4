"""The rack of nodes says what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest
from artefacts import Artefacts
from node import NodeError, free_port
from rack import Rack


def test_a_port_is_given_once() -> None:
    """Though nobody has bound it yet: the kernel alone would give some of so many twice."""
    ports = [free_port() for _ in range(2000)]
    assert len(set(ports)) == len(ports)


def test_qemu_that_does_not_start_is_told_at_once(artefacts: Artefacts, tmp_path: Path) -> None:
    rack = Rack(tmp_path, artefacts)
    rack.forwards = ["--hostfwd=1:99999"]
    try:
        with pytest.raises(NodeError, match="99999"):
            rack.boot()
    finally:
        rack.close()
