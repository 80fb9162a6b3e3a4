"""The controller is away, slow, wrong or expired: slices are not affected, and afterwards the events
arrive complete and in order."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from audit import Store
from hostile import Hostile, Request, new_request
from node import RELEASE, Node, slice_args
from waiting import wait_until
from test_controller import problem, session


@pytest.fixture
def away(make_node: Callable[..., Node], hostile: Hostile, small: dict[str, Any]) -> Node:
    """A node that knows the controller, with a slice that runs."""
    return connected(make_node, hostile, small, "--events", "400")


def connected(make_node: Callable[..., Node], hostile: Hostile, small: dict[str, Any], *options: str) -> Node:
    node = make_node(hostile.conf())
    node.start(*options)
    ready(node)
    node.do("slice.provision", str(uuid.uuid4()), **slice_args(small))
    return node


def ready(node: Node) -> None:
    wait_until(lambda: session(node) == "ready", "the session is ready", 60)


def all_arrived(node: Node, hostile: Hostile, *requests: str) -> None:
    """Every number came once, in order, and the requests' ends among them."""
    wait_until(lambda: all(hostile.ended(request) for request in requests), "all ends arrive", 60)
    numbers = [event["seq"] for event in hostile.events]
    assert numbers == list(range(1, len(numbers) + 1))
    assert [slice_["state"] for slice_ in node.slices().values()] == ["running"]


def work(node: Node, count: int) -> list[str]:
    slice_id = next(iter(node.slices()))
    requests = [node.submit("slice.console", slice_id, bytes=10) for _ in range(count)]
    for request in requests:
        node.wait(request)
    return requests


@pytest.mark.parametrize("acknowledged", (-1, 2**52 + 1, 2**53 - 1, 2**53 + 1, 2**63 - 1, 2**64))
def test_a_number_that_no_node_can_have_given_out(make_node: Callable[..., Node], hostile: Hostile,
                                                  acknowledged: int) -> None:
    """The node goes on asking, says what is wrong with the answer, and gives out no number beyond all bounds."""
    node = make_node(hostile.conf())
    hostile.acknowledged = acknowledged
    node.start()
    wait_until(lambda: hostile.calls.get("register", 0) > 1, "it registers again", 60)
    assert node.process and node.process.poll() is None
    assert "acknowledged" in node.log() or acknowledged >= 2**63, node.log()
    hostile.acknowledged = 0
    ready(node)
    wait_until(lambda: bool(hostile.events), "events arrive")
    assert hostile.events[0]["seq"] == 1


def test_away_for_long_and_more_events_than_are_kept(away: Node, hostile: Hostile) -> None:
    """The oldest are dropped, and one event says which; the rest arrives."""
    hostile.stop()
    before = hostile.acknowledged
    requests = work(away, 450)
    away.kill()
    away.start("--events", "400")
    hostile.start()
    wait_until(lambda: hostile.ended(requests[-1]), "the last end arrives", 60)
    gone = [event for event in hostile.events if (event["result"] or {}).get("first_seq")]
    assert len(gone) == 1 and gone[0]["type"] == "node.problem"
    assert gone[0]["result"]["first_seq"] <= before + 1
    assert gone[0]["seq"] - gone[0]["result"]["first_seq"] + 1 == gone[0]["result"]["dropped"]
    assert "were dropped" in gone[0]["error"]["message"]
    after = [event["seq"] for event in hostile.events if event["seq"] >= gone[0]["seq"]]
    assert after == list(range(gone[0]["seq"], gone[0]["seq"] + len(after)))
    assert 300 <= len(after) <= 500
    # What was dropped the controller learns by asking again with the same id.
    assert hostile.ended(requests[0]) is None
    slice_id = next(iter(away.slices()))
    hostile.ask({"id": requests[0], "op": "slice.console", "slice": slice_id,
                 "args": {"bytes": 10}, "deadline": None})
    wait_until(lambda: hostile.ended(requests[0]), "the end is told once more", 60)


