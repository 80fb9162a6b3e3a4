"""What the image's suite offers now, from its signed index.

apt fetches and verifies the index, in a state folder of ours: the host's own lists and its hooks stay out of it.
"""

from __future__ import annotations

import functools
import hashlib
import re
import subprocess
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path

from . import SourcesError
from .cache import locked
from .download import Calls, shown
from .mirrors import Apt
from .servers import Servers
from .settings import KEYRING, SUITE, Settings

# A second fetch within this time takes the index as it is; what is told or written of pins takes the index of now.
FRESH_S = 300
# apt may take this many times as long as a stall: 20 MB of index at 70 kB/s, and a mirror that hangs ends it, too.
PATIENCE = 30
# Of the host's Acquire:: settings these change what is fetched and how it is kept, not the way to the mirror.
NOT_TAKEN = (
    "Languages",
    "GzipIndexes",
    "IndexTargets",
    "CompressionTypes",
    "PDiffs",
    "By-Hash",
    "Changelogs",
    "Queue-Mode",
)


@dataclass(frozen=True)
class Offer:
    """One file that the index names. `suite` is where: trixie, or trixie-security."""

    kind: str
    package: str
    version: str
    size: int
    sha256: str
    path: str
    base: str
    suite: str
    date: str

    @property
    def file(self) -> str:
        return self.path.rsplit("/", 1)[1]


def is_newer(one: str, other: str) -> bool:
    """Whether the first of two Debian versions is the newer one (deb-version(7))."""
    return subprocess.run(["dpkg", "--compare-versions", one, "gt", other], check=False).returncode == 0


def newest_first(versions: Iterable[str]) -> list[str]:
    def compare(one: str, other: str) -> int:
        return 0 if one == other else -1 if is_newer(one, other) else 1

    return sorted(set(versions), key=functools.cmp_to_key(compare))


def told(complaints: str) -> str:
    """What apt complains of, without passwords, and with a word on the clock where it may come from that: to sqv a
    signature of tomorrow is none."""
    lines = [line for line in complaints.splitlines() if line.startswith("E:")]
    text = shown(" ".join(lines[:3]) or complaints.strip()[-300:])
    if re.search(r"is not valid yet|is expired|Valid-Until|is not signed", text):
        text += f" (this host's clock says {time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime())} UTC; is that right?)"
    return text


