"""slice.console that follows: what a slice prints goes out as events, whatever else happens."""

from __future__ import annotations

import json
import sqlite3
import time
import uuid
from pathlib import Path
from typing import Any

import pytest
from controller import Controller
from node import Connection, Node, Refused, slice_args
from waiting import wait_until

KIB = 1 << 10


class Follower:
    """Collects the events of one request."""

    def __init__(self, node: Node, slice_id: str, **args: Any) -> None:
        self.node = node
        self.request = str(uuid.uuid4())
        self.connection: Connection = node.connect()
        self.connection.call("events.follow", request=self.request)
        self.events: list[dict[str, Any]] = []
        node.submit("slice.console", slice_id, self.request, **args)

    def next(self) -> dict[str, Any]:
        """The next event of the console, or the request's end."""
        while True:
            event: dict[str, Any] = self.connection.receive()["params"]
            self.events.append(event)
            if event["type"] != "request.accepted":
                return event

    def text(self) -> str:
        event = self.next()
        assert event["type"] == "slice.console", event
        assert event["slice"] and event["request"] == self.request
        return str(event["result"]["console"])

    def until(self, end: str) -> str:
        """All that comes up to an event that ends so."""
        text = ""
        while not text.endswith(end):
            text += self.text()
        return text

    def end(self) -> dict[str, Any]:
        while (event := self.next())["type"] == "slice.console":
            pass
        self.connection.close()
        return event


@pytest.fixture
def slice_id(node: Node, small: dict[str, Any]) -> str:
    made = str(uuid.uuid4())
    node.do("slice.provision", made, **slice_args(small))
    return made


def log_of(node: Node, slice_id: str) -> Path:
    return node.folder / "console" / f"guest-{slice_id}.log"


def say(node: Node, slice_id: str, text: str | bytes) -> None:
    with log_of(node, slice_id).open("ab") as log:
        log.write(text.encode() if isinstance(text, str) else text)


def test_follow(node: Node, slice_id: str) -> None:
    began = time.monotonic()
    follower = Follower(node, slice_id, follow_seconds=2, bytes=7)
    first = follower.next()
    assert first["result"] == {"console": "login: ", "truncated": True}
    say(node, slice_id, "hello\n")
    assert follower.text() == "hello\n"
    ended = follower.end()
    assert time.monotonic() - began >= 2
    assert ended["type"] == "request.done"
    assert ended["result"] == {"console": " hello\n", "truncated": True}


def test_slicectl_shows_control_characters(node: Node, slice_id: str) -> None:
    """A tenant does not drive the operator's terminal: its title, its colours, what it answers by itself."""
    say(node, slice_id, "\r\n\x1b]0;owned\x07\x1b[2J\x1b[6n bell\x07 back\b del\x7f c1\u009b31m tab\tüber\n")
    shown = node.slicectl("console", slice_id).stdout
    assert shown.endswith("login: \n^[]0;owned^G^[[2J^[[6n bell^G back^H del^? c1^[[31m tab\tüber\n"), repr(shown)


def test_bad_arguments(node: Node, slice_id: str) -> None:
    wrong: list[dict[str, Any]] = [
        {"follow_seconds": 0}, {"follow_seconds": 3601}, {"follow_seconds": "1"}, {"follow": True}]
    for args in wrong:
        with pytest.raises(Refused):
            node.do("slice.console", slice_id, **args)
    with pytest.raises(Refused) as refused:
        node.do("slice.console", str(uuid.uuid4()), follow_seconds=5)
    assert refused.value.code == "slice_not_found"


