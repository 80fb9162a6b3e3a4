"""Each operation of the table, interrupted at each of its moments: before and after each call of the
backend and each commit of the store. What was asked for is there in the end, whole, or nothing of
it; store, backend, files and admission agree. tests/agent/operations.py is the table."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from bench import Bench, Fault, calls_of
from images import Images
from node import ROOT
from operations import EXPECTED, OPERATIONS, WITH_THE_MACHINE, WITHOUT_BACKEND, Operation

MODEL = ROOT / "agent" / "model" / "request.h"
SIDE_BY_SIDE = 3
WITHOUT_CALL_AT_FIRST = {"fetch-kernel", "kernel-delete", "checkpoint"}


Run = Callable[[Bench], object]


def killed_at(moment: int, *faults: Fault) -> Run:
    return lambda bench: bench.kill_at(moment, *faults)


def cut_at(moment: int) -> Run:
    return lambda bench: bench.cut_at(moment)


def cancelled_at(moment: int) -> Run:
    return lambda bench: bench.cancel_at(moment)


def failing(*faults: Fault) -> Run:
    return lambda bench: bench.fail(*faults)


class Benches:
    """Several of one operation, so that runs go side by side: most of a run is waiting."""

    def __init__(self, operation: Operation, images: Images) -> None:
        self.all = [Bench(operation, images) for _ in range(SIDE_BY_SIDE)]
        self.moments = self.all[0].count()
        self._undone: list[tuple[Fault, list[str]]] | None = None

    def close(self) -> None:
        for bench in self.all:
            bench.close()

    def fail_each_call(self) -> list[tuple[Fault, list[str]]]:
        """Lets each call fail once; those that were taken back, with their moments. Once for all who ask."""
        if self._undone is None:
            found: list[tuple[Fault, list[str]]] = []

            def fail(fault: Fault) -> Run:
                def run(bench: Bench) -> None:
                    undone, moments = bench.fail(fault)
                    if undone:
                        found.append((fault, moments))
                return run

            faults = calls_of(self.moments)
            if faults:
                self.run({f"{fault} fails": fail(fault) for fault in faults})
            self._undone = found
        return self._undone

    def run(self, runs: dict[str, Run]) -> list[object]:
        """Makes every run, also after one that went wrong; what they returned."""
        assert runs
        waiting = list(runs.items())[::-1]
        results: list[object] = []
        bad: list[str] = []

        def work(bench: Bench) -> None:
            while True:
                try:
                    name, run = waiting.pop()
                except IndexError:
                    return
                try:
                    results.append(run(bench))
                except Exception as error:  # whatever it is, the others tell more about it
                    bad.append(f"{name}: {type(error).__name__}: {error}\n"
                               f"{bench.node.log()[-1500:]}")

        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            list(pool.map(work, self.all))
        assert not bad, f"{len(bad)} of {len(runs)} runs:\n" + "\n".join(bad)
        return results


@pytest.fixture(scope="module", params=OPERATIONS, ids=lambda operation: operation.name)
def benches(request: pytest.FixtureRequest, images: Images) -> Iterator[Benches]:
    operation: Operation = request.param
    made = Benches(operation, images)
    yield made
    made.close()


def test_request_its_plan_and_its_first_step_are_one_commit(benches: Benches) -> None:
    """Each one more would be one more wait for the disk."""
    assert benches.moments[:2] == ["commit", "committed"]
    if benches.all[0].operation.name not in WITHOUT_CALL_AT_FIRST:
        assert "commit" not in benches.moments[2:3], benches.moments


def test_killed_at_each_moment(benches: Benches) -> None:
    died = benches.run({f"killed at {number} {moment}": killed_at(number)
                        for number, moment in enumerate(benches.moments, 1)})
    assert len(benches.moments) - sum(map(bool, died)) <= benches.all[0].operation.varies


def test_power_cut_at_each_moment(benches: Benches) -> None:
    benches.run({f"power cut at {number} {moment}": cut_at(number)
                 for number, moment in enumerate(benches.moments, 1)})


def test_each_call_fails_once(benches: Benches) -> None:
    """Before the point of no return all is taken back, after it the call is made again."""
    undone = benches.fail_each_call()
    operation = benches.all[0].operation
    assert bool(undone) != (operation.forward or operation.never_undone)


def test_undoing_is_interrupted_too(benches: Benches) -> None:
    """A failure late in the plan is undone: killed at each moment of that, each call failing once."""
    undone = benches.fail_each_call()
    operation = benches.all[0].operation
    if operation.forward or operation.never_undone:
        assert not undone
        return  # there is nothing to undo
    fault, moments = max(undone, key=lambda found: len(found[1]))
    failed = [place for place, moment in enumerate(moments)
              if moment == f"+{fault.call}"][fault.nth - 1]
    after = moments[:failed + 1]
    runs: dict[str, Run] = {
        f"{fault} fails, killed at {number} {moments[number - 1]}": killed_at(number, fault)
        for number in range(failed + 2, len(moments) + 1)}
    for second in calls_of(moments)[len(calls_of(after)):]:
        runs[f"{fault} fails and then {second}"] = failing(fault, second)
    benches.run(runs)


def test_cancelled_at_each_moment(benches: Benches) -> None:
    """Before the point of no return all is taken back, after it the cancelling is refused."""
    ended = benches.run({f"cancelled at {number} {moment}": cancelled_at(number)
                         for number, moment in enumerate(benches.moments, 1)})
    assert set(ended) <= {"cancelled", "done"}
    assert "cancelled" in ended or benches.all[0].operation.forward


def test_the_table_has_every_operation() -> None:
    """Whoever adds an operation adds an entry: HACKING.md tells how."""
    text = MODEL.read_text()
    declared = re.findall(r'X\(\w+, \w+, "([a-z]+\.[a-z_]+)", \w+\)',
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
