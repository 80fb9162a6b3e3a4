"""What the environment says of fetching. HACKING.md lists these for people."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from . import SourcesError
from .pins import ROOT

SUITE = "trixie"
SNAPSHOT = "https://snapshot.debian.org"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


def _seconds(environment: Mapping[str, str], name: str, default: float) -> float:
    try:
        value = float(environment.get(name) or default)
    except ValueError:
        value = -1
    if not 0 < value <= 3600:
        raise SourcesError(f"{name}={environment[name]}: not a number of seconds between 0 and 3600")
    return value


def _address(name: str, place: str) -> str:
    """An address that can be asked; SourcesError names a setting that makes no sense, without a password in it."""
    shown = re.sub(r"//\S*@", "//", place)
    try:
        sensible = re.match(r"https?://[^/]|file:///", place) and urlsplit(place).port != 0
    except ValueError:
        sensible = False
    if not sensible:
        raise SourcesError(f"{name}: {shown} is neither a folder nor https://HOST/…, http://… or file:///…")
    return place


def _places(environment: Mapping[str, str]) -> tuple[str, ...]:
    places = (environment.get("SLICENODE_SOURCES") or "").split()
    return tuple(_address("SLICENODE_SOURCES", place) if "://" in place else place for place in places)


@dataclass(frozen=True)
class Settings:
    """`sources` are own places; `retry_s` is the first pause before another try; a server that sends nothing for
    `stall_s` hangs."""

    cache: Path
    spare: Path
    sources: tuple[str, ...]
    snapshot: str
    keyring: str
    exact: bool
    offline: bool
    retry_s: float
    stall_s: float


def from_environment(environment: Mapping[str, str] = os.environ) -> Settings:
    """Reads the settings; SourcesError names one that makes no sense."""
    base = environment.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    choices = {"PINS": ("", "exact", "move"), "OFFLINE": ("", "0", "1")}
    for name, allowed in choices.items():
        if environment.get(name, "") not in allowed:
            raise SourcesError(
                f"{name}={environment[name]}: only {' or '.join(word for word in allowed if word)} is known"
            )
    snapshot = environment.get("SLICENODE_SNAPSHOT", SNAPSHOT).rstrip("/")
    return Settings(
        cache=Path(environment.get("SLICENODE_CACHE") or f"{base}/slicenode").absolute(),
        spare=ROOT / "out" / "cache",
        sources=_places(environment),
        snapshot=_address("SLICENODE_SNAPSHOT", snapshot) if snapshot else "",
        keyring=environment.get("SLICENODE_KEYRING") or KEYRING,
        exact=environment.get("PINS") == "exact",
        offline=environment.get("OFFLINE") == "1",
        retry_s=_seconds(environment, "SLICENODE_RETRY_SECONDS", 1),
        stall_s=_seconds(environment, "SLICENODE_STALL_SECONDS", 10),
    )
