"""Several builds at once, builds that are interrupted, and caches that cannot be written: the cache stays sound."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

import faults
from archive import Pinned
from tree import Tree, ended, kill_all, wait_until
from world import World


def many(world: World, count: int = 10) -> list[Pinned]:
    """The guest made of many packages."""
    pins = [world.archive.binary(f"many{number}", "1.0-1") for number in range(count)]
    world.publish()
    world.tree.guest(pins)
    return pins


# --- Two at once --------------------------------------------------------------------------------------

def test_two_builds_at_once(world: World) -> None:
    """bazelbuild/bazel#8327, spack/spack#10096: two builds, one cache, slow server. Both succeed, and each file is
    downloaded about once."""
    pins = many(world)
    world.mirror.fault("*/pool/*", faults.trickle(150_000))
    for result in [ended(process) for process in [world.tree.start("scripts/fetch", "all") for _ in range(2)]]:
        assert result.code == 0, result.text
    world.tree.check_cache()
    assert all(world.tree.has(pin) for pin in (*pins, *world.alpha))
    sizes = sum(pin.size for pin in (*pins, *world.alpha, world.beta))
    assert world.mirror.body_bytes("*/pool/*") <= sizes * 1.2


def test_two_trees_at_once_with_other_settings(world: World) -> None:
    """Another clone, another list of places, the same cache; and pins that must be looked up in the index."""
    pins = many(world)
    other = Tree(world.template, world.folder, world.keyring, "other")
    other.recipe("alpha", world.alpha)
    other.recipe("beta", [world.beta], below="hv")
    other.guest(pins)
    other.environment |= {"SLICENODE_SNAPSHOT": world.snapshot.url, "SLICENODE_SOURCES": str(world.place())}
    world.archive.move(world.beta, "pool/main/n/new/beta.deb")
    world.publish()
    world.mirror.fault("*/pool/*", faults.trickle(150_000))
    processes = [tree.start("scripts/fetch", "all") for tree in (world.tree, other)]
    for result in [ended(process) for process in processes]:
        assert result.code == 0, result.text
    world.tree.check_cache()
    assert all(world.tree.has(pin) for pin in (*pins, world.beta, *world.alpha))


def test_three_look_into_the_index_at_once(world: World) -> None:
    """tailhook/vagga#394: two `apt-get update` in one folder of lists."""
    processes = [world.tree.start("scripts/pins", "status") for _ in range(3)]
    for result in [ended(process) for process in processes]:
        assert result.code == 0, result.text
        assert "Traceback" not in result.text


def test_one_is_killed_while_the_other_waits_for_it(world: World) -> None:
    """OpenELEC PR #4676: a lock that stays after Ctrl-C holds up everybody for ever."""
    world.mirror.fault(f"*/{world.beta.path}", faults.in_turn(faults.hang_after(0.5), faults.honest))
    first = world.tree.start("scripts/fetch", "beta", SLICENODE_STALL_SECONDS="60")
    world.mirror.wait_for(f"*/{world.beta.path}")
    second = world.tree.start("scripts/fetch", "beta")
    kill_all(first)
    first.communicate()
    result = ended(second)
    assert result.code == 0, result.text
    assert world.tree.has(world.beta)
    world.tree.check_cache()


def test_a_slow_file_does_not_hold_up_the_other_build(world: World) -> None:
    world.mirror.fault(f"*/{world.alpha[0].path}", faults.hang)
    slow = world.tree.start("scripts/fetch", "alpha", SLICENODE_STALL_SECONDS="60")
    try:
        world.mirror.wait_for(f"*/{world.alpha[0].path}")
        world.tree.fetched("beta")
    finally:
        kill_all(slow)
        slow.communicate()


# --- Interrupted --------------------------------------------------------------------------------------

MOMENTS = ["index", "before headers", "in the middle", "at the end"]
INTERRUPTED: list[tuple[str, signal.Signals]] = [(moment, signal.SIGKILL) for moment in MOMENTS]
INTERRUPTED += [("index", signal.SIGINT), ("in the middle", signal.SIGINT), ("index", signal.SIGTERM),
                ("in the middle", signal.SIGTERM), ("in the middle", signal.SIGHUP)]


