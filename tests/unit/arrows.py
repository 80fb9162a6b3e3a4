#!/usr/bin/env python3
"""Proves that the agent's rooms, and the files in each of them, depend on each other in one direction only.

usage: arrows.py          the checks
       arrows.py table    the table of docs/architecture.md, made from agent/rooms

agent/rooms lists the rooms from the ground up, each with the rooms that it uses. The #include lines and the symbols
of the object files must say the same: no arrow that is not named, none named that is not there, none upwards. Nor is
there a circle of files inside a room: a header may know headers, and what is in one object what is in another, one
way only. Outside libraries belong to the rooms that are named here,
and what is pure touches nothing outside.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
AGENT = ROOT / "agent"
DOCUMENT = ROOT / "docs" / "architecture.md"
HOST = ROOT / "out" / "agent-host" / "obj"
TARGET = ROOT / "out" / "agent" / "obj"

# Declared by backend/open.h, defined by the backend that is linked in.
INTERFACE = {"backend_open", "backend_close"}
# Built for the image alone, and for a host alone (agent/Makefile).
TARGET_ONLY = {"backend/net", "backend/thin", "backend/xen", "backend/real", "hotplug"}
HOST_ONLY = {"backend/sim"}

# Header prefix -> the rooms that may include it. Who else needs it asks these rooms.
LIBRARIES = {
    "libxl": {"backend/xen"},
    "xenstore.h": {"backend/xen", "hotplug"},
    "libdevmapper.h": {"backend/thin", "disks"},
    "blkid/": {"disks"},
    "sqlite3.h": {"store"},
    "curl/": {"net"},
    "mbedtls/": {"net"},
    "nettle/": {"import", "export"},
    "zlib.h": {"codec", "import"},
    "zstd": {"codec", "import"},
    "lzma.h": {"codec"},
    "linux/seccomp.h": {"process"},
}
SYMBOLS = {
    r"libxl_": {"backend/xen"},
    r"dm_task_": {"backend/thin", "disks"},
    r"blkid_": {"disks"},
    r"sqlite3_": {"store"},
    r"curl_": {"net"},
    r"mbedtls_": {"net"},
    r"nettle_": {"import", "export"},
}

# Pure: the same input gives the same output, nothing else is read or changed. Rooms, or single files of a room.
PURE = ("base/err", "base/check", "base/json", "model", "conf/conf", "conf/check", "conf/net", "conf/disk", "plan",
        "uplink/session", "step/seed", "disks/duplicates", "disks/judge",
        "disks/plan", "disks/ranges", "disks/rules", "capacity/admit", "capacity/health", "watch/boot_check")
IMPURE_SYMBOLS = {
    "open", "openat", "read", "write", "close", "unlink", "rename", "mkdir", "stat", "fopen",
    "socket", "connect", "send", "recv", "poll", "fork", "execve", "kill", "waitpid", "system",
    "time", "clock_gettime", "gettimeofday", "nanosleep", "getrandom", "random", "rand", "getenv",
    "read_file", "write_file", "read_full", "write_full", "monotonic_ms", "wall_ms", "random_bytes",
    "uuid_make", "log_write",
}

INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)', re.MULTILINE)
# Made by the build, into its own folder.
GENERATED = {"version.h"}


@dataclass(frozen=True)
class Room:
    name: str
    program: str
    uses: tuple[str, ...]
    what: str


@dataclass(frozen=True)
class Arrow:
    """A file knows another one, and by what."""

    user: str
    owner: str
    why: str


@cache
def rooms() -> dict[str, Room]:
    """From the ground up."""
    rows = [line.split("|") for line in (AGENT / "rooms").read_text().splitlines() if line and line[0] != "#"]
    return {room.name: room for room in (
        Room(row[0].strip(), row[1].strip(), tuple(row[2].split()), row[3].strip()) for row in rows)}


def room_of(file: str) -> str:
    return file.rpartition("/")[0]


@cache
def sources() -> tuple[str, ...]:
    """All files, as paths in agent/."""
    return tuple(sorted(str(path.relative_to(AGENT)) for path in AGENT.rglob("*.[ch]")))


def stem(file: str) -> str:
    return file.rpartition(".")[0]


@cache
def included() -> tuple[tuple[str, str, bool], ...]:
    """File, what it includes, and whether that is one of our own headers."""
    return tuple((file, own or outside, bool(own)) for file in sources()
                 for own, outside in INCLUDE.findall((AGENT / file).read_text()))


@cache
def symbols(folder: Path, option: str) -> tuple[tuple[str, str], ...]:
    """Source file and symbol, from the objects; left-overs of deleted sources are left out."""
    objects = [path for file in sources() if file.endswith(".c") and (path := folder / f"{stem(file)}.o").exists()]
    if not objects:
        return ()
    text = subprocess.run(["nm", "-A", "--extern-only", option, "--format=posix", *map(str, objects)], check=True,
                          capture_output=True, text=True).stdout
    rows = (line.split(": ", 1) for line in text.splitlines())
    return tuple((f"{stem(str(Path(place).relative_to(folder)))}.c", name.split(" ", 1)[0]) for place, name in rows)


@cache
def arrows() -> tuple[Arrow, ...]:
    """All arrows between files, by #include and by symbol."""
    found = {Arrow(file, header, "#include")
             for file, header, own in included() if own and header not in GENERATED}
    for folder in (HOST, TARGET):
        owners: dict[str, set[str]] = {}
        for file, symbol in symbols(folder, "--defined-only"):
            if symbol != "main" and symbol not in INTERFACE:
                owners.setdefault(symbol, set()).add(file)
        found |= {Arrow(user, owner, symbol)
                  for user, symbol in symbols(folder, "--undefined-only") for owner in owners.get(symbol, ())}
    return tuple(sorted((arrow for arrow in found if arrow.user != arrow.owner),
                        key=lambda arrow: (arrow.user, arrow.owner, arrow.why)))


