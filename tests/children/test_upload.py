"""sliced-net upload and sliced-export by themselves: what is sent, and what is said of bad ends."""

from __future__ import annotations

import hashlib
import os
import random
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from certificates import Authority
from conftest import ServerMaker
from helper import Child, Message
from server import Request

DATA = random.Random(11).randbytes(3_000_000)
SNAPSHOT = "00000000-0000-4000-8000-000000000001"


class Upload:
    """One run of `sliced-net upload`."""

    def __init__(self, url: str, authority: Authority | None, **more: Any) -> None:
        read_end, self.write_end = os.pipe()
        self.child = Child("sliced-net", "upload", descriptors=(read_end,))
        os.close(read_end)
        ca = authority.certificate.read_text() if authority is not None else None
        self.child.send({"type": "upload", "url": url, "ca": ca, "stall_seconds": 20, **more})

    def give(self, data: bytes, *, said: int | None = None) -> threading.Thread:
        """Writes into the pipe and ends it; `said` is the length of the end message, -1 for none."""

        def write() -> None:
            try:
                view = memoryview(data)
                while view:
                    view = view[os.write(self.write_end, view):]
            except BrokenPipeError:
                pass
            os.close(self.write_end)
            if said != -1:
                try:
                    self.child.send({"type": "end", "bytes": len(data) if said is None else said})
                except BrokenPipeError:
                    pass
            else:
                self.child.socket.shutdown(1)

        thread = threading.Thread(target=write)
        thread.start()
        return thread

    def run(self, data: bytes, **options: Any) -> Message:
        thread = self.give(data, **options)
        message = self.child.outcome()
        thread.join(20)
        self.child.wait()
        self.child.close()
        return message

    def expect_error(self, code: str, *words: str, data: bytes = DATA, **options: Any) -> None:
        message = self.run(data, **options)
        assert (message["type"], message.get("code")) == ("error", code), message
        for word in words:
            assert word in message["message"], message


class Taker:
    """Reads a body of either kind and keeps it."""

    def __init__(self, status: int = 201) -> None:
        self.status = status
        self.body: bytes | None = None
        self.headers: dict[str, str] = {}

    def __call__(self, request: Request) -> None:
        self.headers = request.headers
        body = request.body
        if request.headers.get("transfer-encoding") == "chunked":
            source = request.handler.rfile
            while length := int(source.readline() or b"0", 16):
                body += source.read(length)
                source.readline()
            if source.readline() != b"\r\n":
                return
        self.body = body
        request.answer(self.status, b"")


@pytest.mark.parametrize("length", [len(DATA), None])
def test_sends_all(serve: ServerMaker, authority: Authority, length: int | None) -> None:
    taker = Taker()
    upload = Upload(serve(taker).url + "/x?secret", authority, length=length,
                    headers=["X-Test: one"])
    assert upload.run(DATA)["bytes"] == len(DATA)
    assert taker.body == DATA
    assert taker.headers["x-test"] == "one"
    assert ("content-length" in taker.headers) == (length is not None)


@pytest.mark.parametrize("said", [-1, 5])
def test_a_stream_that_breaks_off_is_not_ended(serve: ServerMaker, authority: Authority,
                                               said: int) -> None:
    """Without the last word the server must not see the last chunk."""
    taker = Taker()
    upload = Upload(serve(taker).url, authority)
    message = upload.run(DATA, said=said)
    assert message["code"] == "cancelled", message
    assert taker.body is None


def test_shorter_than_announced(serve: ServerMaker, authority: Authority) -> None:
    Upload(serve(Taker()).url, authority, length=len(DATA) + 1).expect_error("cancelled")


def early(status: int) -> Any:
    def answer(request: Request) -> None:
        request.answer(status, b'{"error": "no place"}', {"Location": "https://127.0.0.1:1/"})
        request.handler.close_connection = True
    return answer


@pytest.mark.parametrize(("status", "words"), [(403, "forbidden"), (507, "no space left"),
                                               (500, "no place"), (307, "does not follow")])
