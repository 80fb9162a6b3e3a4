"""sliced-net fetch: downloads, resumption, redirects, and what it says about bad servers."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from certificates import Authority
from conftest import ServerMaker
from helper import Child, Message
from server import Request

DATA = random.Random(7).randbytes(3_000_000)


class Fetch:
    """One run of `sliced-net fetch`; what comes through the pipe is in `received`."""

    def __init__(self, url: str | None, ca: str | None = None, *, read: bool = True,
                 **more: object) -> None:
        self.read_end, write_end = os.pipe()
        self.child = Child("sliced-net", "fetch", descriptors=(write_end,))
        os.close(write_end)
        self.received = b""
        self.reader = threading.Thread(target=self._read)
        if read:
            self.reader.start()
        self.child.send({"type": "fetch", "url": url, "ca": ca, "transfer_bytes": None,
                         "limit_bytes": 1 << 30, **more})

    def _read(self) -> None:
        while data := os.read(self.read_end, 1 << 20):
            self.received += data

    def outcome(self, timeout: float = 60) -> Message:
        message = self.child.outcome(timeout)
        self.exit_status = self.child.wait()
        if self.reader.ident is not None:
            self.reader.join(10)
        os.close(self.read_end)
        self.child.close()
        return message

    def expect(self, data: bytes = DATA) -> None:
        message = self.outcome()
        assert message == {"type": "done", "bytes": len(data), "progress": message["progress"]}
        assert self.exit_status == 0
        assert self.received == data

    def expect_error(self, code: str, *words: str) -> None:
        message = self.outcome()
        assert (message["type"], message["code"]) == ("error", code), message
        for word in words:
            assert word in message["message"], message
        assert self.exit_status == 1


class File:
    """A file on a server: breaks off after `breaks[n]` bytes of the n-th answer."""

    def __init__(self, data: bytes = DATA, *, breaks: tuple[int, ...] = (),
                 headers: dict[str, str] | None = None, ranges: bool = True) -> None:
        self.data = data
        self.breaks = list(breaks)
        self.headers = {"ETag": '"one"'} if headers is None else headers
        self.ranges = ranges

    def __call__(self, request: Request) -> None:
        start = 0
        status = 200
        headers = {"Content-Type": "application/octet-stream", **self.headers}
        asked = request.headers.get("range")
        condition = request.headers.get("if-range")
        valid = condition is None or condition in self.headers.values()
        if self.ranges and asked and valid:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            status = 206
            headers["Content-Range"] = f"bytes {start}-{len(self.data) - 1}/{len(self.data)}"
        body = self.data[start:]
        stop = self.breaks.pop(0) if self.breaks else len(body)
        request.answer(status, body[:stop], headers, length=len(body))
        if stop < len(body):
            request.break_off()


def test_https(serve: ServerMaker, authority: Authority) -> None:
    server = serve(File())
    Fetch(server.url + "/image", authority.pem, transfer_bytes=len(DATA)).expect()


def test_http(serve: ServerMaker) -> None:
    Fetch(serve(File(), certificate=None).url + "/image").expect()


def test_empty(serve: ServerMaker) -> None:
    Fetch(serve(File(b""), certificate=None).url).expect(b"")


def test_chunked(serve: ServerMaker) -> None:
    def respond(request: Request) -> None:
        handler = request.handler
        handler.send_response_only(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for start in range(0, len(DATA), 100_000):
            part = DATA[start:start + 100_000]
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        handler.wfile.write(b"0\r\n\r\n")

    Fetch(serve(respond, certificate=None).url).expect()


def test_progress(serve: ServerMaker) -> None:
    def respond(request: Request) -> None:
        request.answer(200, DATA[:1000], length=3000)
        for _ in range(2):
            request.handler.wfile.flush()
            time.sleep(1.2)
            request.handler.wfile.write(DATA[:1000])

    fetch = Fetch(serve(respond, certificate=None).url)
    assert fetch.child.receive() is not None
    message = fetch.child.receive()
    assert message is not None and message["total"] == 3000
    assert message["bytes"] in (1000, 2000)
    assert fetch.outcome()["bytes"] == 3000


@pytest.mark.parametrize("headers", [
    {"ETag": '"one"'}, {"Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT"},
    {"ETag": 'W/"weak"'},
    {"ETag": 'W/"weak"', "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT"}])
@pytest.mark.parametrize("ranges", [True, False])
def test_goes_on_after_a_break(serve: ServerMaker, headers: dict[str, str], ranges: bool) -> None:
    """With and without a server that knows ranges."""
    server = serve(File(breaks=(1_000_000, 1_500_000), headers=headers, ranges=ranges),
                   certificate=None)
    Fetch(server.url).expect()
    assert len(server.requests) == 3
    assert "range" not in server.requests[0].headers
    assert server.requests[1].headers["range"].startswith("bytes=")


def test_break_before_the_first_byte(serve: ServerMaker) -> None:
    server = serve(File(breaks=(0, 0), headers={}), certificate=None)
    Fetch(server.url).expect()


def test_break_without_a_validator(serve: ServerMaker) -> None:
    server = serve(File(breaks=(1_000_000,), headers={}), certificate=None)
    Fetch(server.url + "/image?secret=1").expect_error(
        "image_unavailable", server.url + "/image: ", "neither ETag nor Last-Modified")


def test_file_changed_meanwhile(serve: ServerMaker) -> None:
    file = File(breaks=(1_000_000,))

    def respond(request: Request) -> None:
        file(request)
        file.headers = {"ETag": '"two"'}

    Fetch(serve(respond, certificate=None).url).expect_error("image_unavailable", "changed")


def test_server_goes_on_with_the_wrong_byte(serve: ServerMaker) -> None:
    def respond(request: Request) -> None:
        if "range" not in request.headers:
            File(breaks=(1_000_000,))(request)
        else:
            request.answer(206, DATA[5:], {"ETag": '"one"', "Content-Range":
                                           f"bytes 5-{len(DATA) - 1}/{len(DATA)}"})

    Fetch(serve(respond, certificate=None).url).expect_error("image_unavailable", "wrong byte")


def test_gives_up_in_the_end(serve: ServerMaker) -> None:
    server = serve(File(breaks=(1000, *[0] * 10)), certificate=None)
    Fetch(server.url).expect_error("image_unavailable", "5 attempts", "connection was lost")
    assert len(server.requests) == 5


def test_server_error_that_passes(serve: ServerMaker) -> None:
    answers: list[Callable[[Request], None]] = [
        lambda request: request.answer(503, b"busy"), lambda request: request.answer(500, b""),
        File()]
    Fetch(serve(lambda request: answers.pop(0)(request), certificate=None).url).expect()


@pytest.mark.parametrize(("status", "words"), [(404, "not found"), (403, "forbidden"),
                                               (410, "410")])
def test_refusals_are_final(serve: ServerMaker, status: int, words: str) -> None:
    server = serve(lambda request: request.answer(status, b"<html>gone</html>"), certificate=None)
    Fetch(server.url).expect_error("image_unavailable", server.url, words)
    assert len(server.requests) == 1


def test_server_error_that_stays(serve: ServerMaker) -> None:
    server = serve(lambda request: request.answer(500, b""), certificate=None)
    Fetch(server.url).expect_error("image_unavailable", "HTTP status 500", "5 attempts")


def test_connection_refused() -> None:
    Fetch("http://127.0.0.1:1/image").expect_error("image_unavailable", "Connection refused")


def test_unknown_name() -> None:
    Fetch("http://no-such-host.invalid/").expect_error("image_unavailable", "no-such-host.invalid")


def test_redirects(serve: ServerMaker, authority: Authority) -> None:
    target = serve(File())
    middle = serve(lambda request: request.answer(302, b"", {"Location": target.url + "/x"}))
    first = serve(lambda request: request.answer(301, b"", {"Location": middle.url + "/y"}),
                  certificate=None)
    Fetch(first.url, authority.pem).expect()


def test_redirect_out_of_https(serve: ServerMaker, authority: Authority) -> None:
    target = serve(File(), certificate=None)
    server = serve(lambda request: request.answer(302, b"", {"Location": target.url}))
    Fetch(server.url, authority.pem).expect_error("image_unavailable", "https")
    assert target.requests == []


def test_redirect_without_end(serve: ServerMaker) -> None:
    server = serve(lambda request: request.answer(302, b"", {"Location": "/again"}),
                   certificate=None)
    Fetch(server.url).expect_error("image_unavailable", "too many redirects")


def test_redirect_to_a_file(serve: ServerMaker) -> None:
    server = serve(lambda request: request.answer(302, b"", {"Location": "file:///etc/passwd"}),
                   certificate=None)
    fetch = Fetch(server.url)
    assert fetch.outcome()["type"] == "error"
    assert fetch.received == b""


def test_redirect_to_nowhere(serve: ServerMaker) -> None:
    Fetch(serve(lambda request: request.answer(302, b""), certificate=None).url).expect_error(
        "image_unavailable", "302")


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://x/", "x", "gopher://x"])
def test_other_schemes(url: str) -> None:
    Fetch(url).expect_error("invalid_argument", "http")


def test_unknown_authority(serve: ServerMaker, tmp_path: Path) -> None:
    server = serve(File())
    Fetch(server.url, Authority(tmp_path / "ca").pem).expect_error("image_unavailable",
                                                                   "not trusted")
    assert server.requests == []


def test_expired_certificate(serve: ServerMaker, authority: Authority) -> None:
    server = serve(File(), authority.server("stale", until="20200201000000Z"))
    Fetch(server.url, authority.pem).expect_error("image_unavailable", "expired")


def test_more_than_the_limit(serve: ServerMaker) -> None:
    server = serve(File(), certificate=None)
    fetch = Fetch(server.url, limit_bytes=1_000_000)
    fetch.expect_error("image_too_large", "1000000")
    assert fetch.received == b""


def test_endless_body(serve: ServerMaker) -> None:
    def respond(request: Request) -> None:
        handler = request.handler
        handler.send_response_only(200)
        handler.end_headers()
        handler.close_connection = True
        try:
            while True:
                handler.wfile.write(bytes(65536))
        except OSError:
            pass

    fetch = Fetch(serve(respond, certificate=None).url, limit_bytes=5_000_000)
    fetch.expect_error("image_too_large", "5000000")
    assert len(fetch.received) <= 5_000_000


@pytest.mark.parametrize("announced", [len(DATA) - 1, len(DATA) + 1])
def test_wrong_length(serve: ServerMaker, announced: int) -> None:
    server = serve(File(), certificate=None)
    Fetch(server.url, transfer_bytes=announced).expect_error("image_length_mismatch",
                                                             str(announced), str(len(DATA)))


@pytest.mark.parametrize("announced", [len(DATA) - 1, len(DATA) + 1])
def test_wrong_length_without_a_header(serve: ServerMaker, announced: int) -> None:
    def respond(request: Request) -> None:
        request.handler.send_response_only(200)
        request.handler.end_headers()
        request.handler.close_connection = True
        request.handler.wfile.write(DATA)

    Fetch(serve(respond, certificate=None).url, transfer_bytes=announced).expect_error(
        "image_length_mismatch", str(announced))


def test_secrets_stay_out_of_messages(serve: ServerMaker) -> None:
    server = serve(lambda request: request.answer(404, b""), certificate=None)
    url = server.url.replace("://", "://user:password@") + "/image?signature=abc#part"
    fetch = Fetch(url)
    message = fetch.outcome()["message"]
    assert server.url + "/image: " in message
    assert "password" not in message and "signature" not in message


def test_reader_goes_away(serve: ServerMaker) -> None:
    server = serve(File(), certificate=None)
    fetch = Fetch(server.url, read=False)
    os.read(fetch.read_end, 1000)
    os.close(fetch.read_end)
    message = fetch.child.outcome()
    assert (message["type"], message["code"]) == ("error", "cancelled")
    assert fetch.child.wait() == 1
    fetch.child.close()


@pytest.mark.parametrize("more", [
    {"type": "import"}, {"limit_bytes": 0}, {"extra": 1}, {"url": None}, {"url": "h" * 5000}])
def test_malformed_message(more: dict[str, Any]) -> None:
    fetch = Fetch(**dict({"url": "http://127.0.0.1:1"}, **more))
    assert fetch.outcome()["type"] == "error"
    assert fetch.exit_status == 1


def test_header_that_is_too_odd(serve: ServerMaker) -> None:
    """Validators that cannot be sent back are as none."""
    server = serve(File(breaks=(1_000_000,), headers={"ETag": '"' + "x" * 5000 + '"'}),
                   certificate=None)
    Fetch(server.url).expect_error("image_unavailable", "neither ETag nor Last-Modified")
