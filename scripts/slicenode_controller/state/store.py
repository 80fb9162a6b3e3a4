"""The controller's SQLite file: tables, transactions, and waiting until somebody changes it.

The server and the commands are separate processes that open the same file. Each notices the
other's commits by SQLite's `data_version`, which costs microseconds to ask; there is no other
channel between them.
"""

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Row = sqlite3.Row

VERSION = 3
LOOK_AGAIN_SECONDS = 0.02

TABLES = """
CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL);

CREATE TABLE tokens (
    id TEXT PRIMARY KEY,            -- also the first characters of the token
    hash TEXT NOT NULL UNIQUE,      -- SHA-256 of the token, which itself is not kept
    node_name TEXT NOT NULL,
    created TEXT NOT NULL,
    expires TEXT NOT NULL,
    revoked INTEGER NOT NULL DEFAULT 0,
    node TEXT                       -- the one it admitted
);

CREATE TABLE nodes (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    state TEXT NOT NULL,            -- waiting | enrolled | removed
    created TEXT NOT NULL,
    hardware TEXT NOT NULL,         -- JSON, as enrolled
    key_hash TEXT NOT NULL,         -- of its public key
    certificate TEXT,
    certificate_expires TEXT,
    registration TEXT,              -- JSON, the last one
    registered TEXT,
    status TEXT,                    -- JSON, the last one
    last_seen TEXT,
    address TEXT,                   -- where it called from
    host TEXT,                      -- how it calls this controller: the Host header
    acknowledged INTEGER NOT NULL DEFAULT 0);

CREATE TABLE requests (
    id TEXT PRIMARY KEY,
    seq INTEGER NOT NULL UNIQUE,    -- place in the list; a request sent again gets a new one
    node TEXT NOT NULL,
    op TEXT NOT NULL,
    slice TEXT,
    args TEXT NOT NULL,
    deadline TEXT,
    unchecked INTEGER NOT NULL,     -- may break the protocol: a test of the node
    state TEXT NOT NULL,            -- queued | delivered | accepted | running | done | failed
    step TEXT,
    progress INTEGER,
    result TEXT,
    error TEXT,
    created TEXT NOT NULL,
    ended TEXT);
CREATE INDEX requests_of_node ON requests (node, seq);

CREATE TABLE events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    node TEXT NOT NULL,
    seq INTEGER NOT NULL,
    request TEXT,
    slice TEXT,
    type TEXT NOT NULL,
    body TEXT NOT NULL,             -- JSON, as it came
    received TEXT NOT NULL,
    UNIQUE (node, seq));

CREATE TABLE slices (
    id TEXT PRIMARY KEY,
    node TEXT NOT NULL,
    name TEXT NOT NULL,
    state TEXT NOT NULL,            -- the protocol's, or requested | refused | terminated | lost
    present INTEGER NOT NULL,       -- whether it is, or is to be, on its node
    state_time TEXT NOT NULL,
    body TEXT NOT NULL,             -- JSON, a Slice of the protocol, some of it perhaps missing
    usage TEXT                      -- JSON, SliceUsage
);

CREATE TABLE images (
    node TEXT NOT NULL,
    id TEXT NOT NULL,
    state TEXT NOT NULL,
    body TEXT NOT NULL,
    url TEXT,
    PRIMARY KEY (node, id));

CREATE TABLE volumes (
    id TEXT PRIMARY KEY,
    node TEXT NOT NULL,
    name TEXT NOT NULL,
    body TEXT NOT NULL              -- JSON, a Volume of the protocol
);

CREATE TABLE registration_parts (
    node TEXT NOT NULL,
    set_id TEXT NOT NULL,
    number INTEGER NOT NULL,        -- from 1 on
    body TEXT NOT NULL,             -- JSON, a Registration with its part
    PRIMARY KEY (node, number));

CREATE TABLE coverage (
    operation TEXT NOT NULL, status INTEGER NOT NULL, count INTEGER NOT NULL,
    PRIMARY KEY (operation, status));

CREATE TABLE violations (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    time TEXT NOT NULL,
    side TEXT NOT NULL,             -- node | controller
    node TEXT,
    operation TEXT NOT NULL,
    message TEXT NOT NULL,
    body TEXT NOT NULL              -- beginning of what was said
);

CREATE TABLE file_hashes (
    path TEXT PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,
    sha256 TEXT NOT NULL);
"""


