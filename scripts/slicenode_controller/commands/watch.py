"""requests, events, wait, protocol-violations, coverage: looking on."""

import argparse
import json
from functools import partial
from typing import Any

from ..state import events, requests, traffic
from ..state.store import Row, Store, from_json, wait_for
from . import lookup, ordering, output, waiting
from .lookup import CommandError
from .session import Session


def requests_list(session: Session, arguments: argparse.Namespace) -> None:
    rows = requests.every(session.store)
    if session.json:
        output.print_json([waiting.describe(row) for row in rows])
        return
    lines = []
    for row in rows:
        progress = "" if row["progress"] is None else f" {row['progress']} %"
        step = (row["step"] or "") + progress if row["ended"] is None else ""
        news = output.error_text(from_json(row["error"])) or step
        slice_id = (row["slice"] or "")[:8]
        lines.append([row["id"][:8], row["node"][:8], row["op"], slice_id, row["state"],
                      output.ago(row["created"]), news])  # fmt: skip
    output.print_table(["ID", "NODE", "OPERATION", "SLICE", "STATE", "ASKED", "NEWS"], lines)


def requests_show(session: Session, arguments: argparse.Namespace) -> None:
    output.print_json(waiting.describe(lookup.request(session.store, arguments.request)))


def requests_resend(session: Session, arguments: argparse.Namespace) -> None:
    found = lookup.request(session.store, arguments.request)
    requests.send_again(session.store, found["id"])


def requests_cancel(session: Session, arguments: argparse.Namespace) -> None:
    found = lookup.request(session.store, arguments.request)
    node = lookup.node(session.store, found["node"])
    ordering.order(session, arguments, node, "request.cancel", None, {"request": found["id"]})


def events_list(session: Session, arguments: argparse.Namespace) -> None:
    store = session.store
    wanted = {
        "node": lookup.node(store, arguments.node)["id"] if arguments.node else None,
        "slice": lookup.slice_row(store, arguments.slice)["id"] if arguments.slice else None,
        "request": lookup.request(store, arguments.request)["id"] if arguments.request else None,
        "type": arguments.type,
    }
    last = arguments.after
    while True:
        for row in events.after(store, last):
            last = row["id"]
            if all(value is None or row[key] == value for key, value in wanted.items()):
                _print_event(session, row)
        if not arguments.follow:
            return
        wait_for(store, partial(_newer_than, store, last), None)


def _newer_than(store: Store, seen: int) -> bool | None:
    return True if events.after(store, seen) else None


def _print_event(session: Session, row: Row) -> None:
    event: dict[str, Any] = from_json(row["body"])
    if session.json:
        output.print_json_line({"id": row["id"], "node": row["node"], **event})
        return
    parts = [event["step"] or ""]
    if event["progress"] is not None:
        parts.append(f"{event['progress']} %")
    if event["type"] in ("slice.state", "image.state"):
        result = event["result"]
        parts.append(" ".join(str(v) for k, v in result.items() if k in ("state", "reason", "id")))
    elif event["result"] is not None:
        parts.append(json.dumps(event["result"], ensure_ascii=False)[:120])
    parts.append(output.error_text(event["error"]))
    news = " ".join(part for part in parts if part)
    who = f"node {row['node'][:8]}"
    if event["slice"] is not None:
        who += f" slice {event['slice'][:8]}"
    if event["request"] is not None:
        who += f" request {event['request'][:8]}"
    print(f"{event['time']} {event['type']:<17} {who}  {output.clean(news)}", flush=True)


def wait(session: Session, arguments: argparse.Namespace) -> None:
    registered = True if arguments.registered or arguments.node is not None else None
    asked = [arguments.request, arguments.slice, registered]
    if len([one for one in asked if one is not None]) != 1:
        message = "wait for a REQUEST, for --slice with --state, or for --registered"
        raise CommandError(message, lookup.USAGE)
    if arguments.request is not None:
        found = lookup.request(session.store, arguments.request)
        row = waiting.for_request(session.store, found["id"], arguments.timeout)
        if session.json:
            output.print_json(waiting.describe(row))
    elif arguments.slice is not None:
        found = lookup.slice_row(session.store, arguments.slice)
        waiting.for_slice(session.store, found["id"], arguments.state, arguments.timeout)
    else:
        row = waiting.for_node(
            session.store, arguments.node, arguments.other_boot, arguments.timeout
        )
        said = {"id": row["id"], "name": row["name"], "boot_id": waiting.boot_id(row)}
        if session.json:
            output.print_json(said)
        else:
            print(said["id"])