# --- The checks: each gives its complaints ----------------------------------------------------------------------------

def rooms_are_folders() -> list[str]:
    known = rooms()
    return [*(f"{file} lies in no room of agent/rooms" for file in sources() if room_of(file) not in known),
            *(f"room {name} has no file" for name in known if not any(room_of(file) == name for file in sources())),
            *(f"room {room.name}: a main.c and a program's name belong together" for room in known.values()
              if bool(room.program) != (AGENT / room.name / "main.c").exists()),
            *(f"agent/rooms: {room.name} uses {used}, which is not above it" for room in known.values()
              for used in room.uses if used not in [*known][:[*known].index(room.name)])]


def includes_name_the_room() -> list[str]:
    return [f'{file}: "{header}" is no path in agent/' for file, header, own in included()
            if own and header not in GENERATED and not (AGENT / header).exists()]


def rooms_use_what_they_name() -> list[str]:
    complaints = []
    used: dict[str, set[str]] = {name: set() for name in rooms()}
    for arrow in arrows():
        user, owner = room_of(arrow.user), room_of(arrow.owner)
        if user == owner or user not in used:
            continue
        used[user].add(owner)
        if owner not in rooms()[user].uses:
            complaints.append(f"{user} does not name {owner}: {arrow.user} -> {arrow.owner}: {arrow.why}")
    return complaints + [f"{name} names {other} and does not use it"
                         for name, room in rooms().items() for other in room.uses if other not in used[name]]


def circles(graph: dict[str, set[str]]) -> Iterator[list[str]]:
    """One circle for each loop that is met, from Tarjan's strongly connected components."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in sorted(graph.get(node, ())):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            group = stack[stack.index(node):]
            del stack[stack.index(node):]
            if len(group) > 1:
                found.append(sorted(group))

    for node in sorted(graph):
        if node not in index:
            visit(node)
    yield from found


def no_circles_in_a_room() -> list[str]:
    graph: dict[str, set[str]] = {}
    for arrow in arrows():
        if room_of(arrow.user) == room_of(arrow.owner):
            graph.setdefault(arrow.user, set()).add(arrow.owner)
    complaints = []
    for group in circles(graph):
        complaints.append("circle of " + ", ".join(group))
        complaints += [f"    {arrow.user} -> {arrow.owner}: {arrow.why}" for arrow in arrows()
                       if arrow.user in group and arrow.owner in group]
    return complaints


def names_are_defined_once() -> list[str]:
    """A second function of a name would be found by the linker's order alone."""
    complaints = []
    for folder in (HOST, TARGET):
        owners: dict[str, set[str]] = {}
        for file, symbol in symbols(folder, "--defined-only"):
            owners.setdefault(symbol, set()).add(file)
        complaints += [f"{symbol} is defined in {' and '.join(sorted(files))}"
                       for symbol, files in sorted(owners.items())
                       if len(files) > 1 and symbol not in {"main", *INTERFACE}]
    return complaints


