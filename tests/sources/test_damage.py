"""Files that are not what was pinned: never accepted, from no kind of place, and never left in the cache."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import faults
from archive import Pinned
from faults import Fault
from server import Server
from world import World

GONE = faults.status("404 Not Found")
PLACES = ["source", "mirror", "index", "snapshot", "snapshot-date"]
DAMAGE: dict[str, tuple[Fault, str]] = {
    "tampered": (faults.tampered, "sent another file"),
    "truncated": (faults.truncated, "sent another file"),
    "truncated, length unsaid": (faults.truncated_unsaid, "sent another file"),
    "longer": (faults.longer, "sent another file"),
    "a page": (faults.html, "an HTML page"),
    "a page of its size": (faults.html_of_its_size, "an HTML page"),
    "endless": (faults.endless, "sent another file"),
}


class Case:
    """One kind of place that has the file `beta`, so that it is asked there."""

    def __init__(self, world: World, kind: str) -> None:
        self.world = world
        self.pin: Pinned = world.beta
        self.environment: dict[str, str] = {}
        self.server: Server = world.mirror
        self.pattern = f"*/{self.pin.path}"
        if kind == "source":
            self.server = world.server(folder=world.place())
            self.environment = {"SLICENODE_SOURCES": self.server.url}
            self.pattern = f"*/{self.pin.sha256}"
        elif kind == "index":
            self.pattern = "*/pool/main/e/elsewhere/*"
            world.archive.move(self.pin, f"pool/main/e/elsewhere/{self.pin.file}")
            world.publish()
        elif kind.startswith("snapshot"):
            world.archive.drop(self.pin)
            self.server = world.snapshot
            self.pattern = "/file/*" if kind == "snapshot" else "/archive/*"
            world.snapshot.fault("/archive/*" if kind == "snapshot" else "/file/*", GONE)

    def alone(self) -> None:
        """No other place has the file."""
        if self.server is not self.world.mirror:
            self.world.mirror.fault(f"*/{self.pin.path}", GONE)
        if self.server is not self.world.snapshot:
            self.world.snapshot.fault("*", GONE)


REFUSED = [(kind, damage) for kind in PLACES for damage in ("tampered", "truncated")]
REFUSED += [(kind, damage) for kind in ("mirror", "source") for damage in DAMAGE if (kind, damage) not in REFUSED]


@pytest.mark.parametrize("kind, damage", REFUSED)
def test_a_damaged_file_is_refused(world: World, kind: str, damage: str) -> None:
    """NixOS/nixpkgs#125792, bazelbuild/bazel#8974, freifunk-gluon/gluon#1008: pages and halves taken for files."""
    fault, words = DAMAGE[damage]
    case = Case(world, kind)
    case.alone()
    case.server.fault(case.pattern, fault)
    result = world.tree.refused("beta", PINS="exact", **case.environment)
    assert not world.tree.cached(case.pin).exists()
    line = next((line for line in result.text.splitlines() if case.server.url in line and words in line), "")
    assert line, result.text
    assert case.server.body_bytes(case.pattern) < faults.ENDLESS // 4, "what is longer than pinned is not read on"
    case.server.fault(case.pattern, faults.honest)
    world.tree.fetched("beta", PINS="exact", **case.environment)
    assert world.tree.has(case.pin)


@pytest.mark.parametrize("kind", PLACES[:3])
@pytest.mark.parametrize("damage", ["tampered", "truncated", "a page of its size"])
def test_the_next_place_is_asked(world: World, kind: str, damage: str) -> None:
    """openwrt/packages#28655: one site makes an archive anew under the same name; another one has the right one."""
    case = Case(world, kind)
    case.server.fault(case.pattern, DAMAGE[damage][0])
    if kind == "source":
        world.snapshot.fault("*", GONE)
    result = world.tree.fetched("beta", **case.environment)
    assert world.tree.has(case.pin)
    assert "MOVED" not in result.text


FOLDER_DAMAGE: dict[str, Callable[[Path], object]] = {
    "tampered": lambda path: path.write_bytes(path.read_bytes()[:-1] + b"?"),
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:1000]),
    "empty": lambda path: path.write_bytes(b""),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"?"),
}


@pytest.mark.parametrize("form, damage", [*(("", damage) for damage in FOLDER_DAMAGE), ("file://", "tampered")])
def test_a_damaged_file_in_a_folder(world: World, form: str, damage: str) -> None:
    folder = world.place()
    path = folder / "sha256" / world.beta.sha256[:2] / world.beta.sha256
    FOLDER_DAMAGE[damage](path)
    before = path.read_bytes()
    result = world.tree.refused("all", OFFLINE="1", SLICENODE_SOURCES=f"{form}{folder}")
    assert world.beta.file in result.text and str(folder) in result.text
    assert not world.tree.cached(world.beta).exists()
    assert path.read_bytes() == before, "a place is only read"
    world.tree.fetched("all", SLICENODE_SOURCES=f"{form}{folder}")
    assert world.all_there()


def _directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _link(path: Path) -> None:
    path.unlink()
    path.symlink_to("/nonexistent")


def _fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


CACHE_DAMAGE = FOLDER_DAMAGE | {"a folder": _directory, "a dangling link": _link, "a pipe": _fifo}


