"""The rack of nodes says what is wrong with it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import kept
import pytest
from artefacts import Artefacts
from node import NodeError
from waiting import free_port
from rack import Rack
from saved import Saved, hold, lasting_port


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


def test_kept_is_made_once_and_anew_when_it_must_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Path] = []
    source = tmp_path / "source"
    source.write_text("one")
    port = lasting_port()

    def make(target: Path) -> None:
        made.append(target)
        target.mkdir()
        described = {"parameters": "p", "machine": [3072, 1], "paused": [], "port": port}
        (target / "saved.json").write_text(json.dumps(described))
        if source.read_text() == "bad":
            raise ValueError("not made")

    def use() -> Saved:
        with kept.one("thing", [source], make, tmp_path / "kept") as saved:
            assert saved.folder == tmp_path / "kept" / "thing"
        return saved

    assert use().machine == use().machine == (3072, 1)
    assert len(made) == 1
    source.write_text("two")
    assert use() and use() and len(made) == 2
    with hold(port) as taken:
        taken.listen()
        with pytest.raises(OSError):
            use()
    assert len(made) == 3, "its port was taken"
    source.write_text("bad")
    with pytest.raises(ValueError):
        use()
    assert sorted(path.name for path in (tmp_path / "kept").iterdir()) == ["thing.lock"], "half of it stays"
    source.write_text("two")
    monkeypatch.setenv("SLICENODE_KEPT", "no")
    assert use() and use() and len(made) == 6
    monkeypatch.delenv("SLICENODE_KEPT")
    os.utime(tmp_path / "kept" / "thing" / kept.KEY, (0, 0))
    assert use() and len(made) == 7
