"""Without a network: the bundle, OFFLINE=1, and what is said when a network is missing that was counted on."""

from __future__ import annotations

import subprocess
import tarfile
from pathlib import Path

import pytest

import faults
from world import World

NO_NETWORK = ["unshare", "-rn"]


@pytest.fixture(scope="session")
def no_network() -> list[str]:
    """Runs a command in a network namespace where not even lo is up."""
    tried = subprocess.run([*NO_NETWORK, "true"], capture_output=True, text=True, check=False)
    if tried.returncode != 0:
        pytest.skip(f"no network namespace can be made here: {tried.stderr.strip()}")
    return NO_NETWORK


def bundle(world: World, target: Path) -> Path:
    result = world.tree.run("scripts/pins", "bundle", str(target))
    assert result.code == 0, result.text
    return target


def empty_cache(world: World) -> None:
    world.tree.cache = world.folder / "empty-cache"
    world.tree.environment["SLICENODE_CACHE"] = str(world.tree.cache)


def test_a_bundle_has_everything(world: World) -> None:
    folder = bundle(world, world.folder / "bundle")
    for pin in world.all:
        path = folder / "sha256" / pin.sha256[:2] / pin.sha256
        assert path.read_bytes() == world.archive.history[pin.sha1]
        assert path.is_file() and not path.is_symlink()
    index = (folder / "INDEX").read_text()
    for pin in world.all:
        line = next(line for line in index.splitlines() if pin.sha256 in line)
        assert pin.file in line and pin.package in line and pin.version in line
    assert len([path for path in (folder / "sha256").rglob("*") if path.is_file()]) == len(world.all)


def test_a_bundle_in_one_file(world: World) -> None:
    target = bundle(world, world.folder / "bundle.tar")
    with tarfile.open(target) as tar:
        tar.extractall(world.folder / "unpacked")
    index = next((world.folder / "unpacked").rglob("INDEX"))
    empty_cache(world)
    world.tree.fetched(OFFLINE="1", SLICENODE_SOURCES=str(index.parent))
    assert world.all_there()


def test_two_bundles_are_the_same_bytes(world: World) -> None:
    """It is what a release publishes."""
    for name in ("first", "second"):
        (world.folder / name).mkdir()
        bundle(world, world.folder / name / "bundle.tar")
    first, second = ((world.folder / name / "bundle.tar").read_bytes() for name in ("first", "second"))
    assert first == second


def test_a_bundle_again_over_an_old_one(world: World) -> None:
    """fosslinux/live-bootstrap#519: the second try said "already exists". Only what belongs there is there after."""
    folder = bundle(world, world.folder / "bundle")
    spoilt = folder / "sha256" / world.beta.sha256[:2] / world.beta.sha256
    spoilt.chmod(0o644)
    spoilt.write_bytes(b"spoilt")
    bundle(world, folder)
    assert spoilt.read_bytes() == world.archive.history[world.beta.sha1]


def test_a_bundle_that_cannot_be_whole(world: World) -> None:
    world.mirror.fault(f"*/{world.beta.path}", faults.status("404 Not Found"))
    world.snapshot.fault("*", faults.status("404 Not Found"))
    world.archive.forget("beta")
    world.publish()
    target = world.folder / "bundle.tar"
    result = world.tree.run("scripts/pins", "bundle", str(target))
    assert result.code == 1 and world.beta.file in result.text
    assert not target.exists(), "half a bundle has no final name"


def test_a_bundle_where_it_cannot_be_written(world: World) -> None:
    (world.folder / "file").write_text("")
    for target in (world.folder / "file" / "bundle.tar", Path("/proc/bundle")):
        result = world.tree.run("scripts/pins", "bundle", str(target))
        assert result.code == 1, result.text
        assert "Traceback" not in result.text and str(target.parent) in result.text, result.text


def test_everything_from_the_bundle(world: World, no_network: list[str]) -> None:
    folder = bundle(world, world.folder / "bundle")
    empty_cache(world)
    result = world.tree.fetch("all", wrap=no_network, OFFLINE="1", SLICENODE_SOURCES=str(folder))
    assert result.code == 0, result.text
    assert world.all_there()
    for name in ("initramfs/pkg/alpha", "hv/beta"):
        built = world.tree.run("scripts/build-pkg", name, wrap=no_network, OFFLINE="1",
                               SLICENODE_SOURCES=str(folder))
        assert built.code == 0, built.text


