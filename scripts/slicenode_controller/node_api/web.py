"""One HTTP connection: reads a call, has it answered, writes the answer."""

import contextlib
import io
import socket
import ssl
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import urlsplit

from ..files import exports, files
from ..files.faults import Rule
from ..state.store import to_json
from . import schema
from .context import Context
from .protocol import Operation, UnknownCall
from .service import Call, Refused

BODY_BYTES = 4 * 1024 * 1024
BODY_SECONDS = 60
IDLE_SECONDS = 120
HANDSHAKE_SECONDS = 20


class Handler(BaseHTTPRequestHandler):
    """Serves one connection; every call in it is counted and checked against openapi.json."""

    protocol_version = "HTTP/1.1"
    timeout = IDLE_SECONDS
    disable_nagle_algorithm = True
    wbufsize = 64 * 1024
    context: Context
    tls: ssl.SSLContext | None

    def setup(self) -> None:
        if self.tls is not None:
            # Here and not where connections are accepted: a slow client delays only itself.
            self.request.settimeout(HANDSHAKE_SECONDS)
            self.request = self.tls.wrap_socket(self.request, server_side=True)
        super().setup()

    def finish(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            super().finish()
        if isinstance(self.connection, ssl.SSLSocket):
            # socketserver closes the socket it accepted; this one took that one's place.
            with contextlib.suppress(OSError, ValueError):
                self.connection.settimeout(0)
                self.connection.unwrap()
            self.connection.close()

    def handle_expect_100(self) -> bool:
        if self.path.startswith(exports.PREFIX):
            return True  # once it is known that the body is wanted
        go_on = super().handle_expect_100()
        self.wfile.flush()
        return go_on

    def do_GET(self) -> None:
        self._serve()

    def do_HEAD(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def _serve(self) -> None:
        url = urlsplit(self.path)
        try:
            fault = self.context.faults.take(url.path)
            if fault is not None and fault.kind == "delay":
                time.sleep(fault.number)
            if fault is not None and fault.kind == "close":
                self._hang_up()
            elif fault is not None and fault.kind == "status":
                if url.path.startswith(exports.PREFIX):
                    self.close_connection = True
                else:
                    self._read_body()
                refused = Refused(int(fault.number), "internal", "a fault that was asked for")
                self._answer(refused.status, refused.body())
            elif url.path.startswith(files.PREFIX) and self.command in ("GET", "HEAD"):
                self._serve_file(url.path, fault)
            elif url.path.startswith(exports.PREFIX) and self.command == "PUT":
                self._take_export(url.path, fault)
            else:
                self._serve_call(url.path, url.query)
        except Refused as refused:
            self.close_connection = True
            self._answer(refused.status, refused.body())

    # Calls of the protocol

    def _serve_call(self, path: str, query: str) -> None:
        body = self._read_body()
        if self.tls is None:
            raise Refused(404, "unknown_operation", "only images are served without TLS")
        try:
            operation, names = self.context.protocol.match(self.command, path)
        except UnknownCall as unknown:
            status = 405 if unknown.allowed else 404
            message = f"no such call: {self.command} {path[:200]}"
            self.context.violation("node", self._common_name(), "?", message, "")
            raise Refused(status, "unknown_operation", message) from None
        try:
            status, answer = self._call(operation, names, query, body)
        except Refused as refused:
            status, answer = refused.status, refused.body()
        except Exception:
            self.context.log_failure(f"{operation.id} failed")
            status, answer = 500, Refused(500, "internal", "the controller failed").body()
        self._check_answer(operation, status, answer)
        self.context.count(operation.id, status)
        self._answer(status, answer)

    def _call(
        self, operation: Operation, names: dict[str, str], query: str, text: bytes
    ) -> tuple[int, dict[str, Any]]:
        node_id = names.get("node_id", "")
        if operation.needs_certificate:
            self.context.service.check_caller(node_id, self._common_name())
            host = self.headers.get("Host", "")
            self.context.heard(node_id, str(self.client_address[0]), host)
            if operation.id == "register":
                # Who waits for the registration may go on to images, whose URLs need the host.
                self.context.write_down()
        values, faults = self.context.protocol.check_query(operation, query)
        body: Any = None
        if operation.body is not None:
            try:
                body = schema.parse(text)
            except ValueError as error:
                faults.append(schema.Fault("", "invalid_argument", str(error)))
            else:
                faults += self.context.protocol.check_body(operation, body)
        if faults:
            said = text.decode("utf-8", "replace")
            for fault in faults[:10]:
                self.context.violation("node", node_id or None, operation.id, str(fault), said)
            raise Refused(400, faults[0].code, str(faults[0]))
        if operation.id == "reportEvents":
            self.context.check_results(node_id, body)
        return self.context.service.answer(Call(operation.id, node_id, values, body))

    def _check_answer(self, operation: Operation, status: int, answer: dict[str, Any]) -> None:
        checked = answer
        if "requests" in answer:
            checked = {**answer, "requests": self.context.only_checked(answer["requests"])}
        for fault in self.context.protocol.check_response(operation, status, checked):
            self.context.violation("controller", None, operation.id, str(fault), answer)

    def _common_name(self) -> str | None:
        if not isinstance(self.connection, ssl.SSLSocket):
            return None
        certificate = self.connection.getpeercert() or {}
        subject: Any = certificate.get("subject", ())
        for part in subject:
            for key, value in part:
                if key == "commonName":
                    return str(value)
        return None

    def _read_body(self) -> bytes:
        if "Transfer-Encoding" in self.headers:
            raise Refused(411, "invalid_argument", "the body must come with Content-Length")
        announced = self.headers.get("Content-Length", "0")
        if not (announced.isascii() and announced.isdigit()):
            raise Refused(400, "invalid_argument", "Content-Length is no number")
        left = int(announced[:18])
        if left > BODY_BYTES:
            raise Refused(413, "invalid_argument", f"the body is above {BODY_BYTES} bytes")
        end = time.monotonic() + BODY_SECONDS
        parts = []
        while left > 0:
            part = self._reader().read1(min(left, 65536))
            if not part or time.monotonic() > end:
                raise Refused(408, "invalid_argument", "the body did not come in time")
            parts.append(part)
            left -= len(part)
        return b"".join(parts)

    def _reader(self) -> io.BufferedReader:
        assert isinstance(self.rfile, io.BufferedReader)
        return self.rfile

    # Images

    def _serve_file(self, path: str, fault: Rule | None) -> None:
        self._read_body()
        images = self.context.images
        file = None if images is None else images.find(path)
        if file is None:
            refused = Refused(404, "image_not_found", f"no such file: {path[:200]}")
            self._answer(refused.status, refused.body())
            return
        asked, condition = self.headers.get("Range"), self.headers.get("If-Range")
        reply = files.reply_to(file, asked, condition, fault)
        self.context.count(f"image {self.command}", reply.status)
        self.send_response(reply.status)
        for key, value in reply.headers:
            self.send_header(key, value)
        self.end_headers()
        if self.command == "GET" and not files.send(file, reply, self.wfile, fault):
            self._hang_up()

    def _take_export(self, path: str, fault: Rule | None) -> None:
        file = self.context.exports.find(path) if self.tls is not None else None
        if file is None:
            raise Refused(404, "invalid_argument", "nothing is awaited there")
        if self.headers.get("Expect", "").lower() == "100-continue":
            self.send_response_only(100)
            self.end_headers()
            self.wfile.flush()
        try:
            body = exports.body_of(self.headers, self._reader())
            if fault is not None and fault.kind == "drop":
                body = exports.counted(self._reader(), int(fault.number))
            answer = exports.receive(file, body)
        except (exports.Broken, OSError) as error:
            raise Refused(400, "invalid_argument", f"the export: {error}") from None
        if fault is not None and fault.kind == "drop":
            file.unlink()
            self._hang_up()
            return
        self.context.count("export", 201)
        self._answer(201, answer)

    def _hang_up(self) -> None:
        """Ends the connection as a cable that is pulled would, but for what was written."""
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.wfile.flush()
            # Without TLS's close_notify, which would make a broken transfer look complete.
            self.connection.shutdown(socket.SHUT_RDWR)

    # HTTP

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        text = to_json(body).encode("utf-8")
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    def send_error(
        self, code: int, message: str | None = None, explain: str | None = None
    ) -> None:
        """For what http.server finds wrong itself: the same form of error as everywhere."""
        self.close_connection = True
        name = message or HTTPStatus(code).phrase
        self.command = self.command or "GET"
        self.request_version = "HTTP/1.1"
        self._answer(code, Refused(code, "invalid_argument", name).body())

    def version_string(self) -> str:
        return "slicenode-controller"

    def log_message(self, format: str, *args: Any) -> None:
        self.context.log_access(f"{self.client_address[0]} {format % args}")
