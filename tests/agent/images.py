"""A server of images on loopback, by plain HTTP (so every image is named with its SHA-256)."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import threading
import uuid
from typing import Any


class Handler(http.server.BaseHTTPRequestHandler):
    server: Images

    def do_GET(self) -> None:
        name = self.path.lstrip("/")
        data = self.server.files.get(name)
        if data is None:
            self.send_error(404)
            return
        gate = self.server.gates.get(name)
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        try:
            half = len(data) // 2
            self.wfile.write(data[:half])
            if gate is not None:
                self.wfile.flush()
                gate.wait(20)
            self.wfile.write(data[half:])
        except OSError:
            pass

    def log_message(self, format: str, *args: Any) -> None:
        pass


class Images(http.server.ThreadingHTTPServer):
    """`gates`: names whose second half is held back until the event is set."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.gates: dict[str, threading.Event] = {}
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{name}"

    def add(self, data: bytes, compress: bool = False, **changes: Any) -> dict[str, Any]:
        """Serves an image and returns it as slice.provision's `image`."""
        name = str(uuid.uuid4())
        served = gzip.compress(data, 1) if compress else data
        self.files[name] = served
        image = {"id": name, "url": self.url(name), "sha256": hashlib.sha256(served).hexdigest(),
                 "size_bytes": len(served), "compression": "gzip" if compress else "none"}
        image.update(changes)
        return {key: value for key, value in image.items() if value is not None}
