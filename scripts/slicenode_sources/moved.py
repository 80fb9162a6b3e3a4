"""The last way out: where a pinned file is to be had nowhere, what the suite has in its place. Never silent.

A moved pin stands in out/moved/NAME.pins and takes the place of the recipe's pins as long as those do not change;
the product's version then ends in +moved.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from . import SourcesError
from .archive import Offer, is_newer, newest_first
from .fetcher import Fetcher
from .pins import HEADER, ROOT, Pin, Recipe, identity, read, series, text_of, upstream
from .settings import SUITE

INSTEAD = "# Instead of pins that cannot be had: "


def in_effect(recipe: Recipe, exact: bool, root: Path = ROOT) -> list[Pin]:
    """What the recipe is built from: its pins, or what stands in for these very pins."""
    pins = recipe.pins()
    moved = recipe.moved_file(root)
    if not exact and moved.exists() and f"{INSTEAD}{identity(pins)}\n" in moved.read_text():
        return read(moved)
    return pins


def keep(recipe: Recipe, pins: list[Pin], moved: list[Pin], root: Path = ROOT) -> None:
    target = recipe.moved_file(root)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_suffix(".new")
    temporary.write_text(text_of(moved, f"{INSTEAD}{identity(pins)}\n{HEADER}"))
    temporary.replace(target)


def forget(recipe: Recipe, root: Path = ROOT) -> None:
    recipe.moved_file(root).unlink(missing_ok=True)


def pattern(pin: Pin) -> str:
    """The package's name as a regular expression: linux-image-6.12.107+deb13-cloud-amd64 carries its version in
    its name."""
    name = re.escape(pin.package)
    version = upstream(pin.version)
    if version not in pin.package:
        return name
    numbers = r"\.".join([*series(version), "[0-9.]+"])
    return re.sub(r"\\\+deb[0-9]+", r"\\+deb[0-9.]+", name.replace(re.escape(version), numbers))


def role(file: str) -> str:
    """What a file is in its package, without the version: the same in each version."""
    for form in (
        r"\.orig\.tar\.[a-z0-9]+$",
        r"\.orig-[a-z0-9-]+\.tar\.[a-z0-9]+$",
        r"\.debian\.tar\.[a-z0-9]+$",
        r"\.tar\.[a-z0-9]+$",
    ):
        found = re.search(form, file)
        if found:
            return re.sub(r"\.[a-z0-9]+$", "", found[0])
    return "deb" if file.endswith(".deb") else file


def as_pin(offer: Offer) -> Pin:
    """A pin without SHA-1: the index does not have it."""
    return Pin(offer.kind, offer.package, offer.version, offer.size, offer.sha256, "", offer.date, offer.path)


def with_sha1(pin: Pin, file: Path) -> Pin:
    """The pin of a file that is in the cache."""
    found = hashlib.sha1(usedforsecurity=False)
    with file.open("rb") as stream:
        while block := stream.read(1 << 20):
            found.update(block)
    return replace(pin, sha1=found.hexdigest())


def successors(pins: list[Pin], offers: list[Offer], same_series: bool) -> Iterable[list[Pin]]:
    """These pins of one package in the newer versions that the index has, the newest first."""
    now = pins[0].version
    for version in newest_first(offer.version for offer in offers):
        if not is_newer(version, now):
            return
        if same_series and series(version) != series(now):
            continue
        # The main archive keeps a version longer than security's index does.
        of_version = sorted((offer for offer in offers if offer.version == version), key=lambda offer: offer.suite)
        by_role: dict[str, Offer] = {}
        for offer in of_version:
            by_role.setdefault(role(offer.file), offer)
        roles = [role(pin.file) for pin in pins]
        if all(name in by_role for name in roles):
            yield [as_pin(by_role[name]) for name in roles]


def move(fetcher: Fetcher, recipe: Recipe, lost: set[Pin]) -> tuple[list[Pin], list[str]]:
    """The recipe's pins with each lost package in the newest version to be had, and a line for each; SourcesError
    if there is none."""
    pins = recipe.pins()
    result, lines = list(pins), []
    for package in dict.fromkeys(pin.package for pin in pins if pin in lost):
        own = [pin for pin in pins if pin.package == package]
        offers = fetcher.archive.offers([(own[0].kind, pattern(own[0]))])
        for candidate in successors(own, offers, same_series=True):
            if not fetcher.fetch(candidate):
                break
        else:
            raise SourcesError(
                f"the suite has no newer {package} of the series {'.'.join(series(own[0].version)) or 'any'}"
                " whose files can all be had"
            )
        taken = {old: with_sha1(new, fetcher.cache.path(new)) for old, new in zip(own, candidate)}
        result = [taken.get(pin, pin) for pin in result]
        first = candidate[0]
        lines.append(
            f"MOVED PIN: {own[0].package} {own[0].version} cannot be had any more: building {recipe.name} with"
            f" {first.package} {first.version} ({SUITE}{'-security' if first.archive == 'debian-security' else ''})"
        )
    return result, lines
