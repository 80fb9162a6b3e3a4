"""What a fresh pair of hands broke: make around the fetch, passwords, caches that can only be read, typing mistakes."""

from __future__ import annotations

import pytest

from test_moved import alpha_moves
from tree import Result
from world import World

MAKE = ("make", "out/stamp/alpha")


def make(world: World, *words: str, **environment: str) -> Result:
    return world.tree.run(*MAKE, *words, **environment)


def test_exact_pins_in_a_tree_with_moved_ones(world: World) -> None:
    """The stamps of the build with moved pins were taken for good."""
    alpha_moves(world)
    first = make(world)
    assert first.code == 0 and "MOVED PIN" in first.text, first.text
    again = make(world)
    assert again.code == 0 and "MOVED PIN" in again.text, "it is said at each make"
    exact = make(world, PINS="exact")
    assert exact.code != 0 and "PINS=exact" in exact.text, exact.text


def test_back_to_the_pinned_files(world: World) -> None:
    """The advice of the message helps: a place that has them."""
    place = world.place(world.alpha)
    alpha_moves(world)
    assert make(world).code == 0
    result = make(world, SLICENODE_SOURCES=str(place))
    assert result.code == 0 and "MOVED PIN" not in result.text, result.text
    assert not (world.tree.folder / "out" / "moved" / "alpha.pins").exists()
    assert "moved" not in world.tree.run("scripts/version").out
    installed = world.tree.folder / "out" / "sysroot" / "share" / "alpha" / "hello.txt"
    assert installed.read_text() == "alpha 1.2.3\n"


def test_three_makes_at_once_in_a_fresh_tree(world: World) -> None:
    """They wrote their rules under one temporary name."""
    processes = [world.tree.start(*MAKE) for _ in range(3)]
    for process in processes:
        output, errors = process.communicate(timeout=120)
        assert process.returncode == 0, output + errors
        assert "cannot stat" not in errors, errors


def test_another_cache_is_filled(world: World) -> None:
    """A stamp of an earlier fetch says nothing of this cache."""
    assert world.tree.run("make", "fetch").code == 0
    other = world.folder / "other-cache"
    assert world.tree.run("make", "fetch", SLICENODE_CACHE=str(other)).code == 0
    assert (other / "sources" / "sha256" / world.beta.sha256[:2] / world.beta.sha256).exists()


@pytest.mark.parametrize("setting", [{"PINS": "Exact"}, {"OFFLINE": "yes"}])
def test_a_misspelt_setting_of_make(world: World, setting: dict[str, str]) -> None:
    assert make(world).code == 0
    result = make(world, **setting)
    assert result.code != 0 and "PINS=exact" in result.text, result.text


@pytest.mark.parametrize("proxy", ["http://user:secretpw@127.0.0.1:99999", "http://user:s#ecretpw@127.0.0.1:3128",
                                   "http://user:sec/secretpw@127.0.0.1:3128", "foo://user:secretpw@127.0.0.1:3"])
def test_a_password_of_a_proxy_that_is_written_wrongly(world: World, proxy: str) -> None:
    """curl repeats it in its complaint."""
    world.apt_conf(f'Acquire::http::Proxy "{proxy}";\n')
    result = world.tree.fetch("alpha")
    assert "secretpw" not in result.text and "ecretpw" not in result.text, result.text
    for path in (world.tree.cache / "apt").glob("*"):
        assert path.stat().st_mode & 0o077 == 0, "others cannot read what holds a password"


@pytest.mark.parametrize("setting", [{"SLICENODE_SOURCES": "http://[::1"}, {"SLICENODE_SNAPSHOT": "http://[x"},
                                     {"SLICENODE_SOURCES": "ftp://u:secretpw@h/x"}])
def test_an_address_that_is_none(world: World, setting: dict[str, str]) -> None:
    result = world.tree.fetch("alpha", **setting)
    assert result.code != 0 and "Traceback" not in result.text and "secretpw" not in result.text, result.text
    assert next(iter(setting)) in result.text


def test_a_relative_cache(world: World) -> None:
    result = make(world, SLICENODE_CACHE="a-cache")
    assert result.code == 0, result.text
    assert (world.tree.folder / "a-cache" / "sources").is_dir()


def test_bump_of_a_recipe_that_is_not_there(world: World) -> None:
    """It built and tested for minutes and ended well."""
    result = world.tree.run("scripts/bump", "nosuch")
    assert result.code != 0 and "no recipe 'nosuch'" in result.text, result.text
    assert not (world.tree.folder / "out" / "stamp").exists()


@pytest.mark.parametrize("target", ["x.tar.gz", "no-folder/x.tar"])
def test_a_bundle_with_a_name_that_does_not_do(world: World, target: str) -> None:
    result = world.tree.run("scripts/pins", "bundle", target)
    assert result.code != 0 and "Errno" not in result.text and target in result.text, result.text
    assert not (world.tree.folder / target).exists()
