#!/usr/bin/env python3
"""Many agents with the simulated backend against one development controller, all on this machine: what each takes of
its memory, how many requests a second they answer, and how long until all are back after the controller was away.

usage: tests/bench/fleet.py [--agents N] [--away SECONDS] [--runs N] [--json FILE]
"""

from __future__ import annotations

import argparse
import concurrent.futures
import contextlib
import json
import resource
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / folder) for folder in ("tests/agent", "tests/common", "scripts")]

import interrupt  # noqa: E402
from controller import Controller  # noqa: E402
from figures import show  # noqa: E402
from machine import available_mib  # noqa: E402
from measure import memory_kib, processes  # noqa: E402
from node import RELEASE, Node  # noqa: E402
from waiting import wait_until  # noqa: E402
from slicenode_controller.state import clock, requests, tokens  # noqa: E402
from slicenode_controller.state.store import Store  # noqa: E402

AT_ONCE = 8  # starts at the same time
REQUESTS_FOR_EACH = 5
INOTIFY = Path("/proc/sys/fs/inotify/max_user_instances")
INOTIFY_EACH = 3
FILES_IN_RAM = Path("/dev/shm")  # where each agent's folder is: node.py
FILES_EACH_KIB = 10496  # the reserve for a full state volume, 8 MiB, and its store's log, 2; 10352 were measured
MEMORY_EACH_KIB = FILES_EACH_KIB + 3584  # what is its processes' own, and the kernel's for it; 13766 were measured
FILES_FOR_EACH = 4  # connections of an agent to the controller, and a little room


class Missing(Exception):
    """What this machine lacks for so many agents, and what to do about it."""


def need_memory(agents: int) -> None:
    """As a machine that runs out of it ends whatever it likes."""
    wanted, available = agents * MEMORY_EACH_KIB >> 10, available_mib()
    if available < wanted:
        raise Missing(f"{agents} agents need {wanted} MiB of memory, this machine has {available} to give: take fewer")
    free_kib = shutil.disk_usage(FILES_IN_RAM).free >> 10 if FILES_IN_RAM.is_dir() else agents * FILES_EACH_KIB
    if free_kib < agents * FILES_EACH_KIB:
        raise Missing(f"{agents} agents need {agents * FILES_EACH_KIB >> 10} MiB in {FILES_IN_RAM}, there are "
                      f"{free_kib >> 10}: take fewer, or `mount -o remount,size=75% {FILES_IN_RAM}` as root")


@contextlib.contextmanager
def room_for(agents: int) -> Iterator[None]:
    """The kernel's limits, as they were before in the end."""
    need_memory(agents)
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if files != resource.RLIM_INFINITY and files < agents * FILES_FOR_EACH:
        raise Missing(f"{agents} agents need {agents * FILES_FOR_EACH} open files, the limit is {files}: "
                      "raise `ulimit -Hn`")
    before = INOTIFY.read_text().strip()
    wanted = agents * INOTIFY_EACH + int(before)
    if agents * INOTIFY_EACH > int(before):
        try:
            INOTIFY.write_text(str(wanted))
        except PermissionError:
            raise Missing(f"{agents} agents need more inotify instances than the {before} that a user may have: "
                          f"`sysctl fs.inotify.max_user_instances={wanted}` as root") from None
    try:
        yield
    finally:
        if INOTIFY.read_text().strip() == str(wanted):
            INOTIFY.write_text(before)


