"""How long a request took, by its parts and by the node's own clock."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from figures import show
from rack import OpenRack


# The store learns of a domain when its memory is filled and before it has a device. A watch also fires when it is set.
WAIT_FOR_BUILT = """rm -f /tmp/built
(xenstore watch -n 2 @introduceDomain >/dev/null; date -u -Ins >/tmp/built) </dev/null >/dev/null 2>&1 &"""


def points(rack: OpenRack, request: str) -> list[tuple[str, float]]:
    """When the node, by its own clock, began with each part of a request, and when it was done."""
    return [(event["step"] or "admission", datetime.fromisoformat(event["time"]).timestamp())
            for event in rack.json("events", "--request", request)
            if event["type"] in ("request.accepted", "request.step", "request.done")]


def span(rack: OpenRack, request: str) -> tuple[float, float]:
    told = points(rack, request)
    return told[0][1], told[-1][1]


def seconds_of(told: list[tuple[str, float]]) -> dict[str, float]:
    """What each part took."""
    found: dict[str, float] = {}
    for (name, began), (_, ended) in itertools.pairwise(told):
        found[name] = found.get(name, 0.0) + ended - began
    return found


def phases(rack: OpenRack, request: str) -> dict[str, float]:
    return seconds_of(points(rack, request))


def start_phases(rack: OpenRack, start: Callable[[], str]) -> dict[str, float]:
    """Of a request that starts a domain, with libxl's one call in two: building it, and its devices."""
    rack.dom0(WAIT_FOR_BUILT)
    told = points(rack, start())
    built = datetime.fromisoformat(rack.dom0("cat /tmp/built").strip()).timestamp()
    index = next(index for index, (name, _) in enumerate(told) if name == "domain.start")
    (_, began), (_, ended) = told[index:index + 2]
    assert began < built < ended, f"built at {built}, domain.start from {began} to {ended}"
    told[index:index + 1] = [("domain.start: built", began), ("domain.start: devices, unpaused", built)]
    return seconds_of(told)


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
