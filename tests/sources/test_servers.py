"""Servers on bad days: slow, silent, cut off, overloaded. A good place behind them is reached, in bounded time."""

from __future__ import annotations

import socket
import time
from email.utils import formatdate

import pytest

import faults
from faults import Fault, Request
from world import World

GONE = faults.status("404 Not Found")
POOL = "*/pool/*"


def no_snapshot(world: World) -> None:
    world.snapshot.fault("*", GONE)


# --- What a place recovers from ----------------------------------------------------------------------

RECOVERS: dict[str, Fault] = {
    "cuts each connection at half": faults.cut_half,
    "a little of the file for each connection": faults.cut_at(4000),
    "cuts once and has no ranges": faults.no_ranges(faults.cut_at(30_000)),
    "resets in the middle": faults.in_turn(faults.reset_after(0.5), faults.honest),
    "resets at once": faults.in_turn(faults.reset_at_once, faults.honest),
    "ends without an answer": faults.in_turn(lambda request: None, faults.honest),
    "503 once": faults.in_turn(faults.status("503 Service Unavailable"), faults.honest),
    "503 and a short wait": faults.in_turn(faults.status("503 Service Unavailable", "Retry-After: 0"), faults.honest),
    "429 once": faults.in_turn(faults.status("429 Too Many Requests", text=b"slow down"), faults.honest),
    "429 without sense": faults.in_turn(faults.status("429 Too Many Requests", "Retry-After: soon"), faults.honest),
    "429 below zero": faults.in_turn(faults.status("429 Too Many Requests", "Retry-After: -1"), faults.honest),
    "500 twice": faults.in_turn(*[faults.status("500 Internal Server Error")] * 2, faults.honest),
    "more promised than sent": faults.in_turn(faults.wrong_length, faults.honest),
    "slow but steady": faults.trickle(60_000),
    "a block too early": faults.in_turn(faults.cut_half, faults.earlier_range, faults.honest),
}


@pytest.mark.parametrize("what", RECOVERS)
def test_a_place_recovers(world: World, what: str) -> None:
    """curl/curl#18035, rust-lang/cargo#9919, GoogleContainerTools/distroless#269: what goes on or comes back is no
    reason to give up. No other place has the file here."""
    no_snapshot(world)
    world.mirror.fault(f"*/{world.alpha[0].path}", RECOVERS[what])
    world.tree.fetched("alpha", PINS="exact")
    assert all(world.tree.has(pin) for pin in world.alpha)


def test_a_silence_in_the_middle(world: World) -> None:
    """The connection is given up, and another one goes on from there."""
    no_snapshot(world)
    path = f"*/{world.alpha[0].path}"
    world.mirror.fault(path, faults.in_turn(faults.hang_after(0.5), faults.honest))
    world.tree.fetched("alpha", PINS="exact", SLICENODE_STALL_SECONDS="2")
    assert all(world.tree.has(pin) for pin in world.alpha)
    assert world.mirror.body_bytes(path) == world.alpha[0].size


@pytest.mark.parametrize("what", ["hangs", "ends without an answer", "resets"])
def test_one_bad_moment_of_a_good_server(world: World, what: str) -> None:
    """Seen on a real mirror: one of 196 requests was not answered for ten seconds. A server that sends the other files
    is asked again for that one."""
    no_snapshot(world)
    pins = [world.archive.binary(f"many{number}", "1.0-1") for number in range(12)]
    world.publish()
    world.tree.guest(pins)
    world.mirror.fault(f"*/{pins[5].path}", faults.in_turn(LASTING[what], faults.honest))
    result = world.tree.fetched("guest-debian", SLICENODE_STALL_SECONDS=stall(what))
    assert all(world.tree.has(pin) for pin in pins)
    assert "MOVED" not in result.text, result.text