@pytest.mark.parametrize("moment, number", INTERRUPTED)
def test_interrupted_and_again(world: World, moment: str, number: signal.Signals) -> None:
    """abuild#38, pmbootstrap#1407: after the second Ctrl-C half a file counted as a whole one."""
    path = f"*/{world.alpha[0].path}"
    if moment == "index":
        world.archive.move(world.beta, "pool/main/n/new/beta.deb")
        world.publish()
        path = "*/dists/*"
        world.mirror.fault(path, faults.hang)
    else:
        world.mirror.fault(path, {"before headers": faults.hang, "in the middle": faults.hang_after(0.5),
                                  "at the end": faults.hang_after(0.999)}[moment])
    process = world.tree.start("scripts/fetch", "all", SLICENODE_STALL_SECONDS="60")
    world.mirror.wait_for(path)
    if moment in ("in the middle", "at the end"):
        size = world.alpha[0].size // 3
        wait_until(lambda: any(file.stat().st_size > size for file in _files(world.tree.cache)), process)
    if number == signal.SIGKILL:
        kill_all(process, number)
    else:
        process.send_signal(number)
    result = ended(process, limit=40)
    assert result.code != 0
    if number != signal.SIGKILL:
        assert "Traceback" not in result.text, result.text
    world.tree.check_cache()
    assert not world.tree.has(world.alpha[0]) or moment == "index"
    world.mirror.well()
    before = world.mirror.body_bytes(f"*/{world.alpha[0].path}")
    world.tree.fetched()
    assert world.all_there()
    if moment == "in the middle":
        again = world.mirror.body_bytes(f"*/{world.alpha[0].path}") - before
        assert again < world.alpha[0].size * 0.7, "it goes on where it stopped"


def _files(folder: Path) -> list[Path]:
    found = []
    for path in folder.rglob("*"):
        try:
            if path.is_file():
                found.append(path)
        except OSError:
            pass
    return found


def test_an_interrupted_fetch_leaves_nothing_behind(world: World) -> None:
    """No process, no folder of its own."""
    world.mirror.fault("*/pool/*", faults.hang)
    process = world.tree.start("scripts/fetch", "all", SLICENODE_STALL_SECONDS="60")
    world.mirror.wait_for("*/pool/*")
    process.send_signal(signal.SIGTERM)
    ended(process)
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
    assert not list(world.tree.temporary.iterdir())


def test_killed_at_many_moments(world: World) -> None:
    """Killed as soon as so many requests came, again and again: every run adds, none spoils, the last one ends."""
    pins = many(world, 6)
    for count in range(1, 9):
        seen = world.mirror.asked()
        process = world.tree.start("scripts/fetch", "guest-debian")
        wait_until_or_end(world, process, seen + count)
        kill_all(process)
        process.communicate()
        world.tree.check_cache()
    world.tree.fetched("guest-debian")
    assert all(world.tree.has(pin) for pin in pins)


def wait_until_or_end(world: World, process: subprocess.Popen[str], requests: int) -> None:
    """Until the server got so many requests, or the command has ended without them."""
    while world.mirror.asked() < requests and process.poll() is None:
        try:
            process.wait(0.005)
        except subprocess.TimeoutExpired:
            pass


# --- Nowhere to write ---------------------------------------------------------------------------------

def test_a_full_disk(world: World, namespace: list[str]) -> None:
    """A cache of 70 KiB: the message names it and the reason; with room the next run ends it. The cache's content is
    taken out of the namespace to be looked at."""
    kept = world.folder / "kept"
    script = 'mount -t tmpfs -o size=70k none "$1" && cache=$1 kept=$2 && shift 2 && "$@"; code=$?; ' \
             'cp -r "$cache" "$kept"; exit $code'
    result = world.tree.fetch("all", wrap=[*namespace, "sh", "-c", script, "sh", str(world.tree.cache), str(kept)])
    assert result.code == 1, result.text
    assert "Traceback" not in result.text, result.text
    assert "No space left" in result.text or "disk is full" in result.text, result.text
    assert str(world.tree.cache) in result.text
    assert "sent another file" not in result.text, "no mirror is to blame"
    world.tree.cache.rmdir()
    kept.rename(world.tree.cache)
    world.tree.check_cache()
    world.tree.fetched()
    assert world.all_there()


def test_a_limit_of_a_files_size(world: World) -> None:
    result = world.tree.fetch("all", wrap=["sh", "-c", 'ulimit -f 40; exec "$@"', "sh"])
    assert result.code == 1, (result.code, result.text)
    assert "Traceback" not in result.text, result.text
    assert "File too large" in result.text, result.text
    world.tree.check_cache()
    world.tree.fetched()
    assert world.all_there()


