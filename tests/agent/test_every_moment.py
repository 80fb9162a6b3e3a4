"""Each operation of the table, interrupted at each of its moments: before and after each call of the
backend and each commit of the store. What was asked for is there in the end, whole, or nothing of
it; store, backend, files and admission agree. tests/agent/operations.py is the table."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from bench import Bench
from images import Images
from node import ROOT
from operations import EXPECTED, OPERATIONS, WITH_THE_MACHINE, WITHOUT_BACKEND, Operation

MODEL = ROOT / "agent" / "model.h"


@pytest.fixture(scope="module", params=OPERATIONS, ids=lambda operation: operation.name)
def bench(request: pytest.FixtureRequest, images: Images) -> Iterator[Bench]:
    operation: Operation = request.param
    made = Bench(operation, images)
    yield made
    made.close()


@pytest.fixture(scope="module")
def moments(bench: Bench) -> list[str]:
    return bench.count()


def all_of(bench: Bench, runs: dict[str, Callable[[], object]]) -> None:
    """Makes every run, also after one that went wrong."""
    bad = []
    for name, run in runs.items():
        try:
            run()
        except Exception as error:  # whatever it is, the others tell more about it
            bad.append(f"{name}: {type(error).__name__}: {error}\n{bench.node.log()[-1500:]}")
    assert not bad, f"{len(bad)} of {len(runs)} runs:\n" + "\n".join(bad)


def test_killed_at_each_moment(bench: Bench, moments: list[str]) -> None:
    died = []
    all_of(bench, {f"killed at {number} {moment}":
                   lambda number=number: died.append(bench.kill_at(number))
                   for number, moment in enumerate(moments, 1)})
    # Where a transfer tells its progress the number of moments varies by a few.
    assert len(moments) - sum(died) <= 4


def test_the_table_has_every_operation() -> None:
    """Whoever adds an operation adds an entry: HACKING.md tells how."""
    text = MODEL.read_text()
    declared = re.findall(r'X\(\w+, "([a-z]+\.[a-z_]+)"\)',
                          text[text.index("#define OPERATIONS"):].split("\n\n")[0])
    assert len(declared) > 10
    in_table = {entry.op for entry in OPERATIONS} | WITHOUT_BACKEND | WITH_THE_MACHINE
    assert set(declared) - EXPECTED == in_table - EXPECTED
    assert WITHOUT_BACKEND.isdisjoint(entry.op for entry in OPERATIONS)


def test_a_restart_without_a_reason_does_nothing(images: Images) -> None:
    bench = Bench(next(entry for entry in OPERATIONS if entry.name == "reboot"), images)
    try:
        counts = bench.begin()
        bench.node.stop()
        bench.node.start()
        bench.node.idle()
        assert bench.node.points() == counts["points"]
    finally:
        bench.close()
