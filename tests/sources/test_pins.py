"""scripts/pins: check, status and bump. (The bundle is in test_offline.py.)"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import faults
from archive import Archive, Pinned, stamp
from openpgp import Key
from test_moved import vanish
from tree import Result
from world import World

GONE = faults.status("404 Not Found")


def pins(world: World, *words: str, **environment: str) -> Result:
    result = world.tree.run("scripts/pins", *words, **environment)
    assert "Traceback" not in result.text, result.text
    return result


# --- check -------------------------------------------------------------------------------------------

def test_pins_that_are_right(world: World) -> None:
    result = pins(world, "check")
    assert result.code == 0, result.text
    assert not world.mirror.asked(), "the check needs no network"


def fields(change: dict[int, str]) -> Callable[[str], str]:
    """Changes words of the line."""
    def made(line: str) -> str:
        words = line.split(" ")
        for number, word in change.items():
            words[number] = word
        return " ".join(words)

    return made


WRONG: dict[str, Callable[[str], str]] = {
    "another kind": fields({0: "srouce"}),
    "a size of nothing": fields({3: "0"}),
    "a size that is none": fields({3: "-1"}),
    "a size that cannot be": fields({3: "99999999999999"}),
    "a short hash": lambda line: line.replace(line.split()[4], line.split()[4][1:]),
    "a hash in capitals": lambda line: line.replace(line.split()[4], "A" + line.split()[4][1:].upper()),
    "a short sha1": lambda line: line.replace(line.split()[5], line.split()[5][1:]),
    "no sha1": lambda line: line.replace(f" {line.split()[5]}", ""),
    "another date": fields({6: "2026-11-14"}),
    "no date": lambda line: line.replace(f" {line.split()[6]}", ""),
    "a path upwards": fields({7: "pool/main/../../etc/passwd"}),
    "an absolute path": fields({7: "/etc/passwd"}),
    "a path out of the pool": fields({7: "dists/trixie/Release"}),
    "a word too many": lambda line: f"{line} more",
    "a word too few": lambda line: line.rpartition(" ")[0],
    "twice": lambda line: f"{line}\n{line}",
    "twice with another hash": lambda line: f"{line}\n{fields({4: '0' * 64})(line)}",
    "carriage returns": lambda line: f"{line}\r",
    "a package that cannot be": fields({1: "Beta;rm"}),
    "a version that cannot be": fields({2: "1.0 2"}),
    "not ASCII": fields({1: "bêta"}),
}


@pytest.fixture(scope="module")
def kept(key: Key, template: Path) -> Iterator[World]:
    """A world for tests that put its pins right again by themselves."""
    made = World(key, template)
    yield made
    made.close()


@pytest.mark.parametrize("what", WRONG)
def test_pins_that_are_wrong(kept: World, what: str) -> None:
    """Written or changed by hand, or by a merge: refused, with file and line (distroless PR #258 needed a reviewer)."""
    world = kept
    world.tree.pins("beta", [world.beta])
    path = world.tree.folder / "hv" / "beta" / "pins"
    text = path.read_text()
    right = world.beta.line()
    path.write_bytes(text.replace(right, WRONG[what](right)).encode())
    assert path.read_bytes() != text.encode()
    result = pins(world, "check")
    assert result.code != 0, result.text
    assert "hv/beta/pins" in result.text
    number = text.splitlines().index(right) + 1
    if "ASCII" not in what:
        assert f":{number}" in result.text or f":{number + 1}" in result.text or f"line {number}" in result.text, \
            result.text
    fetched = world.tree.refused("beta")
    assert "hv/beta/pins" in fetched.text
    assert not world.mirror.asked()


def test_a_recipe_without_pins(world: World) -> None:
    (world.tree.folder / "hv" / "beta" / "pins").unlink()
    for result in (pins(world, "check"), world.tree.fetch("all")):
        assert result.code != 0, result.text
        assert "hv/beta" in result.text


def test_comments_and_empty_lines_are_for_people(world: World) -> None:
    path = world.tree.folder / "hv" / "beta" / "pins"
    path.write_text(f"# a comment\n\n{world.beta.line()}\n\n# another\n")
    assert pins(world, "check").code == 0
    world.tree.fetched("beta")


# --- status ------------------------------------------------------------------------------------------

def status_of(world: World, name: str) -> list[str]:
    """The lines about a recipe."""
    result = pins(world, "status", name)
    assert result.code == 0, result.text
    lines = [line for line in result.out.splitlines() if line.split()[0] == name]
    assert lines, result.text
    return lines


def test_all_is_current(world: World) -> None:
    for name in ("alpha", "beta", "guest-debian"):
        assert all("current" in line for line in status_of(world, name)), name
    assert [pin.file in pins(world, "status").out for pin in (*world.alpha, world.beta)] == [True] * 3
    assert world.mirror.body_bytes("*/pool/*") == 0, "nothing is fetched for it"


def test_superseded(world: World) -> None:
    world.archive.source("alpha", "1.2.4-1")
    world.publish()
    lines = status_of(world, "alpha")
    assert len(lines) == 2 and all("superseded by 1.2.4-1" in line for line in lines), lines
    assert all("current" in line for line in status_of(world, "beta"))


def test_superseded_by_a_security_update(world: World) -> None:
    world.security.binary("beta", "20250101+deb13u2")
    world.publish()
    lines = status_of(world, "beta")
    assert lines and "security update 20250101+deb13u2" in lines[0] and "trixie-security" in lines[0], lines


def test_the_newer_one_counts(world: World) -> None:
    """A security update that a point release has taken in, and superseded since."""
    world.security.binary("beta", "20250101+deb13u2")
    world.archive.binary("beta", "20260101")
    world.publish()
    assert "20260101" in status_of(world, "beta")[0]


def test_versions_are_compared_as_debian_does(world: World) -> None:
    """An older one in the index is no successor: ~ before nothing, and a binNMU (+b1) after it."""
    world.archive.source("alpha", "1.2.3-1~deb13u1")
    world.archive.binary("guestlib", "1:3.0~rc1-2", source="guest", architecture="amd64")
    world.publish()
    for name in ("alpha", "guest-debian"):
        assert "superseded" not in " ".join(status_of(world, name))


def test_superseded_by_another_series(world: World) -> None:
    """A moved pin would not take it, but a person may."""
    world.archive.source("alpha", "2.0-1")
    world.publish()
    assert "2.0-1" in status_of(world, "alpha")[0]


def test_about_to_vanish_and_gone(world: World) -> None:
    """Only the pool has the one still, nobody the other."""
    world.archive.forget("alpha")
    world.archive.forget("beta")
    world.publish()
    vanish(world, world.beta)
    assert all("about to vanish" in line for line in status_of(world, "alpha"))
    assert all("gone" in line for line in status_of(world, "beta"))


def test_a_status_without_a_network(world: World) -> None:
    """No line is made up: it says that the mirrors could not be asked, and ends with an error."""
    world.mirror.fault("*", faults.status("503 Service Unavailable"))
    world.snapshot.fault("*", faults.status("503 Service Unavailable"))
    result = pins(world, "status")
    assert "gone" not in result.out and "current" not in result.out, result.text
    assert result.code != 0 and world.mirror.url in result.text


# --- bump --------------------------------------------------------------------------------------------

def expected(made: list[Pinned], archive: Archive) -> list[list[str]]:
    """The words of new lines, whose date is the index's."""
    return [pin.line().split()[:6] + [stamp(archive.published), pin.path] for pin in made]


def pinned(world: World, name: str) -> list[list[str]]:
    return [line.split() for line in world.tree.pinned_lines(name)]


def test_bump(world: World) -> None:
    source = world.archive.source("alpha", "1.2.4-1")
    binary = world.security.binary("beta", "20250101+deb13u2")
    lib = world.archive.binary("guestlib", "1:3.0-1", source="guest", architecture="amd64")
    world.publish()
    result = pins(world, "bump")
    assert result.code == 0, result.text
    assert pinned(world, "alpha") == expected(source, world.archive)
    assert pinned(world, "beta") == expected([binary], world.security)
    assert pinned(world, "guest-debian") == [world.base.line().split(), *expected([lib], world.archive)]
    for name, old, new in (("alpha", "1.2.3-1", "1.2.4-1"), ("beta", "20250101+deb13u1", "20250101+deb13u2")):
        assert any(name in line and old in line and new in line for line in result.text.splitlines()), result.text
    assert pins(world, "check").code == 0
    world.tree.fetched()


def test_bump_of_one(world: World) -> None:
    world.archive.source("alpha", "1.2.4-1")
    world.archive.binary("beta", "20260101")
    world.publish()
    assert pins(world, "bump", "beta").code == 0
    assert pinned(world, "alpha")[0][2] == "1.2.3-1"
    assert pinned(world, "beta")[0][2] == "20260101"
    assert pins(world, "bump", "gamma").code != 0


def test_bump_with_nothing_new_changes_nothing(world: World) -> None:
    before = {name: world.tree.pins_text(name) for name in ("alpha", "beta", "guest-debian")}
    assert pins(world, "bump").code == 0
    first = {name: world.tree.pins_text(name) for name in before}
    assert {name: [line for line in text.splitlines() if line[0] != "#"] for name, text in first.items()} == \
        {name: [line for line in text.splitlines() if line[0] != "#"] for name, text in before.items()}
    assert pins(world, "bump").code == 0
    assert {name: world.tree.pins_text(name) for name in before} == first


def test_bump_where_the_new_files_cannot_be_had(world: World) -> None:
    """Xen in trixie's point release: the index names an archive that answers 404. The old pin stays, and it is said."""
    newer = world.archive.source("alpha", "1.2.4-1")
    newer_beta = world.archive.binary("beta", "20260101")
    world.publish()
    vanish(world, newer[0])
    before = world.tree.pins_text("alpha")
    result = pins(world, "bump")
    assert world.tree.pins_text("alpha") == before
    assert any("alpha" in line and "1.2.4-1" in line for line in result.text.splitlines()), result.text
    assert newer[0].file in result.text
    assert pinned(world, "beta") == expected([newer_beta], world.archive), "the others are bumped all the same"


def test_bump_believes_the_signed_index_alone(world: World) -> None:
    """gentoo/gentoo PR #6209: the sum came from the file that lay there already."""
    newer = world.archive.source("alpha", "1.2.4-1")
    world.publish()
    path = world.folder / "mirror" / "debian" / newer[0].path
    path.write_bytes(b"?" + path.read_bytes()[1:])
    world.snapshot.fault("*", GONE)
    before = world.tree.pins_text("alpha")
    pins(world, "bump", "alpha")
    assert world.tree.pins_text("alpha") == before


def test_bump_does_not_believe_an_index_that_was_changed(world: World) -> None:
    world.archive.binary("beta", "20260101")
    world.publish()
    release = world.folder / "mirror" / "debian" / "dists" / "trixie" / "InRelease"
    release.write_text(release.read_text().replace("Label: Debian", "Label: debian"))
    result = pins(world, "bump", "beta")
    assert result.code != 0, result.text
    assert pinned(world, "beta") == [world.beta.line().split()]


def test_bump_does_not_go_back(world: World) -> None:
    world.archive.source("alpha", "1.2.2-1")
    world.publish()
    pins(world, "bump", "alpha")
    assert pinned(world, "alpha")[0][2] == "1.2.3-1"


def test_bump_keeps_what_a_source_is_made_of(world: World) -> None:
    """A recipe that pins the upstream archive alone gets the upstream archive alone."""
    world.tree.pins("alpha", world.alpha[:1])
    newer = world.archive.source("alpha", "1.2.4-1")
    world.publish()
    assert pins(world, "bump", "alpha").code == 0
    assert pinned(world, "alpha") == expected(newer[:1], world.archive)
