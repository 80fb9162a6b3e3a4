"""volume: data disks that outlive the slices they are attached to."""

import argparse
import uuid
from typing import Any

from ..state import view
from ..state.store import Row, from_json
from . import lookup, ordering, output
from .session import Session


def volume_create(session: Session, arguments: argparse.Namespace) -> None:
    node = lookup.node(session.store, arguments.node)
    volume_id = arguments.volume_id or str(uuid.uuid4())
    args = {"volume": volume_id, "name": arguments.name, "size_gib": arguments.size_gib}
    ids = {"volume": volume_id}
    ordering.order(session, arguments, node, "volume.create", None, args, ids)


def volume_attach(session: Session, arguments: argparse.Namespace) -> None:
    found, _ = _volume_and_node(session, arguments)
    slice_found, node = ordering.slice_and_node(session, arguments.slice)
    args = {"volume": found["id"]}
    ordering.order(session, arguments, node, "volume.attach", slice_found["id"], args)


def volume_detach(session: Session, arguments: argparse.Namespace) -> None:
    found, node = _volume_and_node(session, arguments)
    args: dict[str, Any] = {"volume": found["id"]}
    if arguments.force:
        args["force"] = True
    ordering.order(session, arguments, node, "volume.detach", None, args)


def volume_resize(session: Session, arguments: argparse.Namespace) -> None:
    found, node = _volume_and_node(session, arguments)
    args = {"volume": found["id"], "size_gib": arguments.size_gib}
    ordering.order(session, arguments, node, "volume.resize", None, args)


def volume_delete(session: Session, arguments: argparse.Namespace) -> None:
    found, node = _volume_and_node(session, arguments)
    ordering.order(session, arguments, node, "volume.delete", None, {"volume": found["id"]})


def _volume_and_node(session: Session, arguments: argparse.Namespace) -> tuple[Row, Row]:
    found = lookup.volume(session.store, arguments.volume)
    return found, lookup.node(session.store, found["node"])


def volume_list(session: Session, arguments: argparse.Namespace) -> None:
    rows = view.volumes(session.store)
    said = [{**from_json(row["body"]), "node": row["node"]} for row in rows]
    if session.json:
        output.print_json(said)
        return
    keys = ("id", "name", "state", "size_gib", "device", "slice")
    lines = [[one["node"][:8], *(one[key] for key in keys)] for one in said]
    output.print_table(["NODE", "ID", "NAME", "STATE", "GIB", "DEVICE", "SLICE"], lines)


def add_parsers(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser("volume", help="data disks of a node")
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    action = actions.add_parser("create")
    action.add_argument("name")
    action.add_argument("size_gib", type=int)
    action.add_argument("--node", help="name or id; not needed if there is one node")
    action.add_argument("--volume-id", metavar="UUID")
    ordering.add_options(action)
    action.set_defaults(run=volume_create)
    for name, run in (("attach", volume_attach), ("detach", volume_detach),
                      ("resize", volume_resize), ("delete", volume_delete)):  # fmt: skip
        action = actions.add_parser(name)
        action.add_argument("volume", help="name or id")
        if name == "attach":
            action.add_argument("slice", help="name or id")
        elif name == "detach":
            action.add_argument("--force", action="store_true",
                                help="also when the slice does not release it")  # fmt: skip
        elif name == "resize":
            action.add_argument("size_gib", type=int)
        ordering.add_options(action)
        action.set_defaults(run=run)
    action = actions.add_parser("list")
    action.set_defaults(run=volume_list)
