"""What a server can do to a request. Each fault is a function of the request, or makes one."""

from __future__ import annotations

import re
import select
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

PAGE = b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body>Welcome to the network</body></html>\n"
ENDLESS = 64 << 20  # where even an endless stream ends, so that a reader that never stops fails instead of hanging


@dataclass
class Request:
    """A request, what an honest server would send for it, and the ways to answer."""

    connection: socket.socket
    method: str
    path: str
    target: str  # as it came: not decoded, with query, for a proxy the whole address
    wanted: str | None
    content: bytes | None
    closing: threading.Event
    count: Callable[[int], None] = field(repr=False)
    done: Callable[[], None] = field(repr=False)  # called before the last byte goes: the next request may follow

    def start(self) -> int | None:
        """The first byte that a Range asks for, or None without one that can be met."""
        match = re.fullmatch(r"bytes=(\d+)-", self.wanted or "")
        return int(match[1]) if match else None

    def head(self, status: str, length: int | None, *lines: str) -> None:
        """Sends the status line and headers; without a length the end of the connection ends the body."""
        known = () if length is None else (f"Content-Length: {length}",)
        text = "\r\n".join([f"HTTP/1.1 {status}", "Connection: close", *known, *lines, "", ""])
        self.connection.sendall(text.encode())

    def body(self, content: bytes, last: bool = True) -> None:
        if last:
            self.done()
        if self.method == "HEAD":
            return
        self.connection.sendall(content)
        self.count(len(content))

    def page(self, status: str, content: bytes, *lines: str) -> None:
        self.head(status, len(content), *lines)
        self.body(content)

    def rest(self) -> bytes:
        """Sends the head that is right for the request; gives the bytes that should follow it."""
        assert self.content is not None
        start = self.start()
        if start is None:
            self.head("200 OK", len(self.content), "Accept-Ranges: bytes")
            return self.content
        if start >= len(self.content):
            self.page("416 Range Not Satisfiable", b"", f"Content-Range: bytes */{len(self.content)}")
            return b""
        self.head("206 Partial Content", len(self.content) - start,
                  f"Content-Range: bytes {start}-{len(self.content) - 1}/{len(self.content)}")
        return self.content[start:]

    def linger(self, limit: float = 120) -> None:
        """Waits until the client has gone, the server closes, or the limit is over."""
        until = time.monotonic() + limit
        while time.monotonic() < until and not self.closing.is_set():
            if select.select([self.connection], [], [], 0.05)[0] and not self.connection.recv(4096):
                return

    def reset(self) -> None:
        """Ends the connection with a RST instead of a FIN."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()


Fault = Callable[[Request], None]


def honest(request: Request) -> None:
    if request.method == "CONNECT":
        request.page("405 Method Not Allowed", b"")
    elif request.content is None:
        request.page("404 Not Found", b"<html>Not found</html>\n", "Content-Type: text/html")
    else:
        request.body(request.rest())


def status(code: str, *lines: str, text: bytes = b"") -> Fault:
    """Answers like this, such as `status("429 Too Many Requests", "Retry-After: 1")`."""
    return lambda request: request.page(code, text, *lines)


def in_turn(*faults: Fault) -> Fault:
    """The first request gets the first fault and so on; the last one stays."""
    waiting = list(faults)
    lock = threading.Lock()

    def fault(request: Request) -> None:
        with lock:
            chosen = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        chosen(request)

    return fault


def hang(request: Request) -> None:
    """Accepts and never answers."""
    request.linger()


def hang_after(part: float) -> Fault:
    """Sends the headers and this part of the body, then nothing."""
    def fault(request: Request) -> None:
        if request.content is None:
            return honest(request)
        rest = request.rest()
        request.body(rest[:int(len(rest) * part)])
        return request.linger()

    return fault


def cut_half(request: Request) -> None:
    """Cuts each connection at half of what is left, until little is."""
    if request.content is None:
        return honest(request)
    rest = request.rest()
    return request.body(rest if len(rest) < 2000 else rest[:len(rest) // 2])


def cut_at(count: int) -> Fault:
    """Each connection brings only so many bytes."""
    def fault(request: Request) -> None:
        if request.content is None:
            return honest(request)
        return request.body(request.rest()[:count])

    return fault


def no_ranges(first: Fault | None = None) -> Fault:
    """Answers every request with the whole file, the first one as `first` does."""
    def whole(request: Request) -> None:
        request.wanted = None
        honest(request)

    def cut(request: Request) -> None:
        request.wanted = None
        (first or honest)(request)

    return in_turn(cut, whole) if first else whole


def earlier_range(request: Request) -> None:
    """Answers a Range from a hundred bytes before where it was asked for, as some caches do."""
    start = request.start()
    if request.content is None or not start:
        return honest(request)
    request.wanted = f"bytes={max(start - 100, 0)}-"
    return request.body(request.rest())


def refused_range(request: Request) -> None:
    """416 to every Range."""
    if request.start() is None:
        return honest(request)
    return request.page("416 Range Not Satisfiable", b"")


def truncated(request: Request) -> None:
    """Half of the file, as if that were all."""
    content = request.content or b""
    request.page("200 OK", content[:len(content) // 2])


def truncated_unsaid(request: Request) -> None:
    """Half of the file without a Content-Length."""
    content = request.content or b""
    request.head("200 OK", None)
    request.body(content[:len(content) // 2])


def tampered(request: Request) -> None:
    """One byte differs."""
    if request.content is None:
        return honest(request)
    changed = bytearray(request.content)
    changed[len(changed) // 2] ^= 1
    request.content = bytes(changed)
    return request.body(request.rest())


def longer(request: Request) -> None:
    """The file with something behind it."""
    request.page("200 OK", (request.content or b"") + b"and more")


def html(request: Request) -> None:
    """A page with 200, whatever was asked for."""
    request.page("200 OK", PAGE, "Content-Type: text/html")


def html_of_its_size(request: Request) -> None:
    """A page that is as long as the file."""
    size = len(request.content or PAGE)
    request.page("200 OK", (PAGE * (size // len(PAGE) + 1))[:size], "Content-Type: text/html")


def endless(request: Request) -> None:
    """Bytes without end and without a Content-Length."""
    request.head("200 OK", None)
    for _ in range(ENDLESS >> 16):
        request.body(bytes(1 << 16))


def redirect(target: str, code: str = "302 Found") -> Fault:
    """To an address; `*` in it stands for the path."""
    return lambda request: request.page(code, b"", f"Location: {target.replace('*', request.path)}")


def wrong_length(request: Request) -> None:
    """Says that there is more than it sends."""
    content = request.content or b""
    request.head("200 OK", len(content) + 1000)
    request.body(content)


def labelled_gzip(request: Request) -> None:
    """The plain file with a header that calls it compressed."""
    request.page("200 OK", request.content or b"", "Content-Encoding: gzip")


def trickle(rate: int, step: float = 0.05) -> Fault:
    """So many bytes a second."""
    def fault(request: Request) -> None:
        if request.content is None:
            return honest(request)
        rest = request.rest()
        size = max(int(rate * step), 1)
        for at in range(0, len(rest), size):
            if request.closing.wait(step):
                return None
            request.body(rest[at:at + size], last=at + size >= len(rest))
        return None

    return fault


def reset_at_once(request: Request) -> None:
    """RST instead of an answer."""
    request.reset()


def reset_after(part: float) -> Fault:
    """RST after this part of the body."""
    def fault(request: Request) -> None:
        if request.content is None:
            return honest(request)
        rest = request.rest()
        request.body(rest[:int(len(rest) * part)])
        time.sleep(0.05)  # a RST throws away what the client has not read yet
        return request.reset()

    return fault
