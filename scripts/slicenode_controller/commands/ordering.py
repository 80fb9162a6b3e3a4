"""Giving requests to nodes: what all commands that do so share."""

import argparse
from typing import Any

from ..state import requests, view
from ..state.store import Row
from . import lookup, output, waiting
from .lookup import CommandError
from .session import Session


def add_options(parser: argparse.ArgumentParser, timeout: str = "10m") -> None:
    parser.add_argument("--wait", action="store_true", help="until the request has ended")
    parser.add_argument("--timeout", type=lookup.duration, default=lookup.duration(timeout),
                        help=f"for --wait (default {timeout})")  # fmt: skip
    parser.add_argument("--deadline", type=lookup.deadline, metavar="TIME",
                        help="not to begin after this: RFC 3339, or 90s, 5m from now")  # fmt: skip
    parser.add_argument("--unchecked", action="store_true",
                        help="for tests: send it even if it breaks the protocol")  # fmt: skip


def order(
    session: Session,
    arguments: argparse.Namespace,
    node: Row,
    op: str,
    slice_id: str | None,
    args: Any,
    extra: dict[str, str] | None = None,
    request_id: str | None = None,
) -> Row | None:
    """Queues a request and prints what came of it; with --wait, gives the ended request.

    `extra` are more ids worth printing, such as a new snapshot's.
    """
    if not arguments.unchecked:
        said = {"id": request_id or node["id"], "op": op, "slice": slice_id, "args": args,
                "deadline": arguments.deadline}  # fmt: skip
        for fault in session.protocol.check_request(said):
            raise CommandError(f"{op}: {fault} (--unchecked sends it all the same)", lookup.USAGE)
    try:
        with session.store.transaction():
            request_id = requests.add(
                session.store,
                node["id"],
                op,
                slice_id,
                args,
                request_id=request_id,
                deadline=arguments.deadline,
                unchecked=arguments.unchecked,
            )
            if op == "slice.provision" and slice_id is not None:
                _list_at_once(session, node, slice_id, args)
    except requests.RequestExists as error:
        raise CommandError(f"there is a request {error} already") from None
    row = None
    if not session.json:
        for key, value in {**(extra or {}), "request": request_id}.items():
            print(f"{key} {value}", flush=True)
    if arguments.wait:
        row = waiting.for_request(session.store, request_id, arguments.timeout)
    if session.json:
        ids = {"request": request_id, "slice": slice_id, "node": node["id"], **(extra or {})}
        output.print_json(ids if row is None else {**ids, **waiting.describe(row)})
    elif row is not None:
        print(f"done in {waiting.describe(row)['seconds']} s")
    return row


def slice_and_node(session: Session, text: str) -> tuple[Row, Row]:
    """A slice the operator named, and its node. It may be gone: the node will say so."""
    found = lookup.slice_row(session.store, text)
    return found, lookup.node(session.store, found["node"])


def _list_at_once(session: Session, node: Row, slice_id: str, args: Any) -> None:
    """Lists the slice as requested, if it is one that can be listed."""
    if not session.protocol.check_as("ArgsSliceProvision", args):
        view.slice_requested(session.store, node["id"], slice_id, args)