def violations(session: Session, arguments: argparse.Namespace) -> int:
    """Fails if there were any: made for tests."""
    rows = traffic.violations(session.store)
    if session.json:
        output.print_json([dict(row) for row in rows])
    else:
        for row in rows:
            who = row["side"] if row["node"] is None else f"{row['side']} {row['node'][:8]}"
            print(f"{row['time']} {who} {row['operation']}: {output.clean(row['message'])}")
            print(f"    {output.clean(row['body'][:300])}")
    return lookup.FAILED if rows else lookup.OK


def coverage(session: Session, arguments: argparse.Namespace) -> None:
    """Which calls were made and answered how; which never."""
    seen = {(row["operation"], row["status"]): row["count"] for row in
            traffic.coverage(session.store)}  # fmt: skip
    missing = [name for name in session.protocol.operations
               if not any(operation == name for operation, _ in seen)]  # fmt: skip
    asked = {row["op"] for row in requests.every(session.store)}
    unasked = [name for name in session.protocol.request_names if name not in asked]
    if session.json:
        said = [{"operation": operation, "status": status, "count": count}
                for (operation, status), count in seen.items()]  # fmt: skip
        output.print_json({"calls": said, "missing": missing, "requests": sorted(asked),
                           "missing_requests": unasked})  # fmt: skip
        return
    rows = [[operation, status, count] for (operation, status), count in seen.items()]
    output.print_table(["CALL", "STATUS", "COUNT"], rows)
    print(f"calls never made: {' '.join(missing) or 'none'}")
    print(f"requests never sent: {' '.join(unasked) or 'none'}")


def add_parsers(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser("requests", help="list, show, resend or cancel requests")
    parser.set_defaults(run=requests_list)
    actions = parser.add_subparsers(metavar="ACTION")
    for name, run in (("show", requests_show), ("resend", requests_resend)):
        action = actions.add_parser(name)
        action.add_argument("request", help="id")
        action.set_defaults(run=run)
    action = actions.add_parser("cancel")
    action.add_argument("request", help="id")
    ordering.add_options(action)
    action.set_defaults(run=requests_cancel)

    parser = commands.add_parser("events", help="what the nodes told")
    parser.add_argument("--follow", action="store_true")
    parser.add_argument("--node", help="name or id")
    parser.add_argument("--slice", help="name or id")
    parser.add_argument("--request", help="id")
    parser.add_argument("--type", help="such as slice.state")
    parser.add_argument("--after", type=int, default=0, metavar="ID", help="`id` of --json")
    parser.set_defaults(run=events_list)

    parser = commands.add_parser(
        "wait", help="until something has happened: exit 0; 1 if it failed, 2 if time is over"
    )
    parser.add_argument("request", nargs="?", help="id: until it has ended")
    parser.add_argument("--slice", help="name or id: until it has the state")
    parser.add_argument("--state", default="running", help="default running")
    parser.add_argument("--registered", action="store_true", help="until a node has registered")
    parser.add_argument("--node", help="with --registered: this node")
    parser.add_argument("--other-boot", metavar="BOOT_ID",
                        help="with --registered: in another boot than this")  # fmt: skip
    parser.add_argument("--timeout", type=lookup.duration, default=lookup.duration("10m"))
    parser.set_defaults(run=wait)

    parser = commands.add_parser("protocol-violations", help="list them; exit 1 if there are any")
    parser.set_defaults(run=violations)
    parser = commands.add_parser("coverage", help="which calls and requests were seen")
    parser.set_defaults(run=coverage)
