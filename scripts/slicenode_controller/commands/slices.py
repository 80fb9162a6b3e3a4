"""provision, slices, start, stop, reboot, pause, terminate, snapshot: the life of a slice."""

import argparse
import uuid
from typing import Any

from ..state import requests, view
from ..state.store import Row, from_json
from . import exports, image_source, lookup, ordering, output, waiting
from .session import Session


def provision(session: Session, arguments: argparse.Namespace) -> None:
    node = lookup.node(session.store, arguments.node)
    slice_id = arguments.slice_id or str(uuid.uuid4())
    args: dict[str, Any] = {
        "name": arguments.name,
        **_source(session, arguments, node),
        "vcpus": arguments.vcpus,
        "memory_mib": arguments.memory_mib,
        "disk_gib": arguments.disk_gib,
    }
    for key in ("max_vcpus", "max_memory_mib"):
        if getattr(arguments, key) is not None:
            args[key] = getattr(arguments, key)
    if arguments.type:
        args["type"] = arguments.type
    if arguments.kernel:
        args["boot"] = _kernel_boot(session, arguments, node)
    if _network(arguments) is not None:
        args["network"] = _network(arguments)
    cloud_init = _cloud_init(arguments)
    if cloud_init:
        args["cloud_init"] = cloud_init
    if arguments.on_crash:
        args["on_crash"] = arguments.on_crash
    if arguments.stopped:
        args["desired"] = "stopped"
    ids = {"slice": slice_id}
    ordering.order(session, arguments, node, "slice.provision", slice_id, args, ids)


def _source(session: Session, arguments: argparse.Namespace, node: Row) -> dict[str, Any]:
    if arguments.image:
        return {"image": image_source.resolve(session, node, arguments.image, arguments)}
    whose, _, snapshot = arguments.snapshot.rpartition("/")
    if whose:
        snapshot = lookup.snapshot(lookup.slice_row(session.store, whose), snapshot)
    return {"snapshot": snapshot}


def _kernel_boot(session: Session, arguments: argparse.Namespace, node: Row) -> dict[str, Any]:
    """Kernel and ramdisk have to be on the node before the slice is asked for."""
    boot: dict[str, Any] = {"kind": "kernel"}
    for kind in ("kernel", "ramdisk"):
        named = getattr(arguments, kind)
        if not named:
            continue
        plain = argparse.Namespace(
            sha256=None, size_bytes=None, compression="none", format=None, image_id=None,
            plain_http=arguments.plain_http,
        )  # fmt: skip
        source = image_source.resolve(session, node, named, plain)
        if "url" in source:
            _fetch(session, node, {**source, "kind": kind}, arguments.timeout)
        boot[kind] = source["id"]
    if arguments.cmdline is not None:
        boot["cmdline"] = arguments.cmdline
    return boot


def _fetch(session: Session, node: Row, args: dict[str, Any], seconds: float) -> None:
    for row in view.images(session.store):
        if (row["node"], row["id"], row["state"]) == (node["id"], args["id"], "ready"):
            return
    request_id = requests.add(session.store, node["id"], "image.fetch", None, args)
    try:
        waiting.for_request(session.store, request_id, seconds)
    except lookup.CommandError:
        ended = requests.find(session.store, request_id)
        error = from_json(ended["error"]) if ended is not None else None
        if error is None or error["code"] != "image_exists":
            raise


def _network(arguments: argparse.Namespace) -> list[dict[str, Any]] | None:
    """None: the node's default, one card with DHCP."""
    if arguments.no_network:
        return []
    card: dict[str, Any] = {}
    for key in ("bridge", "vlan", "mac", "gateway", "dns"):
        if getattr(arguments, key) is not None:
            card[key] = getattr(arguments, key)
    if arguments.address:
        card["addresses"] = arguments.address
    return [card] if card else None


def _cloud_init(arguments: argparse.Namespace) -> dict[str, Any]:
    result: dict[str, Any] = {}
    if arguments.hostname:
        result["hostname"] = arguments.hostname
    keys = []
    for file in arguments.ssh_key or []:
        lines = [line.strip() for line in lookup.read_text(file).splitlines()]
        keys += [line for line in lines if line and not line.startswith("#")]
    if keys:
        result["ssh_keys"] = keys
    if arguments.user_data:
        result["user_data"] = lookup.read_text(arguments.user_data)
    return result


