"""How the pins stand to what the suite offers now."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from . import SourcesError
from .archive import Offer, is_newer, newest_first
from .download import secrets, shown
from .fetcher import WORKERS, Fetcher
from .moved import pattern
from .pins import Pin, Recipe
from .places import as_apt_writes


@dataclass(frozen=True)
class State:
    """One pin: `word` is current, superseded, security, vanishing or gone; `text` says it for a person."""

    recipe: Recipe
    pin: Pin
    word: str
    text: str


def newest_of(pin: Pin, offers: list[Offer]) -> Offer | None:
    """The newest version of the pin's package in the index; the main archive's, where security has it,
    too."""
    own = [offer for offer in offers if offer.kind == pin.kind and re.fullmatch(pattern(pin), offer.package)]
    if not own:
        return None
    newest = newest_first(offer.version for offer in own)[0]
    return min((offer for offer in own if offer.version == newest), key=lambda offer: offer.suite)


def is_served(fetcher: Fetcher, pin: Pin) -> bool:
    """Whether a mirror of the host answers for the pool path."""
    bases = dict.fromkeys(mirror.base for mirror in fetcher.apt.mirrors())
    return any(_answers(fetcher, base + as_apt_writes(pin.path)) for base in bases)


def _answers(fetcher: Fetcher, address: str) -> bool:
    """Asks for the head alone; SourcesError: there was no answer, which says nothing of the file."""
    way = fetcher.apt.way(address)
    command = ["curl", "-q", "-sSfILg", "-o", "/dev/null", "--max-time", str(2 * fetcher.settings.stall_s)]
    done = subprocess.run(
        [*command, "-w", "%{http_code}", "--config", "-"],
        check=False,
        input=secrets(address, way),
        capture_output=True,
        text=True,
    )
    if done.returncode and done.stdout not in ("404", "410"):
        raise SourcesError(f"{shown(address)} cannot be asked: {shown(done.stderr.strip())}")
    return done.returncode == 0


def _gone(fetcher: Fetcher, pin: Pin) -> str:
    """What is left of a file that no mirror has."""
    base = fetcher.settings.snapshot
    if base and _answers(fetcher, f"{base}/file/{pin.sha1}"):
        return "gone from the mirrors: the snapshot service has it"
    return "gone from the index and from the mirrors" + (", and from the snapshot service" if base else "")


def _judge(fetcher: Fetcher, recipe: Recipe, pin: Pin, offers: list[Offer]) -> State:
    newest = newest_of(pin, offers)
    listed = any(offer.sha256 == pin.sha256 and offer.version == pin.version for offer in offers)
    later = newest if newest and is_newer(newest.version, pin.version) else None
    behind = f"{later.version} ({later.suite})" if later else ""
    if not listed and not is_served(fetcher, pin):
        return State(
            recipe, pin, "gone", "gone from the index and from the mirrors" + (f"; there is {behind}" if behind else "")
        )
    if later and later.suite.endswith("-security"):
        word, text = "security", f"superseded by the security update {behind}"
    elif later:
        word, text = "superseded", f"superseded by {behind}"
    else:
        word, text = "current", "current"
    if not listed:
        word, text = (
            "vanishing",
            (text + ", " if later else "") + "about to vanish: the index does not name it any more",
        )
    return State(recipe, pin, word, text)


def states(fetcher: Fetcher, recipes: list[Recipe]) -> Iterator[State]:
    """The state of each pin, in order. SourcesError: the index cannot be had."""
    rows = [(recipe, pin) for recipe in recipes for pin in recipe.pins()]
    offers = fetcher.archive.offers({(pin.kind, pattern(pin)) for _, pin in rows})
    by_name: dict[tuple[str, str], list[Offer]] = {}

    def own(pin: Pin) -> list[Offer]:
        key = (pin.kind, pattern(pin))
        if key not in by_name:
            by_name[key] = [offer for offer in offers if offer.kind == pin.kind and re.fullmatch(key[1], offer.package)]
        return by_name[key]

    with ThreadPoolExecutor(max_workers=WORKERS) as pool:
        yield from pool.map(lambda row: _judge(fetcher, row[0], row[1], own(row[1])), rows)
