"""What a node takes of its machine."""

from __future__ import annotations

import os
import sqlite3
from dataclasses import asdict, dataclass
from pathlib import Path

from node import Node


def processes(node: Node) -> list[int]:
    """sliced, its workers and its children."""
    assert node.process is not None
    found, waiting = [], [node.process.pid]
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        try:
            waiting += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
        except FileNotFoundError:
            pass  # a worker that has ended meanwhile
    return found


def memory_kib(pids: list[int], *kinds: str) -> int:
    """Memory of these kinds (of smaps, in proc(5)) of all these processes."""
    total = 0
    for pid in pids:
        try:
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue  # a worker that has ended meanwhile
        total += sum(int(line.split()[1]) for line in rollup.splitlines()
                     if line.startswith(tuple(f"{kind}:" for kind in kinds)))
    return total


@dataclass
class Figures:
    """Of an idle node."""

    memory_kib: int      # private, all processes together; code counts unless another program has it, too
    written_kib: int     # what they have written of that: nothing that others do changes it
    open_files: int      # of all processes
    processes: int
    thin_volumes: int
    store_kib: int       # with its log
    requests: int        # in the store
    events: int
    files: int           # in all of the node's folders

    def __str__(self) -> str:
        return ", ".join(f"{name} {value}" for name, value in asdict(self).items())


def measure(node: Node) -> Figures:
    pids = processes(node)
    store = node.folder / "state" / "sliced.db"
    database = sqlite3.connect(f"file:{store}?mode=ro", uri=True)
    requests, events = (database.execute(f"select count(*) from {table}").fetchone()[0]
                        for table in ("requests", "events"))
    database.close()
    return Figures(
        memory_kib=memory_kib(pids, "Private_Clean", "Private_Dirty"),
        written_kib=memory_kib(pids, "Private_Dirty"),
        open_files=sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in pids),
        processes=len(pids), thin_volumes=len(node.volumes()),
        store_kib=sum(path.stat().st_size for path in store.parent.glob("sliced.db*")) // 1024,
        requests=requests, events=events,
        files=sum(len(names) for _, _, names in os.walk(node.folder)))