class Archive:
    """The suite's index. Nothing is fetched before it is asked something."""

    def __init__(self, settings: Settings, folder: Path, apt: Apt, servers: Servers, calls: Calls) -> None:
        self._settings = settings
        self._folder = folder
        self._apt = apt
        self._servers = servers
        self._calls = calls
        self._offers: dict[tuple[str, str], list[Offer]] = {}
        self._asked: set[tuple[str, str]] = set()
        self.fresh_s = FRESH_S
        # A mirror need not have more than main; what needs more says so before it asks.
        self.components = "main"
        self._state: Path | None = None
        self._error = ""

    def offers(self, wanted: Iterable[tuple[str, str]]) -> list[Offer]:
        """What the index has of these (kind, package); a package may be a regular expression. SourcesError: no
        index."""
        new = set(wanted) - self._asked
        if new:
            for offer in self._read(new):
                self._offers.setdefault((offer.kind, offer.package), []).append(offer)
            self._asked |= new
        return [
            offer
            for key, offers in self._offers.items()
            for offer in offers
            if any(key[0] == kind and re.fullmatch(name, key[1]) for kind, name in wanted)
        ]

    def lists(self) -> list[tuple[Path, str, str, str]]:
        """The index's files: path, kind, mirror, suite."""
        state = self.state()
        text = self.run(
            "apt-get", "indextargets", "--format", "$(FILENAME)|$(CREATED_BY)|$(REPO_URI)|$(RELEASE)", state=state
        )
        kinds = {"Packages": "binary", "Sources": "source"}
        rows = (line.split("|") for line in text.splitlines())
        return [(Path(row[0]), kinds[row[1]], row[2], row[3]) for row in rows if row[1] in kinds]

    def run(self, *command: str, state: Path | None = None) -> str:
        environment = {"APT_CONFIG": str((state or self.state()) / "apt.conf")}
        limit_s = PATIENCE * self._settings.stall_s
        try:
            with self._calls.running(list(command), environment) as process:
                output, complaints = process.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired as error:
            raise SourcesError(f"{' '.join(command[:2])} did not end within {limit_s:g} s") from error
        if process.returncode:
            raise SourcesError(f"{' '.join(command[:2])}: {told(complaints.decode(errors='replace'))}")
        return output.decode(errors="replace")

    def state(self) -> Path:
        """apt's state folder with a verified index; an error is told once and kept."""
        if self._error:
            raise SourcesError(self._error)
        if self._state is None:
            try:
                self._state = self._updated()
            except (SourcesError, OSError) as error:
                self._error = f"the index of {SUITE} cannot be had: {error}"
                raise SourcesError(self._error) from error
        return self._state

    def _updated(self) -> Path:
        if self._settings.offline:
            raise SourcesError("OFFLINE=1")
        listing = self._sources_list()
        state = self._folder / hashlib.sha256(listing.encode()).hexdigest()[:12]
        for folder in ("lists/partial", "archives/partial", "parts"):
            (state / folder).mkdir(parents=True, exist_ok=True)
        # The lists of sources and settings may hold passwords.
        state.chmod(0o700)
        with locked(state / "lock", self._calls.stopped):
            updated = state / "updated"
            if updated.exists() and 0 <= time.time() - updated.stat().st_mtime < self.fresh_s:
                return state
            (state / "sources.list").write_text(listing)
            (state / "apt.conf").write_text(self._configuration(state))
            self.run("apt-get", "update", "-qq", "-o", "APT::Update::Error-Mode=any", state=state)
            updated.touch()
        return state

    def _sources_list(self) -> str:
        mirrors = sorted({(mirror.suite, mirror.base) for mirror in self._apt.mirrors()})
        if not mirrors:
            raise SourcesError(
                "apt's configuration names no Debian mirror for this host's release, main: add one to /etc/apt"
            )
        reasons = [self._servers.out(base) for _, base in mirrors]
        if all(reasons):
            raise SourcesError(f"the mirrors are {reasons[0]}")
        # apt would wait for each of them once more.
        if all(self._servers.is_silent(base) for _, base in mirrors):
            raise SourcesError("the mirrors did not answer for other files")
        if self._settings.keyring != KEYRING and not Path(self._settings.keyring).exists():
            raise SourcesError(f"SLICENODE_KEYRING: there is no {self._settings.keyring}")
        trust = f"[signed-by={self._settings.keyring}] " if Path(self._settings.keyring).exists() else ""
        rows = (f"{trust}{base} {suite} {self.components}\n" for suite, base in mirrors)
        return "".join(f"{kind} {row}" for row in rows for kind in ("deb", "deb-src"))

    def _configuration(self, state: Path) -> str:
        # Dir::Etc::parts: apt reads this file before the host's apt.conf.d, which would have the last word.
        taken = [
            line for line in self._apt.lines() if not line.startswith(tuple(f"Acquire::{name}" for name in NOT_TAKEN))
        ]
        stall = max(1, round(self._settings.stall_s))
        return "\n".join(
            [
                *taken,
                f'Dir::State "{state}";',
                f'Dir::State::lists "{state}/lists";',
                'Dir::State::status "/dev/null";',
                f'Dir::Cache "{state}";',
                f'Dir::Cache::archives "{state}/archives";',
                f'Dir::Etc::sourcelist "{state}/sources.list";',
                f'Dir::Etc::sourceparts "{state}/parts";',
                f'Dir::Etc::parts "{state}/parts";',
                'Dir::Etc::main "/dev/null";',
                f'Dir::Etc::preferencesparts "{state}/parts";',
                'Dir::Etc::preferences "/dev/null";',
                'APT::Architecture "amd64";',
                'APT::Architectures {"amd64";};',
                'APT::Sandbox::User "root";',
                'Acquire::Languages "none";',
                'Acquire::Retries "0";',
                f'Acquire::http::Timeout "{stall}";',
                f'Acquire::https::Timeout "{stall}";',
                "",
            ]
        )

    def _read(self, wanted: set[tuple[str, str]]) -> Iterator[Offer]:
        names = {
            kind: re.compile("|".join(f"(?:{name})" for of, name in wanted if of == kind) or r"(?!)")
            for kind in ("binary", "source")
        }
        dates: dict[str, str] = {}
        for path, kind, base, suite in self.lists():
            dates.setdefault(suite, self._date(path, suite))
            for stanza in self._stanzas(path, names[kind]):
                yield from _offers_in(stanza, kind, base, suite, dates[suite])

    def _date(self, path: Path, suite: str) -> str:
        """When the archive made this index, as the snapshot service writes a time."""
        release = path.with_name(path.name.split(f"_{suite}_")[0] + f"_{suite}_InRelease")
        found = re.search(
            r"^Date: (.*)$", release.read_text(errors="replace") if release.exists() else "", re.MULTILINE
        )
        if not found:
            raise SourcesError(f"{release} has no date")
        return parsedate_to_datetime(found[1].replace("UTC", "+0000")).strftime("%Y%m%dT%H%M%SZ")

    def _stanzas(self, path: Path, names: re.Pattern[str]) -> Iterator[dict[str, str]]:
        text = self.run("/usr/lib/apt/apt-helper", "cat-file", str(path))
        for stanza in text.split("\n\n"):
            found = re.search(r"^Package: (.*)$", stanza, re.MULTILINE)
            if found and names.fullmatch(found[1]):
                yield _fields(stanza)


def _fields(stanza: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    key = ""
    for line in stanza.splitlines():
        if line.startswith(" "):
            fields[key] += "\n" + line.strip()
        else:
            key, _, value = line.partition(":")
            fields[key] = value.strip()
    return fields


def _offers_in(fields: dict[str, str], kind: str, base: str, suite: str, date: str) -> Iterator[Offer]:
    try:
        package, version = fields["Package"], fields["Version"]
        if kind == "binary":
            if fields.get("Architecture") in {"amd64", "all"}:
                yield Offer(
                    kind, package, version, int(fields["Size"]), fields["SHA256"], fields["Filename"], base, suite, date
                )
            return
        for line in fields["Checksums-Sha256"].split("\n"):
            if line:
                sha256, size, file = line.split()
                yield Offer(
                    kind, package, version, int(size), sha256, f"{fields['Directory']}/{file}", base, suite, date
                )
    except (KeyError, ValueError) as error:
        raise SourcesError(
            f"the index of {suite} has an entry that cannot be read: {fields.get('Package')}: {error}"
        ) from error