def test_cut_connections_are_resumed(world: World) -> None:
    no_snapshot(world)
    world.mirror.fault(POOL, faults.cut_half)
    world.tree.fetched("alpha", PINS="exact")
    size = world.alpha[0].size
    assert world.mirror.body_bytes(f"*/{world.alpha[0].path}") <= size, "no byte is sent twice"


def test_a_short_pause_is_kept(world: World) -> None:
    """429 with Retry-After: the next request comes after it."""
    no_snapshot(world)
    times: list[float] = []

    def fault(request: Request) -> None:
        times.append(time.monotonic())
        if len(times) == 1:
            return request.page("429 Too Many Requests", b"", "Retry-After: 1")
        return faults.honest(request)

    world.mirror.fault(f"*/{world.beta.path}", fault)
    world.tree.fetched("beta", PINS="exact", SLICENODE_RETRY_SECONDS="0.5")
    assert times[1] - times[0] >= 0.95


# --- What a place does not recover from --------------------------------------------------------------

def fills(request: Request) -> None:
    """A portal: sends everybody to its page, which answers with 200."""
    if request.path == "/login":
        return faults.html(request)
    return faults.redirect("/login")(request)


LASTING: dict[str, Fault] = {
    "hangs": faults.hang,
    "429 for an hour": faults.status("429 Too Many Requests", "Retry-After: 3600"),
    "429 until a date": faults.status("429 Too Many Requests", f"Retry-After: {formatdate(4102444800, usegmt=True)}"),
    "503 for ever": faults.status("503 Service Unavailable"),
    "403 with words": faults.status("403 Forbidden", text=b"not from your region\n"),
    "resets": faults.reset_at_once,
    "resets in the middle": faults.reset_after(0.0),
    "redirects in a circle": faults.redirect("*"),
    "redirects to a file of this machine": faults.redirect("file:///etc/hostname"),
    "redirects to nothing": faults.status("302 Found"),
    "a portal": fills,
    "ends without an answer": lambda request: None,
    "no HTTP": lambda request: request.connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n"),
    "an empty answer": faults.status("200 OK"),
    "204": faults.status("204 No Content"),
}


def stall(what: str) -> str:
    """Short where a server hangs; else so long that a busy machine is not taken for one."""
    return "2" if what == "hangs" else "10"


@pytest.mark.parametrize("what", ["hangs in the middle", "a trickle"])
def test_a_file_that_does_not_come(world: World, what: str) -> None:
    """rust-lang/cargo#15521: a trickle that no limit of idle time ends."""
    bad = world.server(folder=world.folder / "mirror")
    ill = {"hangs in the middle": faults.hang_after(0.3), "a trickle": faults.trickle(20)}[what]
    bad.fault(f"*/{world.beta.path}", ill)
    world.apt(bad.url, world.mirror.url)
    world.tree.fetched("beta", SLICENODE_STALL_SECONDS="2")
    assert world.tree.has(world.beta)


@pytest.mark.parametrize("what", LASTING)
def test_the_next_place_has_it(world: World, what: str) -> None:
    """curl/curl#6408 (slept for an hour), bazelbuild/bazel#8737 (one time-out ended all), cargo#15521 (a trickle)."""
    bad = world.server(folder=world.folder / "mirror")
    bad.fault("*", LASTING[what])
    world.apt(bad.url, world.mirror.url)
    result = world.tree.fetched(SLICENODE_STALL_SECONDS=stall(what))
    assert world.all_there()
    assert bad.asked(POOL), "it was asked first"
    assert not world.snapshot.asked()
    assert "Traceback" not in result.text


@pytest.mark.parametrize("what", ["hangs", "429 for an hour", "503 for ever", "resets"])
def test_an_own_place_that_is_ill(world: World, what: str) -> None:
    bad = world.server(folder=world.place())
    bad.fault("*", LASTING[what])
    world.tree.fetched(SLICENODE_SOURCES=bad.url, SLICENODE_STALL_SECONDS=stall(what))
    assert world.all_there()


