"""What was said on the wire: which calls with which answers, and what broke the protocol."""

from typing import Any

from . import clock
from .store import Row, Store, to_json

BODY_KEPT = 4096


def violation(
    store: Store, side: str, node_id: str | None, operation: str, message: str, body: Any
) -> None:
    """Records that the node or the controller did not follow openapi.json."""
    text = body if isinstance(body, str) else to_json(body)
    store.run(
        "INSERT INTO violations (time, side, node, operation, message, body)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        clock.now(),
        side,
        node_id,
        operation,
        message,
        text[:BODY_KEPT],
    )


def violations(store: Store) -> list[Row]:
    return store.all("SELECT * FROM violations ORDER BY id")


def count(store: Store, operation: str, status: int, times: int) -> None:
    store.run(
        "INSERT INTO coverage VALUES (?, ?, ?)"
        " ON CONFLICT DO UPDATE SET count = count + excluded.count",
        operation,
        status,
        times,
    )


def coverage(store: Store) -> list[Row]:
    return store.all("SELECT * FROM coverage ORDER BY operation, status")
