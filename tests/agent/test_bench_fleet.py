"""The simulation of many agents, ended before it is done, leaves nothing behind."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from node import ROOT
from waiting import wait_until

SECONDS = 240
FOLDER = re.compile(r"(?:/dev/shm/sn|/tmp/sc)-[^/\0]+")  # of an agent, of a controller


def read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def below(process: int) -> dict[int, str]:
    """The command lines of all that it has started, and of what those have."""
    found: dict[int, str] = {}
    for path in Path("/proc").glob("[0-9]*"):
        fields = read(path / "stat").rpartition(")")[2].split()
        if len(fields) > 1 and int(fields[1]) == process:
            number = int(path.name)
            found |= {number: read(path / "cmdline")} | below(number)
    return found


@pytest.mark.parametrize("moment", ["/controller\0", "sliced-net\0"])
def test_ended_early_it_leaves_nothing(moment: str) -> None:
    """When the controller has begun, and when the first agents have."""
    words = [sys.executable, "-B", str(ROOT / "tests/bench/run"), "fleet", "--agents", "30", "--runs", "1"]
    there: dict[int, str] = {}

    def has_come() -> bool:
        there.update(below(bench.pid))
        return any(moment in line for line in there.values())

    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True) as bench:
        try:
            wait_until(has_come, f"{moment} runs", SECONDS)
            there |= below(bench.pid)
        finally:
            bench.send_signal(signal.SIGTERM)
        said, _ = bench.communicate(timeout=SECONDS)
    folders = {Path(folder) for line in there.values() for folder in FOLDER.findall(line)}
    assert bench.returncode == 130, said
    assert "interrupted: the rest is not measured" in said
    assert "Traceback" not in said
    assert folders
    assert not [folder for folder in folders if folder.exists()]
    wait_until(lambda: not [line for number, line in there.items()
                            if line and read(Path(f"/proc/{number}/cmdline")) == line],
               "all that was started has ended")


def test_too_many_for_this_machine() -> None:
    words = [sys.executable, "-B", str(ROOT / "tests/bench/run"), "fleet", "--agents", "10000000", "--runs", "1"]
    told = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS)
    assert "10000000 agents need 137500000 MiB of memory, this machine has " in told.stderr
    assert "not measured" in told.stdout
    assert told.returncode == 0, told.stdout + told.stderr
