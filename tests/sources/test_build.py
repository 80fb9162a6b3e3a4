"""From pins to an installed package: what is built, with which sources, and how a build with a moved pin ends."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from archive import Pinned
from test_moved import loud_lines, vanish
from tree import Result, kill_all, wait_until
from world import World

SAME = "--- a/same.txt\n+++ b/same.txt\n@@ -1 +1 @@\n-same in all versions\n+patched\n"
CHANGES = "--- a/hello.txt\n+++ b/hello.txt\n@@ -1 +1 @@\n-alpha 1.2.5\n+alpha patched\n"
FILES = {"same.txt": "same in all versions\n"}


def recipe(world: World, version: str = "1.2.5-1", series: str = "", debian: dict[str, str] | None = None,
           own: dict[str, str] | None = None, check: str = "true") -> list[Pinned]:
    """An alpha with patches, whose build installs same.txt behind hello.txt; `check` runs first."""
    pins = world.archive.source("alpha", version, files=FILES, patches=debian)
    world.publish()
    folder = world.tree.recipe("alpha", pins, series=series, patches=own)
    text = (folder / "recipe").read_text().replace("cp hello.txt", f"{check}\n    cat hello.txt same.txt >out.txt\n"
                                                                   "    cp out.txt")
    (folder / "recipe").write_text(text)
    return pins


def build(world: World, name: str = "initramfs/pkg/alpha", **environment: str) -> Result:
    return world.tree.run("scripts/build-pkg", name, **environment)


def installed(world: World, name: str = "alpha") -> str:
    return (world.tree.folder / "out" / "sysroot" / "share" / name / "hello.txt").read_text()


def moves(world: World, pins: list[Pinned], version: str = "1.2.9-2", debian: dict[str, str] | None = None) -> None:
    vanish(world, *pins)
    world.archive.source("alpha", version, files=FILES, patches=debian)
    world.publish()


def test_a_source_is_built(world: World) -> None:
    result = build(world)
    assert result.code == 0, result.text
    assert installed(world) == "alpha 1.2.3\n"
    assert "1.2.3" in result.text


def test_a_binary_package_is_built(world: World) -> None:
    result = build(world, "hv/beta")
    assert result.code == 0, result.text
    assert installed(world, "beta") == "beta 20250101+deb13u1\n"
    assert "20250101" in result.text


@pytest.mark.parametrize("version, shown", [("1:2.5+dfsg-3~deb13u1", "2.5"), ("1.0.8-6", "1.0.8"),
                                            ("4.20.3+127-gc42374a105-0+deb13u1", "4.20.3")])
def test_the_version_comes_from_the_pin(world: World, version: str, shown: str) -> None:
    recipe(world, version)
    result = build(world)
    assert result.code == 0, result.text
    assert f" {shown}" in result.text and "dfsg" not in result.text and "deb13u1" not in result.text


def test_patches_of_the_pinned_version(world: World) -> None:
    recipe(world, series="same.patch", debian={"same.patch": SAME}, own={"own.patch": CHANGES})
    assert build(world).code == 0
    assert installed(world) == "alpha patched\npatched\n"


def test_a_moved_pin_whose_patches_apply(world: World) -> None:
    pins = recipe(world, series="same.patch", debian={"same.patch": SAME})
    moves(world, pins, debian={"same.patch": SAME})
    result = world.tree.fetched()
    assert loud_lines(result.text)
    built = build(world)
    assert built.code == 0, built.text
    assert installed(world) == "alpha 1.2.9\npatched\n"
    assert "1.2.9" in built.text


def test_a_moved_pin_is_seen_by_a_build_alone(world: World) -> None:
    """Without a fetch before it."""
    moves(world, recipe(world))
    built = build(world)
    assert built.code == 0, built.text
    assert loud_lines(built.text)
    assert installed(world).startswith("alpha 1.2.9\n")


def test_a_moved_pin_is_no_hit_for_what_was_built_before(world: World) -> None:
    """The result of the pinned version lies in the cache and in out/: it is not what the moved pin says, and the other
    way round."""
    pins = recipe(world)
    assert build(world).code == 0
    assert installed(world).startswith("alpha 1.2.5\n")
    moves(world, pins)
    for pin in pins:
        world.tree.cached(pin).unlink()
    world.tree.fetched()
    assert build(world).code == 0
    assert installed(world).startswith("alpha 1.2.9\n")
    world.snapshot.well()
    world.tree.fetched()
    assert build(world).code == 0
    assert installed(world).startswith("alpha 1.2.5\n")


@pytest.mark.parametrize("patch", ["own.patch", "debian.patch", "missing.patch", "check"])
def test_a_moved_pin_that_does_not_fit(world: World, patch: str) -> None:
    """The build ends with the package's name and what to do."""
    debian = {"debian.patch": CHANGES, "missing.patch": SAME}
    pins = recipe(world, series={"debian.patch": "debian.patch", "missing.patch": "missing.patch"}.get(patch, ""),
                  debian=debian, own={"own.patch": CHANGES} if patch == "own.patch" else None,
                  check="grep -q 1.2.5 hello.txt" if patch == "check" else "true")
    moves(world, pins, debian={"debian.patch": CHANGES})
    world.tree.fetched()
    result = build(world)
    assert result.code != 0
    last = result.text.strip().splitlines()[-6:]
    assert any("alpha" in line for line in last), result.text
    if patch != "check":
        assert patch in result.text
    assert "make bump" in result.text or "SLICENODE_SOURCES" in result.text, "what to do"
    assert not (world.tree.folder / "out" / "sysroot" / "share" / "alpha").exists()
    world.snapshot.well()
    world.tree.fetched()
    assert build(world).code == 0, "with the pinned files again it builds"


