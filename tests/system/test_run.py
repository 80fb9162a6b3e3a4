"""The demo: what `make run` does after building, started where there is no terminal and ended by Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

from node import REPOSITORY
from waiting import PATIENCE


def processes_of(folder: Path) -> list[str]:
    """Command lines of processes that were started for this folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().split(b"\0")
        except OSError:
            continue
        if any(str(folder).encode() in word for word in words):
            found.append(b" ".join(words).decode(errors="replace"))
    return found


def test_demo_reaches_its_slice_says_what_next_and_leaves_nothing_running(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    lines: list[str] = []
    with subprocess.Popen([sys.executable, REPOSITORY / "scripts" / "run"], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                          env={**os.environ, "SLICENODE_RUN_FOLDER": str(folder)}) as demo:
        assert demo.stdout is not None
        late = threading.Timer(600 * PATIENCE, demo.terminate)
        late.start()
        try:
            for line in demo.stdout:
                lines.append(line.rstrip())
                if line.startswith("To stop all"):
                    demo.send_signal(signal.SIGINT)
            demo.wait(30)
        finally:
            late.cancel()
            demo.kill()
    text = "\n".join(lines)
    assert demo.returncode == 130, text
    for expected in (
        "run: the node has registered after ",
        "Booting the small guest",
        "demo | small-guest: ready hostname=demo address=10.0.2.100 boots=1 ",
        "run: the slice answers by ssh after ",
        "    scripts/controller --dir ",
        "snapshot create demo before --wait",
        "run: stopping",
    ):
        assert expected in text, text
    assert processes_of(folder) == []
