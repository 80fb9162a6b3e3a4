"""How long a request took, by its parts and by the node's own clock."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from figures import show
from rack import OpenRack


def points(rack: OpenRack, request: str) -> list[tuple[str, float]]:
    """When the node, by its own clock, began with each part of a request, and when it was done."""
    return [(event["step"] or "admission", datetime.fromisoformat(event["time"]).timestamp())
            for event in rack.json("events", "--request", request)
            if event["type"] in ("request.accepted", "request.step", "request.done")]


def span(rack: OpenRack, request: str) -> tuple[float, float]:
    told = points(rack, request)
    return told[0][1], told[-1][1]


def phases(rack: OpenRack, request: str) -> dict[str, float]:
    """Seconds that each part took."""
    found: dict[str, float] = {}
    for (name, began), (_, ended) in itertools.pairwise(points(rack, request)):
        found[name] = found.get(name, 0.0) + ended - began
    return found


def ask(rack: OpenRack, *words: str) -> dict[str, float]:
    made: dict[str, Any] = rack.json(*words, "--wait", seconds=240)
    return phases(rack, made["request"])


class Runs:
    """The phases of several runs of one thing."""

    def __init__(self, found: Iterable[dict[str, float]] = ()) -> None:
        self.all: dict[str, list[float]] = {}
        self.totals: list[float] = []
        for one in found:
            self.add(one)

    def add(self, found: dict[str, float]) -> None:
        self.totals.append(sum(found.values()))
        for name, seconds in found.items():
            self.all.setdefault(name, []).append(seconds)

    def show(self, title: str) -> dict[str, object]:
        shown: dict[str, object] = {"total": show(title, self.totals)}
        for name, values in self.all.items():
            if len(self.all) > 1 and statistics.median(values) >= 0.01:
                shown[name] = show(f"  {name}", values)
        return shown