# What brings a file of an older version to the next one.
MIGRATIONS = {
    1: "CREATE TABLE volumes (id TEXT PRIMARY KEY, node TEXT NOT NULL, name TEXT NOT NULL,"
    " body TEXT NOT NULL)",
    2: "CREATE TABLE registration_parts (node TEXT NOT NULL, set_id TEXT NOT NULL,"
    " number INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (node, number))",
}


class Store:
    """One connection, shared by this process's threads under a lock."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._depth = 0
        self._connection = self._open()
        with self.transaction():
            version = self.one("PRAGMA user_version")[0]
            if version == 0:
                for statement in TABLES.split(";\n"):
                    if statement.strip():
                        self.run(statement)
                self.run(f"PRAGMA user_version = {VERSION}")
            elif version > VERSION:
                raise RuntimeError(f"{path} is of version {version}; this program needs {VERSION}")
            else:
                self._migrate(version)

    def _migrate(self, version: int) -> None:
        for older in range(version, VERSION):
            self.run(MIGRATIONS[older])
            self.run(f"PRAGMA user_version = {older + 1}")

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, timeout=30, isolation_level=None, check_same_thread=False
        )
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA journal_mode = WAL")
        # What is acknowledged to a node is dropped there: it has to be on the disk here.
        connection.execute("PRAGMA synchronous = FULL")
        return connection

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing. May be nested; the outermost one commits."""
        with self._lock:
            if self._depth == 0:
                self._connection.execute("BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield
            except BaseException:
                self._depth -= 1
                if self._depth == 0:
                    self._connection.execute("ROLLBACK")
                raise
            self._depth -= 1
            if self._depth == 0:
                self._connection.execute("COMMIT")

    def run(self, statement: str, *values: Any) -> int:
        """Carries out a statement; how many rows it changed."""
        with self._lock:
            return self._connection.execute(statement, values).rowcount

    def all(self, query: str, *values: Any) -> list[Row]:
        with self._lock:
            return self._connection.execute(query, values).fetchall()

    def find(self, query: str, *values: Any) -> Row | None:
        with self._lock:
            row: Row | None = self._connection.execute(query, values).fetchone()
            return row

    def one(self, query: str, *values: Any) -> Row:
        row = self.find(query, *values)
        if row is None:
            raise LookupError(query)
        return row

    def setting(self, key: str) -> str | None:
        row = self.find("SELECT value FROM settings WHERE key = ?", key)
        return None if row is None else str(row["value"])

    def set_setting(self, key: str, value: str) -> None:
        self.run("INSERT OR REPLACE INTO settings VALUES (?, ?)", key, value)

    def watcher(self) -> "Watcher":
        return Watcher(self._open())


class Watcher:
    """Notices commits, by any process. Belongs to one thread."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._seen = -1

    def changed(self) -> bool:
        """Whether there was a commit since the last call; true the first time."""
        version: int = self._connection.execute("PRAGMA data_version").fetchone()[0]
        changed = version != self._seen
        self._seen = version
        return changed

    def close(self) -> None:
        self._connection.close()


def wait_for(store: Store, look: Callable[[], Any], seconds: float | None) -> Any:
    """Calls `look` after each change until it gives something; None when the time is over."""
    watcher = store.watcher()
    end = None if seconds is None else time.monotonic() + seconds
    try:
        while True:
            over = end is not None and time.monotonic() >= end
            if watcher.changed() or over:
                found = look()
                if found is not None or over:
                    return found
            time.sleep(LOOK_AGAIN_SECONDS)
    finally:
        watcher.close()


def to_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def from_json(text: str | None) -> Any:
    return None if text is None else json.loads(text)