def libraries_stay_home() -> list[str]:
    complaints = []
    for file, header, own in included():
        for prefix, homes in LIBRARIES.items():
            if not own and header.startswith(prefix) and room_of(file) not in homes:
                complaints.append(f"{file} includes <{header}>, which belongs to {sorted(homes)}")
    for folder in (HOST, TARGET):
        for file, symbol in symbols(folder, "--undefined-only"):
            for prefix, homes in SYMBOLS.items():
                if re.match(prefix, symbol) and room_of(file) not in homes:
                    complaints.append(f"{file} uses {symbol}, which belongs to {sorted(homes)}")
    return complaints


def is_pure(file: str) -> bool:
    return any(stem(file) == name or file.startswith(f"{name}/") for name in PURE)


def the_pure_touches_nothing() -> list[str]:
    def is_there(name: str) -> bool:
        return any(stem(file) == name or file.startswith(f"{name}/") for file in sources())

    return [*(f"{name} is called pure and is not there" for name in PURE if not is_there(name)),
            *(f"{file} is pure, but uses {symbol}" for folder in (HOST, TARGET)
              for file, symbol in symbols(folder, "--undefined-only") if is_pure(file) and symbol in IMPURE_SYMBOLS)]


def objects_were_seen() -> list[str]:
    """The checks of symbols mean something only when all was built: for this machine always, for the image if
    anything was."""
    complaints = []
    for folder, elsewhere in ((HOST, TARGET_ONLY), (TARGET, HOST_ONLY)):
        seen = {file for file, _ in symbols(folder, "--defined-only")}
        if not seen and folder == TARGET and not (TARGET / "../sliced").exists():
            continue
        complaints += [f"{folder.relative_to(ROOT)}: {file} was not built" for file in sources()
                       if file.endswith(".c") and room_of(file) not in elsewhere and file not in seen]
    return complaints


def there_is_something_to_check() -> list[str]:
    return [f"agent/ has no {what}" for what, found in (
        ("rooms", rooms()), ("files", sources()), ("includes", included()), ("arrows", arrows())) if not found]


def table() -> str:
    lines = ["| room | program | uses | what |", "|---|---|---|---|"]
    for room in rooms().values():
        program = f"`{room.program}`" if room.program else ""
        lines.append(f"| `{room.name}/` | {program} | {', '.join(room.uses)} | {room.what} |")
    return "\n".join(lines) + "\n"


def the_document_has_the_table() -> list[str]:
    return [] if table() in DOCUMENT.read_text() else [
        f"the table in {DOCUMENT.relative_to(ROOT)} is not that of agent/rooms: tests/unit/arrows.py table"]


CHECKS: tuple[Callable[[], list[str]], ...] = (
    rooms_are_folders, includes_name_the_room, rooms_use_what_they_name, no_circles_in_a_room, names_are_defined_once,
    libraries_stay_home,
    the_pure_touches_nothing, objects_were_seen, there_is_something_to_check, the_document_has_the_table)


def report(checks: Iterable[Callable[[], list[str]]]) -> int:
    passed = failed = 0
    for check in checks:
        complaints = check()
        passed, failed = passed + (not complaints), failed + bool(complaints)
        for complaint in complaints:
            print(f"{check.__name__}: {complaint}")
    print(f"arrows: {passed} passed, {failed} failed")
    return 1 if failed else 0


def main() -> int:
    if sys.argv[1:] == ["table"]:
        print(table(), end="")
        return 0
    return report(CHECKS)


if __name__ == "__main__":
    sys.exit(main())
