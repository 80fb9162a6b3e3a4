"""A node prepared for one operation, which is put back before each run of it."""

from __future__ import annotations

import json
import select
import subprocess
import uuid
from dataclasses import dataclass
from typing import Any

from audit import Store, audit, summary
from images import Images
from node import RELEASE, Connection, Node, Refused
from waiting import wait_until
from operations import Operation, World
from view import View, audit_view

KEPT = ("state", "sim", "kernels", "console")


@dataclass(frozen=True)
class Fault:
    """The nth call of a name, counted from where the request was made."""

    call: str
    nth: int

    def __str__(self) -> str:
        return f"{self.call}#{self.nth}"


class Bench:
    """Moments are the simulated node's (backend/sim/folder.h), counted from where the request is made."""

    def __init__(self, operation: Operation, images: Images) -> None:
        self.operation = operation
        self.node = Node(programs=RELEASE)
        self.world = World(self.node, images)
        self.template = self.node.folder / "template"
        self.node.start()
        operation.prepare(self.world)
        self.node.idle()
        store = audit(self.node)
        self.before = summary(store)
        self.view = View(self.node.asked, store.events)
        self.node.stop()
        self.template.mkdir()
        self._copy(self.node.folder, self.template)
        self.slice, self.args = operation.request(self.world)

    def _copy(self, source: Any, target: Any) -> None:
        subprocess.run(["cp", "-a", *(str(source / name) for name in KEPT), str(target)],
                       check=True)

    def close(self) -> None:
        self.node.kill()
        self.node.remove()

    # --- one run -------------------------------------------------------------------------------

    def begin(self) -> dict[str, int]:
        """The prepared node, running. Returns what calls.json counts."""
        self.node.kill()
        subprocess.run(["rm", "-rf", *(str(self.node.folder / name) for name in KEPT)], check=True)
        self._copy(self.template, self.node.folder)
        self.settings()
        self.node.start()
        self.node.idle()
        (self.node.sim / "trace").unlink(missing_ok=True)
        counts: dict[str, int] = {"moments": 0}
        path = self.node.sim / "calls.json"
        if path.exists():
            counts |= json.loads(path.read_text())
        return counts

    def settings(self, **values: Any) -> None:
        self.node.settings(trace=True, **self.operation.settings, **values)

    def faults(self, counts: dict[str, int], faults: tuple[Fault, ...]) -> list[dict[str, Any]]:
        return [{"call": fault.call, "nth": counts.get(fault.call, 0) + fault.nth, "times": 1,
                 "code": "storage_error"} for fault in faults]

    def ask(self, request: str) -> tuple[Connection, int]:
        connection = self.node.connect()
        self.node.asked[request] = self.operation.op, self.slice, self.args
        return connection, connection.send(self.operation.op, {
            "id": request, "slice": self.slice, "args": self.args, "wait": True})

    def end(self, request: str, asked: tuple[Connection, int]) -> dict[str, Any] | None:
        """How the request ended; None when the agent has died before."""
        connection, number = asked
        try:
            self.world.ended = connection.answer(number)
            return self.world.ended
        except OSError:
            return None
        finally:
            connection.close()

    def run(self, request: str) -> dict[str, Any] | None:
        return self.end(request, self.ask(request))

    def trace(self) -> list[str]:
        path = self.node.sim / "trace"
        return path.read_text().splitlines() if path.exists() else []

    def restart(self, request: str) -> dict[str, Any]:
        """After the agent was killed."""
        assert self.node.process is not None
        self.node.wait_killed()
        return self.resume(request)

    def resume(self, request: str) -> dict[str, Any]:
        """The agent starts, and may not have known of the request yet."""
        self.node.start()
        try:
            self.world.ended = self.node.wait(request)
        except Refused as refused:
            assert "no request" in refused.message
            ended = self.run(request)
            assert ended is not None
        return self.world.ended

    # --- what must be so afterwards --------------------------------------------------------------

    def verify_done(self) -> None:
        self.node.idle()
        assert self.world.ended["phase"] == "done", self.world.ended
        audit(self.node)
        self.operation.check(self.world)
        self.node.idle()
        audit_view(self.view, self.node.asked, audit(self.node))

    def verify_failed(self, request: str, code: str = "storage_error") -> Store:
        """Nothing is left over; and the same once more, as someone else's request, succeeds."""
        self.node.idle()
        assert self.world.ended["phase"] == "failed", self.world.ended
        assert self.world.ended["error"]["code"] == code, self.world.ended
        store = audit(self.node)
        audit_view(self.view, self.node.asked, store)
        if self.undone(store, request):
            now = summary(store)
            if self.operation.op == "slice.provision":  # an image that has come whole stays
                now["images"] = [image for image in now["images"] if image in self.before["images"]]
            assert now == self.before, "what was there before"
        self.settings()
        assert self.run(str(uuid.uuid4())) is not None
        self.verify_done()
        return store

    def undone(self, store: Store, request: str) -> bool:
        """Whether the request was taken back rather than left where it failed."""
        return store.requests[request]["step"] == 0 and not self.operation.forward

    # --- kinds of runs -----------------------------------------------------------------------------

    def count(self) -> list[str]:
        """Runs undisturbed and returns its moments."""
        self.begin()
        assert self.run(str(uuid.uuid4())) is not None
        moments = self.trace()
        self.verify_done()
        return moments

    def kill_at(self, moment: int, *faults: Fault) -> bool:
        """Whether it died there: the last moments may come after the request's end."""
        counts, request = self.begin(), str(uuid.uuid4())
        fail = self.faults(counts, faults)
        self.settings(kill_moment=counts["moments"] + moment, fail=fail)
        ended = self.run(request)
        self.settings(fail=fail)
        died = ended is None or not self.alive()
        if died:
            ended = self.restart(request)
        assert ended is not None
        if faults and ended["phase"] == "failed":
            self.verify_failed(request)
        else:
            self.verify_done()
        return died

    def cut_at(self, moment: int) -> None:
        """The node loses its power there. Whether the request is done or fails when it is back, nothing is left over,
        and what should run does."""
        counts, request = self.begin(), str(uuid.uuid4())
        self.settings(kill_moment=counts["moments"] + moment)
        self.run(request)
        self.settings()
        self.node.power_cut()
        self.resume(request)
        wait_until(self.as_desired, "what should run does, and nothing else")
        self.node.idle()
        audit_view(self.view, self.node.asked, audit(self.node))
        if self.world.ended["phase"] == "done" and self.operation.lasts:
            self.operation.check(self.world)

    def as_desired(self) -> bool:
        return all((slice_["state"] in ("running", "paused")) == (slice_["desired"] == "running")
                   for slice_ in self.node.slices().values())

    def fail(self, *faults: Fault) -> tuple[bool, list[str]]:
        """Whether the request was undone for it, and its moments."""
        counts, request = self.begin(), str(uuid.uuid4())
        self.settings(fail=self.faults(counts, faults))
        ended = self.run(request)
        assert ended is not None, self.node.log()
        moments = self.trace()
        if ended["phase"] == "done":
            self.verify_done()
            return False, moments
        store = self.verify_failed(request)
        return self.undone(store, request), moments

    def cancel_at(self, moment: int) -> str:
        """Cancels while someone waits at the moment; returns how the request ended."""
        counts, request = self.begin(), str(uuid.uuid4())
        self.settings(hold_moment=counts["moments"] + moment)
        asked = self.ask(request)
        held = self.node.sim / "held"
        wait_until(lambda: held.exists() or self.readable(asked[0]), "the moment or the end")
        other = self.node.connect()
        number = other.send("request.cancel", {"args": {"request": request}, "wait": True})
        self.settings()
        try:
            answer = other.answer(number)
        finally:
            other.close()
        ended = self.end(request, asked)
        assert ended is not None, self.node.log()
        if ended["phase"] == "done":
            assert answer["phase"] == "failed", "what was cancelled is not done"
            assert answer["error"]["code"] in ("too_late", "invalid_argument"), answer
            self.verify_done()
            return "done"
        assert answer["phase"] == "done", answer
        self.verify_failed(request, "cancelled")
        return "cancelled"

    def alive(self) -> bool:
        """Whether it did not die right after its answer."""
        try:
            self.node.call("node.status")
        except OSError:
            return False
        return True

    @staticmethod
    def readable(connection: Connection) -> bool:
        return bool(select.select([connection.socket], [], [], 0)[0])


def calls_of(moments: list[str]) -> list[Fault]:
    """Each call among the moments, and which of its name it is."""
    seen: dict[str, int] = {}
    faults = []
    for moment in moments:
        if moment.startswith("+"):
            seen[moment[1:]] = seen.get(moment[1:], 0) + 1
            faults.append(Fault(moment[1:], seen[moment[1:]]))
    return faults