def test_a_pinned_build_that_fails_does_not_speak_of_moved_pins(world: World) -> None:
    recipe(world, check="false")
    result = build(world)
    assert result.code != 0 and "alpha" in result.text
    assert "moved" not in result.text.lower()


def test_a_build_without_its_sources(world: World) -> None:
    world.archive.forget("beta")
    world.publish()
    vanish(world, world.beta)
    result = build(world, "hv/beta")
    assert result.code != 0
    assert world.beta.file in result.text and world.mirror.url in result.text


def test_the_sbom_names_the_moved_version(world: World) -> None:
    moves(world, recipe(world))
    world.tree.fetched()
    assert build(world).code == 0 and build(world, "hv/beta").code == 0
    (world.tree.folder / "LICENSE").write_text("a licence\n")
    result = world.tree.run("scripts/sbom")
    assert result.code == 0, result.text
    text = (world.tree.folder / "out" / "sbom.spdx.json").read_text()
    assert "1.2.9" in text and "+moved" in text


def test_make_fetches_all_before_it_builds(world: World) -> None:
    """One of two recipes cannot be had: nothing is built, and make says which files are missing."""
    world.archive.forget("beta")
    world.publish()
    vanish(world, world.beta)
    result = world.tree.run("make", "pkgs")
    assert result.code != 0
    assert world.beta.file in result.text and "cannot be had" in result.text
    assert not (world.tree.folder / "out" / "stamp" / "alpha").exists()


def test_make_in_a_path_with_spaces(make_world: Callable[..., World]) -> None:
    """gcwnow/buildroot#11, linuxwacom/input-wacom#129: make and kbuild cannot do blanks in paths. It works, or one
    sentence says so before anything is fetched; not half."""
    world = make_world("a tree with spaces")
    result = world.tree.run("make", "pkgs")
    if result.code == 0:
        assert installed(world) == "alpha 1.2.3\n"
    else:
        assert "space" in result.text or "blank" in result.text, result.text
        assert "a tree with spaces" in result.text
        assert not world.mirror.asked()


