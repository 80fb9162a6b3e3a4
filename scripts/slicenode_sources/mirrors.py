"""The mirrors, proxies and passwords that apt is configured with on this host. apt itself reads its files.

`apt-get indextargets --no-release-info` names every source in whatever form it is written, also before any list was
fetched.
"""

from __future__ import annotations

import os
import re
import subprocess
import threading
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from . import SourcesError
from .download import Way
from .settings import SUITE


def _run(*command: str) -> str:
    environment = {**os.environ, "LC_ALL": "C"}
    try:
        return subprocess.run(
            command, check=True, capture_output=True, text=True, env=environment, stdin=subprocess.DEVNULL
        ).stdout
    except FileNotFoundError as error:
        raise SourcesError(f"this is not a Debian host: there is no {command[0]}") from error
    except subprocess.CalledProcessError as error:
        lines = [line for line in error.stderr.splitlines() if line.startswith("E:")] or error.stderr.splitlines()
        raise SourcesError(
            f"{' '.join(command[:2])} cannot read the host's configuration: {' '.join(lines)}"
        ) from error


@dataclass(frozen=True)
class Mirror:
    """One source of the host, with the image's suite that it stands for."""

    base: str
    suite: str


def host_suite(release: Path = Path("/etc/os-release")) -> str:
    found = re.search(
        r'^VERSION_CODENAME="?([a-z0-9.-]*)', release.read_text() if release.exists() else "", re.MULTILINE
    )
    return found[1] if found else ""


def suite_of(name: str, host: str) -> str | None:
    """The image's suite that an entry of the host stands for, or None: bookworm-security gives trixie-security."""
    own, _, update = name.strip("/").replace("/updates", "-security").partition("-")
    if own not in {host, "stable", SUITE}:
        return None
    if update in {"", "security"}:
        return f"{SUITE}-{update}" if update else SUITE
    return None


def expanded(base: str) -> list[str]:
    """A mirror list (apt-transport-mirror(1)) as the mirrors that it names, in its order of priority."""
    if not base.startswith("mirror+file:"):
        return [base]
    path = Path("/" + unquote(base.removeprefix("mirror+file:")).strip("/"))
    try:
        lines = [line.split() for line in path.read_text().splitlines() if line.strip() and not line.startswith("#")]
    except OSError as error:
        raise SourcesError(f"apt's mirror list {path} cannot be read: {error.strerror}") from error

    def priority(words: list[str]) -> int:
        return next((int(word[9:]) for word in words if re.fullmatch(r"priority:[0-9]+", word)), 1 << 30)

    return [words[0] for words in sorted(lines, key=priority)]


def read_mirrors(host: str | None = None) -> list[Mirror]:
    """The host's Debian mirrors. May be empty: then the other places have to do."""
    text = _run(
        "apt-get",
        "indextargets",
        "--no-release-info",
        "--format",
        "$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(ARCHITECTURE)|$(TARGET_OF)",
    )
    found: dict[Mirror, None] = {}
    for line in text.splitlines():
        base, release, component, architecture, kind = (line.split("|") + [""] * 4)[:5]
        suite = suite_of(release, host_suite() if host is None else host)
        foreign = kind == "deb" and architecture != "amd64"
        if suite is None or component != "main" or foreign or base.startswith("cdrom:"):
            continue
        for address in expanded(base):
            found[Mirror(address.rstrip("/") + "/", suite)] = None
    return list(found)


@dataclass
class Apt:
    """apt's configuration, asked once and only if something has to be fetched."""

    private: Path
    _lines: list[str] | None = None
    _mirrors: list[Mirror] | None = None
    _ways: dict[str, Way] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def lines(self) -> list[str]:
        """What the host sets of Acquire::, as lines of a configuration file."""
        if self._lines is None:
            self._lines = [line for line in _run("apt-config", "dump").splitlines() if line.startswith("Acquire::")]
        return self._lines

    def mirrors(self) -> list[Mirror]:
        with self._lock:
            if self._mirrors is None:
                self._mirrors = read_mirrors()
            return self._mirrors

    def setting(self, name: str) -> str:
        for line in self.lines():
            key, _, value = line.partition(" ")
            if key.lower() == name.lower():
                return value.strip('";')
        return ""

    def way(self, address: str) -> Way:
        """How apt would reach this address."""
        parts = urlsplit(address)
        host = parts.hostname or ""
        with self._lock:
            key = f"{parts.scheme}://{parts.netloc}"
            if key not in self._ways:
                self._ways[key] = Way(
                    self._proxy(parts.scheme, host, address), self._netrc(), self._is_true("Acquire::ForceIPv4")
                )
            return self._ways[key]

    def _is_true(self, name: str) -> bool:
        return self.setting(name).lower() in {"1", "true", "yes", "on", "enable", "with"}

    def _proxy(self, scheme: str, host: str, address: str) -> str | None:
        for name in (f"Acquire::{scheme}::Proxy::{host}", f"Acquire::{scheme}::Proxy"):
            value = self.setting(name)
            if value:
                return "" if value == "DIRECT" else value
        detect = self.setting(f"Acquire::{scheme}::Proxy-Auto-Detect") or self.setting(
            f"Acquire::{scheme}::ProxyAutoDetect"
        )
        if detect:
            answer = _run(detect, address).strip()
            return "" if answer in {"", "DIRECT"} else answer
        # apt goes through an http proxy for https, too, if no other is set.
        return self.setting("Acquire::http::Proxy").replace("DIRECT", "") or None if scheme == "https" else None

    def _netrc(self) -> Path | None:
        """apt's passwords (apt_auth.conf(5)) as a netrc file for curl, which knows hosts alone: no path, no scheme."""
        folder = Path(_run("apt-config", "shell", "F", "Dir::Etc/d").partition("=")[2].strip().strip("'"))
        files = [folder / "auth.conf", *sorted((folder / "auth.conf.d").glob("*.conf"))]
        text = ""
        for file in files:
            try:
                text += re.sub(r"#.*", "", file.read_text()) + "\n"
            except OSError:
                continue
        text = re.sub(r"(\bmachine\s+)(?:[a-z]+://)?([^\s/:]+)\S*", r"\1\2", text)
        if "machine" not in text:
            return None
        self.private.mkdir(parents=True, exist_ok=True)
        target = self.private / "netrc"
        handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w") as stream:
            stream.write(text)
        return target
