"""A server that takes exports on loopback, by HTTPS with a certificate of its own."""

from __future__ import annotations

import hashlib
import http.server
import ssl
import subprocess
import tempfile
import threading
from functools import lru_cache
from pathlib import Path
from typing import Any


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Receiver

    def do_PUT(self) -> None:
        digest = hashlib.sha256()
        if self.headers.get("Transfer-Encoding") == "chunked":
            while left := int(self.rfile.readline() or b"x", 16):
                digest.update(self.rfile.read(left))
                self.rfile.readline()
            self.rfile.readline()
        else:
            digest.update(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.taken.append(digest.hexdigest())
        self.send_response(201)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


class Receiver(http.server.ThreadingHTTPServer):
    """`taken`: the SHA-256 of every whole body."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.taken: list[str] = []
        key, certificate = folder / "key", folder / "certificate"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out",
                        certificate, "-subj", "/CN=receiver", "-addext",
                        "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
        self.certificate = certificate.read_text().strip()
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(certificate, key)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def finish_request(self, request: Any, client_address: Any) -> None:
        """In the connection's own thread: a client that dies in the handshake stops nobody."""
        with self.tls.wrap_socket(request, server_side=True) as wrapped:
            super().finish_request(wrapped, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.server_address[1]}/disk"

    @property
    def conf(self) -> str:
        """A slicenode.conf of a node that trusts this server."""
        return f"slicenode.ca={self.certificate}\n"


@lru_cache(maxsize=1)
def receiver() -> Receiver:
    with tempfile.TemporaryDirectory() as folder:
        return Receiver(Path(folder))