def test_fetch_in_a_path_with_spaces(make_world: Callable[..., World]) -> None:
    """Tree, cache and places."""
    world = make_world("a tree with spaces")
    world.tree.cache = world.folder / "a cache"
    place = world.place([world.beta], "place-without")
    (world.folder / "a link").symlink_to(place)
    world.tree.fetched(SLICENODE_CACHE=str(world.tree.cache),
                       SLICENODE_SOURCES=f"file://{world.folder}/a%20link {place}")
    assert world.all_there()
    result = world.tree.run("scripts/build-pkg", "hv/beta", SLICENODE_CACHE=str(world.tree.cache))
    if result.code != 0:
        assert "space" in result.text or "blank" in result.text, result.text


def test_the_cache_can_be_in_a_path_with_spaces(world: World) -> None:
    world.tree.cache = world.folder / "a cache"
    result = build(world, SLICENODE_CACHE=str(world.tree.cache))
    assert result.code == 0, result.text
    assert installed(world) == "alpha 1.2.3\n"


def test_a_retry_of_make_after_an_interrupted_build(world: World) -> None:
    recipe(world, check="sleep 600")
    process = world.tree.start("scripts/build-pkg", "initramfs/pkg/alpha")
    log = world.tree.folder / "out" / "log" / "alpha.log"
    wait_until(lambda: log.exists() and "sleep 600" in log.read_text(errors="replace"), process)
    kill_all(process)
    process.communicate()
    recipe(world)
    assert build(world).code == 0
    assert installed(world) == "alpha 1.2.5\nsame in all versions\n"


def full(folder: str, size: str = "300k") -> list[str]:
    """Runs a command where this folder lies on a disk of so many bytes."""
    return ["sh", "-c", f'mkdir -p "$1" && mount -t tmpfs -o size={size} none "$1" && shift && "$@"', "sh", folder]


@pytest.mark.parametrize("where", ["the result", "the build", "the unpacking"])
def test_a_full_disk(world: World, namespace: list[str], where: str) -> None:
    """The message names the package, the disk and what to do; with room the next run builds."""
    recipe(world, check="head -c 1000000 /dev/urandom >\"$DESTDIR/sysroot/large\"")
    out, kept = world.tree.folder / "out", world.tree.cache / "build"
    if where == "the unpacking":
        assert build(world).code == 0
        (out / "stamp" / "alpha").unlink()
    disk = kept if where == "the result" else out
    result = world.tree.run("scripts/build-pkg", "initramfs/pkg/alpha", wrap=[*namespace, *full(str(disk))])
    assert result.code != 0
    last = result.text.splitlines()[-1]
    assert "alpha" in last and str(disk) in last and "full" in last and "make room" in last, result.text
    assert not list(kept.glob("*.zst.*"))
    assert build(world).code == 0
    assert (out / "sysroot" / "large").stat().st_size == 1000000


def test_a_full_disk_of_the_sbom(world: World, namespace: list[str]) -> None:
    world.tree.fetched()
    (world.tree.folder / "LICENSE").write_text("a licence\n" * 100_000)
    result = world.tree.run("scripts/sbom", wrap=[*namespace, *full(str(world.tree.folder / "out"))])
    assert result.code == 1 and "Traceback" not in result.text, result.text
    assert "sbom: " in result.text and "make room" in result.text, result.text
    assert world.tree.run("scripts/sbom").code == 0


def test_a_tar_that_dies_leaves_no_result(world: World) -> None:
    """The kernel ends programs when memory runs out: half a result must not be kept as a whole one."""
    recipe(world)
    programs = world.folder / "programs"
    programs.mkdir()
    (programs / "tar").write_text('#!/bin/sh\ncase "$*" in *--owner=0*) echo half; kill -9 $$ ;; esac\n'
                                  'exec /bin/tar "$@"\n')
    (programs / "tar").chmod(0o755)
    result = build(world, PATH=f"{programs}:{world.tree.environment['PATH']}")
    assert result.code != 0 and "alpha: its result cannot be kept" in result.text, result.text
    assert not list((world.tree.cache / "build").iterdir())
    assert build(world).code == 0
    assert installed(world) == "alpha 1.2.5\nsame in all versions\n"
