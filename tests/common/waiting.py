"""What tests of every level wait with: events, never a time."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from typing import Any

# Limits are for a machine that does nothing else; this multiplies them, by 2 unless set.
PATIENCE = float(os.environ.get("SLICENODE_TEST_PATIENCE", "2"))

given_ports: set[int] = set()


def wait_until(condition: Callable[[], Any], what: str, seconds: float = 15.0) -> Any:
    """The first true value of `condition`, asked at once, then ever more rarely: at least each 30 ms, but a question
    that takes long itself, such as a program on the node, rests as long as it took."""
    limit = seconds * PATIENCE
    end = time.monotonic() + limit
    pause = 0.002
    while True:
        asked = time.monotonic()
        value = condition()
        now = time.monotonic()
        if value:
            return value
        if now > end:
            raise AssertionError(f"not within {limit:.0f} s: {what}")
        time.sleep(max(pause, now - asked))
        pause = min(pause * 1.3, 0.03)


def free_port() -> int:
    """A TCP port of the loopback that nobody uses now, and that this process was not given before: it may be bound
    only later."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if port not in given_ports:
            given_ports.add(port)
            return port
