"""What a controller makes of a node's events: the development controller's own handling of them, fed
from number 1 on, without a server and without a registration, which would hide what they leave out."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from audit import ENDED, Store
from node import ROOT

sys.path.append(str(ROOT / "scripts"))

from slicenode_controller.state import events, nodes, requests, view  # noqa: E402
from slicenode_controller.state.store import Row, from_json  # noqa: E402
from slicenode_controller.state.store import Store as Controller  # noqa: E402

NODE = "00000000-0000-4000-8000-000000000000"

Asked = dict[str, tuple[str, str | None, dict[str, Any]]]


class _Over(Exception):
    """Ends a transaction that is not to stay."""


class View:
    """A controller's store in memory: what it was told of a node until this was made."""

    def __init__(self, asked: Asked, told: list[dict[str, Any]]) -> None:
        self.store = Controller(Path(":memory:"))
        self.told = told
        assert not told or told[0]["seq"] == 1, "nothing has been acknowledged"
        with self.store.transaction():
            nodes.add(self.store, NODE, "node", "enrolled", {}, "")
            self._take(asked, told)

    @contextmanager
    def later(self, asked: Asked, told: list[dict[str, Any]]) -> Iterator[None]:
        """With what it was told since then; afterwards that is forgotten."""
        assert told[:len(self.told)] == self.told
        try:
            with self.store.transaction():
                self._take(asked, told[len(self.told):])
                yield
                raise _Over
        except _Over:
            pass

    def _take(self, asked: Asked, told: list[dict[str, Any]]) -> None:
        """What was asked for is known when its first event comes."""
        batch: list[dict[str, Any]] = []
        for event in told:
            if event["type"] == "request.accepted" and event["request"] in asked:
                self._tell(batch)
                self._ask(event["request"], *asked[event["request"]])
            batch.append(event)
        self._tell(batch)

    def _tell(self, batch: list[dict[str, Any]]) -> None:
        if batch:
            assert events.take(self.store, NODE, batch) == batch[-1]["seq"], "acknowledged"
            batch.clear()

    def _ask(self, request: str, op: str, slice_id: str | None, args: dict[str, Any]) -> None:
        requests.add(self.store, NODE, op, slice_id, args, request_id=request)
        if op == "slice.provision" and slice_id is not None:
            view.slice_requested(self.store, NODE, slice_id, args)

    def requests(self) -> list[Row]:
        return self.store.all("SELECT * FROM requests")

    def slices(self) -> dict[str, dict[str, Any]]:
        return {row["id"]: {**from_json(row["body"]), "state": row["state"]}
                for row in view.slices(self.store)}

    def images(self) -> set[str]:
        return {row["id"] for row in view.images(self.store) if row["state"] == "ready"}

    def volumes(self) -> dict[str, tuple[str | None, int]]:
        bodies = {row["id"]: from_json(row["body"]) for row in view.volumes(self.store)}
        return {key: (body["slice"], body["size_gib"]) for key, body in bodies.items()}


def audit_view(known: View, asked: Asked, store: Store) -> None:
    """The controller knows of requests, slices, snapshots, images and volumes what the node knows."""
    with known.later(asked, store.events):
        violations = known.store.all("SELECT message FROM violations")
        assert not violations, [row["message"] for row in violations]
        _compare_requests(known, store)
        _compare_slices(known, store)
        assert known.images() == set(store.images), "images that the controller takes for ready"
        assert known.volumes() == {row["id"]: (row["slice"], row["size_gib"])
                                   for row in store.volumes.values()}, "volumes"


def _compare_requests(known: View, store: Store) -> None:
    for row in known.requests():
        kept = store.requests[row["id"]]
        assert row["state"] == ("done", "failed")[kept["phase"] - ENDED], dict(row)
        assert from_json(row["result"]) == from_json(kept["result"]), "the request's result"
        assert (from_json(row["error"]) or {}).get("code") == kept["error_code"], dict(row)


def _compare_slices(known: View, store: Store) -> None:
    slices = known.slices()
    assert set(slices) == set(store.slices), "slices that the controller knows"
    for slice_id, slice_ in store.slices.items():
        told = slices[slice_id]
        assert told["state"] == slice_["state"], told
        assert told["desired"] == ("running" if slice_["desired_running"] else "stopped"), told
        for key in ("name", "vcpus", "memory_mib", "disk_gib"):
            assert told[key] == slice_[key], (key, told)
        # What a revert could not remove becomes a snapshot that the next registration tells.
        snapshots = {row["id"] for row in store.snapshots
                     if row["slice"] == slice_id and row["name"] != "before-revert"}
        assert {one["id"] for one in told.get("snapshots", [])} == snapshots, "its snapshots"
