"""xenconsoled's folder is not trusted: what it may put there instead of a log is not followed."""

from __future__ import annotations

import os
import uuid
from pathlib import Path
from typing import Any

import pytest
from node import Node, Refused, slice_args


def replace(log: Path, kind: str, secret: Path) -> None:
    log.unlink()
    if kind == "link":
        log.symlink_to(secret)
    elif kind == "hard link":
        log.hardlink_to(secret)
    elif kind == "pipe":
        os.mkfifo(log)
    else:
        log.mkdir()


@pytest.mark.parametrize("kind", ["link", "hard link", "pipe", "folder"])
def test_not_a_log(node: Node, small: dict[str, Any], kind: str) -> None:
    slice_id = str(uuid.uuid4())
    node.do("slice.provision", slice_id, **slice_args(small))
    log = node.folder / "console" / f"guest-{slice_id}.log"
    secret = node.folder / "secret"
    secret.write_text("secret\n" * 400_000)  # long enough to be moved on, were it a log
    replace(log, kind, secret)
    try:
        assert "secret" not in str(node.do("slice.console", slice_id))
    except Refused as refused:
        assert refused.code == "console_unavailable"
    assert node.state(slice_id) == "running"
    assert secret.read_text() == "secret\n" * 400_000
    if kind == "folder":
        log.rmdir()
    node.do("slice.terminate", slice_id)
    assert secret.exists()
