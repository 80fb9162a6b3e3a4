"""What the node bounds for its own sake: one agent at a time, children that hang, crash loops."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from controller import Controller
from node import Node, slice_args
from waiting import wait_until
from test_controller import enrolled
from test_domains import new_domain

LIBC = ctypes.CDLL(None)
SYS_PIDFD_GETFD = 438


def children(node: Node, name: str) -> list[int]:
    assert node.process is not None
    pid = node.process.pid
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in found
            if Path(f"/proc/{child}/comm").read_text().strip() == name]


def test_second_agent_is_refused(node: Node, small: dict[str, Any]) -> None:
    first = node.process
    assert first is not None
    second = subprocess.run(first.args, capture_output=True, text=True, timeout=20, check=False)
    assert second.returncode == 1
    assert f"in use by sliced, process {first.pid}" in second.stderr, second.stderr
    assert first.poll() is None
    node.do("image.fetch", **small)


def test_new_agent_waits_for_the_last_worker(node: Node, small: dict[str, Any]) -> None:
    """A worker that does not die with its agent (it hangs in the kernel) meets no successor."""
    node.do("image.fetch", **small)
    node.settings(delay_ms={"snapshot": 60000})
    request = node.submit("slice.provision", str(uuid.uuid4()), **slice_args(small))
    worker = wait_until(lambda: children(node, "sliced"), "a worker runs")[0]
    wait_until(lambda: Path(f"/proc/{worker}/fd/4").exists(), "the worker holds the lock")
    # This process stands for the worker: it shares its lock, and outlives it.
    lock = LIBC.syscall(SYS_PIDFD_GETFD, os.pidfd_open(worker), 4, 0)
    assert lock >= 0

    def release() -> None:
        wait_until(lambda: "waiting for the workers" in node.log(), "the next agent waits")
        os.close(lock)

    node.kill()
    node.settings()
    thread = threading.Thread(target=release)
    thread.start()
    node.start()
    thread.join()
    assert node.wait(request)["phase"] == "done"
    assert "waiting for the workers" in node.log()


def test_net_that_does_not_read_holds_up_nothing(make_node: Callable[..., Node],
                                                 controller: Controller,
                                                 small: dict[str, Any]) -> None:
    node = enrolled(make_node, controller)
    slice_id = str(uuid.uuid4())
    node.do("slice.provision", slice_id, **slice_args(small))
    (node.folder / "console" / f"guest-{slice_id}.log").write_bytes(b"x" * 900000)
    net = children(node, "sliced-net")[0]
    os.kill(net, signal.SIGSTOP)
    try:
        for _ in range(4):
            node.do("slice.console", slice_id, bytes=900000)
        time.sleep(0.2)
        assert node.call("node.status")["requests"] == 0
        node.do("slice.stop", slice_id, force=True)
    finally:
        os.kill(net, signal.SIGCONT)
    controller.text("request", "node.report", "--node", node.call("node.status")["node"], "--args",
                    "{}", "--wait", "--timeout", "30s")
    assert children(node, "sliced-net") == [net], "nothing was lost on the way"


def test_crash_loop_is_recognised_by_the_next_agent(node: Node, small: dict[str, Any]) -> None:
    slice_id = str(uuid.uuid4())
    node.do("slice.provision", slice_id, **slice_args(small))
    for _ in range(4):
        before = node.domains()[slice_id]["domain_id"]
        node.end_domain(slice_id, "crash")
        new_domain(node, slice_id, before)
        node.kill()
        node.start()
    node.end_domain(slice_id, "crash")
    assert node.wait_state(slice_id, "failed")["error"]["code"] == "crash_loop"
    node.idle()
    node.power_cut()
    node.start()
    node.wait_state(slice_id, "running")
    before = node.domains()[slice_id]["domain_id"]
    node.end_domain(slice_id, "crash")
    new_domain(node, slice_id, before)
