"""sliced-net session: refusals of the controller, and answers that must not be passed on."""

from __future__ import annotations

from typing import Any

import pytest
from certificates import Authority
from conftest import ServerMaker
from server import Request
from session import NODE, Session, answer_with

PEM = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n"


@pytest.mark.parametrize("code", ["token_invalid", "token_used", "token_expired",
                                  "hardware_refused", "wrong_node"])
def test_refusals(session: Session, serve: ServerMaker, authority: Authority, code: str) -> None:
    server = serve(answer_with(403, {"error": {"code": code, "message": "go\naway"}}))
    session.configure(server.url, ca=authority.pem)
    reply = session.error("enroll", code, server.url, "go away", body={})
    assert (reply["status"], reply["retry"]) == (403, False)


def test_unknown_error_code(session: Session, serve: ServerMaker, authority: Authority) -> None:
    server = serve(answer_with(400, {"error": {"code": "novel", "message": "m" * 9000}}))
    session.configure(server.url, ca=authority.pem)
    reply = session.error("enroll", "invalid_argument", "novel", body={})
    assert len(reply["error"]["message"]) < 1024


@pytest.mark.parametrize(("status", "retry"), [(500, True), (404, False), (429, True),
                                               (304, True), (204, True)])
def test_errors_without_a_reason(session: Session, serve: ServerMaker, authority: Authority,
                                 status: int, retry: bool) -> None:
    server = serve(answer_with(status, b"", **{"Content-Type": "text/html"}))
    session.configure(server.url, ca=authority.pem)
    reply = session.call("enroll", body={})
    assert (reply["status"], reply["retry"]) == (status, retry)
    assert str(status) in reply["error"]["message"]


def test_redirect_is_not_followed(session: Session, serve: ServerMaker,
                                  authority: Authority) -> None:
    target = serve(answer_with(202, {"retry_after_seconds": 1}))
    server = serve(answer_with(302, b"", Location=target.url + "/v1/enroll"))
    session.configure(server.url, ca=authority.pem)
    session.error("enroll", "controller_unreachable", "redirects", body={})
    assert target.requests == []


@pytest.mark.parametrize("body", [
    b"", b"{", b"[]", b"null", b"{} {}", b'{"node_id": 1}', b"\xff\xfe", b'{"a":' * 5000,
    b'{"retry_after_seconds": "1"}', b'{"retry_after_seconds": -1}',
    b'{"retry_after_seconds": 1, "retry_after_seconds": 2}',
    b'{"retry_after_seconds": 1e400}', b'{"retry_after_seconds": 99999999999999999999}',
])
def test_malformed_waiting(session: Session, serve: ServerMaker, authority: Authority,
                           body: bytes) -> None:
    server = serve(answer_with(202, body))
    session.configure(server.url, ca=authority.pem)
    reply = session.call("enroll", body={})
    assert server.url in reply["error"]["message"]
    assert "malformed answer" in reply["error"]["message"]


@pytest.mark.parametrize("change", [
    {"node_id": NODE.upper()}, {"node_id": "../../etc"}, {"node_id": None},
    {"certificate": "none"}, {"certificate": PEM + "\x1b[2J"}, {"ca": PEM * 2000}, {"ca": 5},
    {"ca": PEM + "\u00e9"}])
def test_malformed_enrolment(session: Session, serve: ServerMaker, authority: Authority,
                             change: dict[str, Any]) -> None:
    body = {"node_id": NODE, "certificate": PEM, "ca": PEM, **change}
    server = serve(answer_with(200, body))
    session.configure(server.url, ca=authority.pem)
    assert "malformed answer" in session.call("enroll", body={})["error"]["message"]


@pytest.mark.parametrize("body", [
    {"requests": [], "cursor": "c" * 65}, {"requests": [], "cursor": ""}, {"requests": {}},
    {"cursor": "c"}, {"requests": [{"id": NODE}] * 1025, "cursor": "c"}])
def test_malformed_poll(session: Session, serve: ServerMaker, authority: Authority,
                        identity: dict[str, str], body: dict[str, Any]) -> None:
    server = serve(answer_with(200, body))
    session.configure(server.url, ca=authority.pem, **identity)
    reply = session.call("requests", query={"wait": 0})
    assert "malformed answer" in reply["error"]["message"]


def test_not_json(session: Session, serve: ServerMaker, authority: Authority) -> None:
    server = serve(answer_with(200, b"<html>", **{"Content-Type": "text/html"}))
    session.configure(server.url, ca=authority.pem)
    session.error("enroll", "controller_unreachable", "text/html", body={})


def test_huge_answer(session: Session, serve: ServerMaker, authority: Authority) -> None:
    server = serve(answer_with(200, b'{"a":"' + b"a" * (5 << 20) + b'"}'))
    session.configure(server.url, ca=authority.pem)
    session.error("enroll", "controller_unreachable", "longer than", body={})


def test_endless_answer(session: Session, serve: ServerMaker, authority: Authority) -> None:
    def respond(request: Request) -> None:
        request.answer(200, b"", length=1 << 40)
        try:
            while True:
                request.handler.wfile.write(b" " * 65536)
        except OSError:
            request.handler.close_connection = True

    server = serve(respond)
    session.configure(server.url, ca=authority.pem)
    session.error("enroll", "controller_unreachable", "longer than", body={})


def test_large_answer_that_fits(session: Session, serve: ServerMaker, authority: Authority,
                                identity: dict[str, str]) -> None:
    request = {"id": NODE, "op": "slice.provision", "slice": NODE, "deadline": None,
               "args": {"user_data": "\u00e9\n" * 20_000}}
    body = {"requests": [request] * 20, "cursor": "c"}
    server = serve(answer_with(200, body))
    session.configure(server.url, ca=authority.pem, **identity)
    assert session.call("requests", query={"wait": 0})["body"] == body
