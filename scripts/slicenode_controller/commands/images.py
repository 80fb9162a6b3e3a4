"""image, console, request: images on nodes, consoles of slices, and any request at all."""

import argparse
import json
import sys
import time
from typing import Any

from ..state import requests, view
from ..state.store import Row, from_json
from . import console_stream, image_source, lookup, ordering, output, waiting
from .lookup import CommandError
from .session import Session


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
    if arguments.follow or arguments.until is not None:
        _follow_console(session, arguments, node, found["id"])
        return
    args = {"bytes": arguments.bytes}
    request_id = requests.add(session.store, node["id"], "slice.console", found["id"], args)
    row = waiting.for_request(session.store, request_id, arguments.timeout)
    result: dict[str, Any] = from_json(row["result"]) or {}
    text = str(result.get("console", ""))
    if session.json:
        output.print_json({"console": text})
    else:
        print(text if arguments.raw else output.clean_lines(text), end="", flush=True)


def _follow_console(
    session: Session, arguments: argparse.Namespace, node: Row, slice_id: str
) -> None:
    end = time.monotonic() + arguments.timeout
    seen = ""
    for text, skipped in console_stream.follow(
        session.store, node, slice_id, arguments.bytes, end
    ):
        if session.json:
            output.print_json_line({"console": text, "truncated": skipped})
        else:
            if skipped:
                print("\n[the slice prints too fast: some lines are missing]", file=sys.stderr)
            print(text if arguments.raw else output.clean_lines(text), end="", flush=True)
        seen = (seen + text)[-1048576:]
        if arguments.until is not None and arguments.until in seen:
            if not session.json:
                print()
            return


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
