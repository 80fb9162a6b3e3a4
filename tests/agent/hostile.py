"""A controller that a test commands, faults included: HTTPS on loopback, all in this process."""

from __future__ import annotations

import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from node import ROOT

sys.path.append(str(ROOT / "tests" / "children"))

from certificates import Authority  # noqa: E402
from server import Request as Request, Server as Server  # noqa: E402 - also for those who import this

REQUESTS_MAX = 1024  # of one poll, by the protocol

Fault = Callable[[str, Request], bool]  # the call; true when it has answered, or not, by itself


class Hostile:
    """Takes every node and every event. `fault` may answer otherwise."""

    def __init__(self) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="sh-")
        self.authority = Authority(Path(self.folder.name))
        self.certificate = self.authority.server("server")
        self.fault: Fault | None = None
        self.events: list[dict[str, Any]] = []
        self.keep = True  # the events
        self.node: str | None = None  # the id that the next enrolment gives; None for any
        self.acknowledged = 0
        self.poll_wait = 10  # seconds
        self.requests: list[dict[str, Any]] = []
        self.given = 0  # of the requests: those that the node has taken for sure
        self.calls: dict[str, int] = {}
        self.lock = threading.Condition()
        self.server: Server | None = None
        self.port = 0
        self.start()

    def start(self, certificate: tuple[Path, Path] | None = None) -> None:
        """On the same port again, also with another certificate."""
        self.server = Server(self.respond, certificate or self.certificate,
                             self.authority.certificate, port=self.port)
        self.port = self.server.port

    def stop(self) -> None:
        if self.server:
            self.server.close()
            self.server = None

    def remove(self) -> None:
        self.stop()
        self.folder.cleanup()

    def conf(self) -> str:
        return (f"slicenode.controller=https://127.0.0.1:{self.port}\n"
                f"slicenode.token=any\nslicenode.ca={self.authority.pem}")

    def ask(self, *requests: dict[str, Any]) -> None:
        """Requests for the next poll, all at once."""
        with self.lock:
            self.requests += requests
            self.lock.notify_all()

    def respond(self, request: Request) -> None:
        path = request.path.split("?")[0]
        call = "register" if request.method == "PUT" and path.count("/") == 3 else \
            path.rsplit("/", 1)[1]
        self.calls[call] = self.calls.get(call, 0) + 1
        if self.fault and self.fault(call, request):
            return
        answer: dict[str, Any] = getattr(self, f"on_{call}")(request)
        request.answer(200, answer)

    def on_enroll(self, request: Request) -> dict[str, Any]:
        node = self.node or str(uuid.uuid4())
        certificate = self.authority.sign(request.json()["csr"], f"/CN={node}/O=Slicenode node")
        return {"node_id": node, "certificate": certificate, "ca": self.authority.pem}

    def on_register(self, request: Request) -> dict[str, Any]:
        return {"heartbeat_seconds": 5, "poll_wait_seconds": self.poll_wait, "acknowledged": self.acknowledged}

    def on_requests(self, request: Request) -> dict[str, Any]:
        after = request.path.partition("after=")[2]
        seen = int(after) if after.isdigit() else 0
        with self.lock:
            self.given = max(self.given, seen)
            end = time.monotonic() + self.poll_wait
            while len(self.requests) <= seen and time.monotonic() < end and self.server:
                self.lock.wait(0.2)
            given = self.requests[seen:seen + REQUESTS_MAX]
            return {"requests": given, "cursor": str(seen + len(given))}

    def on_events(self, request: Request) -> dict[str, Any]:
        with self.lock:
            for event in request.json()["events"]:
                first = event["seq"]
                if event["type"] == "node.problem" and event["result"]:
                    first = event["result"].get("first_seq", first)
                if first <= self.acknowledged + 1 <= event["seq"]:
                    self.acknowledged = event["seq"]
                    if self.keep:
                        self.events.append(event)
            return {"acknowledged": self.acknowledged}

    def on_status(self, request: Request) -> dict[str, Any]:
        return {}

    def on_certificate(self, request: Request) -> dict[str, Any]:
        return {"certificate": self.authority.sign(request.json()["csr"],
                                                   f"/CN={request.client}/O=Slicenode node")}

    def requests_given(self) -> int:
        return self.given

    def ended(self, request: str) -> dict[str, Any] | None:
        """The event that ended a request."""
        return next((event for event in self.events if event["request"] == request
                     and event["type"] in ("request.done", "request.failed")), None)


def new_request(op: str, slice_id: str | None = None, **args: Any) -> dict[str, Any]:
    return {"id": str(uuid.uuid4()), "op": op, "slice": slice_id, "args": args, "deadline": None}