def user(world: World) -> list[str]:
    """Runs a command as somebody else than root, to whom permissions matter. The tree becomes theirs."""
    if os.getuid() != 0:
        return []
    subprocess.run(["chown", "-R", "nobody", world.tree.folder, world.tree.cache, world.tree.home,
                    world.tree.temporary, world.folder / "apt-state"], check=True)
    return ["setpriv", "--reuid=nobody", "--clear-groups"]


def only_read(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)


def test_a_full_cache_that_is_only_read(world: World) -> None:
    """notatallshaw/nab PR #528, mamba-org/mamba#1292: everything was there, but the lock could not be made."""
    world.tree.fetched()
    asked = world.mirror.asked()
    wrap = user(world)
    only_read(world.tree.cache)
    result = world.tree.fetch("all", wrap=wrap)
    assert result.code == 0, result.text
    assert world.mirror.asked() == asked
    result = world.tree.fetch("--files", "alpha", wrap=wrap)
    assert result.code == 0 and str(world.tree.cached(world.alpha[0])) in result.out, result.text


def test_a_cache_that_lacks_files_and_is_only_read(world: World) -> None:
    """It works with a place of its own, or says what cannot be written and which files are missing."""
    world.tree.fetched("beta")
    wrap = user(world)
    only_read(world.tree.cache)
    result = world.tree.fetch("all", wrap=wrap)
    assert "Traceback" not in result.text
    assert str(world.tree.cache) in result.text, result.text
    files = world.tree.fetch("--files", "alpha", wrap=wrap)
    if result.code == 0:
        for line, pin in zip(files.out.splitlines(), world.alpha):
            assert Path(line.split(" ", 2)[2]).read_bytes() == world.archive.history[pin.sha1]
    else:
        assert world.alpha[0].file in result.text


def test_a_read_only_file_system(world: World, namespace: list[str]) -> None:
    """To root permissions do not matter, a read-only mount does."""
    world.tree.fetched()
    script = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && shift && exec "$@"'
    for name in ("scripts/fetch", "all"), ("scripts/fetch", "--files", "alpha"):
        result = world.tree.run(*name, wrap=[*namespace, "sh", "-c", script, "sh", str(world.tree.cache)])
        assert result.code == 0, result.text


@pytest.mark.parametrize("state", ["damaged", "empty"])
def test_a_cache_that_can_only_be_read(world: World, namespace: list[str], state: str) -> None:
    """What cannot be put aside stays, and what is fetched goes to out/cache."""
    world.tree.fetched()
    cached = world.tree.cached(world.beta)
    if state == "damaged":
        cached.write_bytes(b"?" * world.beta.size)
    else:
        cached.unlink()
    script = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && shift && exec "$@"'
    wrap = [*namespace, "sh", "-c", script, "sh", str(world.tree.cache)]
    result = world.tree.run("scripts/fetch", "--files", "beta", wrap=wrap)
    assert result.code == 0, result.text
    assert state == "empty" or "damaged" in result.text, result.text
    path = result.out.split(" ", 2)[2].strip()
    assert path.startswith(f"{world.tree.folder}/out/cache/"), result.text


def test_a_whole_file_that_was_not_yet_kept(world: World) -> None:
    partial = world.tree.cache / "sources" / "partial" / world.beta.sha256
    partial.parent.mkdir(parents=True)
    partial.write_bytes(world.archive.history[world.beta.sha1])
    world.tree.run("scripts/fetch", "beta", OFFLINE="1")
    assert world.tree.has(world.beta)


def test_a_cache_that_is_a_file(world: World) -> None:
    world.tree.cache.rmdir()
    world.tree.cache.write_text("")
    result = world.tree.fetch("all")
    assert "Traceback" not in result.text
    assert str(world.tree.cache) in result.text, result.text


def test_a_folder_of_somebody_else_in_the_cache(world: World) -> None:
    """sudo make once, make for ever after: OP-TEE/optee_os#3505, atom PR #4907."""
    wrap = user(world)
    if not wrap:
        pytest.skip("only root can make a folder of somebody else")
    foreign = world.tree.cached(world.beta).parent
    foreign.mkdir(parents=True)
    (world.tree.cache / "sources").chmod(0o755)
    for path in (world.tree.cache / "sources", world.tree.cache / "sources" / "sha256"):
        os.chown(path, 65534, 65534)
    foreign.chmod(0o700)
    result = world.tree.fetch("all", wrap=wrap)
    assert "Traceback" not in result.text, result.text
    assert all(world.tree.has(pin) for pin in world.alpha), "other files are fetched all the same"
    if result.code != 0:
        assert str(foreign) in result.text, result.text
