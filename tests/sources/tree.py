"""A small source tree with recipes that pin files of the tests' archive, and the machine around it.

The tree has the repository's own scripts and Makefile; home, cache, apt's configuration and keyring are the test's.
"""

from __future__ import annotations

import compileall
import hashlib
import os
import py_compile
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from archive import Pinned

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 120.0  # seconds that a command may take; generous, since the machine may be busy
HEADER = "# Pinned files of the Debian archive, one a line; made by `make bump`, checked by `make check`.\n" \
         "# kind package version size sha256 sha1 date path\n"

RECIPE = """\
# A package of the tests.
name={name}
licence=MIT
homepage=https://example.invalid/
depends=
series='{series}'

build() {{
    mkdir -p "$DESTDIR/sysroot/share/{name}"
    cp {what} "$DESTDIR/sysroot/share/{name}/hello.txt"
}}
"""


def host_suite() -> str:
    """What apt's entries of this machine are called."""
    found = re.search(r"^VERSION_CODENAME=\"?(\w+)", Path("/etc/os-release").read_text(), re.MULTILINE)
    return found[1] if found else "stable"


def make_template(folder: Path) -> Path:
    """What all trees have of the repository, compiled once: a test starts the scripts many hundred times."""
    shutil.copytree(ROOT / "scripts", folder / "scripts",
                    ignore=shutil.ignore_patterns("__pycache__", "slicenode_controller", "small"))
    (folder / "scripts" / "guest" / "debian" / "pins").unlink(missing_ok=True)
    shutil.copy(ROOT / "Makefile", folder)
    compileall.compile_dir(folder / "scripts", quiet=1, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    return folder


@dataclass(frozen=True)
class Result:
    """How a command ended."""

    code: int
    out: str
    err: str
    seconds: float

    @property
    def text(self) -> str:
        return self.out + self.err


class Tree:
    """The tree in a folder of its own, with `cache`, `home` and `etc` beside it."""

    def __init__(self, template: Path, folder: Path, keyring: Path, name: str = "tree") -> None:
        self.folder = folder / name
        self.machine = folder
        self.cache = folder / "cache"
        self.home = folder / "home"
        self.etc = folder / "etc" / "apt"
        self.temporary = folder / "tmp"
        self.keyring = keyring
        for path in (self.cache, self.home, self.temporary, self.folder / "initramfs" / "pkg", self.folder / "hv",
                     *(self.etc / part for part in ("apt.conf.d", "preferences.d", "sources.list.d", "trusted.gpg.d",
                                                    "auth.conf.d"))):
            path.mkdir(parents=True, exist_ok=True)
        shutil.copytree(template, self.folder, dirs_exist_ok=True)
        (self.folder / "initramfs" / "manifest").write_text("# Nothing.\n")
        self.guest_is("guestlib")
        self.environment = self._environment()

    def _environment(self) -> dict[str, str]:
        states = self.machine / "apt-state"
        for part in ("lists/partial", "cache/archives/partial"):
            (states / part).mkdir(parents=True, exist_ok=True)
        configuration = self.machine / "apt.conf"
        configuration.write_text(f'Dir::Etc "{self.etc}";\nDir::State::lists "{states}/lists";\n'
                                 f'Dir::Cache "{states}/cache";\n')
        return {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(self.home),
                "TMPDIR": str(self.temporary),
                "SLICENODE_CACHE": str(self.cache), "SLICENODE_KEYRING": str(self.keyring), "SLICENODE_SNAPSHOT": "",
                "SLICENODE_RETRY_SECONDS": "0.02", "APT_CONFIG": str(configuration),
                "LC_ALL": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"}

    # --- What is in it ----------------------------------------------------------------------------

    def recipe(self, name: str, pins: Sequence[Pinned], series: str = "", patches: Mapping[str, str] | None = None,
               below: str = "initramfs/pkg") -> Path:
        """A recipe that installs the package's hello.txt as share/NAME/hello.txt."""
        folder = self.folder / below / name
        folder.mkdir(parents=True, exist_ok=True)
        what = f"usr/share/{pins[0].package}/hello.txt" if pins[0].kind == "binary" else "hello.txt"
        (folder / "recipe").write_text(RECIPE.format(name=name, series=series, what=what))
        for patch, text in (patches or {}).items():
            (folder / patch).write_text(text)
        self.pins(name, pins)
        return folder

    def guest_is(self, packages: str) -> None:
        """The packages that the Debian guest is made of, by name."""
        recipe = self.folder / "scripts" / "guest" / "debian.sh"
        text = re.sub(r"^packages='[^']*'", f"packages='{packages}'", recipe.read_text(), flags=re.MULTILINE)
        recipe.write_text(text)

    def guest(self, pins: Sequence[Pinned]) -> None:
        """The pins of the Debian guest."""
        self._pins_file("guest-debian").write_text(HEADER + "".join(pin.line() + "\n" for pin in pins))

    def pins(self, name: str, pins: Sequence[Pinned]) -> None:
        self._pins_file(name).write_text(HEADER + "".join(pin.line() + "\n" for pin in pins))

    def pins_text(self, name: str) -> str:
        return self._pins_file(name).read_text()

    def pinned_lines(self, name: str) -> list[str]:
        return [line for line in self.pins_text(name).splitlines() if line and not line.startswith("#")]

    def _pins_file(self, name: str) -> Path:
        if name == "guest-debian":
            return self.folder / "scripts" / "guest" / "debian" / "pins"
        folder = next(path for path in (self.folder / "initramfs" / "pkg" / name, self.folder / "hv" / name)
                      if path.is_dir())
        return folder / "pins"

    def moved(self, name: str) -> str:
        """The pins that stand in for the recipe's, or nothing."""
        found = [*(self.folder / "out" / "moved").rglob(f"{name}.pins")] if (self.folder / "out").is_dir() else []
        return found[0].read_text() if found else ""

    # --- Running ----------------------------------------------------------------------------------

    def start(self, *command: str, wrap: Sequence[str] = (), **environment: str) -> subprocess.Popen[str]:
        """Starts one of the tree's commands in a session of its own."""
        return subprocess.Popen([*wrap, *command], cwd=self.folder, env=self.environment | environment, text=True,
                                errors="replace", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, start_new_session=True)

    def run(self, *command: str, wrap: Sequence[str] = (), **environment: str) -> Result:
        """Runs one of the tree's commands to its end."""
        return ended(self.start(*command, wrap=wrap, **environment))

    def fetch(self, *names: str, wrap: Sequence[str] = (), **environment: str) -> Result:
        return self.run("scripts/fetch", *(names or ("all",)), wrap=wrap, **environment)

    def fetched(self, *names: str, **environment: str) -> Result:
        """A fetch that must succeed, with a sound cache after it."""
        result = self.fetch(*names, **environment)
        assert result.code == 0, result.text
        self.check_cache()
        return result

    def refused(self, *names: str, **environment: str) -> Result:
        """A fetch that must fail with a message for people, and leave a sound cache."""
        result = self.fetch(*names, **environment)
        assert result.code == 1, (result.code, result.text)
        assert "Traceback" not in result.text, result.text
        assert "fetch: " in result.text, result.text
        self.check_cache()
        return result

    # --- The cache --------------------------------------------------------------------------------

    def has(self, pin: Pinned) -> bool:
        path = self.cached(pin)
        return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == pin.sha256

    def cached(self, pin: Pinned) -> Path:
        return self.cache / "sources" / "sha256" / pin.sha256[:2] / pin.sha256

    def check_cache(self) -> None:
        """What lies in the cache under a hash has that hash; nothing else lies there."""
        for path in (self.cache / "sources" / "sha256").rglob("*"):
            if path.is_dir():
                continue
            assert path.is_file() and path.parent.name == path.name[:2], f"{path} is no file of the cache"
            assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name, f"{path} has other bytes"


def ended(process: subprocess.Popen[str], limit: float = LIMIT) -> Result:
    """Waits for a command; one that takes too long is ended with all that it started."""
    began = time.monotonic()
    try:
        out, err = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        kill_all(process)
        out, err = process.communicate()
        raise AssertionError(f"{process.args!r} did not end in {limit:.0f} s:\n{out}{err}") from None
    except BaseException:
        kill_all(process)
        raise
    return Result(process.returncode, out, err, time.monotonic() - began)


def kill_all(process: subprocess.Popen[str], number: int = signal.SIGKILL) -> None:
    """Sends a signal to a command and what it started, which is a session of its own."""
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        pass


def wait_until(happened: Callable[[], bool], process: subprocess.Popen[str], limit: float = LIMIT) -> None:
    """Waits for something that a command does; it must not end before."""
    until = time.monotonic() + limit
    while not happened():
        if process.poll() is not None or time.monotonic() > until:
            kill_all(process)
            out, err = process.communicate()
            raise AssertionError(f"{process.args!r} did not come so far:\n{out}{err}")
        time.sleep(0.01)
