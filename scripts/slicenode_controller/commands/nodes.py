"""token, nodes, report: who may come, who is there."""

import argparse
from typing import Any

from ..state import nodes, requests, tokens, view
from ..state.store import Row, from_json
from . import lookup, output, waiting
from .session import Session


def token_create(session: Session, arguments: argparse.Namespace) -> None:
    token_id, text = tokens.create(session.store, arguments.ttl, arguments.node_name or "")
    if session.json:
        output.print_json({"id": token_id, "token": text})
    else:
        print(text)


def token_list(session: Session, arguments: argparse.Namespace) -> None:
    rows = tokens.every(session.store)
    if session.json:
        keys = ("id", "node_name", "created", "expires", "node")
        said = [{**{key: row[key] for key in keys}, "state": tokens.state(row)} for row in rows]
        output.print_json(said)
        return
    output.print_table(
        ["ID", "STATE", "NODE NAME", "EXPIRES", "NODE"],
        [[r["id"], tokens.state(r), r["node_name"], r["expires"], r["node"]] for r in rows],
    )


def token_revoke(session: Session, arguments: argparse.Namespace) -> None:
    # The whole token may be given: it begins with its id.
    found = lookup.token(session.store, arguments.token.partition(".")[0])
    tokens.revoke(session.store, found["id"])


def nodes_list(session: Session, arguments: argparse.Namespace) -> None:
    rows = nodes.every(session.store)
    if session.json:
        output.print_json([_node_json(session, row) for row in rows])
        return
    output.print_table(
        ["ID", "NAME", "STATE", "VERSION", "MEMORY FREE", "DISK FREE", "SLICES", "LAST SEEN"],
        [_node_line(session, row) for row in rows],
    )


def _node_line(session: Session, row: Row) -> list[Any]:
    registration = from_json(row["registration"]) or {}
    capacity = (from_json(row["status"]) or {}).get("capacity")
    here = [one for one in view.slices(session.store) if one["node"] == row["id"]]
    return [
        row["id"][:8],
        row["name"],
        nodes.condition(row, session.silent_after_seconds()),
        registration.get("version"),
        f"{capacity['memory_free_mib']} MiB" if capacity else None,
        f"{capacity['disk_free_mib']} MiB" if capacity else None,
        len(here),
        output.ago(row["last_seen"]),
    ]


def _node_json(session: Session, row: Row) -> dict[str, Any]:
    keys = ("id", "name", "created", "registered", "last_seen", "address", "host", "acknowledged",
            "certificate_expires")  # fmt: skip
    return {
        **{key: row[key] for key in keys},
        "state": nodes.condition(row, session.silent_after_seconds()),
        "boot_id": waiting.boot_id(row),
        "hardware": from_json(row["hardware"]),
        "registration": from_json(row["registration"]),
        "status": from_json(row["status"]),
    }


def nodes_show(session: Session, arguments: argparse.Namespace) -> None:
    row = lookup.node(session.store, arguments.node)
    said = _node_json(session, row)
    if session.json:
        output.print_json(said)
        return
    registration = said["registration"] or {}
    for key in ("id", "name", "state", "address", "last_seen", "registered", "boot_id"):
        print(f"{key + ':':<13} {output.clean(said[key])}")
    hardware = " ".join(str(said["hardware"][k]) for k in ("vendor", "product", "serial"))
    print(f"{'hardware:':<13} {output.clean(hardware)}")
    if not registration:
        return
    inventory = registration["inventory"]
    cpu, xen, storage = inventory["cpu"], inventory["xen"], inventory["storage"]
    version = f"{registration['version']}, Xen {xen['version']}"
    print(f"{'version:':<13} {output.clean(version)}")
    print(f"{'cpu:':<13} {output.clean(cpu['model'])}, {cpu['threads']} threads")
    print(f"{'memory:':<13} {inventory['memory_mib']} MiB, {xen['free_memory_mib']} MiB with Xen")
    used = f"{storage['used_mib']} of {storage['pool_mib']} MiB used" if storage else "none"
    print(f"{'storage:':<13} {used}\n")
    output.print_table(
        ["NIC", "MAC", "LINK"],
        [[n["name"], n["mac"], "up" if n["link"] else "down"] for n in inventory["nics"]],
    )
    print()
    output.print_table(
        ["DISK", "SIZE", "STATE", "REASON"],
        [[d["name"], f"{d['size_mib']} MiB", d["state"], d["reason"]] for d in inventory["disks"]],
    )
    for problem in registration["problems"]:
        print(f"\nproblem: {output.error_text(problem)}")


