"""What a node says when it has much: in parts, each of a bounded size, and never as if the rest were gone."""

from __future__ import annotations

import json
import sqlite3
import sys
import uuid
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from controller import Controller
from hostile import Hostile, Request
from node import ROOT, Node, slice_args
from test_controller import enrolled, node_id, session
from waiting import wait_until

sys.path.append(str(ROOT / "scripts"))

from slicenode_controller.node_api.protocol import Protocol  # noqa: E402

PROXY_BYTES = 1 << 20  # what a proxy before a controller often takes, no more
MANY = 40_000
SOME = 20_000  # more than one body of 4 MiB can tell
PROTOCOL = Protocol()


def give_snapshots(node: Node, slice_id: str, count: int) -> list[str]:
    """The node that stands still has so many more snapshots of that slice, with the longest of names."""
    ids = [str(uuid.uuid4()) for _ in range(count)]
    with closing(sqlite3.connect(node.folder / "state" / "sliced.db")) as store, store:
        store.executemany(
            "INSERT INTO snapshots (id, slice, name, created_ms, thin_id, reserved_bytes, size_bytes)"
            " VALUES (?, ?, ?, ?, ?, 0, 0)",
            ((one, slice_id, "n" * 63, 1_700_000_000_000 + number, 1_000_000 + number)
             for number, one in enumerate(ids)))
    return ids


def crowded(node: Node, small: dict[str, Any], count: int, known: Callable[[], Any] = lambda: None,
            ) -> dict[str, list[str]]:
    """Stops the node with two slices and so many snapshots, nearly all of them of one; what each has."""
    few, many = str(uuid.uuid4()), str(uuid.uuid4())
    for slice_id in (few, many):
        node.do("slice.provision", slice_id, **slice_args(small))
    known()
    node.stop()
    return {few: give_snapshots(node, few, 3), many: give_snapshots(node, many, count - 3)}


def give_slices(node: Node, pattern: str, count: int) -> list[str]:
    """The node that stands still has so many more slices that run, made after one that it has."""
    ids = [str(uuid.uuid4()) for _ in range(count)]
    domain = json.loads((node.sim / "domains" / pattern).read_text())
    with closing(sqlite3.connect(node.folder / "state" / "sliced.db")) as store, store:
        row = store.execute("SELECT document FROM slices WHERE id = ?", (pattern,)).fetchone()
        for number, one in enumerate(ids, start=100):
            store.execute("INSERT INTO slices (id, document) VALUES (?, ?)",
                          (one, json.dumps({**json.loads(row[0]), "id": one, "domain_id": number})))
            (node.sim / "domains" / one).write_text(json.dumps({**domain, "domain_id": number}))
    return ids


def joined(bodies: list[dict[str, Any]]) -> dict[str, list[str]]:
    """As somebody who knows only the protocol would read them."""
    found: dict[str, list[str]] = {}
    for body in bodies:
        for one in body["slices"]:
            found.setdefault(one["id"], []).extend(snapshot["id"] for snapshot in one["snapshots"])
    return found


