"""Ctrl-C and SIGTERM end a program once, and leave it the time to clean up."""

from __future__ import annotations

import signal
import subprocess
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


def _interrupted(_number: int, _frame: FrameType | None) -> None:
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def once() -> None:
    for number in SIGNALS:
        signal.signal(number, _interrupted)


def run(words: list[str]) -> int:
    """Its exit status. What runs is told to end when we are, and waited for: subprocess.run() would kill it."""
    process = subprocess.Popen(words)
    try:
        return process.wait()
    except KeyboardInterrupt:
        process.terminate()
        process.wait()
        raise