@pytest.mark.parametrize("events_kept", [100000, 1000])
def test_repeated_request_of_long_ago(make_node: Callable[..., Node], hostile: Hostile,
                                      events_kept: int) -> None:
    """A controller that gives requests and takes no events: what it asked for is carried out once,
    whatever number of others have ended since, and also when the events were dropped."""
    node = make_node(hostile.conf(), programs=RELEASE)
    node.start("--events", str(events_kept))
    ready(node)
    silent = True

    def fault(call: str, request: Request) -> bool:
        if call == "events" and silent:
            request.answer(503, {"error": {"code": "internal", "message": "full"}})
        return call == "events" and silent

    hostile.fault = fault
    volume = str(uuid.uuid4())
    asked = new_request("volume.create", volume=volume, name="once", size_gib=1)
    hostile.ask(asked)
    wait_until(lambda: node.call("volume.list"), "the volume is made")
    node.do("volume.delete", volume=volume)
    first = node.wait(asked["id"])
    connection = node.connect()
    for _ in range(2200):
        connection.call("slice.start", slice=volume, wait=True)  # which is not there
    connection.close()
    node.stop()
    node.start("--events", str(events_kept))
    hostile.ask(asked)
    wait_until(lambda: hostile.requests_given() == 2, "it is taken again")
    node.idle()
    assert node.wait(asked["id"]) == first and first["phase"] == "done"
    assert node.call("volume.list") == []
    silent = False
    wait_until(lambda: hostile.ended(asked["id"]), "the end arrives", 60)
    wait_until(lambda: idle_outbox(node), "all arrives", 60)
    told = [event for event in hostile.events if event["request"] == asked["id"]
            and event["type"] in ("request.done", "request.failed")]
    assert [(event["type"], event["result"]) for event in told] == [
        ("request.done", first["result"])]


@pytest.mark.parametrize("kind", ["status 500", "status 503", "garbage", "closed", "half", "empty"])
def test_answers_that_are_no_answers(away: Node, hostile: Hostile, kind: str) -> None:
    """A while of each of them, for every call; then all is well."""
    until = time.monotonic() + 2

    def fault(call: str, request: Request) -> bool:
        if time.monotonic() > until:
            return False
        if kind.startswith("status"):
            request.answer(int(kind.split()[1]), {"error": {"code": "internal", "message": "no"}})
        elif kind == "garbage":
            request.answer(200, b"<html>\xff</html>", {"Content-Type": "text/html"})
        elif kind == "half":
            request.answer(200, b'{"acknowledged": 1', length=1000)
            request.break_off()
        elif kind == "empty":
            request.answer(200, b"")
        else:
            request.break_off()
        return True

    hostile.fault = fault
    requests = work(away, 3)
    all_arrived(away, hostile, *requests)
    asked = new_request("node.report")
    hostile.ask(asked)
    all_arrived(away, hostile, asked["id"])


def test_acknowledgement_that_is_lost(away: Node, hostile: Hostile) -> None:
    """The controller has the events, the node does not know: they come again, and count once."""
    lost: list[int] = []

    def fault(call: str, request: Request) -> bool:
        if call != "events" or len(lost) >= 3:
            return False
        hostile.on_events(request)
        lost.append(hostile.acknowledged)
        request.break_off()
        return True

    hostile.fault = fault
    all_arrived(away, hostile, *work(away, 3))
    wait_until(lambda: len(lost) == 3, "all three were lost", 60)
    all_arrived(away, hostile, *work(away, 3))


def test_event_that_the_controller_refuses(away: Node, hostile: Hostile) -> None:
    """One event of many is refused: it is found, its place is taken by a problem, the rest passes."""
    hostile.stop()
    requests = work(away, 40)
    poison = requests[20]
    refusals = []

    def fault(call: str, request: Request) -> bool:
        if call != "events":
            return False
        bad = [index for index, event in enumerate(request.json()["events"])
               if event["request"] == poison and event["type"] == "request.done"]
        if not bad:
            return False
        refusals.append(len(request.json()["events"]))
        request.answer(400, {"error": {"code": "invalid_argument",
                                       "message": f"/events/{bad[0]}/result: odd"}})
        return True

    hostile.fault = fault
    hostile.start()
    all_arrived(away, hostile, *(request for request in requests if request != poison))
    stand_in = [event for event in hostile.events if event["type"] == "node.problem"
                and event["request"] == poison]
    assert len(stand_in) == 1 and "request.done" in stand_in[0]["error"]["message"]
    assert "/result: odd" in stand_in[0]["error"]["message"]
    assert refusals[-1] == 1 and len(refusals) <= 30
    assert away.call("request.show", id=poison)["phase"] == "done"


