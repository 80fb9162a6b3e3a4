"""Which servers are worth asking in this run."""

from __future__ import annotations

import threading
from urllib.parse import urlsplit

from .download import Answer

# A server that failed this many files in a row, whatever they were, is not asked again: a hanging one costs 10 s each
# time.
STRIKES = 3
NOT_ASKED = "not asked any more"


# In units of a stall: so long all files together wait for one server in vain. With four at once and 10 s it is told
# after some 10 s what does not come, and after 20 s of the snapshot service, which is asked for one at a time: in
# under a minute in all. Ten times as long would be five minutes of silence.
WAITS = 2


def server_of(url: str) -> str:
    """The host and port, without a password."""
    return urlsplit(url).netloc.rsplit("@", 1)[-1]


class Server:
    """One of the servers, for who asks it."""

    def __init__(self, servers: Servers, url: str) -> None:
        self._servers = servers
        self._url = url

    def waited(self, seconds: float, why: str) -> bool:
        return self._servers.waited(self._url, seconds, why)

    def has_served(self) -> bool:
        return self._servers.has_served(self._url)


class Servers:
    """Which servers are worth asking. Thread-safe."""

    def __init__(self, stall_s: float) -> None:
        self._budget_s = WAITS * stall_s
        self._waited_s: dict[str, float] = {}
        self._strikes: dict[str, int] = {}
        self._last: dict[str, str] = {}
        self._served: set[str] = set()
        self._silent: set[str] = set()
        self._lock = threading.Lock()

    def of(self, url: str) -> Server:
        return Server(self, url)

    def out(self, url: str) -> str:
        """Why this server is not asked any more, or nothing."""
        with self._lock:
            server = server_of(url)
            if self._waited_s.get(server, 0) >= self._budget_s:
                return f"{NOT_ASKED}, {self._waited_s[server]:.0f} s were waited for it in vain: {self._last[server]}"
            if self._strikes.get(server, 0) >= STRIKES:
                return f"{NOT_ASKED}, it failed {STRIKES} times: {self._last[server]}"
            return ""

    def is_silent(self, url: str) -> bool:
        """Whether this server took a question and never answered, and has sent no file since."""
        with self._lock:
            return server_of(url) in self._silent

    def waited(self, url: str, seconds: float, why: str) -> bool:
        """Counts a wait in vain; gives whether it was one too many."""
        with self._lock:
            server = server_of(url)
            self._waited_s[server] = self._waited_s.get(server, 0) + seconds
            self._last[server] = why
            return self._waited_s[server] >= self._budget_s

    def has_served(self, url: str) -> bool:
        with self._lock:
            return server_of(url) in self._served

    def note(self, url: str, answer: Answer) -> None:
        with self._lock:
            server = server_of(url)
            self._strikes[server] = self._strikes.get(server, 0) + 1 if answer.strike else 0
            self._last[server] = answer.text
            if answer.silent and server not in self._served:
                self._silent.add(server)
            if answer.ok:
                self._served.add(server)
                self._silent.discard(server)
                self._waited_s[server] = 0