def test_make_offline(world: World, no_network: list[str]) -> None:
    folder = bundle(world, world.folder / "bundle")
    empty_cache(world)
    result = world.tree.run("make", "OFFLINE=1", f"SLICENODE_SOURCES={folder}", "pkgs", wrap=no_network)
    assert result.code == 0, result.text
    assert (world.tree.folder / "out" / "sysroot" / "share" / "beta" / "hello.txt").exists()


def test_a_bundle_that_is_only_read(world: World) -> None:
    folder = bundle(world, world.folder / "bundle")
    empty_cache(world)
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    world.tree.fetched(OFFLINE="1", SLICENODE_SOURCES=f"file://{folder}")
    assert world.all_there()


def test_a_bundle_served_by_http(world: World) -> None:
    folder = bundle(world, world.folder / "bundle")
    empty_cache(world)
    server = world.server(folder=folder)
    before = world.mirror.asked()
    world.tree.fetched(SLICENODE_SOURCES=server.url)
    assert world.all_there()
    assert world.mirror.asked() == before


def test_offline_asks_no_server(world: World) -> None:
    """systemd/openbmc#2233, nix-community/nix-environments#109: an offline build made a connectivity check."""
    server = world.server(folder=world.place())
    result = world.tree.refused(OFFLINE="1", SLICENODE_SOURCES=f"{server.url} {world.place([world.beta], 'some')}")
    assert world.tree.has(world.beta)
    assert not server.asked() and not world.mirror.asked() and not world.snapshot.asked()
    assert f"{len(world.all) - 1} of {len(world.all)} files" in result.text
    assert "OFFLINE" in result.text, "why no mirror was asked"


def test_offline_with_a_full_cache(world: World, no_network: list[str]) -> None:
    world.tree.fetched()
    result = world.tree.fetch("all", wrap=no_network, OFFLINE="1")
    assert result.code == 0, result.text


def test_offline_does_not_move_pins(world: World) -> None:
    """The index that an earlier run left must not decide."""
    world.tree.fetched()
    newer = world.archive.source("alpha", "1.2.9-2")
    world.publish()
    world.tree.run("scripts/pins", "status")
    for pin in world.alpha:
        world.tree.cached(pin).unlink()
    result = world.tree.refused(OFFLINE="1")
    assert not world.tree.moved("alpha") and not any(world.tree.has(pin) for pin in newer)
    assert "MOVED" not in result.text


def test_no_network_at_all(world: World, no_network: list[str]) -> None:
    """The message says what is missing and what to do, and comes without a long wait."""
    result = world.tree.fetch("all", wrap=no_network)
    assert result.code == 1, result.text
    assert f"{len(world.all)} of {len(world.all)} files" in result.text
    assert "Traceback" not in result.text
    assert "SLICENODE_SOURCES" in result.text, "what can be done without a network"
    assert result.seconds < 60


def test_no_network_but_a_full_cache(world: World, no_network: list[str]) -> None:
    world.tree.fetched()
    result = world.tree.fetch("all", wrap=no_network)
    assert result.code == 0, result.text


def test_a_folder_that_is_no_bundle(world: World) -> None:
    """portage PR #462: a place with another layout is named, not asked a hundred times."""
    other = world.folder / "other"
    (other / world.beta.sha256[:2]).mkdir(parents=True)
    (other / world.beta.sha256[:2] / world.beta.sha256).write_bytes(world.archive.history[world.beta.sha1])
    result = world.tree.refused(OFFLINE="1", SLICENODE_SOURCES=str(other))
    assert str(other) in result.text


@pytest.mark.parametrize("place", ["ftp//x", "sources", "gopher://x/", "http://"])
def test_a_place_that_makes_no_sense(world: World, place: str) -> None:
    """A misspelt setting is named; the rest is asked all the same, or it ends at once."""
    result = world.tree.fetch(SLICENODE_SOURCES=place)
    assert "Traceback" not in result.text
    assert place in result.text, result.text
