"""Two hundred nodes at once, and an orderly end."""

import concurrent.futures
import re
import signal
import threading
import time
from pathlib import Path

from rig import Controller, FakeNode, make_key
from slicenode_controller.state import requests, tokens

NODES = 200


def test_two_hundred_nodes_poll_and_each_gets_its_own(
    controller: Controller, tmp_path: Path
) -> None:
    key = make_key()
    with controller.store.transaction():
        invited = [tokens.create(controller.store, 600)[1] for _ in range(NODES)]
    crowd = [FakeNode(controller, tmp_path / str(i), key) for i in range(NODES)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(FakeNode.enroll, crowd, invited))
    assert {answer.status for answer in answers} == {200}
    assert len({node.id for node in crowd}) == NODES

    arrived: dict[str, list[str]] = {}
    delays: list[float] = []
    asked: dict[str, float] = {}
    waiting = threading.Barrier(NODES + 1)

    def live(node: FakeNode) -> None:
        assert node.register().status == 200
        cursor = node.poll().body["cursor"]
        waiting.wait()
        body = node.poll(cursor, wait=25).body
        arrived[node.id] = [one["id"] for one in body["requests"]]
        if node.id in asked:
            delays.append(time.monotonic() - asked[node.id])
        for request_id in arrived[node.id]:
            node.events(node.event("request.done", request=request_id))
        node.close()

    threads = [threading.Thread(target=live, args=(node,)) for node in crowd]
    for thread in threads:
        thread.start()
    waiting.wait()
    time.sleep(0.5)
    # One alone first: the others' waiting must not slow it down.
    asked[crowd[77].id] = time.monotonic()
    first = requests.add(controller.store, crowd[77].id, "node.report", None, {})
    threads[77].join()
    assert arrived == {crowd[77].id: [first]}
    assert delays[0] < 1, delays
    with controller.store.transaction():
        wanted = {
            node.id: [requests.add(controller.store, node.id, "node.report", None, {})]
            for node in crowd
            if node is not crowd[77]
        }
    for thread in threads:
        thread.join()
    assert arrived == {**wanted, crowd[77].id: [first]}
    ended = {row["state"] for row in requests.every(controller.store)}
    assert ended == {"done"}


def test_ends_well_as_soon_as_it_listens(tmp_path: Path) -> None:
    """The signal may come before the controller waits for it, or just then: no other thread may take it away."""
    running = Controller(tmp_path / "state")
    for _ in range(10):
        assert running.stop() == 0
        running.start()
    serving = Path(f"/proc/{running.process.pid}/task")
    end = time.monotonic() + 20
    while len(list(serving.iterdir())) < 3 and time.monotonic() < end:
        time.sleep(0.01)
    assert len(list(serving.iterdir())) >= 3
    for thread in serving.iterdir():
        blocked = re.search(r"^SigBlk:\s+(\w+)$", (thread / "status").read_text(), re.M)
        main = int(thread.name) == running.process.pid
        assert main or (blocked and int(blocked.group(1), 16) & 1 << signal.SIGTERM - 1)
    assert running.stop() == 0
