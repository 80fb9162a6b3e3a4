"""Moved pins: what the suite names now, taken as the last way out, loudly, or not at all."""

from __future__ import annotations

from archive import DAY, Pinned
from faults import honest, in_turn, status
from openpgp import Key
from world import World

GONE = status("404 Not Found")


def vanish(world: World, *pins: Pinned) -> None:
    """The pool and the snapshot service have them no more."""
    world.archive.drop(*pins)
    for pin in pins:
        world.snapshot.fault(f"/file/{pin.sha1}", GONE)
        world.snapshot.fault(f"/archive/*/{pin.path}", GONE)


def alpha_moves(world: World, version: str = "1.2.9-2") -> list[Pinned]:
    """A newer alpha in the index, the pinned one nowhere."""
    vanish(world, *world.alpha)
    newer = world.archive.source("alpha", version)
    world.publish()
    return newer


def loud_lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if "MOVED PIN" in line]


def pins_of(text: str) -> list[str]:
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def test_a_moved_pin_is_said_and_written(world: World) -> None:
    newer = alpha_moves(world)
    result = world.tree.fetched()
    lines = loud_lines(result.text)
    assert len(lines) == 1, result.text
    assert all(word in lines[0] for word in ("fetch: ", "alpha", "1.2.3-1", "1.2.9-2", "trixie")), lines
    assert all(world.tree.has(pin) for pin in newer)
    written = pins_of(world.tree.moved("alpha"))
    assert [line.split()[:6] for line in written] == [pin.line().split()[:6] for pin in newer]
    assert [line.split()[7] for line in written] == [pin.path for pin in newer]
    assert world.tree.pinned_lines("alpha") == [pin.line() for pin in world.alpha], "the pins stay as they are"


def test_the_version_says_so(world: World) -> None:
    before = world.tree.run("scripts/version").out.strip()
    alpha_moves(world)
    world.tree.fetched()
    assert world.tree.run("scripts/version").out.strip() == f"{before}+moved"


def test_files_are_those_of_the_moved_pin(world: World) -> None:
    newer = alpha_moves(world)
    world.tree.fetched()
    result = world.tree.fetch("--files", "alpha")
    assert result.code == 0, result.text
    assert [line.split()[1] for line in result.out.splitlines()] == [pin.file for pin in newer]


def test_each_run_says_it_again(world: World) -> None:
    alpha_moves(world)
    world.tree.fetched()
    assert loud_lines(world.tree.fetched().text)


def test_what_was_not_answered_is_not_gone(world: World) -> None:
    """A mirror is too busy for one file, and then sends the newer ones: the old one is asked for once more."""
    world.archive.source("alpha", "1.2.9-2")
    world.publish()
    world.snapshot.fault("*", GONE)
    busy = [status("503 Service Unavailable")] * 6
    world.mirror.fault(f"*/{world.alpha[0].path}", in_turn(*busy, honest))
    result = world.tree.fetched("alpha", SLICENODE_RETRY_SECONDS="0.05")
    assert not loud_lines(result.text), result.text
    assert all(world.tree.has(pin) for pin in world.alpha)
    assert not world.tree.moved("alpha")


def test_a_moved_pin_says_what_each_place_answered(world: World) -> None:
    alpha_moves(world)
    result = world.tree.fetched()
    assert world.alpha[0].file in result.text
    assert "answered 404" in result.text.partition("MOVED PIN")[0], result.text


def test_one_line_for_each_package(world: World) -> None:
    alpha_moves(world)
    vanish(world, world.beta)
    world.archive.binary("beta", "20260101")
    world.publish()
    lines = loud_lines(world.tree.fetched().text)
    assert len(lines) == 2
    assert any("alpha" in line for line in lines) and any("beta" in line for line in lines)


