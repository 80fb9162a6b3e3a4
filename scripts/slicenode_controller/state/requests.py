"""Requests: what the nodes are to do, and how far they are."""

import uuid
from typing import Any

from . import clock
from .store import Row, Store, from_json, to_json

ENDED = ("done", "failed")
PER_POLL = 64
START = "start"  # a cursor like none: of no controller


class RequestExists(Exception):
    """The id was used before."""


def add(
    store: Store,
    node_id: str,
    op: str,
    slice_id: str | None,
    args: Any,
    *,
    request_id: str | None = None,
    deadline: str | None = None,
    unchecked: bool = False,
) -> str:
    """Queues a request for a node and gives its id; a waiting poll gets it at once."""
    request_id = request_id or str(uuid.uuid4())
    with store.transaction():
        if find(store, request_id) is not None:
            raise RequestExists(request_id)
        store.run(
            "INSERT INTO requests (id, seq, node, op, slice, args, deadline, unchecked, state,"
            " created) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'queued', ?)",
            request_id,
            _next_seq(store),
            node_id,
            op,
            slice_id,
            to_json(args),
            deadline,
            int(unchecked),
            clock.now(),
        )
    return request_id


def send_again(store: Store, request_id: str) -> None:
    """The node gets the same request, with the same id, once more. For tests."""
    with store.transaction():
        store.run("UPDATE requests SET seq = ? WHERE id = ?", _next_seq(store), request_id)


def _next_seq(store: Store) -> int:
    """Counts for ever, also when the newest request was moved or its row is gone."""
    seq = int(store.setting("request_seq") or "0") + 1
    store.set_setting("request_seq", str(seq))
    return seq


def find(store: Store, request_id: str) -> Row | None:
    return store.find("SELECT * FROM requests WHERE id = ?", request_id)


def every(store: Store) -> list[Row]:
    return store.all("SELECT * FROM requests ORDER BY created, seq")


def newest(store: Store) -> int:
    return int(store.one("SELECT coalesce(max(seq), 0) FROM requests")[0])


def nodes_with_newer(store: Store, seq: int) -> set[str]:
    return {row["node"] for row in
            store.all("SELECT DISTINCT node FROM requests WHERE seq > ?", seq)}  # fmt: skip


def instance(store: Store) -> str:
    """Distinguishes this controller's cursors from those of any other state folder."""
    known = store.setting("instance")
    if known is None:
        store.run("INSERT OR IGNORE INTO settings VALUES ('instance', ?)", uuid.uuid4().hex[:8])
        known = store.setting("instance")
    assert known is not None
    return known


def after_cursor(store: Store, node_id: str, cursor: str | None) -> tuple[list[Row], str]:
    """The node's requests after the cursor, and the cursor after them.

    Without a cursor, or with somebody else's, those that have not ended.
    """
    mine, _, number = (cursor or "").partition("-")
    before = newest(store)
    if mine == instance(store) and number.isascii() and number.isdigit():
        seq, condition = min(int(number), before), ""
    else:
        seq, condition = 0, " AND ended IS NULL"
    rows = store.all(
        f"SELECT * FROM requests WHERE node = ? AND seq > ?{condition} ORDER BY seq LIMIT ?",
        node_id,
        seq,
        PER_POLL,
    )
    last = rows[-1]["seq"] if rows else seq
    if condition and len(rows) < PER_POLL:
        last = max(last, before)
    return rows, f"{instance(store)}-{last}"


def mark_delivered(store: Store, rows: list[Row]) -> None:
    fresh = [row["id"] for row in rows if row["state"] == "queued"]
    if fresh:
        with store.transaction():
            for request_id in fresh:
                store.run(
                    "UPDATE requests SET state = 'delivered' WHERE id = ? AND state = 'queued'",
                    request_id,
                )


def as_sent(row: Row) -> dict[str, Any]:
    """The request as the protocol's `Request`."""
    return {
        "id": row["id"],
        "op": row["op"],
        "slice": row["slice"],
        "args": from_json(row["args"]),
        "deadline": row["deadline"],
    }


def set_progress(
    store: Store, request_id: str, state: str, step: str | None, progress: int | None
) -> None:
    """Does nothing to a request that has ended: the news is old."""
    store.run(
        "UPDATE requests SET state = ?, step = coalesce(?, step), progress = ?"
        " WHERE id = ? AND ended IS NULL",
        state,
        step,
        progress,
        request_id,
    )


def set_ended(store: Store, request_id: str, state: str, result: Any, error: Any) -> bool:
    """Whether this was the first time that it ended."""
    return store.run(
        "UPDATE requests SET state = ?, result = ?, error = ?, ended = ?"
        " WHERE id = ? AND ended IS NULL",
        state,
        None if result is None else to_json(result),
        None if error is None else to_json(error),
        clock.now(),
        request_id,
    ) > 0  # fmt: skip
