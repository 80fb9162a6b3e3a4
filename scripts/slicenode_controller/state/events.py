"""Events: kept once each, in the order of the node's numbers, and told to the view."""

from typing import Any

from . import clock, traffic, view
from .store import Row, Store, from_json, to_json


def take(store: Store, node_id: str, batch: list[dict[str, Any]]) -> int:
    """Stores the events that are new; gives the number up to which all are here."""
    with store.transaction():
        before = acknowledged(store, node_id)
        ordered = sorted(batch, key=lambda event: int(event["seq"]))
        # A node sends from its oldest event on. If it starts beyond a gap for the second time,
        # it does not have what is missing: waiting for it would keep its outbox full for ever.
        first = ordered[0]["seq"]
        if first > before + 1 >= stands_from(ordered[0]):
            _set_acknowledged(store, node_id, first - 1)
        elif first > before + 1:
            message = f"/events: starts with {first}, but {before + 1} was never sent"
            traffic.violation(store, "node", node_id, "reportEvents", message, batch)
            if find(store, node_id, first) is not None:
                _set_acknowledged(store, node_id, first - 1)
        for event in ordered:
            _take_one(store, node_id, event)
        return _advance(store, node_id)


def stands_from(event: dict[str, Any]) -> int:
    """The first number that the event stands for: those between were dropped by the node."""
    result = event["result"] if event["type"] == "node.problem" else None
    return int((result or {}).get("first_seq", event["seq"]))


def _take_one(store: Store, node_id: str, event: dict[str, Any]) -> None:
    known = find(store, node_id, event["seq"])
    if known is None:
        store.run(
            "INSERT INTO events (node, seq, request, slice, type, body, received)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            node_id,
            event["seq"],
            event["request"],
            event["slice"],
            event["type"],
            to_json(event),
            clock.now(),
        )
        view.apply_event(store, node_id, event)
    elif from_json(known["body"]) != event:
        message = f"/events: number {event['seq']} was another event before"
        traffic.violation(store, "node", node_id, "reportEvents", message, event)


def find(store: Store, node_id: str, seq: int) -> Row | None:
    return store.find("SELECT * FROM events WHERE node = ? AND seq = ?", node_id, seq)


def acknowledged(store: Store, node_id: str) -> int:
    return int(store.one("SELECT acknowledged FROM nodes WHERE id = ?", node_id)[0])


def _set_acknowledged(store: Store, node_id: str, seq: int) -> None:
    store.run("UPDATE nodes SET acknowledged = ? WHERE id = ?", seq, node_id)


def _advance(store: Store, node_id: str) -> int:
    seq = acknowledged(store, node_id)
    for row in store.all(
        "SELECT seq FROM events WHERE node = ? AND seq > ? ORDER BY seq", node_id, seq
    ):
        if row["seq"] != seq + 1:
            break
        seq += 1
    _set_acknowledged(store, node_id, seq)
    return seq


def after(store: Store, event_id: int) -> list[Row]:
    """Events of all nodes in the order they came."""
    return store.all("SELECT * FROM events WHERE id > ? ORDER BY id", event_id)
