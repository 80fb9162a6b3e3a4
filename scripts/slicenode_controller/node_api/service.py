"""The protocol's calls. HTTP, TLS and the checking of bodies are done by the caller."""

import threading
import time
import uuid
from dataclasses import dataclass
from typing import Any

from ..state import clock, events, nodes, parts, requests, tokens, view
from ..state.store import Row, Store, from_json
from .ca import BadCsr, Ca, check_csr
from .mailbox import Mailboxes

RETRY_AFTER_SECONDS = 5
RENEWED_BEFORE_SECONDS = 86400


class Refused(Exception):
    """The call is answered with an error."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message

    def body(self) -> dict[str, Any]:
        return {"error": {"code": self.code, "message": self.message[:4096]}}


@dataclass(frozen=True)
class Options:
    """How the server was started, as far as the protocol feels it."""

    heartbeat_seconds: int = 30
    poll_wait_seconds: int = 30
    certificate_days: int = 90
    approve: bool = False


@dataclass(frozen=True)
class Call:
    """One call, checked: the node is who the certificate says, the body follows the protocol."""

    operation: str
    node_id: str
    query: dict[str, Any]
    body: Any


Answer = tuple[int, dict[str, Any]]


class Service:
    """Answers the calls of all nodes; used by many threads."""

    def __init__(self, store: Store, ca: Ca, mailboxes: Mailboxes, options: Options) -> None:
        self._store = store
        self._ca = ca
        self._mailboxes = mailboxes
        self._options = options
        self._enrolling = threading.Lock()
        self._calls = {
            "enroll": self._enroll,
            "register": self._register,
            "poll": self._poll,
            "reportEvents": self._report_events,
            "reportStatus": self._report_status,
            "renewCertificate": self._renew_certificate,
        }

    def answer(self, call: Call) -> Answer:
        """Status and body. Raises Refused."""
        return self._calls[call.operation](call)

    def check_caller(self, node_id: str, common_name: str | None) -> None:
        """Raises Refused unless the certificate's node may speak for the node in the URL."""
        if common_name is None:
            raise Refused(403, "wrong_node", "this call needs the node's client certificate")
        if common_name != node_id:
            raise Refused(403, "wrong_node", f"the certificate is of node {common_name[:64]}")
        node = nodes.find(self._store, node_id)
        if node is None or node["state"] != "enrolled":
            raise Refused(403, "wrong_node", f"node {node_id} is not enrolled here")

    # Enrolment

    def _enroll(self, call: Call) -> Answer:
        body = call.body
        if body["hardware"]["uuid"] is None and not body["hardware"]["macs"]:
            raise Refused(400, "invalid_argument", "/hardware: needs a uuid or macs")
        # Whatever comes of it: a node in trouble that is refused is heard all the same.
        self._note_lost(body)
        token = self._admissible_token(body["token"])
        try:
            key_hash = check_csr(body["csr"])
        except BadCsr as error:
            raise Refused(400, "invalid_argument", f"/csr: {error}") from None
        with self._enrolling:
            # Again, now alone: two machines may have come with the same token at once.
            token = self._admissible_token(body["token"])
            if token["node"] is None:
                return self._admit(token, body, key_hash)
            return self._admit_again(token, body, key_hash)

    def _note_lost(self, body: dict[str, Any]) -> None:
        """Only the machine itself can say so of a node: anybody can send an id."""
        node = nodes.find(self._store, body.get("previous_node_id", ""))
        if node is None or not nodes.is_same_hardware(from_json(node["hardware"]), body["hardware"]):
            return
        with self._store.transaction():
            nodes.set_lost(self._store, node["id"], body.get("problems", []))

    def _admissible_token(self, text: str) -> Row:
        token = tokens.find(self._store, text)
        if token is None or tokens.state(token) == "revoked":
            raise Refused(403, "token_invalid", "the token is unknown or was revoked")
        if tokens.state(token) == "expired":
            raise Refused(403, "token_expired", f"the token expired at {token['expires']}")
        return token

    def _admit(self, token: Row, body: dict[str, Any], key_hash: str) -> Answer:
        node_id = str(uuid.uuid4())
        state = "waiting" if self._options.approve else "enrolled"
        name = token["node_name"]
        with self._store.transaction():
            nodes.add(self._store, node_id, name, state, body["hardware"], key_hash)
            tokens.bind(self._store, token["id"], node_id)
        return self._identity(node_id, body["csr"])

    def _admit_again(self, token: Row, body: dict[str, Any], key_hash: str) -> Answer:
        node = nodes.find(self._store, token["node"])
        assert node is not None
        if node["key_hash"] != key_hash:
            raise Refused(403, "token_used", "the token has admitted another machine or key")
        if not nodes.is_same_hardware(from_json(node["hardware"]), body["hardware"]):
            raise Refused(403, "hardware_refused", "the token has admitted other hardware")
        if node["state"] == "removed":
            raise Refused(403, "hardware_refused", "the node was removed by the operator")
        return self._identity(node["id"], body["csr"])

    def _identity(self, node_id: str, csr: str) -> Answer:
        node = nodes.find(self._store, node_id)
        assert node is not None
        if node["state"] == "waiting":
            return 202, {"retry_after_seconds": RETRY_AFTER_SECONDS}
        certificate = node["certificate"]
        if certificate is None or node["certificate_expires"] < clock.after(
            RENEWED_BEFORE_SECONDS
        ):
            certificate = self._issue(node_id, csr, node["key_hash"])
        ca = self._ca.certificate()
        return 200, {"node_id": node_id, "certificate": certificate, "ca": ca}

    def _issue(self, node_id: str, csr: str, key_hash: str) -> str:
        text, expires = self._ca.sign_node(csr, node_id, self._options.certificate_days)
        nodes.set_certificate(self._store, node_id, key_hash, text, clock.write(expires))
        return text

    def _renew_certificate(self, call: Call) -> Answer:
        try:
            key_hash = check_csr(call.body["csr"])
        except BadCsr as error:
            raise Refused(400, "invalid_argument", f"/csr: {error}") from None
        return 200, {"certificate": self._issue(call.node_id, call.body["csr"], key_hash)}

    # Work

    def _register(self, call: Call) -> Answer:
        registration, place = call.body, call.body.get("part")
        with self._store.transaction():
            if place is None:
                parts.drop(self._store, call.node_id)
            else:
                if not parts.add(self._store, call.node_id, call.body):
                    raise Refused(409, "invalid_argument", "/part: earlier parts of this set are missing: begin anew")
                if not place["last"]:
                    return 202, {"received": place["number"]}
                registration = parts.join(self._store, call.node_id)
            nodes.set_registration(self._store, call.node_id, registration)
            view.apply_registration(self._store, call.node_id, registration)
        return 200, {
            "heartbeat_seconds": self._options.heartbeat_seconds,
            "poll_wait_seconds": self._options.poll_wait_seconds,
            "acknowledged": events.acknowledged(self._store, call.node_id),
        }

    def _poll(self, call: Call) -> Answer:
        cursor = call.query.get("after")
        end = time.monotonic() + call.query.get("wait", 0)
        visit = self._mailboxes.visit(call.node_id)
        while True:
            rows, next_cursor = requests.after_cursor(self._store, call.node_id, cursor)
            left = end - time.monotonic()
            if visit.is_over():
                rows, next_cursor = [], cursor or requests.START
            if rows or left <= 0 or visit.is_over():
                break
            visit.wait(left)
        requests.mark_delivered(self._store, rows)
        return 200, {"requests": [requests.as_sent(row) for row in rows], "cursor": next_cursor}

    def _report_events(self, call: Call) -> Answer:
        return 200, {"acknowledged": events.take(self._store, call.node_id, call.body["events"])}

    def _report_status(self, call: Call) -> Answer:
        with self._store.transaction():
            nodes.set_status(self._store, call.node_id, call.body)
            view.apply_status(self._store, call.node_id, call.body)
        return 200, {}
