"""Waiting for requests, slices and nodes, without asking anybody but the store."""

from typing import Any

from ..state import clock, nodes, requests, view
from ..state.store import Row, Store, from_json, wait_for
from . import output
from .lookup import FAILED, OK, TIMED_OUT, CommandError


def for_request(store: Store, request_id: str, seconds: float | None) -> Row:
    """The request when it has ended; raises CommandError if it failed or time is over."""
    row = wait_for(store, lambda: _ended(store, request_id), seconds)
    if row is None:
        found = requests.find(store, request_id)
        state = "gone" if found is None else found["state"]
        raise CommandError(f"timed out: request {request_id} is {state}", TIMED_OUT)
    if row["state"] == "failed":
        error = from_json(row["error"])
        output.print_error_console(error)
        raise CommandError(f"{row['op']} failed: {output.error_text(error)}", FAILED)
    assert isinstance(row, Row)
    return row


def _ended(store: Store, request_id: str) -> Row | None:
    row = requests.find(store, request_id)
    return row if row is not None and row["ended"] is not None else None


def for_slice(store: Store, slice_id: str, wanted: str, seconds: float | None) -> None:
    """Until the slice has the state; raises CommandError if it failed instead."""

    def look() -> Row | None:
        row = view.find_slice(store, slice_id)
        done = row is not None and row["state"] in (wanted, "failed", "refused", "lost")
        return row if done else None

    row = wait_for(store, look, seconds)
    if row is None:
        found = view.find_slice(store, slice_id)
        state = "not there" if found is None else found["state"]
        raise CommandError(f"timed out: slice {slice_id} is {state}", TIMED_OUT)
    if row["state"] != wanted:
        error = from_json(row["body"]).get("error")
        output.print_error_console(error)
        text = output.error_text(error)
        raise CommandError(f"slice {slice_id} is {row['state']}: {text}", FAILED)


def for_node(
    store: Store, text: str | None, other_boot_than: str | None, seconds: float | None
) -> Row:
    """A node (any without `text`) that has registered, in another boot if one is given."""

    def look() -> Row | None:
        for row in nodes.every(store):
            mine = text is None or row["name"] == text or row["id"].startswith(text)
            if not mine or row["registration"] is None:
                continue
            if other_boot_than is None or boot_id(row) != other_boot_than:
                return row
        return None

    row = wait_for(store, look, seconds)
    if row is None:
        raise CommandError(f"timed out: node {text or '(any)'} has not registered", TIMED_OUT)
    assert isinstance(row, Row)
    return row


def boot_id(node: Row) -> str | None:
    registration: dict[str, Any] | None = from_json(node["registration"])
    return None if registration is None else str(registration["boot_id"])


def describe(row: Row) -> dict[str, Any]:
    """A request for --json."""
    return {
        "id": row["id"],
        "node": row["node"],
        "op": row["op"],
        "slice": row["slice"],
        "args": from_json(row["args"]),
        "deadline": row["deadline"],
        "state": row["state"],
        "step": row["step"],
        "progress": row["progress"],
        "result": from_json(row["result"]),
        "error": from_json(row["error"]),
        "created": row["created"],
        "ended": row["ended"],
        "seconds": None
        if row["ended"] is None
        else round((clock.read(row["ended"]) - clock.read(row["created"])).total_seconds(), 3),
    }


__all__ = ["OK", "boot_id", "describe", "for_node", "for_request", "for_slice"]