def test_controller_that_refuses_every_event(away: Node, hostile: Hostile) -> None:
    """Of another version, say: not one event after another is given up."""
    refuse, refused = True, []

    def fault(call: str, request: Request) -> bool:
        if call == "events" and refuse:
            refused.append(request)
            request.answer(400, {"error": {"code": "unknown_field", "message": "/events: ?"}})
        return call == "events" and refuse

    hostile.fault = fault
    requests = work(away, 5)
    wait_until(lambda: len(refused) > 6, "the node has tried")
    refuse = False
    wait_until(lambda: hostile.ended(requests[-1]), "the last end arrives", 60)
    assert len([event for event in hostile.events if "was refused" in str(event["error"])]) == 1


def test_expired_certificate_of_the_controller(away: Node, hostile: Hostile) -> None:
    """What a clock that is years off looks like, too. The node says so, and goes on asking."""
    hostile.stop()
    hostile.start(hostile.authority.server("old", until="20200201000000Z"))
    requests = work(away, 3)
    found = problem(away, "controller_certificate")
    assert "expired" in found["message"]
    wait_until(lambda: "controller_certificate" in away.screen(), "the screen says so")
    hostile.stop()
    hostile.start()
    all_arrived(away, hostile, *requests)
    wait_until(lambda: away.call("node.status")["problems"] == [], "the problem is over", 60)


def test_certificate_of_the_node_expires_while_it_is_away(
        make_node: Callable[..., Node], hostile: Hostile, small: dict[str, Any]) -> None:
    """Its token and key, which the controller knows, bring another one for the same node."""
    node = make_node(hostile.conf())
    node.start()
    ready(node)
    node.do("slice.provision", str(uuid.uuid4()), **slice_args(small))
    before = node.call("node.status")["node"]
    node.stop()
    hostile.stop()
    identity = node.folder / "state" / "identity"
    old = hostile.authority.sign((identity / "csr.pem").read_text(),
                                 f"/CN={before}/O=Slicenode node", until="20200201000000Z")
    (identity / "certificate.pem").write_text(old)
    node.start()
    requests = work(node, 3)
    hostile.node = before
    hostile.start()
    all_arrived(node, hostile, *requests)
    assert node.call("node.status")["node"] == before
    assert (identity / "certificate.pem").read_text() != old
    assert node.log().count("it enrols anew") == 1


def test_name_that_is_not_found(make_node: Callable[..., Node], hostile: Hostile) -> None:
    """A name service that fails holds up neither the node nor the second controller."""
    conf = hostile.conf().replace(f"https://127.0.0.1:{hostile.port}",
                                  f"https://controller.invalid,https://127.0.0.1:{hostile.port}")
    node = make_node(conf)
    node.start()
    ready(node)
    hostile.stop()
    assert node.call("node.status")["slices"] == []
    hostile.start()
    asked = new_request("node.report")
    hostile.ask(asked)
    wait_until(lambda: hostile.ended(asked["id"]), "the request is answered", 60)


def test_store_is_small_again_after_a_long_absence(
        make_node: Callable[..., Node], hostile: Hostile, small: dict[str, Any]) -> None:
    """Events of many megabytes: the log and the file do not stay at their largest."""
    away = make_node(hostile.conf(), programs=RELEASE)
    away.start("--events", "400")
    ready(away)
    slice_id = str(uuid.uuid4())
    away.do("slice.provision", slice_id, **slice_args(small))
    (away.folder / "console" / f"guest-{slice_id}.log").write_bytes(b"x" * 900000)
    hostile.stop()
    for _ in range(80):  # more than the 64 MiB that are kept
        away.do("slice.console", slice_id, bytes=900000)
    store = away.folder / "state" / "sliced.db"
    assert total(store) < 200 << 20
    assert "events were dropped" in away.log()
    hostile.start()
    ready(away)
    wait_until(lambda: hostile.events and hostile.acknowledged > 100
               and not away.call("node.status")["requests"], "the events arrive", 60)
    wait_until(lambda: len(hostile.events[-1:]) and idle_outbox(away), "all have arrived", 60)
    away.stop()
    away.start()
    assert total(store) < 12 << 20, "the store is made small when the agent starts"


def total(store: Path) -> int:
    return sum(path.stat().st_size for path in store.parent.glob("sliced.db*"))


def idle_outbox(node: Node) -> bool:
    return not Store(node).events
