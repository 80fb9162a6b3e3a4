"""What the controller knows of slices and images, put together from all that nodes say.

A registration is the whole truth at its moment; events change it; the heartbeat brings
counters, and a state if it is newer than what is known.
"""

from typing import Any

from . import clock, requests
from .store import Row, Store, from_json, to_json

UNMADE = ("requested", "provisioning")


def slice_requested(store: Store, node_id: str, slice_id: str, args: dict[str, Any]) -> None:
    """Shows a slice from the moment it is asked for. One that is there already stays as it is."""
    body = {"id": slice_id, "name": args["name"], "desired": args.get("desired", "running")}
    for key in ("type", "vcpus", "memory_mib", "disk_gib"):
        body[key] = args.get(key)
    body["image"] = args["image"]["id"] if "image" in args else None
    store.run(
        "INSERT INTO slices VALUES (?, ?, ?, 'requested', 1, ?, ?, NULL)"
        " ON CONFLICT DO UPDATE SET node = excluded.node, name = excluded.name,"
        " state = 'requested', present = 1, state_time = excluded.state_time,"
        " body = excluded.body, usage = NULL WHERE NOT present",
        slice_id,
        node_id,
        args["name"],
        clock.now(),
        to_json(body),
    )


def slices(store: Store, present_only: bool = True) -> list[Row]:
    return store.all(
        "SELECT * FROM slices" + (" WHERE present" if present_only else "") + " ORDER BY rowid"
    )


def find_slice(store: Store, slice_id: str) -> Row | None:
    return store.find("SELECT * FROM slices WHERE id = ?", slice_id)


def images(store: Store) -> list[Row]:
    return store.all("SELECT * FROM images ORDER BY node, rowid")


def volumes(store: Store) -> list[Row]:
    return store.all("SELECT * FROM volumes ORDER BY node, rowid")


def apply_registration(store: Store, node_id: str, registration: dict[str, Any]) -> None:
    """The node's slices are these and no others; those still on their way to it stay."""
    there = {one["id"] for one in registration["slices"]}
    for row in store.all("SELECT * FROM slices WHERE node = ? AND present", node_id):
        if row["id"] not in there and row["state"] != "requested":
            gone = "terminated" if row["state"] == "terminating" else "lost"
            _set_absent(store, row["id"], gone)
    for one in registration["slices"]:
        _set_slice(store, node_id, one)
    if "volumes" in registration:
        store.run("DELETE FROM volumes WHERE node = ?", node_id)
        for one in registration["volumes"]:
            _set_volume(store, node_id, one)


def apply_status(store: Store, node_id: str, status: dict[str, Any]) -> None:
    for usage in status["slices"]:
        store.run(
            "UPDATE slices SET usage = ? WHERE id = ? AND node = ?",
            to_json(usage),
            usage["id"],
            node_id,
        )
        # The heartbeat may have been on its way while an event told of a newer state.
        store.run(
            "UPDATE slices SET state = ?, state_time = ? WHERE id = ? AND node = ? AND present"
            " AND state_time < ?",
            usage["state"],
            status["time"],
            usage["id"],
            node_id,
            status["time"],
        )


def apply_event(store: Store, node_id: str, event: dict[str, Any]) -> None:
    """Takes in one event. Each is given only once, by the caller."""
    kind = event["type"]
    if kind.startswith("request."):
        _apply_request_event(store, node_id, kind, event)
    elif kind == "slice.state":
        _apply_slice_state(store, node_id, event)
    elif kind == "image.state":
        _apply_image_state(store, node_id, event)


def _apply_request_event(store: Store, node_id: str, kind: str, event: dict[str, Any]) -> None:
    request = requests.find(store, event["request"])
    if request is None or request["node"] != node_id:
        return  # Asked for on the node itself, with slicectl.
    if kind == "request.accepted":
        requests.set_progress(store, request["id"], "accepted", None, None)
    elif kind in ("request.step", "request.progress"):
        requests.set_progress(store, request["id"], "running", event["step"], event["progress"])
    elif kind == "request.done":
        if requests.set_ended(store, request["id"], "done", event["result"], None):
            _request_done(store, request, event)
    elif kind == "request.failed":
        if requests.set_ended(store, request["id"], "failed", event["result"], event["error"]):
            _request_failed(store, request, event)


def _request_done(store: Store, request: Row, event: dict[str, Any]) -> None:
    args = from_json(request["args"])
    result = event["result"] or {}
    op = request["op"]
    if "slice" in result:
        _set_slice(store, request["node"], result["slice"])
    elif op == "slice.terminate":
        _set_absent(store, request["slice"], "terminated")
        _release_volumes(store, request["node"], request["slice"])
    elif "volume" in result:
        _set_volume(store, request["node"], result["volume"])
    elif op == "volume.delete":
        store.run("DELETE FROM volumes WHERE id = ?", args["volume"])
    elif op == "snapshot.create" and result:
        new = result["snapshot"]
        _change_snapshots(store, request["slice"], new["id"], new)
    elif op == "snapshot.delete":
        _change_snapshots(store, request["slice"], args["snapshot"], None)
    elif op == "image.fetch":
        _set_image(store, request["node"], args["id"], "ready", {"kind": args.get("kind", "disk")})
        store.run(
            "UPDATE images SET url = ? WHERE node = ? AND id = ?",
            args["url"],
            request["node"],
            args["id"],
        )
    elif op == "image.delete":
        _set_image(store, request["node"], args["id"], "deleted", {})