class Fleet:
    """The controller, its store, and the agents."""

    def __init__(self, agents: int) -> None:
        self.controller = Controller()
        self.agents = agents
        self.nodes: list[Node] = []
        self.store: Store | None = None

    def serve(self) -> None:
        # What a controller of many nodes says; the tests' own settings are for few.
        self.controller.start("--heartbeat", "30", "--poll-wait", "60")

    def start(self) -> None:
        self.serve()
        self.store = Store(self.controller.folder / "state" / "controller.db")
        conf = self.controller.conf("--no-token")
        invited = [tokens.create(self.store, 3600)[1] for _ in range(self.agents)]
        pool = concurrent.futures.ThreadPoolExecutor(AT_ONCE)
        try:
            list(pool.map(lambda token: self._start_one(f"{conf}slicenode.token={token}\n"), invited))
        finally:
            pool.shutdown(cancel_futures=True)

    def _start_one(self, conf: str) -> None:
        node = Node(conf, programs=RELEASE)
        self.nodes.append(node)
        node.boot(str(uuid.uuid4()))
        node.start()

    def count(self, what: str, *values: str) -> int:
        assert self.store is not None
        return int(self.store.one(f"SELECT count(*) FROM {what}", *values)[0])

    def ask_all(self) -> float:
        """Requests a second, until each agent has answered so many."""
        assert self.store is not None
        ids = [row["id"] for row in self.store.all("SELECT id FROM nodes WHERE state = 'enrolled'")]
        assert len(ids) == self.agents, f"{len(ids)} of {self.agents} are enrolled"
        ended = "requests WHERE ended IS NOT NULL"
        everything = self.count(ended) + len(ids) * REQUESTS_FOR_EACH
        began = time.monotonic()
        with self.store.transaction():
            for _ in range(REQUESTS_FOR_EACH):
                for node_id in ids:
                    requests.add(self.store, node_id, "node.report", None, {})
        wait_until(lambda: self.count(ended) >= everything, "all requests end", 600)
        assert self.count("requests WHERE state = 'failed'") == 0
        return len(ids) * REQUESTS_FOR_EACH / (time.monotonic() - began)

    def away(self, seconds: float) -> float:
        """The controller stops for so long; seconds from its being back until all agents have called. Those that
        noticed register first; the others had only a poll that failed."""
        self.controller.stop()
        time.sleep(seconds)
        moment, began = clock.now(), time.monotonic()
        self.serve()
        wait_until(lambda: self.count("nodes WHERE last_seen >= ?", moment) == self.agents, "all agents are back", 600)
        return time.monotonic() - began

    def stop(self) -> None:
        for node in self.nodes:
            node.kill()
            node.remove()
        self.controller.stop()
        if self.store is not None:
            self.store.close()
        self.controller.remove()


def measure(agents: int, away_seconds: float, runs: int) -> dict[str, object]:
    fleet = Fleet(agents)
    results: dict[str, object] = {"agents": agents}
    try:
        began = time.monotonic()
        fleet.start()
        wait_until(lambda: fleet.count("nodes WHERE registered IS NOT NULL") == agents, "all agents are registered",
                   1200)
        results["start"] = show(f"{agents} agents started, enrolled and registered", [time.monotonic() - began])
        results["memory_kib"] = show("an agent's own memory, all its processes together",
                                     [float(memory_kib(processes(node), "Private_Clean", "Private_Dirty"))
                                      for node in fleet.nodes], "KiB")
        results["requests_per_second"] = show("requests answered in a second", [fleet.ask_all() for _ in range(runs)],
                                              "/s")
        results["restart"] = show("all back after a restart of the controller", [fleet.away(0) for _ in range(runs)])
        results["away"] = show(f"all back after it was away for {away_seconds:.0f} s", [fleet.away(away_seconds)])
    finally:
        fleet.stop()
    return results


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n", maxsplit=1)[0])
    parser.add_argument("--agents", type=int, default=1000, help="how many; 1000 unless told")
    parser.add_argument("--away", type=float, default=60, metavar="SECONDS", help="how long the controller is away; 60")
    parser.add_argument("--runs", type=int, default=5, help="of requests and of restarts; 5")
    parser.add_argument("--json", type=Path, help="also write the figures there")
    options = parser.parse_args()
    interrupt.once()
    try:
        subprocess.run(["make", "-s", "-j2", "-C", ROOT / "agent", "BUILD=release"], check=True)
        with room_for(options.agents):
            results = measure(options.agents, options.away, options.runs)
    except Missing as missing:
        print(f"fleet: {missing}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
