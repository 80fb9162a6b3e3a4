"""An HTTP server on loopback that serves folders, and does to single paths what servers do on bad days."""

from __future__ import annotations

import fnmatch
import http.server
import socketserver
import threading
import urllib.parse
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from faults import Fault, Request, honest

Route = Callable[[str], "bytes | None"]


class Server:
    """Serves a folder, or what `route` gives for a path; `fault` says what happens to the paths of a pattern."""

    def __init__(self, folder: Path | None = None, route: Route | None = None) -> None:
        self._folder = folder
        self._route = route
        self._faults: list[tuple[str, Fault]] = []
        self._lock = threading.Lock()
        self.closing = threading.Event()
        self.requests: Counter[str] = Counter()  # by path, as decoded
        self.lines: list[str] = []  # request lines as they came
        self.headers: list[dict[str, str]] = []  # of each request
        self.sent: Counter[str] = Counter()  # bytes of bodies, by path
        self.arrived = threading.Condition(self._lock)
        self._at_once = 0
        self.peak = 0  # most requests that were being answered at once
        self._server = _Listener(("127.0.0.1", 0), _handler_of(self))
        self.port = int(self._server.server_address[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def fault(self, pattern: str, fault: Fault) -> None:
        """From now on paths that match the shell pattern are answered like this; the newest match counts."""
        with self._lock:
            self._faults.insert(0, (pattern, fault))

    def well(self) -> None:
        """No faults any more."""
        with self._lock:
            self._faults.clear()

    def asked(self, pattern: str = "*") -> int:
        """How many requests there were for paths of a pattern."""
        with self._lock:
            return sum(count for path, count in self.requests.items() if fnmatch.fnmatchcase(path, pattern))

    def body_bytes(self, pattern: str = "*") -> int:
        """How many bytes of bodies were sent for paths of a pattern."""
        with self._lock:
            return sum(count for path, count in self.sent.items() if fnmatch.fnmatchcase(path, pattern))

    def wait_for(self, pattern: str, count: int = 1, limit: float = 60) -> None:
        """Waits until so many requests came for paths of a pattern."""
        with self.arrived:
            came = self.arrived.wait_for(
                lambda: sum(number for path, number in self.requests.items()
                            if fnmatch.fnmatchcase(path, pattern)) >= count, limit)
        assert came, f"{count} requests for {pattern} did not come: {dict(self.requests)}"

    def close(self) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    # --- For the handler --------------------------------------------------------------------------

    def came(self, path: str, line: str, headers: dict[str, str]) -> Fault:
        with self.arrived:
            self.requests[path] += 1
            self.lines.append(line)
            self.headers.append(headers)
            self._at_once += 1
            self.peak = max(self.peak, self._at_once)
            self.arrived.notify_all()
            for pattern, fault in self._faults:
                if fnmatch.fnmatchcase(path, pattern):
                    return fault
        return honest

    def went(self) -> None:
        with self._lock:
            self._at_once -= 1

    def count(self, path: str, sent: int) -> None:
        with self._lock:
            self.sent[path] += sent

    def content(self, path: str) -> bytes | None:
        """The file of a path, or None."""
        if self._route:
            return self._route(path)
        if self._folder is None or ".." in path.split("/"):
            return None
        file = self._folder / path.lstrip("/")
        return file.read_bytes() if file.is_file() else None


class _Listener(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is no news."""


class Once:
    """Does something at the first call only."""

    def __init__(self, what: Callable[[], None]) -> None:
        self._what: Callable[[], None] | None = what

    def __call__(self) -> None:
        what, self._what = self._what, None
        if what:
            what()


def _handler_of(server: Server) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 60

        def answer(self) -> None:
            self.close_connection = True
            # A proxy is asked for whole addresses.
            parts = urllib.parse.urlsplit(self.path)
            path = urllib.parse.unquote(parts.path) if self.command != "CONNECT" else self.path
            fault = server.came(path, self.requestline, dict(self.headers.items()))
            went = Once(server.went)
            try:
                request = Request(self.connection, self.command, path, self.path, self.headers.get("Range"),
                                  server.content(path), server.closing, lambda sent: server.count(path, sent), went)
                fault(request)
            except OSError:
                pass  # the client closed first
            finally:
                went()

        do_GET = do_HEAD = do_CONNECT = answer

        def log_message(self, format: str, *args: object) -> None:
            """Quiet: the requests are counted instead."""

    return Handler
