"""A controller, and a server of images, that is there but slow beyond use: a byte a second, an answer
that never comes, a connection that nobody takes. Slices and what is asked for on the node are not
affected; what waits ends with an error that says so, or goes on when the other side does."""

from __future__ import annotations

import hashlib
import select
import socket
import threading
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from audit import audit
from hostile import Hostile, Request, Server, new_request
from node import Node, slice_args
from waiting import wait_until
from test_network_away import all_arrived, connected, work

HALF = 100_000
DATA = b"BOOTS!" + bytes(2 * HALF)


@pytest.fixture
def hostile(hostile: Hostile) -> Hostile:
    hostile.poll_wait = 1
    return hostile


@pytest.fixture
def impatient(make_node: Callable[..., Node], hostile: Hostile, small: dict[str, Any]) -> Node:
    """A node with a slice, which does not wait half a minute for each answer."""
    return connected(make_node, hostile, small, "--call-seconds", "1")


class Slow:
    """Answers until it is `over`: by one byte a second, or not at all."""

    def __init__(self, byte_by_byte: bool) -> None:
        self.byte_by_byte = byte_by_byte
        self.met = threading.Event()
        self.over = threading.Event()

    def answer(self, request: Request, first: bytes = b"", rest: bytes = b"") -> None:
        """`first` at once, and `rest` when it is over."""
        self.met.set()
        stream = request.handler.wfile
        length = len(first) + len(rest) if rest else 100000
        first = (b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                 b"Content-Length: %d\r\n\r\n%b" % (length, first))
        try:
            if self.byte_by_byte:
                stream.write(first)
                first = b""
            while not self.over.wait(1):
                if self.byte_by_byte:
                    stream.write(rest[:1] or b" ")
                    rest = rest[1:]
            stream.write(first + rest)
            if not rest:
                request.break_off()
        except OSError:
            pass


def local_work(node: Node) -> list[str]:
    """What is asked for on the node is done."""
    slice_id = next(iter(node.slices()))
    node.do("slice.stop", slice_id)
    node.do("slice.start", slice_id)
    return work(node, 3)


@pytest.mark.parametrize("byte_by_byte", [True, False])
@pytest.mark.parametrize("call", ["requests", "events"])
def test_controller_is_slow(impatient: Node, hostile: Hostile, call: str, byte_by_byte: bool) -> None:
    slow = Slow(byte_by_byte)

    def fault(met: str, request: Request) -> bool:
        if met != call or slow.over.is_set():
            return False
        slow.answer(request)
        return True

    hostile.fault = fault
    work(impatient, 1)
    assert slow.met.wait(60), "the slow call is under way"
    requests = local_work(impatient)
    asked = new_request("node.report")
    hostile.ask(asked)
    wait_until(lambda: f"{call}: controller_unreachable" in impatient.log()
               and "no answer within" in impatient.log(), "the node says so", 60)
    slow.over.set()
    all_arrived(impatient, hostile, *requests, asked["id"])


def test_many_events_pass_a_slow_link(impatient: Node, hostile: Hostile) -> None:
    """The more there is to send the longer it may take."""
    long_batches = []

    def fault(met: str, request: Request) -> bool:
        if met == "events" and len(request.body) > 16000:
            # What comes from the node while it waits for the answer is that it does not any more.
            if select.select([request.handler.connection], [], [], 4)[0]:
                request.break_off()
                return True
            long_batches.append(len(request.body))
        return False

    hostile.stop()
    requests = work(impatient, 40)
    hostile.fault = fault
    hostile.start()
    all_arrived(impatient, hostile, *requests)
    assert long_batches, "the events came one by one"


def test_controller_that_nobody_is_behind(impatient: Node, hostile: Hostile) -> None:
    """A load balancer without a server: connections are taken, and that is all."""
    hostile.stop()
    with socket.create_server(("127.0.0.1", hostile.port)):
        requests = local_work(impatient)
        wait_until(lambda: "cannot connect in time" in impatient.log(), "the node says so", 60)
        requests += local_work(impatient)
    hostile.start()
    asked = new_request("node.report")
    hostile.ask(asked)
    all_arrived(impatient, hostile, *requests, asked["id"])


@pytest.mark.parametrize("byte_by_byte", [True, False])
@pytest.mark.parametrize("end", ["goes on", "cancelled"])
def test_images_come_slowly(node: Node, small: dict[str, Any], byte_by_byte: bool, end: str) -> None:
    """As many at once as the node has workers: the other requests get their turn all the same."""
    node.do("slice.provision", str(uuid.uuid4()), **slice_args(small))
    slow = Slow(byte_by_byte)
    server = Server(lambda request: slow.answer(request, DATA[:HALF], DATA[HALF:]))
    images: list[dict[str, Any]] = [
        {"id": str(uuid.uuid4()), "url": f"{server.url}/image", "size_bytes": len(DATA),
         "sha256": hashlib.sha256(DATA).hexdigest()} for _ in range(10)]
    try:
        fetches = [node.submit("image.fetch", **image) for image in images]
        assert slow.met.wait(60), "the slow transfer is under way"
        local_work(node)
        assert not [request for request in fetches
                    if node.call("request.show", id=request)["phase"] in ("done", "failed")]
        if end == "cancelled":
            for request in fetches:
                node.call("request.cancel", args={"request": request}, wait=True)
            assert {node.wait(request)["error"]["code"] for request in fetches} == {"cancelled"}
        slow.over.set()
        if end == "goes on":
            assert {node.wait(request)["phase"] for request in fetches} == {"done"}
    finally:
        slow.over.set()
        server.close()
    node.idle()
    assert len(audit(node).images) == (11 if end == "goes on" else 1)