class Parts:
    """What a controller that takes parts is told; `spoil` may answer otherwise."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.lengths: list[int] = []
        self.spoil: Callable[[dict[str, Any], Request], bool] | None = None

    def __call__(self, call: str, request: Request) -> bool:
        if call != "register":
            return False
        body = request.json()
        self.bodies.append(body)
        self.lengths.append(len(request.body))
        if self.spoil and self.spoil(body["part"], request):
            return True
        if not body["part"]["last"]:
            request.answer(202, {"received": body["part"]["number"]})
            return True
        return False

    def numbers(self) -> list[int]:
        return [body["part"]["number"] for body in self.bodies]


@pytest.fixture
def told(make_node: Callable[..., Node], hostile: Hostile, small: dict[str, Any], request: pytest.FixtureRequest,
         ) -> tuple[Node, Hostile, Parts, dict[str, list[str]]]:
    node = make_node(hostile.conf())
    node.start()
    wait_until(lambda: session(node) == "ready", "the session is ready")
    has = crowded(node, small, getattr(request, "param", SOME))
    parts = Parts()
    hostile.fault = parts
    return node, hostile, parts, has


@pytest.mark.parametrize("told", [MANY], indirect=True)
def test_a_large_registration_leaves_in_parts(told: tuple[Node, Hostile, Parts, dict[str, list[str]]]) -> None:
    node, hostile, parts, has = told
    node.start()
    wait_until(lambda: session(node) == "ready", "it is registered", 60)
    last = parts.bodies[-1]["part"]
    assert last["last"] and last["number"] == len(parts.bodies) > 4
    assert parts.numbers() == list(range(1, len(parts.bodies) + 1))
    assert {body["part"]["set"] for body in parts.bodies} == {last["set"]}
    assert max(parts.lengths) < PROXY_BYTES
    for body in parts.bodies:
        assert PROTOCOL.check_as("Registration", body) == []
    assert joined(parts.bodies) == has
    # The result of a request leaves out what is too long, and the report is the first part.
    many = max(has, key=lambda one: len(has[one]))
    assert "snapshots" not in node.do("slice.stop", many, force=True)["slice"]
    report = node.do("node.report")
    assert report["part"]["number"] == 1 and not report["part"]["last"]
    assert PROTOCOL.check_as("Registration", report) == []
    wait_until(lambda: parts.numbers().count(1) >= 2 and session(node) == "ready", "it registers anew", 60)
    ends = [event for event in hostile.events if event["type"] == "request.done"]
    assert all(len(json.dumps(event)) < PROXY_BYTES for event in ends)
    assert sum(len(one["snapshots"]) for one in node.slices().values()) == MANY
    shown = node.slicectl("--json", "snapshot", "list")
    assert shown.returncode == 0 and len(json.loads(shown.stdout)) == MANY


def test_a_bad_link_goes_on_where_it_broke(told: tuple[Node, Hostile, Parts, dict[str, list[str]]]) -> None:
    """Every other call is lost, its answer or itself: each part arrives once more, and no set begins anew. What
    happens meanwhile is not in it: all parts are of one moment."""
    node, _, parts, has = told
    taken: dict[int, dict[str, Any]] = {}

    def spoil(part: dict[str, Any], request: Request) -> bool:
        known = part["number"] in taken
        taken[part["number"]] = parts.bodies[-1]
        if part["number"] == 2 and not known:
            few = min(has, key=lambda one: len(has[one]))
            node.submit("snapshot.delete", few, snapshot=has[few][0])
            node.submit("slice.stop", few, force=True)
        if known:
            return False
        if part["number"] % 2:
            request.answer(503, {"error": {"code": "internal", "message": "busy"}}, {"Retry-After": "1"})
        else:
            request.break_off()
        return True

    parts.spoil = spoil
    node.start()
    wait_until(lambda: session(node) == "ready", "it is registered", 120)
    assert len({body["part"]["set"] for body in parts.bodies}) == 1
    assert parts.numbers() == sorted([*taken, *taken])
    assert joined([taken[number] for number in sorted(taken)]) == has


def test_a_controller_that_lost_the_parts_gets_a_new_set(told: tuple[Node, Hostile, Parts, dict[str, list[str]]],
                                                         ) -> None:
    node, _, parts, has = told
    lost: list[str] = []

    def spoil(part: dict[str, Any], request: Request) -> bool:
        if part["number"] != 3 or lost:
            return False
        lost.append(part["set"])
        request.answer(409, {"error": {"code": "invalid_argument", "message": "/part: begin anew"}})
        return True

    parts.spoil = spoil
    node.start()
    wait_until(lambda: session(node) == "ready", "it is registered", 60)
    assert parts.numbers()[:5] == [1, 2, 3, 1, 2]
    assert lost[0] not in {body["part"]["set"] for body in parts.bodies[3:]}
    assert joined(parts.bodies[3:]) == has


def test_a_controller_that_takes_the_first_part_for_all_is_told_of(
        told: tuple[Node, Hostile, Parts, dict[str, list[str]]]) -> None:
    """It ignores what it does not know: the node must not go on as if its slices were known."""
    node, hostile, parts, _ = told
    hostile.fault = None
    node.start()
    wait_until(lambda: "does not take a registration in parts" in node.screen(), "it is told", 60)
    assert session(node) == "registering"
    hostile.fault = parts


def test_the_controller_takes_all_parts_or_none(make_node: Callable[..., Node], controller: Controller,
                                                small: dict[str, Any]) -> None:
    """A node that dies in the middle leaves what its controller knew of it."""
    node = enrolled(make_node, controller)
    number = node_id(node)
    has = crowded(node, small, SOME, lambda: wait_until(
        lambda: [one["state"] for one in controller.json("slices")] == ["running"] * 2, "both are known"))
    few, many = sorted(has, key=lambda one: len(has[one]))

    def known(slice_id: str) -> dict[str, Any]:
        return next(one for one in controller.json("slices", "--node", number) if one["id"] == slice_id)

    database = controller.folder / "state" / "controller.db"
    # Each part is held up, so that there is a middle to die in.
    faults = controller.folder / "faults"
    faults.write_text(json.dumps([{"path": f"/v1/nodes/{number}", "kind": "delay", "seconds": 0.7}]))
    controller.stop()
    controller.start("--faults", str(faults))
    node.start()

    def staged() -> int:
        with closing(sqlite3.connect(database, timeout=30)) as store:
            return int(store.execute("SELECT count(*) FROM registration_parts").fetchone()[0])

    wait_until(lambda: staged() >= 2, "some parts are there", 60)
    node.kill()
    with closing(sqlite3.connect(database, timeout=30)) as store:
        rows = dict(store.execute("SELECT id, state FROM slices WHERE present").fetchall())
    assert set(rows) >= {few, many} and "lost" not in rows.values()
    controller.stop()
    controller.start()
    node.start()
    wait_until(lambda: session(node) == "ready", "it is registered", 60)
    for slice_id, ids in has.items():
        assert [one["id"] for one in known(slice_id)["snapshots"]] == ids
    assert staged() == 0
    controller.text("stop", many, "--force", "--wait")
    assert len(known(many)["snapshots"]) == SOME - 3, "a result that leaves them out does not take them away"
    assert controller.run("protocol-violations").returncode == 0


def test_more_slices_than_a_list_used_to_hold(make_node: Callable[..., Node], hostile: Hostile,
                                              small: dict[str, Any]) -> None:
    """A slice beyond the thousandth was taken for vanished and destroyed; a heartbeat was refused beyond 4096."""
    node = make_node(hostile.conf())
    node.settings(memory_mib=1 << 20)
    node.start()
    first = str(uuid.uuid4())
    node.do("slice.provision", first, **slice_args(small))
    node.stop()
    ids = [first, *give_slices(node, first, 5000)]
    heard: list[list[str]] = []

    def note(call: str, request: Request) -> bool:
        body = request.json() if call in ("status", "register") else {}
        if call == "status":
            assert len(request.body) < PROXY_BYTES
            assert PROTOCOL.check_as("Status", body) == []
            heard.append([one["id"] for one in body["slices"]])
        if call != "register":
            return False
        assert PROTOCOL.check_as("Registration", body) == []
        part = body.get("part", {"number": 1, "last": True})
        request.answer(200 if part["last"] else 202, {
            "received": part["number"], "heartbeat_seconds": 1, "poll_wait_seconds": 1, "acknowledged": 0})
        return True

    hostile.fault = note
    node.start()
    wait_until(lambda: len(heard) >= 6, "some heartbeats", 90)
    assert "vanished" not in node.log() and "belongs to no slice" not in node.log()
    assert {one["state"] for one in node.slices().values()} == {"running"}
    assert set(node.domains()) == set(ids)
    assert sum(heard[:3], []) == ids and heard[3:6] == heard[:3], "each in its turn"


def test_more_disks_cards_and_problems_than_can_be_told(make_node: Callable[..., Node]) -> None:
    """What is left out is named; nothing is left out before that, and no list becomes empty for being long."""
    node = make_node()
    for number in range(1, 1030):
        card = node.folder / "sys/class/net" / f"eth{number}"
        (card / "device").mkdir(parents=True)
        (card / "address").write_text(f"52:54:00:00:{number >> 8:02x}:{number & 255:02x}\n")
        (card / "carrier").write_text("0\n")
    reason = "a volume group of somebody else's, " + "x" * 400
    (node.run / "disks").write_text("".join(
        f"disk{number}\t1000\tforeign\t{reason}\tMODEL {number}\tSERIAL {number}\n" for number in range(15_000)))
    node.start()
    report = node.do("node.report")
    assert PROTOCOL.check_as("Registration", report) == []
    assert len(report["inventory"]["nics"]) == len(report["inventory"]["disks"]) == 1024
    said = [one["message"] for one in report["problems"]]
    assert "the machine has 1030 network cards; the first 1024 are told of" in said
    assert "the machine has 15000 disks; the first 1024 are told of" in said
    assert len(said) == 256 and sum("more than 255 things are wrong" in one for one in said) == 1
    wait_until(lambda: "more, see slicectl status" in node.screen(), "the screen says that there are more")


def test_an_identity_that_cannot_be_read_is_not_lost(make_node: Callable[..., Node], hostile: Hostile) -> None:
    """The node says so and waits for an operator, instead of asking to enrol as another."""
    node = make_node(hostile.conf())
    node.start()
    wait_until(lambda: session(node) == "ready", "the session is ready")
    before = node_id(node)
    node.stop()
    certificate = node.folder / "state" / "identity" / "certificate.pem"
    kept = certificate.read_bytes()
    certificate.write_bytes(kept * 1000)
    with pytest.raises(AssertionError, match="sliced ended"):
        node.start()
    node.process = None
    assert "the node's identity" in node.log() and "larger than" in node.log()
    certificate.write_bytes(kept)
    node.start()
    wait_until(lambda: session(node) == "ready", "the session is ready")
    assert node_id(node) == before and hostile.calls["enroll"] == 1


def test_what_the_boot_found_is_told_however_long(make_node: Callable[..., Node]) -> None:
    node = make_node()
    (node.run / "problems").mkdir(exist_ok=True)
    (node.run / "problems" / "storage").write_text(
        "storage_error\tdisks are missing: " + ", ".join(f"disk{number}" for number in range(1000)) + "\n")
    (node.run / "problems" / "odd").write_text("x" * 100_000)
    node.start()
    said = [one["message"] for one in node.do("node.report")["problems"]]
    assert any(one.startswith("disks are missing: disk0, disk1") for one in said)
    assert any("odd: larger than" in one for one in said)
