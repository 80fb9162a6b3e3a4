"""A slice's console as it is printed: requests that follow it, one after another."""

import math
import time
from collections.abc import Iterator

from ..state import requests
from ..state.store import Row, Store, from_json, wait_for
from . import lookup, waiting
from .lookup import CommandError

# Nothing stops a request whose reader has gone: it should not go on for long.
PERIOD_SECONDS = 60
OVERLAP_CHARACTERS = 512
KEPT_CHARACTERS = 65536


def follow(
    store: Store, node: Row, slice_id: str, size_bytes: int, end: float
) -> Iterator[tuple[str, bool]]:
    """First the last bytes that are there, then what comes; each with whether some is missing
    before it. Raises CommandError when the time is over (`end`, monotonic)."""
    before = ""
    first = True
    while (left := end - time.monotonic()) > 0:
        args = {"bytes": size_bytes, "follow_seconds": min(PERIOD_SECONDS, math.ceil(left))}
        request_id = requests.add(store, node["id"], "slice.console", slice_id, args)
        again = not first
        for text, truncated in _told(store, request_id, end):
            new = new_part(before, text) if again else text
            if new:
                yield new, truncated and not first and not (again and new != text)
            before = (before + new)[-KEPT_CHARACTERS:]
            first = again = False
    raise CommandError("timed out", lookup.TIMED_OUT)


def _told(store: Store, request_id: str, end: float) -> Iterator[tuple[str, bool]]:
    """What the request tells until it ends."""
    last = 0

    def look() -> tuple[list[Row], bool] | None:
        row = requests.find(store, request_id)
        ended = row is not None and row["ended"] is not None
        rows = store.all(
            "SELECT id, body FROM events WHERE request = ? AND type = 'slice.console' AND id > ?"
            " ORDER BY id",
            request_id,
            last,
        )
        return (rows, ended) if rows or ended else None

    while True:
        found = wait_for(store, look, max(0.0, end - time.monotonic()))
        if found is None:
            raise CommandError("timed out", lookup.TIMED_OUT)
        rows, ended = found
        for row in rows:
            last = row["id"]
            result = from_json(row["body"])["result"]
            yield result["console"], result["truncated"]
        if ended:
            waiting.for_request(store, request_id, None)
            return


def new_part(before: str, now: str) -> str:
    """What `now`, a later look at the end of the console, has after `before`."""
    if now.startswith(before):
        return now[len(before) :]
    tail = before[-OVERLAP_CHARACTERS:]
    place = now.rfind(tail)
    return now if place < 0 else now[place + len(tail) :]
