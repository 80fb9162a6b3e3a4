"""What a node must still have after a power cut: the slices and snapshots by the requests that ended, the records that
guests had synced, and the checks of a disk that has just lost power."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from offline import OfflineError, OfflineNode, read_file

RECORDS = "/root/records"
ENDED = ("done", "failed")
PHASE_DONE = 3
# dm-thin takes a block from the pool, writes it, and only then enters it into the volume's map. A commit in between
# that is the last before a power cut leaves the block taken by nobody (thin_check: "leaked data blocks"); thin_repair
# finds it again. That many at once are told from a volume that was forgotten.
LEAKED_BLOCKS_MOST = 128


def record_line(number: int) -> str:
    """As the writer in the guest makes it."""
    text = f"record {number}\n"
    return f"{number} {hashlib.md5(text.encode()).hexdigest()}"


class ControllerView:
    """The controller's own state file, which power cuts of the node leave alone."""

    def __init__(self, folder: Path) -> None:
        self.database = sqlite3.connect(f"file:{folder / 'controller.db'}?mode=ro", uri=True, timeout=20)
        self.database.row_factory = sqlite3.Row

    def rows(self, query: str, *values: Any) -> list[Any]:
        return self.database.execute(query, values).fetchall()

    def requests(self) -> dict[str, Any]:
        return {row["id"]: row for row in self.rows("SELECT * FROM requests ORDER BY seq")}

    def open_requests(self) -> list[str]:
        return [f"{row['op']} {row['id']} {row['state']}" for row in self.rows(
            "SELECT * FROM requests WHERE ended IS NULL")]

    def slices(self) -> dict[str, Any]:
        """As `scripts/controller slices` shows them: the state is what events have told since the body came."""
        return {row["id"]: {**json.loads(row["body"]), "state": row["state"]}
                for row in self.rows("SELECT * FROM slices WHERE present")}

    def steps_and_ends(self) -> int:
        """How many events came that a step or a request's end causes."""
        (count,), = self.rows("SELECT count(*) FROM events WHERE type IN"
                              " ('request.step', 'request.done', 'request.failed')")
        return int(count)

    def boot_id(self) -> str:
        found = self.rows("SELECT registration FROM nodes WHERE registration IS NOT NULL")
        return str(json.loads(found[0][0])["boot_id"]) if found else ""


@dataclass
class Snapshot:
    name: str
    records: set[int]


@dataclass
class Slice:
    """What its owner may count on."""

    name: str
    number: int
    running: bool
    records: set[int] = field(default_factory=set)
    snapshots: dict[str, Snapshot] = field(default_factory=dict)


@dataclass
class Asked:
    """A request whose end decides what is there."""

    op: str
    slice_id: str
    name: str
    slice: Slice | None = None
    snapshot_id: str = ""
    records: set[int] = field(default_factory=set)


class Model:
    """The slices that must be there once the requests in `asked` have ended as they have."""

    def __init__(self) -> None:
        self.slices: dict[str, Slice] = {}
        self.asked: dict[str, Asked] = {}

    def apply(self, requests: dict[str, Any]) -> list[str]:
        """Takes in all requests that have ended; what each came to."""
        told = []
        for request_id, asked in list(self.asked.items()):
            state = requests[request_id]["state"]
            if state not in ENDED:
                continue
            del self.asked[request_id]
            told.append(f"{asked.op} {state}")
            if state == "done":
                self._done(asked)
        return told

    def _done(self, asked: Asked) -> None:
        if asked.op == "slice.provision":
            assert asked.slice is not None
            self.slices[asked.slice_id] = asked.slice
            return
        found = self.slices.get(asked.slice_id)
        if asked.op == "slice.terminate":
            self.slices.pop(asked.slice_id, None)
        if found is None:
            return
        if asked.op == "snapshot.create":
            found.snapshots[asked.snapshot_id] = Snapshot(asked.name, asked.records)
        elif asked.op == "snapshot.delete":
            found.snapshots.pop(asked.snapshot_id, None)
        elif asked.op == "snapshot.revert":
            found.records = set(found.snapshots[asked.snapshot_id].records)
        elif asked.op in ("slice.start", "slice.stop"):
            found.running = asked.op == "slice.start"

    def busy(self) -> set[str]:
        return {asked.slice_id for asked in self.asked.values()}

    def compare(self, slices: dict[str, Any]) -> None:
        """With the controller's view, when no request is open."""
        wanted = {key: (one.name, sorted(one.snapshots)) for key, one in self.slices.items()}
        found = {key: (one["name"], sorted(snapshot["id"] for snapshot in one["snapshots"]))
                 for key, one in slices.items()}
        assert wanted == found, f"by the requests' ends there must be {wanted}, the controller sees {found}"


@dataclass
class Tally:
    """What a run has seen."""

    cuts: int = 0
    acknowledged: int = 0
    undecided: int = 0
    file_systems: int = 0
    records: int = 0
    sectors_lost: int = 0
    sectors_cached: int = 0
    leaked_blocks: int = 0

    def __str__(self) -> str:
        return (f"{self.cuts} cuts; {self.acknowledged} requests acknowledged, {self.undecided} cut while under way; "
                f"{self.file_systems} file systems checked, {self.records} synced records found; "
                f"{self.sectors_lost} of {self.sectors_cached} unflushed sectors lost, "
                f"{self.leaked_blocks} blocks of the pool leaked")


