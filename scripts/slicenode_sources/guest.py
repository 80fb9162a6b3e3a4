"""The packages of the Debian guest: which ones an installation takes, and where they are.

apt itself chooses them, for a system that has nothing yet: what is essential or required, apt, and what
scripts/guest/debian.sh names. They are pinned like every other file, so that a guest is the same next year and can
be made without a network.
"""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

from . import SourcesError
from .archive import Offer
from .fetcher import Fetcher
from .moved import as_pin, with_sha1
from .pins import ROOT, Pin, Recipe

RECIPE = ROOT / "scripts" / "guest" / "debian.sh"


def named_packages(recipe: Path = RECIPE) -> list[str]:
    found = re.search(r"^packages='([^']*)'", recipe.read_text(), re.MULTILINE)
    if not found:
        raise SourcesError(f"{recipe} names no packages")
    return found[1].split()


def resolve(fetcher: Fetcher) -> list[Offer]:
    """What an installation takes from the suite's index now."""
    text = fetcher.archive.run(
        "apt-get",
        "install",
        "--print-uris",
        "-qq",
        "-y",
        "--no-install-recommends",
        "-o",
        "Dir::Cache::archives=/nonexistent",
        "?essential",
        "?priority(required)",
        "apt",
        *named_packages(),
    )
    rows = [row for row in (re.match(r"'([^']*)' ([^_ ]+)_", line) for line in text.splitlines()) if row]
    if not rows:
        raise SourcesError("apt found nothing to install for the Debian guest")
    wanted = {unquote(row[1]) for row in rows}
    offers = fetcher.archive.offers({("binary", re.escape(row[2])) for row in rows})
    found = {offer.base + offer.path: offer for offer in offers}
    missing = wanted - found.keys()
    if missing:
        raise SourcesError(f"the index does not name {missing.pop()}")
    return sorted((found[address] for address in wanted), key=lambda offer: offer.package)


def newest(fetcher: Fetcher) -> list[Pin]:
    """Pins of what an installation takes now, all of them in the cache; SourcesError names what cannot be had."""
    pins = [as_pin(offer) for offer in resolve(fetcher)]
    failures = fetcher.fetch(pins)
    if failures:
        raise SourcesError("the guest's packages cannot be had:\n" + "\n".join(str(failure) for failure in failures))
    return [with_sha1(pin, fetcher.cache.path(pin)) for pin in pins]


def move(fetcher: Fetcher, recipe: Recipe) -> tuple[list[Pin], list[str]]:
    """All packages as they are now: they depend on each other's versions."""
    old = {pin.package: pin.version for pin in recipe.pins()}
    pins = newest(fetcher)
    changed = [f"{pin.package} {pin.version}" for pin in pins if old.get(pin.package) != pin.version]
    return pins, [
        f"MOVED PIN: {recipe.name}: some of its packages cannot be had any more: it is made with"
        f" {len(changed)} others: {', '.join(changed)}"
    ]
