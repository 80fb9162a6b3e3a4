"""How figures are taken and printed: median, least and most."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

WIDTH = 52


def timed(act: Callable[..., object], *words: str) -> float:
    began = time.monotonic()
    act(*words)
    return time.monotonic() - began


def show(title: str, values: list[float], unit: str = "s") -> dict[str, object]:
    """Prints one line; returns the same for bench.json."""
    middle = statistics.median(values)
    digits = 1 if middle >= 10 else 2
    print(f"  {title:{WIDTH}} {middle:7.{digits}f} {unit}  "
          f"({min(values):.{digits}f}-{max(values):.{digits}f}, {len(values)} runs)", flush=True)
    return {"median": middle, "unit": unit, "runs": values}


def show_ratio(title: str, ours: list[float], theirs: list[float]) -> float:
    """How many times as fast we are."""
    ratio = statistics.median(theirs) / statistics.median(ours)
    print(f"  {title:{WIDTH}} {ratio:7.2f}", flush=True)
    return ratio