def test_neither_waits_nor_holds_up(node: Node, slice_id: str) -> None:
    follower = Follower(node, slice_id, follow_seconds=600)
    follower.until("login: ")
    node.settings(delay_ms={"domain_destroy": 2000})
    stop = node.submit("slice.stop", slice_id, force=True)
    wait_until(lambda: node.call("request.show", id=stop)["phase"] == "running", "the stop runs")
    assert node.do("slice.console", slice_id)["console"].endswith("login: ")
    say(node, slice_id, "still heard")
    assert follower.text() == "still heard"
    assert node.wait(stop)["phase"] == "done" and node.state(slice_id) == "stopped"
    node.settings()
    node.do("slice.start", slice_id)
    assert "Linux version" in follower.until("login: ")
    # The watch of domains goes on as well.
    node.end_domain(slice_id, "poweroff")
    node.wait_state(slice_id, "stopped")
    say(node, slice_id, "last words")
    node.do("slice.terminate", slice_id)
    assert follower.text() == "last words"
    assert follower.end()["type"] == "request.done"
    node.idle()


def test_follows_from_the_provision_on(node: Node, small: dict[str, Any]) -> None:
    """Given right behind the provision, it sees the boot."""
    slice_id = str(uuid.uuid4())
    node.settings(delay_ms={"domain_start": 500})
    node.submit("slice.provision", slice_id, **slice_args(small))
    follower = Follower(node, slice_id, follow_seconds=600)
    assert follower.until("login: ").startswith("Linux version")
    node.do("slice.terminate", slice_id)
    assert follower.end()["result"]["truncated"] is False


def test_cancel_ends_it_at_once(node: Node, slice_id: str) -> None:
    follower = Follower(node, slice_id, follow_seconds=600)
    follower.until("login: ")
    say(node, slice_id, "until now")
    node.call("request.cancel", args={"request": follower.request})
    assert follower.text() == "until now"
    assert follower.end()["error"]["code"] == "cancelled"


def test_too_fast(node: Node, slice_id: str) -> None:
    follower = Follower(node, slice_id, follow_seconds=600)
    follower.until("login: ")
    say(node, slice_id, "".join(f"{number:07}\n" for number in range(100000)))
    event = follower.next()
    assert event["result"]["truncated"] is True
    assert event["result"]["console"] == "".join(f"{number:07}\n" for number in
                                                 range(100000 - 4 * KIB, 100000))
    say(node, slice_id, "slow again")
    event = follower.next()
    assert event["result"] == {"console": "slow again", "truncated": False}
    node.do("slice.terminate", slice_id)
    follower.end()


def test_odd_bytes_and_rotation(node: Node, slice_id: str) -> None:
    follower = Follower(node, slice_id, follow_seconds=600)
    follower.until("login: ")
    say(node, slice_id, b"A\xff\x00\xe2\x82")
    assert follower.text() == "A\ufffd\ufffd", "the rest of the last character is to come"
    say(node, slice_id, b"\xac" + "Z" .encode())
    assert follower.text() == "\u20acZ"
    with log_of(node, slice_id).open("ab") as log:
        log.write(b"x" * (1 << 20) + b"BEFORE-")
        log.flush()
        node.do("slice.start", slice_id)  # anything: the logs are looked at after it
        wait_until(lambda: log_of(node, slice_id).stat().st_size == 0, "the log has moved on")
        log.write(b"AFTER")
        log.flush()
    assert follower.until("AFTER").endswith("xxxBEFORE-AFTER")
    missing = [event["result"]["truncated"] for event in follower.events
               if event["type"] == "slice.console"]
    assert missing.count(True) == 1
    node.do("slice.terminate", slice_id)
    follower.end()


def recorded(node: Node, request: str) -> str:
    """What the events on the node's disk have told for the request."""
    with sqlite3.connect(node.folder / "state" / "sliced.db") as store:
        events = [json.loads(row[0]) for row in store.execute(
            "SELECT document FROM events ORDER BY seq")]
    return "".join(event["result"]["console"] for event in events
                   if event["type"] == "slice.console" and event["request"] == request)


