"""image, console, request: images on nodes, consoles of slices, and any request at all."""

import argparse
import json
import time
from typing import Any

from . import image_source, lookup, ordering, output, requests, view, waiting
from .lookup import CommandError
from .session import Session
from .store import Row, from_json

LOOK_AGAIN_SECONDS = 1.0
OVERLAP_CHARACTERS = 512


def image_fetch(session: Session, arguments: argparse.Namespace) -> None:
    node = lookup.node(session.store, arguments.node)
    args = image_source.resolve(session, node, arguments.image, arguments)
    if arguments.kind != "disk":
        args["kind"] = arguments.kind
    ids = {"image": args["id"]}
    ordering.order(session, arguments, node, "image.fetch", None, args, ids)


def image_delete(session: Session, arguments: argparse.Namespace) -> None:
    node = lookup.node(session.store, arguments.node)
    args = {"id": lookup.image(session.store, node["id"], arguments.image)}
    ordering.order(session, arguments, node, "image.delete", None, args)


def image_list(session: Session, arguments: argparse.Namespace) -> None:
    gone = () if arguments.all else ("deleted", "failed")
    rows = [row for row in view.images(session.store) if row["state"] not in gone]
    if session.json:
        keys = ("id", "node", "state", "url")
        said = [{**from_json(row["body"]), **{key: row[key] for key in keys}} for row in rows]
        output.print_json(said)
        return
    lines = []
    for row in rows:
        body = from_json(row["body"])
        lines.append([row["id"], row["node"][:8], row["state"], body.get("kind"), row["url"]])
    output.print_table(["ID", "NODE", "STATE", "KIND", "URL"], lines)


def console(session: Session, arguments: argparse.Namespace) -> None:
    """Prints the console; with --follow or --until, goes on with what is new."""
    found, node = ordering.slice_and_node(session, arguments.slice)
    end = time.monotonic() + arguments.timeout
    before, seen = "", ""
    while True:
        text = _read_console(session, node, found["id"], arguments.bytes, end - time.monotonic())
        if session.json and not arguments.follow and arguments.until is None:
            output.print_json({"console": text})
            return
        new = new_part(before, text)
        shown = new if arguments.raw else output.clean_lines(new)
        print(shown, end="", flush=True)
        before, seen = text, (seen + new)[-1048576:]
        if arguments.until is not None and arguments.until in seen:
            print()
            return
        if not arguments.follow and arguments.until is None:
            return
        if time.monotonic() + LOOK_AGAIN_SECONDS >= end:
            raise CommandError("timed out", lookup.TIMED_OUT)
        time.sleep(LOOK_AGAIN_SECONDS)


def _read_console(
    session: Session, node: Row, slice_id: str, size_bytes: int, seconds: float
) -> str:
    args = {"bytes": size_bytes}
    request_id = requests.add(session.store, node["id"], "slice.console", slice_id, args)
    row = waiting.for_request(session.store, request_id, seconds)
    result: dict[str, Any] = from_json(row["result"]) or {}
    return str(result.get("console", ""))


def new_part(before: str, now: str) -> str:
    """What `now`, a later look at the end of the console, has after `before`."""
    if now.startswith(before):
        return now[len(before) :]
    tail = before[-OVERLAP_CHARACTERS:]
    place = now.rfind(tail)
    return now if place < 0 else now[place + len(tail) :]


def request(session: Session, arguments: argparse.Namespace) -> None:
    """Any operation with any arguments, as JSON."""
    text = arguments.args
    if text.startswith("@"):
        text = lookup.read_text(text[1:])
    try:
        args = json.loads(text)
    except ValueError as error:
        raise CommandError(f"--args is not JSON: {error}", lookup.USAGE) from None
    slice_id, node_text = arguments.slice, arguments.node
    if slice_id is not None and not lookup.is_uuid(slice_id) and not arguments.unchecked:
        slice_id = lookup.slice_row(session.store, slice_id)["id"]
    known = view.find_slice(session.store, slice_id) if slice_id is not None else None
    if node_text is None and known is not None:
        node_text = known["node"]
    node = lookup.node(session.store, node_text)
    row = ordering.order(
        session, arguments, node, arguments.op, slice_id, args, request_id=arguments.id
    )
    if row is not None and not session.json and row["result"] is not None:
        output.print_json(from_json(row["result"]))


def add_parsers(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser("image", help="images on a node")
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    action = actions.add_parser("fetch")
    action.add_argument("image", help="URL, or file of the served folder")
    action.add_argument("--kind", default="disk", help="disk (default), kernel or ramdisk")
    image_source.add_options(action)
    action.add_argument("--node", help="name or id; not needed if there is one node")
    ordering.add_options(action)
    action.set_defaults(run=image_fetch)
    action = actions.add_parser("delete")
    action.add_argument("image", help="id, or the file name of its URL")
    action.add_argument("--node", help="name or id; not needed if there is one node")
    ordering.add_options(action)
    action.set_defaults(run=image_delete)
    action = actions.add_parser("list")
    action.add_argument("--all", action="store_true", help="also what failed or was deleted")
    action.set_defaults(run=image_list)

    parser = commands.add_parser("console", help="print a slice's console")
    parser.add_argument("slice", help="name or id")
    parser.add_argument("--bytes", type=int, default=16384)
    parser.add_argument("--follow", action="store_true", help="go on with what is new")
    parser.add_argument("--until", metavar="TEXT", help="follow until this text was printed")
    parser.add_argument("--raw", action="store_true", help="control characters as they come")
    parser.add_argument("--timeout", type=lookup.duration, default=lookup.duration("10m"))
    parser.set_defaults(run=console)

    parser = commands.add_parser("request", help="any request, for what has no command")
    parser.add_argument("op", help="such as slice.stop")
    parser.add_argument("--args", default="{}", metavar="JSON|@FILE")
    parser.add_argument("--slice", help="name or id")
    parser.add_argument("--node", help="name or id; not needed if there is one node")
    parser.add_argument("--id", metavar="UUID", help="of the request")
    ordering.add_options(parser)
    parser.set_defaults(run=request)