def slices_list(session: Session, arguments: argparse.Namespace) -> None:
    rows = view.slices(session.store, present_only=not arguments.all)
    if arguments.node:
        node = lookup.node(session.store, arguments.node)
        rows = [row for row in rows if row["node"] == node["id"]]
    if session.json:
        output.print_json([_slice_json(row) for row in rows])
        return
    lines = []
    for row in rows:
        body = from_json(row["body"])
        lines.append([
            row["id"][:8], row["name"], row["state"], row["node"][:8], body.get("type"),
            body.get("vcpus"), body.get("memory_mib"), body.get("disk_gib"),
            len(body.get("snapshots", [])), output.error_text(body.get("error")),
        ])  # fmt: skip
    output.print_table(
        ["ID", "NAME", "STATE", "NODE", "TYPE", "VCPUS", "MIB", "GIB", "SNAPSHOTS", "ERROR"], lines
    )


def _slice_json(row: Row) -> dict[str, Any]:
    return {
        **from_json(row["body"]),
        **{key: row[key] for key in ("id", "name", "node", "state", "state_time")},
        "present": bool(row["present"]),
        "usage": from_json(row["usage"]),
    }


def slices_show(session: Session, arguments: argparse.Namespace) -> None:
    said = _slice_json(lookup.slice_row(session.store, arguments.slice))
    if session.json:
        output.print_json(said)
        return
    volumes = [from_json(row["body"]) for row in view.volumes(session.store)]
    error, usage = said.pop("error", None), said.pop("usage")
    snapshots = said.pop("snapshots", [])
    for key, value in said.items():
        print(f"{key + ':':<12} {output.clean(value)}")
    for key, value in (usage or {}).items():
        if key not in ("id", "state"):
            print(f"{key + ':':<20} {output.clean(value)}")
    for one in snapshots:
        print(f"{'snapshot:':<12} {one['id']} {output.clean(one['name'])} {one['time']}")
    for one in volumes:
        if one["slice"] == said["id"]:
            size = f"{one['size_gib']} GiB"
            print(f"{'volume:':<12} {one['id']} {one['device']} {size} {output.clean(one['name'])}")
    if error is not None:
        print(f"{'error:':<12} {output.error_text(error)}")
        print(output.clean_lines(error.get("console", "")), end="")


def change_state(session: Session, arguments: argparse.Namespace) -> None:
    found, node = ordering.slice_and_node(session, arguments.slice)
    args: dict[str, Any] = {}
    if arguments.op in ("slice.stop", "slice.reboot"):
        args["force"] = arguments.force
        if arguments.timeout_seconds is not None:
            args["timeout_seconds"] = arguments.timeout_seconds
    ordering.order(session, arguments, node, arguments.op, found["id"], args)


def resize(session: Session, arguments: argparse.Namespace) -> None:
    found, node = ordering.slice_and_node(session, arguments.slice)
    args = {key: getattr(arguments, key) for key in ("vcpus", "memory_mib", "disk_gib")
            if getattr(arguments, key) is not None}  # fmt: skip
    ordering.order(session, arguments, node, "slice.resize", found["id"], args)


def snapshot_create(session: Session, arguments: argparse.Namespace) -> None:
    found, node = ordering.slice_and_node(session, arguments.slice)
    snapshot_id = arguments.snapshot_id or str(uuid.uuid4())
    args: dict[str, Any] = {"snapshot": snapshot_id,
                            "name": arguments.name or f"snapshot-{snapshot_id[:8]}"}
    if arguments.memory:
        args["memory"] = True
    ids = {"snapshot": snapshot_id}
    ordering.order(session, arguments, node, "snapshot.create", found["id"], args, ids)


def snapshot_revert(session: Session, arguments: argparse.Namespace) -> None:
    found, node = ordering.slice_and_node(session, arguments.slice)
    args: dict[str, Any] = {"snapshot": lookup.snapshot(found, arguments.snapshot)}
    if arguments.restart:
        args["restart"] = True
    ordering.order(session, arguments, node, "snapshot.revert", found["id"], args)


def snapshot_delete(session: Session, arguments: argparse.Namespace) -> None:
    found, node = ordering.slice_and_node(session, arguments.slice)
    args = {"snapshot": lookup.snapshot(found, arguments.snapshot)}
    ordering.order(session, arguments, node, "snapshot.delete", found["id"], args)


