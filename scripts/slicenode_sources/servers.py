"""Which servers are worth asking in this run."""

from __future__ import annotations

import threading
from urllib.parse import urlsplit

from .download import Answer

# A server that failed this many files in a row, whatever they were, is not asked again: a hanging one costs 10 s each
# time.
STRIKES = 3
NOT_ASKED = "not asked any more"


class Servers:
    """Which servers are worth asking. Thread-safe."""

    def __init__(self) -> None:
        self._strikes: dict[str, int] = {}
        self._last: dict[str, str] = {}
        self._lock = threading.Lock()

    def out(self, url: str) -> str:
        """Why this server is not asked any more, or nothing."""
        with self._lock:
            server = urlsplit(url).netloc
            if self._strikes.get(server, 0) < STRIKES:
                return ""
            return f"{NOT_ASKED}, it failed {STRIKES} times: {self._last[server]}"

    def note(self, url: str, answer: Answer) -> None:
        with self._lock:
            server = urlsplit(url).netloc
            self._strikes[server] = self._strikes.get(server, 0) + 1 if answer.strike else 0
            self._last[server] = answer.text
