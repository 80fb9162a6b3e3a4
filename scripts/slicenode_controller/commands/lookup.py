"""What the operator may write for a node, slice, request, token or image: name or part of id."""

import argparse
import contextlib
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from ..state import clock, nodes, requests, tokens, view
from ..state.store import Row, Store, from_json

Named = TypeVar("Named", Row, dict[str, Any])

OK, FAILED, TIMED_OUT, USAGE = 0, 1, 2, 64


class CommandError(Exception):
    """Ends the command with one line on stderr and this exit code."""

    def __init__(self, message: str, status: int = FAILED) -> None:
        super().__init__(message)
        self.status = status


def node(store: Store, text: str | None) -> Row:
    """The node with this name or beginning of its id; without a text, the only one."""
    rows = nodes.every(store)
    if text is None:
        if len(rows) != 1:
            raise CommandError(f"there are {len(rows)} nodes: say which with --node", USAGE)
        return rows[0]
    return _only("node", text, rows)


def slice_row(store: Store, text: str) -> Row:
    """A present slice before one that is gone."""
    present = [row for row in view.slices(store) if text in (row["name"], row["id"][: len(text)])]
    return _only("slice", text, present or view.slices(store, present_only=False))


def request(store: Store, text: str) -> Row:
    return _only("request", text, requests.every(store))


def token(store: Store, text: str) -> Row:
    return _only("token", text, tokens.every(store))


def snapshot(slice_found: Row, text: str) -> str:
    """Id of a snapshot of this slice. A whole id is taken as it is: the node knows better."""
    if is_uuid(text):
        return text
    known = from_json(slice_found["body"]).get("snapshots", [])
    return str(_only("snapshot", text, known)["id"])


def volume(store: Store, text: str) -> Row:
    return _only("volume", text, view.volumes(store))


def image(store: Store, node_id: str, text: str) -> str:
    """Id of an image, by the beginning of the id or the end of its URL."""
    if is_uuid(text):
        return text
    rows = [row for row in view.images(store) if row["node"] == node_id]
    named = [{"id": row["id"], "name": (row["url"] or "").rpartition("/")[2]} for row in rows]
    return str(_only("image", text, named)["id"])


def is_uuid(text: str) -> bool:
    with contextlib.suppress(ValueError):
        return str(uuid.UUID(text)) == text
    return False


def read_text(file: str) -> str:
    """The text of a file that the operator named."""
    try:
        return Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise CommandError(f"cannot read {file}: {error}") from None


def _only(kind: str, text: str, rows: Sequence[Named]) -> Named:
    named = [row for row in rows if "name" in row.keys() and row["name"] == text]  # noqa: SIM118
    found = [row for row in rows if row["id"] == text] or named
    found = found or [row for row in rows if text and row["id"].startswith(text)]
    if not found:
        raise CommandError(f"no {kind} has the name or id {text}")
    if len(found) > 1:
        raise CommandError(f"{len(found)} of the {kind}s fit {text}: use more of the id")
    return found[0]


def duration(text: str) -> float:
    """For argparse: seconds of 90s, 15m, 12h, 7d."""
    try:
        return clock.duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def deadline(text: str) -> str:
    """For argparse: a time, or a duration from now."""
    try:
        return clock.write(clock.read(text))
    except ValueError:
        return clock.after(duration(text))
