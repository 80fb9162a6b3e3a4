"""Whether the store, the simulated machine, the files and the admission's figures say the same."""

from __future__ import annotations

import json
import os
import sqlite3
from pathlib import Path
from typing import Any

from node import Node

GIB = 1 << 30
MIB = 1 << 20
ENDED = 3  # the first phase of a request that has ended
ENDS = ("request.done", "request.failed")


class Store:
    """What the agent's store holds. Read by its file, so that the agent cannot embellish it."""

    def __init__(self, node: Node) -> None:
        path = node.folder / "state" / "sliced.db"
        database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        database.row_factory = sqlite3.Row
        try:
            self.slices = {row["id"]: json.loads(row["document"])
                           for row in database.execute("select * from slices")}
            self.images = {row["id"]: dict(row) for row in database.execute("select * from images")}
            self.snapshots = [dict(row) for row in database.execute("select * from snapshots")]
            self.volumes = {row["id"]: dict(row)
                            for row in database.execute("select * from volumes")}
            self.requests = {row["id"]: dict(row)
                             for row in database.execute("select * from requests")}
            self.events = [{**json.loads(row["document"]), "seq": row["seq"]}
                           for row in database.execute("select * from events order by seq")]
        finally:
            database.close()

    def thin_ids(self) -> dict[str, str]:
        """Every volume that the store knows, and what for."""
        found: dict[str, str] = {}

        def add(thin_id: int, what: str) -> None:
            if thin_id:
                assert str(thin_id) not in found, f"{what} and {found[str(thin_id)]} share {thin_id}"
                found[str(thin_id)] = what

        for slice_ in self.slices.values():
            add(slice_["disk_thin_id"], f"disk of {slice_['id']}")
            add(slice_["seed_thin_id"], f"seed of {slice_['id']}")
        for image in self.images.values():
            add(image["thin_id"], f"image {image['id']}")
        for snapshot in self.snapshots:
            add(snapshot["thin_id"], f"snapshot {snapshot['id']}")
            add(snapshot["memory_thin_id"], f"memory of snapshot {snapshot['id']}")
        for volume in self.volumes.values():
            add(volume["thin_id"], f"volume {volume['id']}")
        return found


def active_links(node: Node) -> dict[str, str]:
    """Name of each active volume, and its number."""
    folder = node.sim / "active"
    return {name: Path(os.readlink(folder / name)).name for name in os.listdir(folder)}


def audit_volumes(node: Node, store: Store) -> None:
    known, there = store.thin_ids(), node.volumes()
    assert there <= set(known), f"volumes that nobody knows: {there - set(known)}"
    missing = {what for number, what in known.items()
               if number not in there and not what.startswith("seed")}
    assert not missing, f"without a volume: {missing}"
    wanted: dict[str, str] = {}
    for slice_ in store.slices.values():
        if slice_["state"] in ("running", "paused"):
            wanted[f"slice-{slice_['id']}"] = str(slice_["disk_thin_id"])
            wanted[f"seed-{slice_['id']}"] = str(slice_["seed_thin_id"])
    for volume in store.volumes.values():
        if volume["slice"] and store.slices[volume["slice"]]["state"] in ("running", "paused"):
            wanted[f"data-{volume['id']}"] = str(volume["thin_id"])
    active = active_links(node)
    for slice_ in store.slices.values():
        if slice_["state"] == "failed" and active.get(name := f"seed-{slice_['id']}"):
            del active[name]  # where the next start failed before it came to the seed
    assert active == wanted, "active volumes"


def audit_domains(node: Node, store: Store) -> None:
    domains = node.domains()
    for slice_id, slice_ in store.slices.items():
        domain = domains.pop(slice_id, None)
        if slice_["state"] in ("running", "paused"):
            assert domain is not None, f"slice {slice_id} is {slice_['state']} without a domain"
            assert (domain["state"], domain["domain_id"]) == (slice_["state"], slice_["domain_id"])
            disks = {device: disk["volume"] for device, disk in domain["disks"].items()}
            assert disks == {f"xvd{chr(ord('c') + volume['slot'])}": f"data-{volume['id']}"
                             for volume in store.volumes.values()
                             if volume["slice"] == slice_id}, "the domain's disks"
        else:
            assert slice_["state"] in ("stopped", "failed"), slice_
            assert domain is None and slice_["domain_id"] == -1, (slice_, domain)
    assert not domains, f"domains of no slice: {domains}"