def snapshot_list(session: Session, arguments: argparse.Namespace) -> None:
    found = lookup.slice_row(session.store, arguments.slice)
    known = from_json(found["body"]).get("snapshots", [])
    if session.json:
        output.print_json(known)
    else:
        rows = [[one["id"], one["name"], one["time"]] for one in known]
        output.print_table(["ID", "NAME", "TIME"], rows)


def add_parsers(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    _add_provision(commands)
    parser = commands.add_parser("slices", help="list or show slices")
    parser.add_argument("--all", action="store_true", help="those that are gone as well")
    parser.add_argument("--node", help="name or id")
    parser.set_defaults(run=slices_list)
    action = parser.add_subparsers(metavar="ACTION").add_parser("show")
    action.add_argument("slice", help="name or id")
    action.set_defaults(run=slices_show)

    for name in ("start", "stop", "reboot", "pause", "unpause", "terminate"):
        parser = commands.add_parser(name, help=f"{name} a slice")
        parser.add_argument("slice", help="name or id")
        if name in ("stop", "reboot"):
            parser.add_argument("--force", action="store_true", help="do not ask the slice")
            parser.add_argument("--timeout-seconds", type=int, help="then by force (default 60)")
        ordering.add_options(parser)
        parser.set_defaults(run=change_state, op=f"slice.{name}")

    parser = commands.add_parser("resize", help="give a slice more, or less memory and vCPUs")
    parser.add_argument("slice", help="name or id")
    parser.add_argument("--vcpus", type=int)
    parser.add_argument("--memory-mib", type=int)
    parser.add_argument("--disk-gib", type=int, help="more than it has")
    ordering.add_options(parser)
    parser.set_defaults(run=resize)

    parser = commands.add_parser("snapshot", help="snapshots of a slice")
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    action = actions.add_parser("create")
    action.add_argument("slice", help="name or id")
    action.add_argument("name", nargs="?")
    action.add_argument("--snapshot-id", metavar="UUID")
    action.add_argument("--memory", action="store_true", help="of its memory, too")
    ordering.add_options(action)
    action.set_defaults(run=snapshot_create)
    for name, run in (("revert", snapshot_revert), ("delete", snapshot_delete)):
        action = actions.add_parser(name)
        action.add_argument("slice", help="name or id")
        action.add_argument("snapshot", help="name or id")
        if name == "revert":
            action.add_argument("--restart", action="store_true", help="also while it runs")
        ordering.add_options(action)
        action.set_defaults(run=run)
    action = actions.add_parser("list")
    action.add_argument("slice", help="name or id")
    action.set_defaults(run=snapshot_list)
    exports.add_actions(actions)


def _add_provision(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser("provision", help="make a slice")
    parser.add_argument("--name", required=True)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--image", help="URL, file of the served folder, or the node's image")
    source.add_argument("--snapshot", metavar="SLICE/SNAPSHOT",
                        help="of any slice on the node: names or ids; or the snapshot's id alone")  # fmt: skip
    image_source.add_options(parser)
    parser.add_argument("--node", help="name or id; not needed if there is one node")
    parser.add_argument("--slice-id", metavar="UUID")
    parser.add_argument("--vcpus", type=int, default=1)
    parser.add_argument("--memory-mib", type=int, default=256)
    parser.add_argument("--disk-gib", type=int, default=4)
    parser.add_argument("--max-vcpus", type=int, help="room to grow while it runs")
    parser.add_argument("--max-memory-mib", type=int, help="likewise")
    parser.add_argument("--type", help="pvh or pv; default: the node's choice")
    parser.add_argument("--kernel", help="boot this and not the disk's own; as --image")
    parser.add_argument("--ramdisk", help="as --image")
    parser.add_argument("--cmdline", help="of the kernel")
    parser.add_argument("--address", action="append", help="such as 10.0.2.100/24; default DHCP")
    parser.add_argument("--gateway")
    parser.add_argument("--dns", action="append")
    parser.add_argument("--bridge")
    parser.add_argument("--vlan", type=int)
    parser.add_argument("--mac")
    parser.add_argument("--no-network", action="store_true")
    parser.add_argument("--hostname")
    parser.add_argument("--ssh-key", action="append", metavar="FILE", help="public keys")
    parser.add_argument("--user-data", metavar="FILE", help="for cloud-init")
    parser.add_argument("--on-crash", help="restart (default) or stop")
    parser.add_argument("--stopped", action="store_true", help="make it but do not start it")
    ordering.add_options(parser)
    parser.set_defaults(run=provision)
