"""sliced-net session: keys, calls, trust and failover."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from certificates import Authority, pin_of
from conftest import ServerMaker
from helper import Child, Message
from server import Request
from session import NODE, Session, answer_with
from waiting import free_port

REGISTERED = {"heartbeat_seconds": 10, "poll_wait_seconds": 30, "acknowledged": 7}


def test_key_and_request(session: Session, tmp_path: Path) -> None:
    session.child.send({"type": "keygen"})
    made = session.child.receive()
    assert made is not None and made["type"] == "key"
    (tmp_path / "csr").write_text(made["csr"])
    text = subprocess.run(["openssl", "req", "-in", str(tmp_path / "csr"), "-verify", "-text",
                           "-noout"], capture_output=True, text=True, check=True)
    assert "prime256v1" in text.stdout
    assert "verify OK" in text.stdout + text.stderr
    session.configure(key=made["key"])
    session.child.send({"type": "csr"})
    again = session.child.receive()
    assert again is not None and again["key"] == made["key"]
    assert "BEGIN CERTIFICATE REQUEST" in again["csr"]


def test_request_without_a_key(session: Session) -> None:
    session.child.send({"type": "csr"})
    message = session.child.receive()
    assert message is not None and message["error"]["code"] == "not_configured"


def test_end_of_the_certificate(session: Session, identity: dict[str, str]) -> None:
    message = session.configure("https://localhost", **identity)
    assert message["type"] == "configured"
    assert 9 * 86400 < message["not_after"] - time.time() < 11 * 86400
    assert session.configure("https://localhost")["not_after"] is None


def test_certificate_of_another_key(session: Session, identity: dict[str, str]) -> None:
    session.child.send({"type": "keygen"})
    other = session.child.receive()
    assert other is not None
    message = session.configure("https://localhost", **{**identity, "key": other["key"]})
    assert message["not_after"] is None


def test_enroll(session: Session, serve: ServerMaker, authority: Authority,
                identity: dict[str, str]) -> None:
    server = serve(answer_with(200, {"node_id": NODE, "certificate": identity["certificate"],
                                     "ca": authority.pem, "surprise": [1]}))
    session.configure(server.url + "/", ca=authority.pem)
    body = {"token": "secret", "csr": "...", "hardware": {"macs": []}}
    reply = session.call("enroll", body=body)
    assert reply == {"type": "reply", "id": 1, "url": server.url, "status": 200,
                     "body": {"node_id": NODE, "certificate": identity["certificate"],
                              "ca": authority.pem}}
    asked = server.requests[0]
    assert (asked.method, asked.path, asked.json()) == ("POST", "/v1/enroll", body)
    assert asked.headers["content-type"] == "application/json"
    assert asked.headers["user-agent"] == "slicenode/1.2.3"


def test_enroll_waits(session: Session, serve: ServerMaker, authority: Authority) -> None:
    server = serve(answer_with(202, {"retry_after_seconds": 15}))
    session.configure(server.url, ca=authority.pem)
    reply = session.call("enroll", body={})
    assert (reply["status"], reply["body"]) == (202, {"retry_after_seconds": 15})


def test_calls_of_a_node(session: Session, serve: ServerMaker, authority: Authority,
                         identity: dict[str, str]) -> None:
    requests: list[dict[str, Any]] = [
        {"id": NODE, "op": "slice.start", "slice": NODE, "args": {"x": [1, {"y": None}]},
         "deadline": None, "later": 1}, {"id": "odd"}]

    def respond(request: Request) -> None:
        assert request.client == NODE
        base = f"/v1/nodes/{NODE}"
        answers: dict[tuple[str, str], dict[str, Any]] = {
            ("PUT", base): REGISTERED,
            ("GET", base + "/requests?wait=3&after=a%2Fb%26c%20d"):
                {"requests": requests, "cursor": "next"},
            ("GET", base + "/requests?wait=0"): {"requests": [], "cursor": "c"},
            ("POST", base + "/events"): {"acknowledged": 12},
            ("PUT", base + "/status"): {"ignored": True},
            ("POST", base + "/certificate"): {"certificate": identity["certificate"]},
        }
        request.answer(200, answers[request.method, request.path])

    server = serve(respond)
    session.configure(server.url, ca=authority.pem, **identity)
    assert session.call("register", body={"boot_id": "1"})["body"] == REGISTERED
    poll = session.call("requests", query={"after": "a/b&c d", "wait": 3})["body"]
    del requests[0]["later"]
    assert poll == {"requests": requests[:1], "cursor": "next"}
    assert session.call("requests", query={"after": None, "wait": 0})["body"]["cursor"] == "c"
    assert session.call("events", body={"events": []})["body"] == {"acknowledged": 12}
    assert session.call("status", body={})["body"] == {}
    renewed = session.call("certificate", body={"csr": "..."})["body"]
    assert renewed == {"certificate": identity["certificate"]}
    ports = {request.handler.client_address for request in server.requests}
    assert len(ports) == 1, "the connection is kept"


def test_calls_side_by_side(session: Session, serve: ServerMaker, authority: Authority,
                            identity: dict[str, str]) -> None:
    """A long poll does not hold up the others; its cancelling brings no answer."""
    release = threading.Event()

    def respond(request: Request) -> None:
        if "requests" in request.path:
            release.wait(10)
            request.answer(200, {"requests": [], "cursor": "c"})
        else:
            request.answer(200, {"acknowledged": 1})

    server = serve(respond)
    session.configure(server.url, ca=authority.pem, **identity)
    first = session.begin("requests", query={"wait": 30})
    second = session.begin("requests", query={"wait": 30})
    third = session.begin("events", body={"events": []})
    assert session.reply()["id"] == third
    session.child.send({"type": "cancel", "id": first})
    release.set()
    assert session.reply()["id"] == second
    with pytest.raises(TimeoutError):
        session.child.receive(0.3)


def sockets(child: Child) -> int:
    """How many the child has open, its wire among them."""
    found = 0
    for entry in Path(f"/proc/{child.pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found += os.readlink(entry).startswith("socket:")
    return found


def test_connections_of_a_busy_moment_are_closed_again(session: Session, serve: ServerMaker, authority: Authority,
                                                       identity: dict[str, str]) -> None:
    """One for the long poll and one for all else stay, however many calls there were side by side."""
    calls: dict[str, Any] = {"requests": {"query": {"wait": 30}}, "events": {"body": {"events": []}},
                             "status": {"body": {}}, "certificate": {"body": {"csr": "..."}}}
    together = threading.Barrier(len(calls))
    answers: dict[str, dict[str, Any]] = {
        "requests": {"requests": [], "cursor": "c"}, "events": {"acknowledged": 1}, "status": {},
        "certificate": {"certificate": identity["certificate"]}}

    def respond(request: Request) -> None:
        together.wait(20)
        request.answer(200, answers[request.path.partition("?")[0].rpartition("/")[2]])

    server = serve(respond)
    session.configure(server.url, ca=authority.pem, **identity)
    before = sockets(session.child)
    for _ in range(2):
        for call, arguments in calls.items():
            session.begin(call, **arguments)
        for _ in calls:
            assert "body" in session.reply()
        end = time.monotonic() + 20
        while sockets(session.child) > before + 2:
            assert time.monotonic() < end, f"{sockets(session.child) - before} connections are kept"
            time.sleep(0.02)
    assert sockets(session.child) == before + 2, "connections are kept"


def test_without_ca_and_pin(session: Session) -> None:
    session.configure("https://127.0.0.1:1")
    reply = session.error("enroll", "not_configured", "slicenode.ca", "slicenode.pin", body={})
    assert reply["retry"] is False


def test_before_any_config(session: Session) -> None:
    session.error("enroll", "not_configured", "slicenode.controller", body={})


def test_node_call_before_enrolment(session: Session, authority: Authority) -> None:
    session.configure("https://127.0.0.1:1", ca=authority.pem)
    session.error("status", "not_configured", "not enrolled", body={})


@pytest.mark.parametrize("url", ["http://127.0.0.1", "https://", "ftp://x", "controller"])
def test_odd_urls(session: Session, authority: Authority, url: str) -> None:
    message = session.configure(url, ca=authority.pem)
    assert message["error"]["code"] == "not_configured"
    assert url in message["error"]["message"]
    session.error("enroll", "not_configured", body={})


def test_pin(session: Session, serve: ServerMaker, certificate: tuple[Path, Path]) -> None:
    server = serve(answer_with(202, {"retry_after_seconds": 1}))
    session.configure(server.url, pin=pin_of(certificate[0]))
    assert session.call("enroll", body={})["status"] == 202


def test_wrong_pin(session: Session, serve: ServerMaker, authority: Authority,
                   certificate: tuple[Path, Path]) -> None:
    other = pin_of(authority.server("other")[0])
    server = serve(answer_with(202, {"retry_after_seconds": 1}))
    session.configure(server.url, pin=other)
    session.error("enroll", "controller_certificate", server.url, other,
                  pin_of(certificate[0]), body={})
    assert server.requests == []


def test_wrong_pin_beside_a_ca(session: Session, serve: ServerMaker, authority: Authority) -> None:
    """Until the node has a certificate both must fit."""
    server = serve(answer_with(202, {"retry_after_seconds": 1}))
    session.configure(server.url, ca=authority.pem, pin=pin_of(authority.server("else")[0]))
    session.error("enroll", "controller_certificate", body={})
    assert server.requests == []


def test_other_ca(session: Session, serve: ServerMaker, tmp_path: Path) -> None:
    server = serve(answer_with(202, {"retry_after_seconds": 1}))
    session.configure(server.url, ca=Authority(tmp_path / "other", "Other CA").pem)
    reply = session.error("enroll", "controller_certificate", server.url, "not trusted", body={})
    assert reply["retry"] is True
    assert server.requests == []


def test_expired_certificate(session: Session, serve: ServerMaker, authority: Authority) -> None:
    server = serve(answer_with(200, {}), authority.server("old", until="20200201000000Z"))
    session.configure(server.url, ca=authority.pem)
    session.error("enroll", "controller_certificate", "expired", body={})


def test_certificate_for_another_name(session: Session, serve: ServerMaker,
                                      authority: Authority) -> None:
    server = serve(answer_with(200, {}), authority.server("elsewhere", "DNS:elsewhere.example"))
    session.configure(server.url, ca=authority.pem)
    session.error("enroll", "controller_certificate", server.url, body={})


def test_malformed_ca(session: Session, serve: ServerMaker) -> None:
    server = serve(answer_with(200, {}))
    session.configure(server.url, ca="-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----")
    session.error("enroll", "controller_certificate", body={})


def test_connection_refused(session: Session, authority: Authority) -> None:
    url = f"https://127.0.0.1:{free_port()}"
    session.configure(url, ca=authority.pem)
    reply = session.error("enroll", "controller_unreachable", url, "Connection refused", body={})
    assert reply["retry"] is True


def test_unknown_name(session: Session, authority: Authority) -> None:
    session.configure("https://no-such-host.invalid", ca=authority.pem)
    session.error("enroll", "controller_unreachable", "no-such-host.invalid", "resolve", body={})


def test_resolving_does_not_hold_up_others(session: Session, serve: ServerMaker,
                                           authority: Authority) -> None:
    """The resolver has a thread of its own: the session answers meanwhile."""
    session.configure("https://no-such-host.invalid", ca=authority.pem)
    session.begin("enroll", body={})
    session.child.send({"type": "keygen"})
    kinds = [message["type"] for message in (session.child.receive(), session.child.receive())
             if message is not None]
    assert sorted(kinds) == ["key", "reply"]


def test_no_answer(session: Session, serve: ServerMaker, authority: Authority) -> None:
    server = serve(lambda request: time.sleep(2))
    session.configure(server.url, ca=authority.pem)
    session.error("enroll", "controller_unreachable", "no answer within 1 s", body={},
                  timeout_ms=600)


def test_silent_server(session: Session, authority: Authority) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}"
        session.configure(url, ca=authority.pem)
        session.error("enroll", "controller_unreachable", url, "cannot connect in time", body={},
                      timeout_ms=500)


def test_connection_lost(session: Session, serve: ServerMaker, authority: Authority) -> None:
    server = serve(lambda request: request.break_off())
    session.configure(server.url, ca=authority.pem)
    session.error("enroll", "controller_unreachable", server.url, "connection was lost", body={})


def test_failover(session: Session, serve: ServerMaker, authority: Authority) -> None:
    dead = f"https://127.0.0.1:{free_port()}"
    busy = serve(answer_with(503, {"error": {"code": "internal", "message": "maintenance"}}))
    well = serve(answer_with(202, {"retry_after_seconds": 1}))
    session.configure(dead, busy.url, well.url, ca=authority.pem)
    for _ in range(2):
        assert session.call("enroll", body={})["url"] == well.url
    assert len(busy.requests) == 1, "the one that answered is asked first"


def test_failover_in_vain(session: Session, serve: ServerMaker, authority: Authority) -> None:
    dead = f"https://127.0.0.1:{free_port()}"
    busy = serve(answer_with(503, {"error": {"code": "internal", "message": "maintenance"}},
                             **{"Retry-After": "42"}))
    session.configure(dead, busy.url, ca=authority.pem)
    reply = session.error("enroll", "internal", dead, "Connection refused", busy.url,
                          "maintenance", body={})
    assert (reply["status"], reply["retry"], reply["retry_after_seconds"]) == (503, True, 42)


def test_new_config_ends_calls(session: Session, serve: ServerMaker, authority: Authority) -> None:
    server = serve(lambda request: time.sleep(1))
    session.configure(server.url, ca=authority.pem)
    session.begin("enroll", body={})
    while not server.requests:
        time.sleep(0.01)
    message = session.configure(server.url, ca=authority.pem)
    assert message["error"]["code"] == "cancelled"
    assert (session.child.receive() or {})["type"] == "configured"


@pytest.mark.parametrize("message", [
    {"type": "unheard"}, {}, {"type": "call", "id": 1},
    {"type": "call", "id": 1, "call": "format", "timeout_ms": 1},
    {"type": "call", "id": 1, "call": "status", "timeout_ms": 1, "more": 1}])
def test_malformed_messages_end_it(message: Message) -> None:
    child = Child("sliced-net", "session")
    child.send(message)
    assert child.wait() == 1
    child.close()


def test_leaves_with_the_agent() -> None:
    session = Session()
    session.child.socket.close()
    assert session.child.wait(5) == 0


def test_sandbox(session: Session) -> None:
    session.configure("https://localhost")
    status = session.child.process_status()
    assert (status["Seccomp"], status["NoNewPrivs"]) == ("2", "1")
    assert set(status["CapEff"] + status["CapPrm"] + status["CapInh"] + status["CapAmb"]) == {"0"}
    if os.geteuid() == 0:
        assert status["Uid"].split() == ["101"] * 4
        assert status["Gid"].split() == ["101"] * 4
        assert status["Groups"] == ""
        assert set(status["CapBnd"]) == {"0"}