@pytest.mark.parametrize("damage", CACHE_DAMAGE)
def test_a_damaged_file_in_the_cache_is_fetched_again(world: World, damage: str) -> None:
    """ccache/ccache#161, SCons/scons#2625: short and spoilt files in a cache are used by all later builds."""
    world.tree.fetched()
    CACHE_DAMAGE[damage](world.tree.cached(world.beta))
    world.tree.fetched("--files", "beta")
    assert world.tree.has(world.beta)


def test_a_build_never_uses_a_spoilt_source(world: World) -> None:
    """The same size, other bytes: the disk's fault or a person's hand."""
    world.tree.fetched()
    path = world.tree.cached(world.beta)
    path.chmod(0o644)
    FOLDER_DAMAGE["tampered"](path)
    result = world.tree.run("scripts/build-pkg", "hv/beta")
    assert result.code == 0, result.text
    assert world.tree.has(world.beta)


def test_a_build_does_not_change_the_cache(world: World) -> None:
    """clcache#282, ccache#331: what a build edits in place must be its own copy."""
    recipe = world.tree.folder / "initramfs" / "pkg" / "alpha" / "recipe"
    recipe.write_text(recipe.read_text().replace("build() {", "build() {\n    find . -type f -exec sh -c "
                                                 "'chmod u+w \"$1\"; echo spoilt >\"$1\"' _ {} \\;"))
    assert world.tree.run("scripts/build-pkg", "initramfs/pkg/alpha").code == 0
    world.tree.check_cache()
    assert all(world.tree.has(pin) for pin in world.alpha)


PARTIALS: dict[str, Callable[[bytes], bytes]] = {
    "noise": lambda right: bytes(len(right) // 2),
    "a page": lambda right: faults.PAGE,
    "a right start": lambda right: right[:len(right) // 2],
    "one byte off": lambda right: b"?" + right[1:len(right) // 2],
    "whole": lambda right: right,
    "whole and wrong": lambda right: right[:-1] + b"?",
    "too long": lambda right: right + b"more",
    "empty": lambda right: b"",
}


def _leave_partial(world: World, content: bytes) -> list[Path]:
    """Makes a half file as a run that was cut leaves it, with these bytes in it."""
    world.snapshot.fault("*", GONE)
    world.mirror.fault("*/pool/*", faults.in_turn(faults.cut_at(5000), faults.reset_at_once))
    world.tree.refused("beta", PINS="exact")
    left = [path for path in world.tree.cache.rglob("*") if path.is_file()
            and path.read_bytes() == world.archive.history[world.beta.sha1][:path.stat().st_size]
            and path.stat().st_size >= 1000]
    for path in left:
        path.write_bytes(content)
    world.mirror.well()
    world.snapshot.well()
    return left


RANGES: dict[str, Fault] = {"honest": faults.honest, "no ranges": faults.no_ranges(),
                            "refuses ranges": faults.refused_range, "earlier range": faults.earlier_range}
LEFT = [(partial, "honest") for partial in PARTIALS]
LEFT += [(partial, server) for partial in ("noise", "a right start", "whole and wrong") for server in RANGES
         if server != "honest"]


@pytest.mark.parametrize("partial, server", LEFT)
def test_whatever_a_cut_run_left(world: World, partial: str, server: str) -> None:
    """conda/conda#13488, freebsd/pkg#1868, rust-lang/rustup#4710, curl/curl#6740: a wrong half was completed, or one
    that could not be completed stood in the way for ever. It may cost a download, never the build."""
    left = _leave_partial(world, PARTIALS[partial](world.archive.history[world.beta.sha1]))
    assert left, "a cut download is kept to go on with"
    world.mirror.fault("*/pool/*", RANGES[server])
    world.snapshot.fault("*", GONE)
    world.tree.fetched("beta", PINS="exact")
    assert world.tree.has(world.beta)


def test_an_error_page_is_no_part_of_a_file(world: World) -> None:
    """curl/curl#2288: the body of an error went into the half file."""
    content = world.archive.history[world.beta.sha1]
    _leave_partial(world, content[:5000])
    world.mirror.fault("*/pool/*", faults.in_turn(faults.status("503 Unavailable", text=faults.PAGE),
                                                  faults.honest))
    asked = world.mirror.body_bytes("*.deb")
    world.tree.fetched("beta", PINS="exact")
    assert world.tree.has(world.beta)
    assert world.mirror.body_bytes("*.deb") - asked < len(content), "it went on where it stopped"


def test_a_label_is_not_a_wrapping(world: World) -> None:
    """NixOS/nix#1568, coursier/coursier#1281: servers call a .tar.gz itself content-encoded, and clients unpack it."""
    world.mirror.fault("*/pool/*", faults.labelled_gzip)
    world.tree.fetched()
    assert world.all_there()


def test_the_wrong_file_under_the_right_name(world: World) -> None:
    """sameersbn/docker-apt-cacher-ng#29: a cache gave another package's .deb."""
    shutil.copy(world.folder / "mirror" / "debian" / world.guestlib.path,
                world.folder / "mirror" / "debian" / world.beta.path)
    world.tree.fetched()
    assert world.all_there()


def test_sha1_is_only_an_address(world: World) -> None:
    """A pin whose SHA-1 fits and whose SHA-256 does not is not accepted."""
    other = world.archive.binary("other", "1.0-1", indexed=False)
    world.tree.pins("beta", [Pinned("binary", "beta", world.beta.version, other.size, world.beta.sha256, other.sha1,
                                    world.beta.date, other.path)])
    world.tree.refused("beta", PINS="exact")