def test_killed_agent_goes_on_where_it_was(node: Node, slice_id: str) -> None:
    request = node.submit("slice.console", slice_id, follow_seconds=600)
    whole = "Linux version 6.12.0 (sim)\r\nsim login: "
    for number in range(3):
        for text in (f"before {number}\n", f"without the agent {number}\n"):
            wait_until(lambda: recorded(node, request) == whole, "all has been told")
            say(node, slice_id, text)
            whole += text
        node.kill()
        node.start()
    wait_until(lambda: recorded(node, request) == whole, "nothing is missing, nothing twice")
    node.do("slice.terminate", slice_id)
    assert node.wait(request)["phase"] == "done"
    assert recorded(node, request) == whole


def test_pauses_while_events_pile_up(node: Node, slice_id: str) -> None:
    node.stop()
    with sqlite3.connect(node.folder / "state" / "sliced.db") as store:
        store.executemany("INSERT INTO events (document) VALUES (?)", [('{"type": "x"}',)] * 1000)
    node.start()
    request = node.submit("slice.console", slice_id, follow_seconds=600)
    wait_until(lambda: node.call("request.show", id=request)["phase"] == "running", "it runs")
    say(node, slice_id, "x" * 40000)
    time.sleep(1)
    node.stop()
    with sqlite3.connect(node.folder / "state" / "sliced.db") as store:
        assert "slice.console" not in str(store.execute("SELECT document FROM events").fetchall())
        store.execute("DELETE FROM events WHERE document LIKE '%\"x\"%'")
    node.start()
    wait_until(lambda: recorded(node, request) == "x" * (32 * KIB), "it goes on, some is missing")


def test_time_passes_while_the_agent_is_away(node: Node, slice_id: str) -> None:
    request = node.submit("slice.console", slice_id, follow_seconds=1)
    node.kill()
    time.sleep(1)
    say(node, slice_id, "meanwhile")
    node.start()
    assert node.wait(request)["result"]["console"].endswith("meanwhile")


def test_many_followers_and_shutdown(node: Node, slice_id: str) -> None:
    """Those beyond the limit wait, and none of them holds up the node's shutdown."""
    requests = [node.submit("slice.console", slice_id, follow_seconds=600) for _ in range(80)]
    phases = [node.call("request.show", id=request)["phase"] for request in requests]
    assert phases.count("running") == 64 and phases.count("queued") == 16
    assert node.slicectl("node", "shutdown").returncode == 0
    assert node.domains() == {}


def test_to_the_controller(controller: Controller, small: dict[str, Any], make_node: Any) -> None:
    """Through scripts/controller, all traffic checked against the protocol."""
    node = make_node(controller.conf())
    node.start()
    wait_until(lambda: node.call("node.status")["session"] == "ready", "it is registered")
    slice_id = str(uuid.uuid4())
    controller.text("request", "slice.provision", "--node", node.call("node.status")["node"],
                    "--slice", slice_id, "--args", json.dumps(slice_args(small)), "--wait")
    assert controller.text("console", slice_id, "--until", "login:").endswith("login: \n")
    request = controller.json("request", "slice.console", "--slice", slice_id, "--args",
                              json.dumps({"follow_seconds": 600}))["request"]

    def told() -> str:
        rows = controller.json("events", "--type", "slice.console", "--request", request)
        rows = rows if isinstance(rows, list) else [rows]
        return "".join(row["result"]["console"] for row in rows)

    wait_until(lambda: told().endswith("login: "), "the stream begins")
    say(node, slice_id, "one\n")
    wait_until(lambda: told().endswith("one\n"), "the stream goes on")
    controller.stop()
    say(node, slice_id, "two\n")
    controller.start()
    wait_until(lambda: told().endswith("login: one\ntwo\n"), "what was said meanwhile has come")
    node.do("slice.terminate", slice_id)
    wait_until(lambda: controller.json("requests", "show", request)["state"] == "done", "its end")
    assert controller.run("protocol-violations").returncode == 0, controller.text(
        "protocol-violations")