def test_a_moved_guest_does_not_mark_the_image(world: World) -> None:
    vanish(world, world.guestlib)
    world.archive.binary("guestlib", "1:3.0-2", source="guest", architecture="amd64")
    world.publish()
    result = world.tree.fetched()
    assert len(loud_lines(result.text)) == 1 and "guest" in loud_lines(result.text)[0]
    assert "1:3.0-2" in loud_lines(result.text)[0]
    assert [line.split()[1:3] for line in pins_of(world.tree.moved("guest-debian"))] == [
        ["apt", "3.0.3"], ["guestlib", "1:3.0-2"]]
    assert "+moved" not in world.tree.run("scripts/version").out


def test_a_security_update_is_a_way_out(world: World) -> None:
    vanish(world, *world.alpha)
    world.archive.forget("alpha")
    update = world.security.source("alpha", "1.2.3-1+deb13u1")
    world.publish()
    lines = loud_lines(world.tree.fetched().text)
    assert len(lines) == 1 and "1.2.3-1+deb13u1" in lines[0] and "trixie-security" in lines[0]
    assert world.tree.has(update[1])


def test_the_newest_of_both_suites(world: World) -> None:
    alpha_moves(world, "1.2.3-1+deb13u1")
    world.security.source("alpha", "1.2.3-1+deb13u2")
    world.publish()
    assert "1.2.3-1+deb13u2" in loud_lines(world.tree.fetched().text)[0]


# --- Back to the pins ---------------------------------------------------------------------------------

def test_it_ends_when_the_files_can_be_had_again(world: World) -> None:
    alpha_moves(world)
    world.tree.fetched()
    assert world.tree.moved("alpha")
    world.snapshot.well()
    result = world.tree.fetched()
    assert not loud_lines(result.text), result.text
    assert not world.tree.moved("alpha")
    assert all(world.tree.has(pin) for pin in world.alpha)
    assert "+moved" not in world.tree.run("scripts/version").out


def test_it_ends_when_the_pins_change(world: World) -> None:
    newer = alpha_moves(world)
    world.tree.fetched()
    world.tree.pins("alpha", newer)
    result = world.tree.fetched()
    assert not loud_lines(result.text)
    assert not world.tree.moved("alpha")


# --- Not to be moved ----------------------------------------------------------------------------------

def test_pins_exact_refuses(world: World) -> None:
    newer = alpha_moves(world)
    result = world.tree.refused(PINS="exact")
    assert not loud_lines(result.text)
    assert not world.tree.moved("alpha")
    assert not any(world.tree.has(pin) for pin in newer)
    for pin in world.alpha:
        assert pin.file in result.text
    assert "1.2.9-2" in result.text or "PINS=exact" in result.text, "what can be done is said"


def test_pins_exact_after_a_moved_build(world: World) -> None:
    """confidential-dot-ai/confidential-os-builder#96: a setting that pins must not fail open."""
    alpha_moves(world)
    world.tree.fetched()
    world.tree.refused(PINS="exact")
    files = world.tree.fetch("--files", "alpha", PINS="exact")
    assert files.code == 1 and "1.2.9" not in files.out, files.text
    built = world.tree.run("scripts/build-pkg", "initramfs/pkg/alpha", PINS="exact")
    assert built.code != 0 and "alpha" in built.text


def test_a_misspelt_setting_is_refused(world: World) -> None:
    for value in ("Exact", "EXACT", "1", "yes"):
        result = world.tree.fetch(PINS=value)
        assert result.code != 0, result.text
        assert f"PINS={value}" in result.text and "exact" in result.text, result.text
        assert not world.mirror.asked()


def test_another_upstream_series_is_not_taken(world: World) -> None:
    alpha_moves(world, "1.3.0-1")
    result = world.tree.refused()
    assert not world.tree.moved("alpha")
    assert "1.3.0-1" in result.text, "what the suite has instead is worth knowing"


def test_never_backwards(world: World) -> None:
    """juju/charm-helpers#910: an old index silently chose an old version."""
    vanish(world, *world.alpha)
    world.archive.source("alpha", "1.2.3-1~deb13u1")
    world.publish()
    world.tree.refused()
    assert not world.tree.moved("alpha")