class DiskCheck:
    """A disk right after a power cut, before anybody repairs anything."""

    def __init__(self, node: OfflineNode, model: Model, tally: Tally) -> None:
        self.node = node
        self.model = model
        self.tally = tally
        self.slices = {}
        for row in node.store("SELECT document FROM slices"):
            document = json.loads(row["document"])
            self.slices[document["id"]] = document
        self.tally.file_systems += 1

    def run(self, requests: dict[str, Any]) -> None:
        if not self.node.store("SELECT name FROM sqlite_master"):
            assert not any(row["state"] in ENDED for row in requests.values()), "the store is gone"
            return
        self._requests(requests)
        self._volumes()
        self._contents()

    def _requests(self, requests: dict[str, Any]) -> None:
        """What was acknowledged is on the node's disk, with the same end."""
        kept = {row["id"]: row["phase"] for row in self.node.store("SELECT id, phase FROM requests")}
        for request_id, row in requests.items():
            if row["state"] in ("queued", "delivered"):
                continue
            assert request_id in kept, f"the node has forgotten {row['op']} {request_id}, which it had accepted"
            if row["state"] in ENDED:
                assert kept[request_id] == PHASE_DONE + (row["state"] == "failed"), (
                    f"{row['op']} {request_id} was {row['state']}, the node's disk says phase {kept[request_id]}")

    def _owned(self) -> dict[int, str]:
        """Volumes that the store's rows name, by number."""
        owned = {}
        for slice_id, document in self.slices.items():
            for key, number in document.items():
                if key.endswith("thin_id"):
                    owned[number] = f"{key} of slice {slice_id}"
        for table, in self.node.store("SELECT name FROM sqlite_master WHERE type = 'table'"):
            for row in self.node.store(f"SELECT * FROM {table}"):
                for key in row.keys():
                    if key.endswith("thin_id"):
                        owned[row[key]] = f"{key} in {table}"
        owned.pop(0, None)
        return owned

    def _planned(self) -> set[int]:
        """Volumes that requests under way will remove, use or make."""
        planned: set[int] = set()
        for row in self.node.store("SELECT scratch FROM requests WHERE phase < 3 AND scratch IS NOT NULL"):
            for step in json.loads(row["scratch"]).get("plan", {}).get("steps", []):
                planned |= {value for key, value in step.items() if key.endswith(("thin_id", "origin_id"))}
        return planned

    def _volumes(self) -> None:
        if not self.node.has_volume("pool"):
            return
        present, owned, planned = set(self.node.thin_ids()), self._owned(), self._planned()
        orphans = present - set(owned) - planned
        assert not orphans, f"volumes {sorted(orphans)} belong to nothing; owned {owned}, planned {sorted(planned)}"
        for row in self.node.store("SELECT id, thin_id FROM snapshots"):
            assert row["thin_id"] in present | planned, f"snapshot {row['id']} has lost its volume {row['thin_id']}"
        for row in self.node.store("SELECT id, thin_id FROM images WHERE ready AND thin_id"):
            assert row["thin_id"] in present | planned, f"image {row['id']} has lost its volume {row['thin_id']}"
        leaked = self.node.leaked_blocks()
        most = self.tally.leaked_blocks + LEAKED_BLOCKS_MOST
        assert leaked <= most, f"{leaked} blocks of the pool belong to no volume"
        self.tally.leaked_blocks = leaked

    def _contents(self) -> None:
        """File systems whole, records there; of slices with a request under way, either state is right."""
        open_slices = {row["slice"] for row in self.node.store("SELECT slice FROM requests WHERE phase < 3")}
        snapshots = {row["id"]: row["thin_id"] for row in self.node.store("SELECT id, thin_id FROM snapshots")}
        for slice_id, wanted in self.model.slices.items():
            asked = [one for one in self.model.asked.values() if one.slice_id == slice_id]
            if any(one.op == "slice.terminate" for one in asked):
                continue
            document = self.slices.get(slice_id)
            assert document, f"slice {wanted.name} is gone"
            accepted = [wanted.records]
            accepted += [wanted.snapshots[one.snapshot_id].records for one in asked if one.op == "snapshot.revert"]
            self._content(f"slice {wanted.name}", document["disk_thin_id"], accepted)
            for snapshot_id, snapshot in wanted.snapshots.items():
                if any(one.op == "snapshot.delete" and one.snapshot_id == snapshot_id for one in asked):
                    continue
                if slice_id not in open_slices:
                    assert snapshot_id in snapshots, f"snapshot {snapshot.name} of {wanted.name} is gone"
                if snapshot_id in snapshots:
                    self._content(f"snapshot {snapshot.name} of {wanted.name}", snapshots[snapshot_id],
                                  [snapshot.records])

    def _content(self, what: str, thin_id: int, accepted: list[set[int]]) -> None:
        try:
            volume = self.node.fsck_thin(thin_id)
        except OfflineError as error:
            raise OfflineError(f"{what}: {error}") from None
        self.tally.file_systems += 1
        copy = self.node.folder / f"records-{thin_id}"
        lines = copy.read_text(errors="replace").splitlines() if read_file(volume, RECORDS, copy) else []
        found = {int(line.split()[0]) for line in lines if line and line.split()[0].isdigit()
                 and line == record_line(int(line.split()[0]))}
        missing = [sorted(records - found) for records in accepted]
        assert not all(missing), f"{what} has lost records that its guest had synced: {missing[0][:20]}"
        self.tally.records += len(found)
        volume.unlink()