def test_refused(serve: ServerMaker, authority: Authority, status: int, words: str) -> None:
    """Before the body was read: the server says no at once."""
    server = serve(early(status))
    # Little, so that nothing is unread when the server closes: the reset could overtake the answer.
    Upload(server.url + "/x?secret", authority).expect_error("export_failed", f" {status}", words,
                                                             data=DATA[:1000])
    assert len(server.requests) == 1, "what broke is not tried again"


def test_secrets_are_not_told(serve: ServerMaker, authority: Authority) -> None:
    message = Upload(serve(early(403)).url + "/x?secret", authority).run(DATA[:1000])
    assert "secret" not in message["message"] and "/x" in message["message"]


def test_stands_still(serve: ServerMaker, authority: Authority) -> None:
    hold = threading.Event()
    server = serve(lambda request: hold.wait(20))
    Upload(server.url, authority, stall_seconds=1).expect_error(
        "export_failed", "taken nothing for 1 s", data=DATA * 4)
    hold.set()


def test_hangs_up(serve: ServerMaker, authority: Authority) -> None:
    Upload(serve(lambda request: request.break_off()).url, authority).expect_error(
        "export_failed", "connection", data=DATA * 4)


def test_trust(serve: ServerMaker, authority: Authority) -> None:
    taker = Taker()
    Upload(serve(taker).url, None).expect_error("export_failed", "not trusted")
    assert taker.body is None


def test_only_https(serve: ServerMaker) -> None:
    Upload("http://127.0.0.1:1/", None).expect_error("invalid_argument", "https")


# --- sliced-export ------------------------------------------------------------------------------


def start_export(volume: Path, **changes: Any) -> tuple[Child, int]:
    read_end, write_end = os.pipe()
    source = os.open(volume, os.O_RDONLY)
    child = Child("sliced-export", descriptors=(write_end, source))
    os.close(write_end)
    os.close(source)
    child.send({"type": "export", "format": "raw", "compression": "none",
                "size_bytes": volume.stat().st_size, "created_ms": 1, "snapshot": SNAPSHOT,
                **changes})
    return child, read_end


def read_all(fd: int) -> bytes:
    parts = []
    while part := os.read(fd, 1 << 20):
        parts.append(part)
    os.close(fd)
    return b"".join(parts)


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    path = tmp_path / "volume"
    path.write_bytes(DATA[:1 << 20] + bytes(3 << 20) + DATA[: 1 << 20])
    return path


def test_export(volume: Path) -> None:
    child, read_end = start_export(volume)
    ready = child.receive()
    assert ready == {"type": "ready", "length": 5 << 20}
    data = read_all(read_end)
    done = child.outcome()
    assert data == volume.read_bytes()
    assert (done["bytes"], done["read_bytes"]) == (5 << 20, 5 << 20)
    assert done["sha256"] == hashlib.sha256(data).hexdigest()
    assert child.wait() == 0
    child.close()


@pytest.mark.parametrize("changes", [{"format": "qcow2"}, {"compression": "xz"}, {"size_bytes": 0},
                                     {"snapshot": "x"}, {"more": 1}])
def test_export_of_nonsense(volume: Path, changes: dict[str, Any]) -> None:
    child, read_end = start_export(volume, **changes)
    assert child.outcome()["type"] == "error"
    assert read_all(read_end) == b"" and child.wait() == 1
    child.close()


def test_volume_is_shorter(volume: Path) -> None:
    child, read_end = start_export(volume, size_bytes=6 << 20)
    child.receive()
    read_all(read_end)
    message = child.outcome()
    assert message["code"] == "storage_error" and "ends at byte" in message["message"]
    child.wait()
    child.close()


def test_export_dies_with_its_parent(volume: Path) -> None:
    """Nobody reads, and then the agent is gone."""
    child, read_end = start_export(volume)
    child.receive()
    status = child.process_status()
    assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2" and int(status["CapEff"], 16) == 0
    os.close(read_end)
    assert child.outcome()["code"] == "cancelled"
    end = time.monotonic() + 10
    assert child.wait() == 1 and time.monotonic() < end
    child.close()