def nodes_approve(session: Session, arguments: argparse.Namespace) -> None:
    row = lookup.node(session.store, arguments.node)
    if row["state"] != "waiting":
        raise lookup.CommandError(f"node {row['id']} does not wait for approval")
    nodes.set_state(session.store, row["id"], "enrolled")


def nodes_remove(session: Session, arguments: argparse.Namespace) -> None:
    nodes.remove(session.store, lookup.node(session.store, arguments.node)["id"])


def report(session: Session, arguments: argparse.Namespace) -> None:
    """Fresh from the node, not what it said at its last start."""
    node = lookup.node(session.store, arguments.node)
    request_id = requests.add(session.store, node["id"], "node.report", None, {})
    row = waiting.for_request(session.store, request_id, arguments.timeout)
    output.print_json(from_json(row["result"]))


def drain(session: Session, arguments: argparse.Namespace) -> None:
    node = lookup.node(session.store, arguments.node)
    args = {"drain": not arguments.off}
    request_id = requests.add(session.store, node["id"], "node.drain", None, args)
    row = waiting.for_request(session.store, request_id, arguments.timeout)
    result = from_json(row["result"])
    print(f"{result['state']}: {result['slices']} slices, {result['running']} of them running")


def reboot(session: Session, arguments: argparse.Namespace) -> None:
    node = lookup.node(session.store, arguments.node)
    request_id = requests.add(session.store, node["id"], "node.reboot", None, {})
    row = waiting.for_request(session.store, request_id, arguments.timeout)
    print(f"boot {from_json(row['result'])['boot_id']}")


def add_parsers(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser("token", help="enrolment tokens")
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    action = actions.add_parser("create", help="make a token for one machine and print it")
    action.add_argument("--ttl", type=lookup.duration, default=lookup.duration("7d"),
                        help="such as 90s, 15m, 12h, 7d (default)")  # fmt: skip
    action.add_argument("--node-name", help="name for the node that comes with it")
    action.set_defaults(run=token_create)
    action = actions.add_parser("list")
    action.set_defaults(run=token_list)
    action = actions.add_parser("revoke", help="no new node by this token")
    action.add_argument("token", help="token or its id")
    action.set_defaults(run=token_revoke)

    parser = commands.add_parser("nodes", help="list, show, approve or remove nodes")
    parser.set_defaults(run=nodes_list)
    actions = parser.add_subparsers(metavar="ACTION")
    actions.add_parser("list").set_defaults(run=nodes_list)
    for name, run in (("show", nodes_show), ("approve", nodes_approve), ("remove", nodes_remove)):
        action = actions.add_parser(name)
        action.add_argument("node", help="name or id")
        action.set_defaults(run=run)

    parser = commands.add_parser("report", help="ask a node for a fresh report, as JSON")
    parser.add_argument("node", nargs="?", help="name or id; not needed if there is one node")
    parser.add_argument("--timeout", type=lookup.duration, default=lookup.duration("60s"))
    parser.set_defaults(run=report)

    parser = commands.add_parser("drain", help="let a node take no new slices")
    parser.add_argument("node", nargs="?", help="name or id; not needed if there is one node")
    parser.add_argument("--off", action="store_true", help="let it take them again")
    parser.add_argument("--timeout", type=lookup.duration, default=lookup.duration("60s"))
    parser.set_defaults(run=drain)

    parser = commands.add_parser("reboot-node", help="reboot a machine; its slices come back with it")
    parser.add_argument("node", nargs="?", help="name or id; not needed if there is one node")
    parser.add_argument("--timeout", type=lookup.duration, default=lookup.duration("15m"))
    parser.set_defaults(run=reboot)
