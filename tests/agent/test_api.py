"""The local socket: what clients may do to it without harm to others."""

from __future__ import annotations

import contextlib
import json
import socket
import uuid
from typing import Any

from node import Connection, Node, slice_args
from waiting import wait_until


def raw(node: Node, data: bytes) -> list[dict[str, Any]]:
    """What sliced answers to these bytes."""
    connection = node.connect()
    connection.socket.sendall(data)
    connection.socket.settimeout(1)
    answers = []
    try:
        while True:
            answers.append(connection.receive())
    except (TimeoutError, ConnectionError):
        pass
    connection.close()
    return answers


def test_socket_is_the_owners_alone(node: Node) -> None:
    assert (node.run / "api.sock").stat().st_mode & 0o777 == 0o600


def test_nonsense_is_answered_with_an_error(node: Node) -> None:
    assert raw(node, b"not json\n")[0]["error"]["code"] == -32700
    assert raw(node, b"[1,2]\n")[0]["error"]["code"] == -32600
    assert raw(node, b'{"id":1,"method":"node.status","params":[]}\n')[0]["error"]["code"] == -32600
    assert raw(node, b'{"id":7,"method":"no.such"}\n')[0] == {
        "jsonrpc": "2.0", "id": 7,
        "error": {"code": -32601, "message": "there is no method no.such",
                  "data": {"code": "unknown_operation"}}}
    assert raw(node, b"\n\n\x00\xff\n")[0]["error"]["code"] == -32700
    several = raw(node, b'{"id":1,"method":"slice.list"}\n{"id":2,"method":"image.list"}\n')
    assert [answer["id"] for answer in several] == [1, 2]
    assert node.call("slice.list") == []


def test_endless_line_is_cut_off(node: Node) -> None:
    connection = node.connect()
    try:
        for _ in range(100):
            connection.socket.sendall(b"x" * 65536)
        raise AssertionError("sliced takes a line without end")
    except OSError:
        pass
    connection.close()
    assert node.call("slice.list") == []


def test_client_that_does_not_read_holds_up_nobody(node: Node, small: dict[str, Any]) -> None:
    lazy = node.connect()
    lazy.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    lazy.send("events.follow", {})
    status = json.dumps({"id": 1, "method": "node.status"}).encode() + b"\n"
    with contextlib.suppress(ConnectionError):
        for _ in range(100):
            lazy.socket.sendall(status * 500)
    node.do("slice.provision", str(uuid.uuid4()), **slice_args(small))
    # More than 8 MiB of answers wait for it, and go with it.
    wait_until(lambda: "does not read: dropped" in node.log(), "it is dropped")
    with contextlib.suppress(ConnectionError):
        while lazy.socket.recv(1 << 20):
            pass
    lazy.close()


def test_too_many_clients(node: Node) -> None:
    clients = [node.connect() for _ in range(64)]
    assert clients[0].call("slice.list") == [] and clients[-1].call("slice.list") == []
    for client in clients:
        client.close()
    wait_until(lambda: answers(node), "there is room again")


def answers(node: Node) -> bool:
    try:
        return node.call("slice.list") == []
    except OSError:
        return False


def test_client_that_leaves_while_it_waits(node: Node, small: dict[str, Any]) -> None:
    node.settings(delay_ms={"domain_start": 300})
    slice_id = str(uuid.uuid4())
    client = node.connect()
    client.send("slice.provision", {"slice": slice_id, "args": slice_args(small), "wait": True})
    wait_until(lambda: slice_id in node.slices(), "the request is at work")
    client.close()
    node.wait_state(slice_id, "running")


def test_console_is_followed_and_rotated(node: Node, small: dict[str, Any]) -> None:
    slice_id = str(uuid.uuid4())
    node.do("slice.provision", slice_id, **slice_args(small))
    log = node.folder / "console" / f"guest-{slice_id}.log"
    follower: Connection = node.connect()
    shown = follower.call("console.show", slice=slice_id, follow=True)
    assert shown["console"].endswith("sim login: ")
    with log.open("a") as stream:
        stream.write("hello")
    assert follower.receive()["params"] == {"slice": slice_id, "text": "hello"}

    with log.open("a") as stream:
        stream.write("A" * (1 << 20) + "END")
        stream.flush()
        node.do("slice.start", slice_id)  # anything: the logs are looked at after it
        wait_until(lambda: log.stat().st_size == 0, "the log has moved on")
        stream.write("NEXT")
    console = node.do("slice.console", slice_id, bytes=20)
    assert console["console"] == "A" * 13 + "ENDNEXT" and console["truncated"] is True
    follower.close()
    node.do("slice.terminate", slice_id)
    assert list((node.folder / "console").iterdir()) == []