def _request_failed(store: Store, request: Row, event: dict[str, Any]) -> None:
    """A provision that failed leaves nothing behind, unless the node has shown the slice failed."""
    row = None if request["slice"] is None else find_slice(store, request["slice"])
    if request["op"] != "slice.provision" or row is None or row["node"] != request["node"]:
        return
    if row["state"] in UNMADE:
        body = {**from_json(row["body"]), "error": event["error"]}
        store.run("UPDATE slices SET body = ? WHERE id = ?", to_json(body), row["id"])
        _set_absent(store, row["id"], "refused")


def _apply_slice_state(store: Store, node_id: str, event: dict[str, Any]) -> None:
    row = find_slice(store, event["slice"])
    result = event["result"]
    if row is None or row["node"] != node_id:
        # Made with slicectl: the next registration brings the rest.
        body = {"id": event["slice"], "name": event["slice"][:8]}
    else:
        body = from_json(row["body"])
    body.update(desired=result["desired"], error=event["error"], reason=result["reason"])
    if result["state"] != "running":
        body["domain_id"] = None
    store.run(
        "INSERT INTO slices VALUES (?, ?, ?, ?, 1, ?, ?, NULL)"
        " ON CONFLICT DO UPDATE SET node = excluded.node, state = excluded.state, present = 1,"
        " state_time = excluded.state_time, body = excluded.body",
        event["slice"],
        node_id,
        body["name"],
        result["state"],
        event["time"],
        to_json(body),
    )


def _apply_image_state(store: Store, node_id: str, event: dict[str, Any]) -> None:
    result = event["result"]
    _set_image(store, node_id, result["id"], result["state"], {**result, "error": event["error"]})


def _set_slice(store: Store, node_id: str, one: dict[str, Any]) -> None:
    """The result of a request leaves out a long list of snapshots: it is what it was."""
    if "snapshots" not in one:
        row = find_slice(store, one["id"])
        known = [] if row is None else from_json(row["body"]).get("snapshots", [])
        one = {**one, "snapshots": known}
    store.run(
        "INSERT INTO slices VALUES (?, ?, ?, ?, 1, ?, ?, NULL)"
        " ON CONFLICT DO UPDATE SET node = excluded.node, name = excluded.name,"
        " state = excluded.state, present = 1, state_time = excluded.state_time,"
        " body = excluded.body",
        one["id"],
        node_id,
        one["name"],
        one["state"],
        clock.now(),
        to_json(one),
    )


def _set_volume(store: Store, node_id: str, one: dict[str, Any]) -> None:
    store.run(
        "INSERT INTO volumes VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
        " node = excluded.node, name = excluded.name, body = excluded.body",
        one["id"],
        node_id,
        one["name"],
        to_json(one),
    )


def _release_volumes(store: Store, node_id: str, slice_id: str) -> None:
    """A slice that is terminated leaves its volumes."""
    for row in store.all("SELECT * FROM volumes WHERE node = ?", node_id):
        body = from_json(row["body"])
        if body["slice"] == slice_id:
            free = {**body, "state": "available", "slice": None, "device": None}
            _set_volume(store, node_id, free)


def _set_absent(store: Store, slice_id: str, state: str) -> None:
    store.run(
        "UPDATE slices SET present = 0, state = ?, state_time = ?, usage = NULL WHERE id = ?",
        state,
        clock.now(),
        slice_id,
    )


def _change_snapshots(
    store: Store, slice_id: str, snapshot_id: str, new: dict[str, Any] | None
) -> None:
    row = find_slice(store, slice_id)
    if row is None:
        return
    body = from_json(row["body"])
    kept = [one for one in body.get("snapshots", []) if one["id"] != snapshot_id]
    body["snapshots"] = kept if new is None else [*kept, new]
    store.run("UPDATE slices SET body = ? WHERE id = ?", to_json(body), slice_id)


def _set_image(
    store: Store, node_id: str, image_id: str, state: str, news: dict[str, Any]
) -> None:
    row = store.find("SELECT * FROM images WHERE node = ? AND id = ?", node_id, image_id)
    body = {**(from_json(row["body"]) if row is not None else {}), **news, "id": image_id}
    store.run(
        "INSERT INTO images (node, id, state, body) VALUES (?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET state = excluded.state, body = excluded.body",
        node_id,
        image_id,
        state,
        to_json(body),
    )