def test_not_if_a_file_of_it_cannot_be_had(world: World) -> None:
    """apache/doris PR #67560, and Xen in trixie's point release: the index names files that answer 404."""
    newer = alpha_moves(world)
    world.archive.drop(newer[0])
    world.snapshot.fault("*", GONE)
    result = world.tree.refused()
    assert not loud_lines(result.text)
    assert not world.tree.moved("alpha")
    assert "1.2.9-2" in result.text


def test_packages_of_one_recipe_move_by_themselves(world: World) -> None:
    """Only the package whose files are gone moves; the other one's pin stays."""
    other = world.archive.binary("other", "1.0-1")
    world.archive.binary("other", "1.0-2")
    world.tree.pins("beta", [world.beta, other])
    vanish(world, world.beta)
    world.archive.binary("beta", "20260101")
    world.publish()
    lines = loud_lines(world.tree.fetched("beta").text)
    assert len(lines) == 1 and "beta" in lines[0]
    assert other.line() in world.tree.moved("beta")


def test_both_files_of_a_source_move_together(world: World) -> None:
    """GoogleContainerTools/distroless PR #356: parts of one source at different versions."""
    vanish(world, world.alpha[1])
    newer = world.archive.source("alpha", "1.2.9-2")
    world.publish()
    world.tree.fetched()
    assert [line.split()[2] for line in pins_of(world.tree.moved("alpha"))] == ["1.2.9-2"] * len(newer)


def test_an_index_that_nobody_signed_moves_nothing(world: World) -> None:
    alpha_moves(world)
    release = world.folder / "mirror" / "debian" / "dists" / "trixie" / "InRelease"
    release.write_text(release.read_text().replace("Label: Debian", "Label: debian"))
    result = world.tree.refused()
    assert not world.tree.moved("alpha")
    assert "sign" in result.text.lower() or "InRelease" in result.text, result.text


def test_an_index_of_another_key_moves_nothing(world: World) -> None:
    alpha_moves(world)
    stranger = Key(world.folder, "stranger")
    world.archive.publish(key=stranger)
    world.security.publish(key=stranger)
    world.tree.refused()
    assert not world.tree.moved("alpha")


def test_an_index_that_was_changed_moves_nothing(world: World) -> None:
    """What the signed Release says of Sources does not fit."""
    alpha_moves(world)
    for path in (world.folder / "mirror" / "debian" / "dists" / "trixie" / "main" / "source").rglob("*"):
        if path.is_file():
            path.write_bytes(path.read_bytes().replace(b"1.2.9-2", b"1.2.9-3") + b"\n")
    world.tree.refused()
    assert not world.tree.moved("alpha")


def test_an_expired_index_moves_nothing_silently(world: World) -> None:
    """Its Valid-Until is over: whoever sends it may keep newer versions back."""
    alpha_moves(world)
    world.archive.publish(date=world.archive.published - 60 * DAY)
    world.security.publish(date=world.security.published - 60 * DAY)
    result = world.tree.refused()
    assert not world.tree.moved("alpha")
    assert "expired" in result.text or "Valid-Until" in result.text or "stale" in result.text, result.text


def test_the_moved_file_must_have_the_sum_of_the_index(world: World) -> None:
    """ntop/ntopng#1489: a file replaced under the same version."""
    newer = alpha_moves(world)
    path = world.folder / "mirror" / "debian" / newer[0].path
    path.write_bytes(b"?" + path.read_bytes()[1:])
    world.snapshot.fault("*", GONE)
    world.tree.refused()
    assert not world.tree.moved("alpha") and not world.tree.has(newer[0])


def test_a_keyring_that_is_not_there(world: World) -> None:
    """openwrt/packages PR #29353, sonic-net/sonic-buildimage#17107: pins need no signature, a moved one does, and then
    the message says so."""
    missing = str(world.folder / "no-such-keyring.gpg")
    world.tree.fetched(SLICENODE_KEYRING=missing)
    fresh = world.archive.source("alpha", "1.2.4-1")
    world.tree.pins("alpha", fresh)
    vanish(world, *fresh)
    world.archive.source("alpha", "1.2.9-2")
    world.publish()
    result = world.tree.refused(SLICENODE_KEYRING=missing)
    assert missing in result.text
