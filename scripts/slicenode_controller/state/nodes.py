"""Nodes: who they are, what they said of themselves last, when they were heard."""

from typing import Any

from . import clock, parts
from .store import Row, Store, from_json, to_json


def add(
    store: Store, node_id: str, name: str, state: str, hardware: dict[str, Any], key_hash: str
) -> None:
    store.run(
        "INSERT INTO nodes (id, name, state, created, hardware, key_hash)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        node_id,
        name,
        state,
        clock.now(),
        to_json(hardware),
        key_hash,
    )


def find(store: Store, node_id: str) -> Row | None:
    return store.find("SELECT * FROM nodes WHERE id = ?", node_id)


def every(store: Store) -> list[Row]:
    """All but the removed ones, oldest first."""
    return store.all("SELECT * FROM nodes WHERE state != 'removed' ORDER BY created")


def is_same_hardware(first: dict[str, Any], second: dict[str, Any]) -> bool:
    """The firmware's UUID and serial number decide; network cards only if it has no UUID."""
    if first["uuid"] is not None or second["uuid"] is not None:
        return bool(first["uuid"] == second["uuid"] and first["serial"] == second["serial"])
    return sorted(first["macs"]) == sorted(second["macs"])


def set_state(store: Store, node_id: str, state: str) -> None:
    store.run("UPDATE nodes SET state = ? WHERE id = ?", state, node_id)


def remove(store: Store, node_id: str) -> None:
    """Its certificate is worth nothing from now on; what is known of its slices is kept."""
    with store.transaction():
        set_state(store, node_id, "removed")
        parts.drop(store, node_id)
        store.run(
            "UPDATE slices SET present = 0, state = 'lost' WHERE node = ? AND present", node_id
        )
        store.run(
            "UPDATE requests SET state = 'failed', ended = ?, error = ? WHERE node = ?"
            " AND ended IS NULL",
            clock.now(),
            to_json({"code": "cancelled", "message": "the node was removed"}),
            node_id,
        )


def set_certificate(
    store: Store, node_id: str, key_hash: str, certificate: str, expires: str
) -> None:
    store.run(
        "UPDATE nodes SET key_hash = ?, certificate = ?, certificate_expires = ? WHERE id = ?",
        key_hash,
        certificate,
        expires,
        node_id,
    )


def set_registration(store: Store, node_id: str, registration: dict[str, Any]) -> None:
    """The name given with the token stands above the one that the node gives itself."""
    store.run(
        "UPDATE nodes SET registration = ?, registered = ?,"
        " name = CASE name WHEN '' THEN ? ELSE name END WHERE id = ?",
        to_json(registration),
        clock.now(),
        registration["name"],
        node_id,
    )


def set_lost(store: Store, node_id: str, problems: list[dict[str, Any]]) -> None:
    """The machine asks to enrol anew: it has lost what it kept, and says why."""
    row = find(store, node_id)
    registration = from_json(row["registration"]) if row is not None else None
    if registration is None:
        return
    message = f"asked to enrol anew at {clock.now()}: what it kept is lost or missing"
    note = {"code": "storage_error", "message": message}
    registration["problems"] = [note, *problems]
    store.run("UPDATE nodes SET registration = ? WHERE id = ?", to_json(registration), node_id)


def set_status(store: Store, node_id: str, status: dict[str, Any]) -> None:
    store.run("UPDATE nodes SET status = ? WHERE id = ?", to_json(status), node_id)


def heard(store: Store, node_id: str, moment: str, address: str, host: str) -> None:
    store.run(
        "UPDATE nodes SET last_seen = ?, address = ?, host = ? WHERE id = ?",
        moment,
        address,
        host,
        node_id,
    )


def condition(node: Row, silent_after_seconds: float) -> str:
    """One word for people: waiting, enrolled, online, draining, offline or removed."""
    if node["state"] != "enrolled":
        return str(node["state"])
    if node["registered"] is None or node["last_seen"] is None:
        return "enrolled"
    if clock.seconds_since(node["last_seen"]) > silent_after_seconds:
        return "offline"
    status = from_json(node["status"])
    return "draining" if status is not None and status["state"] == "draining" else "online"