def audit_files(node: Node, store: Store) -> None:
    kernels = {image["id"] for image in store.images.values() if image["kind"] != 0}
    assert set(os.listdir(node.folder / "kernels")) == kernels, "kernels and ramdisks"
    consoles = {f"guest-{slice_id}.log" for slice_id in store.slices}
    left = set(os.listdir(node.folder / "console")) - consoles
    assert not left, f"consoles of no slice: {left}"
    left = set(os.listdir(node.folder / "state")) - {
        "sliced.db", "sliced.db-wal", "sliced.db-shm", "identity", "lock", "reserve"}
    assert not left, f"files in the state folder: {left}"
    assert not (node.sim / "metadata").exists(), "a view of the pool's metadata is held"
    assert all(image["ready"] for image in store.images.values()), "an image that is not ready"


def audit_requests(store: Store) -> None:
    """Every request has ended, and its events say so once."""
    open_ = [request for request in store.requests.values() if request["phase"] < ENDED]
    assert not open_, f"requests that have not ended: {open_}"
    seqs = [event["seq"] for event in store.events]
    assert seqs == list(range(seqs[0], seqs[-1] + 1)) if seqs else True, f"a gap in {seqs}"
    for request in store.requests.values():
        own = [event["type"] for event in store.events if event["request"] == request["id"]]
        if request["internal"] or not own:
            continue
        assert own[0] == "request.accepted", own
        ends = [kind for kind in own if kind in ENDS]
        assert ends == [ENDS[request["phase"] - ENDED]] and own[-1] == ends[0], own


def domain_memory_mib(size: dict[str, Any]) -> int:
    memory, limit = size["memory_mib"], max(size["memory_mib"], size.get("max_memory_mib", 0))
    return int(memory + (limit + 127) // 128 + 4 + max(size["vcpus"], size.get("max_vcpus", 0)))


def slice_memory_mib(slice_: dict[str, Any]) -> int:
    """Enough for the domain that it has and for the next one."""
    has = slice_.get("domain") if slice_["domain_id"] >= 0 else None
    return max(domain_memory_mib(slice_), domain_memory_mib(has or slice_))


def audit_admission(node: Node, store: Store) -> None:
    """What is promised is what the store's rows take, no more and no less."""
    capacity = node.call("node.status")["capacity"]
    memory = disk = dom0_kib = 0
    for slice_ in store.slices.values():
        if slice_["desired_running"] or slice_["domain_id"] >= 0:
            memory += slice_memory_mib(slice_)
            dom0_kib += 512 + 2 * 384 + 1024 * len(slice_["network"])
        disk += slice_["disk_gib"] * GIB + MIB
    disk += sum(image["mapped_bytes"] for image in store.images.values() if image["kind"] == 0)
    disk += sum(snapshot["reserved_bytes"] for snapshot in store.snapshots)
    disk += sum(volume["size_gib"] * GIB for volume in store.volumes.values())
    dom0_kib += 384 * sum(volume["slice"] is not None for volume in store.volumes.values())
    assert capacity["dom0_free_mib"] == (capacity["dom0_mib"] * 1024 - dom0_kib) // 1024, "dom0's memory promised"
    assert capacity["memory_mib"] - capacity["memory_free_mib"] == memory, "memory promised"
    free = (capacity["disk_mib"] * MIB - disk) // MIB
    assert capacity["disk_free_mib"] == free, "disk promised"


def audit(node: Node) -> Store:
    """Fails when anything is left over, missing or contradictory on an idle node."""
    store = Store(node)
    audit_requests(store)
    audit_volumes(node, store)
    audit_domains(node, store)
    audit_files(node, store)
    audit_admission(node, store)
    return store


def summary(store: Store) -> dict[str, Any]:
    """What a request that is undone must not have changed."""
    return {"slices": {slice_["id"]: (slice_["disk_thin_id"], slice_["vcpus"],
                                      slice_["memory_mib"], slice_["disk_gib"])
                       for slice_ in store.slices.values()},
            "images": sorted(store.images),
            "volumes": {volume["id"]: (volume["size_gib"], volume["slice"], volume["slot"])
                        for volume in store.volumes.values()},
            "snapshots": sorted(snapshot["id"] for snapshot in store.snapshots)}
