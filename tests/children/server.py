"""An HTTP(S) server that answers what a test says, faults included."""

from __future__ import annotations

import contextlib
import json
import socket
import socketserver
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any


@dataclass
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    handler: BaseHTTPRequestHandler
    client: str | None = None  # the CN of the client's certificate

    def json(self) -> Any:
        return json.loads(self.body)

    def answer(self, status: int, body: bytes | dict[str, Any] = b"",
               headers: dict[str, str] | None = None, length: int | None = None) -> None:
        """A whole answer; `length` may lie."""
        kind = {"Content-Type": "application/json"}
        data = json.dumps(body).encode() if isinstance(body, dict) else body
        self.handler.send_response_only(status)
        for key, value in {**kind, "Content-Length": str(length if length is not None
                                                         else len(data)),
                           **(headers or {})}.items():
            self.handler.send_header(key, value)
        self.handler.end_headers()
        self.handler.wfile.write(data)

    def break_off(self) -> None:
        """Ends the connection without ceremony."""
        self.handler.close_connection = True
        self.handler.wfile.flush()
        self.handler.connection.close()


Responder = Callable[[Request], None]


@dataclass
class Server:
    """Serves on a free port of 127.0.0.1 until closed; keeps what was asked."""

    responder: Responder
    certificate: tuple[Path, Path] | None = None
    client_ca: Path | None = None
    port: int = 0  # 0: any that is free
    requests: list[Request] = field(default_factory=list)
    connections: list[socket.socket] = field(default_factory=list)

    def __post_init__(self) -> None:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _serve(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                client = None
                if isinstance(self.connection, ssl.SSLSocket):
                    peer = self.connection.getpeercert() or {}
                    subject: Any = peer.get("subject", ())
                    for part in subject:
                        client = dict(part).get("commonName", client)
                request = Request(self.command, self.path,
                                  {k.lower(): v for k, v in self.headers.items()}, body, self,
                                  client)
                outer.requests.append(request)
                outer.responder(request)

            do_GET = do_PUT = do_POST = _serve  # noqa: N815

            def log_message(self, format: str, *arguments: object) -> None:
                pass

        class Threading(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True

            def get_request(self) -> Any:
                raw, address = self.socket.accept()
                outer.connections.append(raw)
                if outer.context is None:
                    return raw, address
                raw.settimeout(20)
                try:
                    wrapped = outer.context.wrap_socket(raw, server_side=True)
                    outer.connections.append(wrapped)
                    return wrapped, address
                except (ssl.SSLError, OSError) as error:
                    raise OSError(str(error)) from error

            def handle_error(self, request: Any, client_address: Any) -> None:
                pass

        self.context: ssl.SSLContext | None = None
        if self.certificate is not None:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(*self.certificate)
            if self.client_ca is not None:
                self.context.verify_mode = ssl.CERT_OPTIONAL
                self.context.load_verify_locations(self.client_ca)
        self.server = Threading(("127.0.0.1", self.port), Handler)
        self.port = int(self.server.server_address[1])
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        self.thread.start()

    @property
    def url(self) -> str:
        return f"{'https' if self.context else 'http'}://127.0.0.1:{self.port}"

    def close(self) -> None:
        self.server.shutdown()
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.server.server_close()
