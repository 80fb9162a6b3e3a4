#!/usr/bin/env python3
"""Proves that the agent's modules depend on each other in one direction only.

Reads the #include lines of agent/ and, where it was built, the symbols of the object files. Every
file belongs to a module and every module to a layer; arrows go down, or sideways without a circle.
Outside libraries belong to the modules that are named here, and pure modules touch nothing outside.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
AGENT = ROOT / "agent"
OBJECTS = (ROOT / "out" / "agent-host" / "obj", ROOT / "out" / "agent" / "obj")

# Module -> layer, from the bottom. A file belongs to the longest module name that it begins with.
LAYERS: tuple[tuple[str, ...], ...] = (
    ("err", "util", "check"),
    ("log", "json"),
    ("must", "wire", "loop"),
    ("model", "conf", "boot_check", "child", "sandbox"),
    ("backend", "plan", "store", "session", "seed", "decompress", "console", "memory_stream"),
    ("compress", "vhd", "export_map", "thin_metadata"),
    ("admit", "outbox", "transfer", "order"),
    ("health",),
    ("capacity", "step", "api", "import", "export", "net", "be_sim", "be_thin", "be_net"),
    ("task", "be_xen"),
    ("be_node", "hotplug", "confine", "slicectl", "conf_main", "net_main", "import_main", "export_main", "main"),
)
LAYER = {module: number for number, modules in enumerate(LAYERS) for module in modules}

# Files that are not called after their module.
FILES = {"file.c": "util", "clock.c": "util", "ident.c": "util"}

# Declared by backend_open.h, defined by the backend that is linked in.
INTERFACE = {"backend_open", "backend_close"}

# Header prefix -> the modules that may include it. Who else needs it asks these modules.
LIBRARIES = {
    "libxl": {"be_xen"},
    "xenstore.h": {"be_xen", "hotplug"},
    "libdevmapper.h": {"be_thin"},
    "sqlite3.h": {"store", "be_sim"},
    "curl/": {"net", "net_main"},
    "mbedtls/": {"net"},
    "nettle/": {"import", "export"},
    "zlib.h": {"decompress", "compress", "import"},
    "zstd": {"decompress", "compress", "import"},
    "lzma.h": {"decompress", "memory_stream"},
    "linux/seccomp.h": {"sandbox"},
}
SYMBOLS = {
    r"libxl_": {"be_xen"},
    r"dm_task_": {"be_thin"},
    r"sqlite3_": {"store", "be_sim"},
    r"curl_": {"net", "net_main"},
    r"mbedtls_": {"net"},
    r"nettle_": {"import", "export"},
}

# Pure: the same input gives the same output, nothing else is read or changed.
PURE = {"err", "check", "json", "model", "conf", "plan", "session", "seed", "admit", "health"}
IMPURE_SYMBOLS = {
    "open", "openat", "read", "write", "close", "unlink", "rename", "mkdir", "stat", "fopen",
    "socket", "connect", "send", "recv", "poll", "fork", "execve", "kill", "waitpid", "system",
    "time", "clock_gettime", "gettimeofday", "nanosleep", "getrandom", "random", "rand", "getenv",
    "read_file", "write_file", "read_full", "write_full", "monotonic_ms", "wall_ms", "random_bytes",
    "uuid_make", "log_write",
}

INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)', re.MULTILINE)


def module_of(file: str) -> str | None:
    """The module of a source or object file."""
    if file in FILES:
        return FILES[file]
    stem = file.rsplit(".", 1)[0]
    while stem:
        if stem in LAYER:
            return stem
        stem = stem.rpartition("_")[0]
    return None


def sources() -> list[Path]:
    return sorted([*AGENT.glob("*.c"), *AGENT.glob("*.h")])


def included() -> Iterable[tuple[str, str, bool]]:
    """File, what it includes, and whether that is one of our own headers."""
    for path in sources():
        for own, outside in INCLUDE.findall(path.read_text()):
            yield path.name, own or outside, bool(own)


def symbols(folder: Path, option: str) -> Iterable[tuple[str, str]]:
    """Object file (by its source's name) and symbol; left-overs of deleted sources are left out."""
    names = {path.name for path in AGENT.glob("*.c")}
    objects = [path for path in sorted(folder.glob("*.o")) if path.stem + ".c" in names]
    if not objects:
        return
    text = subprocess.run(["nm", "-A", option, "--format=posix", *map(str, objects)], check=True,
                          capture_output=True, text=True).stdout
    for line in text.splitlines():
        place, name = line.split(": ", 1)
        yield Path(place).stem + ".c", name.split(" ", 1)[0]


def symbol_arrows(folder: Path) -> set[tuple[str, str, str]]:
    """User, owner and symbol for each symbol of ours that another file uses."""
    owners: dict[str, set[str]] = {}
    for file, symbol in symbols(folder, "--defined-only"):
        if symbol != "main" and symbol not in INTERFACE:
            owners.setdefault(symbol, set()).add(file)
    return {(user, owner, symbol) for user, symbol in symbols(folder, "--undefined-only")
            for owner in owners.get(symbol, ())}


def check_arrow(user: str, owner: str, why: str) -> str | None:
    """A complaint when `user` may not know `owner`."""
    above, below = module_of(user), module_of(owner)
    if above is None or below is None or above == below or LAYER[above] >= LAYER[below]:
        return None
    return f"{user} ({above}) must not know {owner} ({below}): {why}"


def files_have_modules() -> list[str]:
    return [f"{path.name} belongs to no module: put it into LAYERS of {Path(__file__).name}"
            for path in sources() if module_of(path.name) is None]


def includes_go_down() -> list[str]:
    complaints = []
    for file, header, own in included():
        if own and (AGENT / header).exists():
            complaints.append(check_arrow(file, header, "#include"))
    return [complaint for complaint in complaints if complaint]


def symbols_go_down() -> list[str]:
    return [complaint for folder in OBJECTS for user, owner, symbol in sorted(symbol_arrows(folder))
            if (complaint := check_arrow(user, owner, symbol))]


def no_circles() -> list[str]:
    graph: dict[str, set[str]] = {}

    def add(user: str, owner: str) -> None:
        above, below = module_of(user), module_of(owner)
        # err and util are one in two files: errors are cleaned by util, files report by err.
        if above and below and above != below and {above, below} != {"err", "util"}:
            graph.setdefault(above, set()).add(below)

    for file, header, own in included():
        if own and (AGENT / header).exists():
            add(file, header)
    for folder in OBJECTS:
        for user, owner, _ in symbol_arrows(folder):
            add(user, owner)
    done: set[str] = set()
    complaints: list[str] = []

    def visit(module: str, path: list[str]) -> None:
        if module in path:
            complaints.append("circle: " + " -> ".join([*path[path.index(module):], module]))
        elif module not in done:
            for below in sorted(graph.get(module, ())):
                visit(below, [*path, module])
            done.add(module)

    for module in sorted(graph):
        visit(module, [])
    return complaints


def libraries_stay_home() -> list[str]:
    complaints = []
    for file, header, own in included():
        for prefix, homes in LIBRARIES.items():
            if not own and header.startswith(prefix) and module_of(file) not in homes:
                complaints.append(f"{file} includes <{header}>, which belongs to {sorted(homes)}")
    for folder in OBJECTS:
        for file, symbol in symbols(folder, "--undefined-only"):
            for prefix, homes in SYMBOLS.items():
                if re.match(prefix, symbol) and module_of(file) not in homes:
                    complaints.append(f"{file} uses {symbol}, which belongs to {sorted(homes)}")
    return complaints


def pure_modules_touch_nothing() -> list[str]:
    return [f"{file} ({module_of(file)}) is pure, but uses {symbol}"
            for folder in OBJECTS for file, symbol in symbols(folder, "--undefined-only")
            if module_of(file) in PURE and symbol in IMPURE_SYMBOLS]


def objects_were_seen() -> list[str]:
    """The symbol checks mean something only when the core was built."""
    seen = {file for file, _ in symbols(OBJECTS[0], "--defined-only")}
    return [f"{OBJECTS[0]}: {file} was not built" for file in ("err.c", "model.c", "store.c")
            if file not in seen]


CHECKS: tuple[Callable[[], list[str]], ...] = (
    files_have_modules, includes_go_down, symbols_go_down, no_circles, libraries_stay_home,
    pure_modules_touch_nothing, objects_were_seen)


def main() -> int:
    failed = 0
    for check in CHECKS:
        complaints = check()
        failed += bool(complaints)
        for complaint in complaints:
            print(f"{check.__name__}: {complaint}")
    print(f"arrows: {len(CHECKS) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
