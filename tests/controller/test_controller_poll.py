"""The long poll: at once, at least once, one at a time, and through the controller's death."""

import concurrent.futures
import http.client
import threading
import time
from pathlib import Path

import pytest
from rig import Controller, FakeNode, enrolled
from slicenode_controller.state import requests


@pytest.fixture(scope="module")
def node(controller: Controller, tmp_path_factory: pytest.TempPathFactory) -> FakeNode:
    return enrolled(controller, tmp_path_factory.mktemp("node"))


def ask(controller: Controller, node: FakeNode, op: str = "node.report") -> str:
    return requests.add(controller.store, node.id, op, None, {})


def test_poll_wakes_up_at_once(controller: Controller, tmp_path: Path) -> None:
    node = enrolled(controller, tmp_path)
    cursor = node.poll().body["cursor"]
    delays = []
    for _ in range(5):
        asked: list[float] = []

        def later(asked: list[float] = asked) -> None:
            time.sleep(0.1)
            asked.append(time.monotonic())
            ask(controller, node)

        thread = threading.Thread(target=later)
        thread.start()
        body = node.poll(cursor, wait=20).body
        delays.append(time.monotonic() - asked[0])
        thread.join()
        assert [one["op"] for one in body["requests"]] == ["node.report"]
        cursor = body["cursor"]
    assert sorted(delays)[2] < 0.25, delays


def test_poll_without_work_takes_as_long_as_it_may(node: FakeNode) -> None:
    cursor = node.poll().body["cursor"]
    started = time.monotonic()
    body = node.poll(cursor, wait=1).body
    assert body == {"requests": [], "cursor": cursor}
    assert 0.9 < time.monotonic() - started < 3


def test_requests_come_again_until_the_cursor_moves(
    controller: Controller, tmp_path: Path
) -> None:
    node = enrolled(controller, tmp_path)
    ids = [ask(controller, node) for _ in range(3)]
    first, again = node.poll().body, node.poll().body
    assert [one["id"] for one in first["requests"]] == ids
    assert again == first
    assert node.poll(first["cursor"]).body == {"requests": [], "cursor": first["cursor"]}
    states = {row["state"] for row in requests.every(controller.store) if row["id"] in ids}
    assert states == {"delivered"}


def test_without_cursor_or_with_a_strange_one_ended_requests_are_left_out(
    controller: Controller, tmp_path: Path
) -> None:
    node = enrolled(controller, tmp_path)
    first, second = ask(controller, node), ask(controller, node)
    node.events(node.event("request.failed", request=first, error=problem("timeout")))
    for cursor in (None, "deadbeef-7", "x"):
        body = node.poll(cursor).body
        assert [one["id"] for one in body["requests"]] == [second]
    node.events(node.event("request.failed", request=second, error=problem("timeout")))
    body = node.poll().body
    assert body["requests"] == []
    # The cursor given then stands after what has ended, not before.
    assert node.poll(body["cursor"]).body["requests"] == []
    third = ask(controller, node)
    assert [one["id"] for one in node.poll(body["cursor"]).body["requests"]] == [third]


def problem(code: str) -> dict[str, str]:
    return {"code": code, "message": "it did not work"}


def test_many_requests_come_in_portions(controller: Controller, tmp_path: Path) -> None:
    node = enrolled(controller, tmp_path)
    with controller.store.transaction():
        ids = [ask(controller, node) for _ in range(150)]
    got: list[str] = []
    cursor = None
    for size in (64, 64, 22, 0):
        body = node.poll(cursor).body
        cursor = body["cursor"]
        assert len(body["requests"]) == size
        got += [one["id"] for one in body["requests"]]
    assert got == ids


def test_newer_poll_ends_the_older_one(controller: Controller, tmp_path: Path) -> None:
    node = enrolled(controller, tmp_path)
    cursor = node.poll().body["cursor"]
    other = FakeNode(controller, tmp_path / "again", (node.key_file.read_text(), node.csr))
    other.use(node.id, (tmp_path / "node.pem").read_text())
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        started = time.monotonic()
        older = pool.submit(node.poll, cursor, 20)
        time.sleep(0.3)
        assert other.poll(cursor).status == 200
        assert older.result().body == {"requests": [], "cursor": cursor}
        assert time.monotonic() - started < 5


def test_poll_that_waits_is_answered_when_the_controller_ends(tmp_path: Path) -> None:
    controller = Controller(tmp_path / "state")
    node = enrolled(controller, tmp_path / "node")
    node.register()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        poll = pool.submit(node.poll, None, 30)
        time.sleep(0.3)
        started = time.monotonic()
        assert controller.stop() == 0
        assert time.monotonic() - started < 3
        with pytest.raises((OSError, http.client.HTTPException)):
            assert poll.result().body["requests"] == []
            raise ConnectionError


def test_all_is_still_there_after_the_controller_was_killed(tmp_path: Path) -> None:
    controller = Controller(tmp_path / "state")
    node = enrolled(controller, tmp_path / "node")
    node.register(name="n1")
    asked = ask(controller, node)
    cursor = node.poll().body["cursor"]
    answer = node.events(node.event("request.accepted", request=asked))
    assert answer.body == {"acknowledged": 1}
    controller.stop(9)
    node.close()
    controller.start()
    try:
        assert node.register().body["acknowledged"] == 1
        assert node.poll(cursor).body == {"requests": [], "cursor": cursor}
        assert [one["id"] for one in node.poll().body["requests"]] == [asked]
        assert controller.json("nodes", "show", "n1")["id"] == node.id
    finally:
        assert controller.stop() == 0