@pytest.mark.parametrize("what", ["hangs", "429 for an hour", "503 for ever"])
def test_a_place_out_of_order_is_not_asked_for_every_file(world: World, what: str) -> None:
    """MiyooCFW/buildroot#142: 42 minutes of retries, file by file."""
    pins = [world.archive.binary(f"many{number}", "1.0-1") for number in range(20)]
    world.publish()
    world.tree.guest(pins)
    bad = world.server(folder=world.folder / "mirror")
    bad.fault("*", LASTING[what])
    world.apt(bad.url, world.mirror.url)
    world.tree.fetched("guest-debian", SLICENODE_STALL_SECONDS=stall(what))
    assert all(world.tree.has(pin) for pin in pins)
    asked = {path for path in bad.requests if "/pool/" in path}
    # Those that are on their way side by side may all meet it before the first one has an answer.
    assert len(asked) <= 10, asked


def test_all_places_out_of_order(world: World) -> None:
    """The message comes all the same, and says of each place what is wrong with it."""
    world.mirror.fault("*", faults.hang)
    world.snapshot.fault("*", LASTING["429 for an hour"])
    result = world.tree.refused(SLICENODE_STALL_SECONDS="2")
    for pin in world.all:
        assert pin.file in result.text
    assert world.mirror.url in result.text and world.snapshot.url in result.text
    assert "429" in result.text and "3600" in result.text
    assert result.seconds < 60


def test_all_places_hang_for_many_files(world: World) -> None:
    """A pause between two questions to the snapshot service is kept only if one was asked: 60 files would take longer
    than a command may. And apt does not wait for mirrors that are known to be silent."""
    pins = [world.archive.binary(f"many{number}", "1.0-1") for number in range(60)]
    world.publish()
    world.tree.guest(pins)
    for server in (world.mirror, world.snapshot):
        server.fault("*", faults.hang)
    result = world.tree.refused("guest-debian", SLICENODE_STALL_SECONDS="2", SLICENODE_RETRY_SECONDS="10")
    for pin in pins:
        assert pin.file in result.text
    assert world.snapshot.asked() <= 3
    assert not world.mirror.asked("*/dists/*")


def test_a_closed_port(world: World) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))  # bound but not listening: connections are refused
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        world.apt(address, world.mirror.url)
        world.tree.fetched()
        assert world.all_there()
        world.apt(address)
        fresh = world.archive.binary("fresh", "1.0-1", indexed=False)
        world.tree.pins("beta", [fresh])
        result = world.tree.refused("beta", SLICENODE_SNAPSHOT=address)
        assert address in result.text


def test_a_name_that_does_not_resolve(world: World) -> None:
    world.apt("http://mirror.invalid", world.mirror.url)
    world.tree.fetched()
    assert world.all_there()


def test_the_snapshot_service_limits(world: World) -> None:
    """docker-library/official-images#16044: 429 after some files. What came is kept; the message says what to do."""
    world.archive.drop(*world.alpha, world.beta)
    world.archive.forget("alpha")
    world.archive.forget("beta")
    world.publish()
    world.snapshot.fault("/file/*", faults.in_turn(faults.honest, LASTING["429 for an hour"]))
    world.snapshot.fault("/archive/*", LASTING["429 for an hour"])
    result = world.tree.refused()
    came = [pin for pin in (*world.alpha, world.beta) if world.tree.has(pin)]
    assert len(came) == 1
    assert f"2 of {len(world.all)} files" in result.text and "429" in result.text
    world.snapshot.well()
    asked = world.snapshot.asked()
    world.tree.fetched()
    assert world.all_there()
    assert world.snapshot.asked() - asked == 2


def test_a_snapshot_service_that_takes_one_connection(world: World) -> None:
    """meta-debian PR #139: it refuses parallel connections."""
    world.archive.drop(*world.all)
    world.snapshot.fault("*", faults.trickle(300_000))
    world.tree.fetched(PINS="exact")
    assert world.all_there()
    assert world.snapshot.peak == 1
