"""New pins: what the suite offers now, where all of its files can be had."""

from __future__ import annotations

import re

from . import SourcesError, guest
from .archive import newest_first
from .fetcher import Fetcher
from .moved import as_pin, pattern, role, successors, with_sha1
from .pins import GUEST, Pin, Recipe, text_of


def write(recipe: Recipe, pins: list[Pin]) -> None:
    temporary = recipe.file.with_suffix(".new")
    temporary.write_text(text_of(pins))
    temporary.replace(recipe.file)


def _bump_package(fetcher: Fetcher, own: list[Pin]) -> tuple[list[Pin], list[str]]:
    """The pins of one package, renewed if they can be, and what stood in the way."""
    offers = fetcher.archive.offers({(own[0].kind, pattern(own[0]))})
    hindrances: list[str] = []
    for candidate in successors(own, offers, same_series=False):
        name = f"{candidate[0].package} {candidate[0].version}"
        if [pin.sha256 for pin in candidate] == [pin.sha256 for pin in own]:
            # A version on these pins would claim fixes that the recipe does not apply.
            hindrances.append(
                f"{name} differs from {own[0].version} in Debian's patches alone, of which the recipe takes none"
            )
            break
        failures = fetcher.fetch(candidate)
        if not failures:
            return [with_sha1(pin, fetcher.cache.path(pin)) for pin in candidate], hindrances
        hindrances += [f"{name} cannot be taken, its files cannot be had:", *(str(failure) for failure in failures)]
    return own, hindrances


def bump(fetcher: Fetcher, recipe: Recipe) -> list[str]:
    """Writes the recipe's pins anew; gives a line for each change or hindrance."""
    before = recipe.pins()
    hindrances: list[str] = []
    if recipe.name == GUEST:
        # A file that is pinned already keeps the date at which it was.
        known = {pin.sha256: pin for pin in before}
        after = [known.get(pin.sha256, pin) for pin in guest.newest(fetcher)]
    else:
        after = list(before)
        for package in dict.fromkeys(pin.package for pin in before):
            own = [pin for pin in before if pin.package == package]
            renewed, refused = _bump_package(fetcher, own)
            hindrances += refused
            taken = dict(zip(own, renewed))
            after = [taken.get(pin, pin) for pin in after]
    lines = changes(before, after)
    if after != before:
        write(recipe, after)
    return [f"{recipe.name}: {line}" for line in lines] + hindrances


def changes(before: list[Pin], after: list[Pin]) -> list[str]:
    """What two lists of pins differ in, a line a package."""

    def key(pin: Pin) -> str:
        return re.sub(r"[0-9.]+\+deb", "+deb", pin.package)

    old = {key(pin): pin.version for pin in before}
    new = {key(pin): pin.version for pin in after}
    lines = [f"{name} {old[name]} -> {version}" for name, version in new.items() if old.get(name, version) != version]
    lines += [f"{name} {version} is new" for name, version in new.items() if name not in old]
    return lines + [f"{name} is not needed any more" for name in old if name not in new]


def first_pins(fetcher: Fetcher, kind: str, package: str, with_patches: bool) -> list[Pin]:
    """Pins of the newest version of a package; of a source package its archive, and Debian's patches if they are
    wanted."""
    offers = fetcher.archive.offers({(kind, re.escape(package))})
    if not offers:
        raise SourcesError(f"the index has no {kind} package {package}")
    newest = newest_first(offer.version for offer in offers)[0]
    wanted = {"deb", ".orig.tar", ".tar"} | ({".debian.tar"} if with_patches else set())
    chosen = {
        offer.file: as_pin(offer)
        for offer in sorted(offers, key=lambda offer: offer.suite, reverse=True)
        if offer.version == newest and role(offer.file) in wanted
    }
    failures = fetcher.fetch(chosen.values())
    if failures:
        raise SourcesError(f"{package} {newest} cannot be had:\n" + "\n".join(str(failure) for failure in failures))
    # The upstream archive first: it is what is unpacked.
    order = sorted(chosen.values(), key=lambda pin: ".debian.tar" in pin.file)
    return [with_sha1(pin, fetcher.cache.path(pin)) for pin in order]
