"""Where a pinned file is looked for, in which order, and what is said when it is nowhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from archive import DAY, Pinned
from faults import Fault, Request, honest, in_turn, redirect, status
from server import Server
from world import World

GONE = status("404 Not Found")


def asked_for(server: Server, pin: Pinned) -> int:
    return server.asked(f"*/{pin.path}")


def test_all_are_fetched_and_then_kept(world: World) -> None:
    world.tree.fetched()
    assert world.all_there()
    assert not list(world.tree.temporary.iterdir())
    assert [asked_for(world.mirror, pin) for pin in world.all] == [1] * len(world.all)
    assert not world.snapshot.asked()
    before = world.mirror.asked()
    world.tree.fetched()
    assert world.mirror.asked() == before, "a full cache needs no server"


def test_one_recipe_alone(world: World) -> None:
    world.tree.fetched("alpha")
    assert all(world.tree.has(pin) for pin in world.alpha)
    assert not world.tree.has(world.beta)


def test_image_is_without_the_guest(world: World) -> None:
    world.tree.fetched("image")
    assert world.tree.has(world.beta) and world.tree.has(world.alpha[0])
    assert not world.tree.has(world.guestlib)


def test_an_unknown_name_is_an_error(world: World) -> None:
    result = world.tree.refused("gamma")
    assert "gamma" in result.text


def test_files_prints_paths_in_the_cache(world: World) -> None:
    result = world.tree.fetch("--files", "alpha")
    assert result.code == 0, result.text
    lines = [line.split(" ", 2) for line in result.out.splitlines()]
    assert [line[:2] for line in lines] == [["source", pin.file] for pin in world.alpha]
    for line, pin in zip(lines, world.alpha):
        assert Path(line[2]).read_bytes() == world.archive.history[pin.sha1]


def test_a_superseded_version_is_still_in_the_pool(world: World) -> None:
    """The index names a newer version only; the old file is where it always was (Xen, GRUB and ca-certificates
    left trixie's index so on the day of a point release)."""
    world.archive.source("alpha", "1.2.4-1")
    world.archive.binary("beta", "20260101")
    world.publish()
    result = world.tree.fetched()
    assert world.all_there()
    assert not world.snapshot.asked()
    assert "MOVED" not in result.text


def test_the_pool_is_asked_without_any_index(world: World) -> None:
    """A mirror whose dists/ is gone, as for a release that moved to the archive (adoptium/installer#1471)."""
    world.mirror.fault("*/dists/*", GONE)
    world.tree.fetched()
    assert world.all_there()


def test_a_stale_index_does_not_matter(world: World) -> None:
    world.archive.publish(date=world.archive.published - 60 * DAY)
    world.security.publish(date=world.security.published - 60 * DAY)
    world.tree.fetched()
    assert world.all_there()


def test_gone_from_the_pool_but_at_the_snapshot_service(world: World) -> None:
    world.archive.source("alpha", "1.2.4-1")
    world.archive.drop(*world.alpha)
    world.publish()
    result = world.tree.fetched()
    assert world.all_there()
    assert "MOVED" not in result.text
    for pin in world.alpha:
        assert world.snapshot.asked(f"/file/{pin.sha1}") == 1
    assert world.snapshot.asked() == len(world.alpha), "the others were at the mirror"
    assert world.snapshot.peak == 1, "one request at a time"


def test_the_snapshot_service_is_asked_by_date_too(world: World) -> None:
    """debuerreotype/debuerreotype#27: one of its two ways can lack a file that the other has."""
    world.archive.drop(*world.alpha)
    world.snapshot.fault("/file/*", GONE)
    world.tree.fetched()
    assert world.all_there()
    for pin in world.alpha:
        assert world.snapshot.asked(f"/archive/debian/{pin.date}/{pin.path}") == 1


def test_security_updates_at_the_snapshot_service(world: World) -> None:
    """Files of pool/updates are in another archive there."""
    update = world.security.binary("beta", "20250101+deb13u2")
    world.publish()
    world.tree.pins("beta", [update])
    world.security.drop(update)
    world.snapshot.fault("/file/*", GONE)
    world.tree.fetched("beta")
    assert world.tree.has(update)
    assert world.snapshot.asked(f"/archive/debian-security/{update.date}/{update.path}") == 1


def test_security_updates_at_the_mirror(world: World) -> None:
    update = world.security.source("alpha", "1.2.3-1+deb13u1")
    world.publish()
    world.tree.pins("alpha", update)
    world.tree.fetched("alpha")
    assert all(world.tree.has(pin) for pin in update)
    assert not world.snapshot.asked()


def test_the_address_that_the_index_has_now(world: World) -> None:
    """The file was moved within the pool: the pinned path answers 404, the index knows the new one."""
    moved = world.archive.move(world.beta, "pool/main/n/new-source/beta_20250101+deb13u1_all.deb")
    world.publish()
    result = world.tree.fetched("beta")
    assert world.tree.has(world.beta)
    assert asked_for(world.mirror, moved) == 1
    assert not world.snapshot.asked()
    assert "MOVED" not in result.text


@pytest.mark.parametrize("form", ["folder", "file", "http", "http/"])
def test_own_places_come_before_mirrors(world: World, form: str) -> None:
    folder = world.place()
    address = {"folder": str(folder), "file": f"file://{folder}"}.get(form)
    if address is None:
        address = world.server(folder=folder).url + form[4:]
    world.tree.fetched(SLICENODE_SOURCES=address)
    assert world.all_there()
    assert not world.mirror.asked() and not world.snapshot.asked()


def test_own_places_in_their_order(world: World) -> None:
    first, second = world.place([world.beta], "first"), world.place(world.all, "second")
    servers = [world.server(folder=folder) for folder in (first, second)]
    world.tree.fetched(SLICENODE_SOURCES=f"{servers[0].url}\n  {servers[1].url}")
    assert world.all_there()
    assert not servers[1].asked(f"*{world.beta.sha256}")
    assert servers[1].asked(f"*{world.alpha[0].sha256}") == 1
    assert not world.mirror.asked()


def test_an_own_place_that_lacks_files_is_followed_by_the_mirrors(world: World) -> None:
    world.tree.fetched(SLICENODE_SOURCES=str(world.place([world.beta])))
    assert world.all_there()
    assert not asked_for(world.mirror, world.beta)


def test_every_mirror_is_asked(world: World) -> None:
    """Mirrors differ: apache/doris PR #67560, debuerreotype/docker-debian-artifacts#166."""
    lacking = world.server(folder=world.folder / "empty")
    world.apt(lacking.url, world.mirror.url)
    world.tree.fetched()
    assert world.all_there()
    assert not world.snapshot.asked()


def test_a_mirror_with_slashes_and_a_prefix(world: World) -> None:
    """lxc/incus-os#983: an address with a slash at its end, or below a folder."""
    world.apt_lines("deb MIRROR/debian/ SUITE main\n")
    world.tree.fetched()
    assert world.all_there()


def only_form(form: str) -> Fault:
    def fault(request: Request) -> None:
        plus = {"plain": "+", "upper": "%2B", "lower": "%2b"}[form]
        if "+" in request.path and plus not in request.target:
            request.content = None
        honest(request)

    return fault


@pytest.mark.parametrize("form", ["plain", "lower"])
def test_a_plus_in_a_path(world: World, form: str) -> None:
    """Object stores take + for a space, others refuse %2b: aptly-dev/aptly#98, apt-mirror/apt-mirror#170."""
    world.mirror.fault("*/pool/*", only_form(form))
    world.tree.fetched()
    assert world.all_there()
    assert not world.snapshot.asked()


def test_a_mirror_that_sends_elsewhere(world: World) -> None:
    other = world.server(folder=world.folder / "mirror")
    world.mirror.fault("*/pool/*", redirect(f"{other.url}*"))
    world.tree.fetched()
    assert world.all_there()


def test_a_mirror_that_lacks_a_file_for_a_moment(world: World) -> None:
    """Nodes of one address disagree for minutes (alexbelgium/hassio-addons PR #3047). Whoever gets it in the end, the
    file is had."""
    world.mirror.fault(f"*/{world.beta.path}", in_turn(GONE, honest))
    world.tree.fetched()
    assert world.all_there()


# --- Nowhere ----------------------------------------------------------------------------------------

def missing_block(text: str, pin: Pinned) -> list[str]:
    """The lines about one file in the final message."""
    lines = text.splitlines()
    title = f"{pin.file} ({pin.package} {pin.version})"
    starts = [number for number, line in enumerate(lines) if line.strip() == title]
    assert len(starts) == 1, f"{title} is not there once:\n{text}"
    indent = len(lines[starts[0]]) - len(lines[starts[0]].lstrip())
    block: list[str] = []
    for line in lines[starts[0] + 1:]:
        if len(line) - len(line.lstrip()) <= indent:
            break
        block.append(line.strip())
    return block


def test_the_message_names_all_files_and_all_places(world: World) -> None:
    """raspberrypi/noobs#300: a message with the last place's answer alone sends people to the wrong one."""
    world.archive.forget("alpha")
    world.archive.forget("beta")
    world.publish()
    world.archive.drop(*world.alpha, world.beta)
    world.snapshot.fault("*", status("403 Forbidden"))
    place = world.server(folder=world.folder / "empty")
    place.fault("*", status("410 Gone"))
    result = world.tree.refused(SLICENODE_SOURCES=f"{place.url} {world.folder}/nothing")
    missing = len(world.alpha) + 1
    assert re.search(rf"{missing} of {len(world.all)} files cannot be had", result.text), result.text
    for pin in (*world.alpha, world.beta):
        block = missing_block(result.text, pin)
        for address, answer in ((place.url, "410"), (f"{world.folder}/nothing", ""), (world.mirror.url, "404"),
                                (world.snapshot.url, "403")):
            assert any(address in line and answer in line for line in block), (address, answer, block)
    assert world.tree.has(world.guestlib), "what can be had is fetched all the same"
    assert result.seconds < 60


def test_what_came_is_kept_for_the_next_run(world: World) -> None:
    world.mirror.fault(f"*/{world.beta.path}", GONE)
    world.snapshot.fault("*", GONE)
    world.tree.refused(PINS="exact")
    before = {pin: asked_for(world.mirror, pin) for pin in world.alpha}
    world.mirror.well()
    world.tree.fetched()
    assert world.all_there()
    assert before == {pin: asked_for(world.mirror, pin) for pin in world.alpha}


def test_many_files_at_once_are_missing(world: World) -> None:
    """NixOS/nixpkgs#10026: upstream keeps the newest alone, so that all pins die on one day."""
    pins = [world.archive.binary(f"many{number}", "1.0-1") for number in range(30)]
    for pin in pins:
        world.archive.forget(pin.package)
    world.publish()
    world.archive.drop(*pins)
    world.tree.recipe("many", pins)
    world.snapshot.fault("*", GONE)
    result = world.tree.refused("many")
    for pin in pins:
        assert missing_block(result.text, pin)
    assert result.seconds < 60
    assert world.snapshot.asked() <= 3 * len(pins)


def test_without_a_snapshot_service(world: World) -> None:
    world.archive.forget("beta")
    world.publish()
    world.archive.drop(world.beta)
    result = world.tree.refused("beta", SLICENODE_SNAPSHOT="")
    assert not world.snapshot.asked()
    assert "snapshot.debian.org" not in result.text
