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


def private_kib(pid: int) -> int:
    """Memory that is this process's alone; what it shares with others counts for none of them."""
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return sum(int(line.split()[1]) for line in rollup.splitlines()
               if line.startswith(("Private_Clean:", "Private_Dirty:")))


@dataclass
class Figures:
    """Of an idle node."""

    memory_kib: int      # private, all processes together
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
        memory_kib=sum(private_kib(pid) for pid in pids),
        open_files=sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in pids),
        processes=len(pids), thin_volumes=len(node.volumes()),
        store_kib=sum(path.stat().st_size for path in store.parent.glob("sliced.db*")) // 1024,
        requests=requests, events=events,
        files=sum(len(names) for _, _, names in os.walk(node.folder)))
