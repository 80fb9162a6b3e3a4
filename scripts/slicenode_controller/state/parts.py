"""A registration that comes in parts: kept beside the view until it is whole, and then taken at once."""

from typing import Any

from .store import Store, from_json, to_json

JOINED = ("slices", "volumes")


def add(store: Store, node_id: str, body: dict[str, Any]) -> bool:
    """Keeps one part; false when an earlier one of its set is missing. The first one of a set ends every other set."""
    place = body["part"]
    if place["number"] == 1:
        drop(store, node_id)
    before = store.one(
        "SELECT count(*) FROM registration_parts WHERE node = ? AND set_id = ? AND number < ?",
        node_id,
        place["set"],
        place["number"],
    )[0]
    if before != place["number"] - 1:
        return False
    store.run(
        "INSERT OR REPLACE INTO registration_parts VALUES (?, ?, ?, ?)",
        node_id,
        place["set"],
        place["number"],
        to_json(body),
    )
    return True


def join(store: Store, node_id: str) -> dict[str, Any]:
    """The registration that the node's parts make; they are kept no longer."""
    rows = store.all("SELECT body FROM registration_parts WHERE node = ? ORDER BY number", node_id)
    bodies = [from_json(row["body"]) for row in rows]
    drop(store, node_id)
    whole = {key: value for key, value in bodies[-1].items() if key not in ("part", *JOINED)}
    slices: dict[str, dict[str, Any]] = {}
    for one in (one for body in bodies for one in body["slices"]):
        if one["id"] in slices:
            slices[one["id"]]["snapshots"] += one["snapshots"]
        else:
            slices[one["id"]] = one
    whole["slices"] = list(slices.values())
    whole["volumes"] = [one for body in bodies for one in body.get("volumes", [])]
    return whole


def drop(store: Store, node_id: str) -> None:
    store.run("DELETE FROM registration_parts WHERE node = ?", node_id)
