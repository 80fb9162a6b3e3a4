"""Enrolment, certificates, registration and the long poll, over real TLS."""

import concurrent.futures
import http.client
import json
import socket
import ssl
import subprocess
import time
import uuid
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from rig import HARDWARE, Controller, FakeNode, enrolled, example_of, make_key, tampered
from slicenode_controller.state import nodes, tokens


def text_of(certificate: Path) -> str:
    done = subprocess.run(
        ["openssl", "x509", "-in", str(certificate), "-noout", "-text"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    return done.stdout.replace(" = ", "=")  # openssl 3.5 writes names without the spaces


def test_enrolment_gives_a_certificate_for_the_node(
    controller: Controller, tmp_path: Path
) -> None:
    node = FakeNode(controller, tmp_path)
    answer = node.enroll(controller.token(name="rack1-7"))
    assert answer.status == 200
    assert answer.body["ca"] == controller.ca_file.read_text()
    printed = text_of(tmp_path / "node.pem")
    assert f"Subject: CN={node.id}, O=Slicenode node" in printed
    assert "CA:FALSE" in printed and "TLS Web Client Authentication" in printed
    row = nodes.find(controller.store, node.id)
    assert row is not None and row["name"] == "rack1-7"


def test_same_token_hardware_and_key_again_give_the_same_node(
    controller: Controller, tmp_path: Path
) -> None:
    token = controller.token()
    first = FakeNode(controller, tmp_path)
    one = first.enroll(token).body
    # A card more, but the firmware's UUID and serial number are the same.
    more = {**HARDWARE, "macs": ["52:54:00:12:34:56", "52:54:00:12:34:57"]}
    two = first.enroll(token, more).body
    assert two["node_id"] == one["node_id"]
    assert first.register().status == 200


@pytest.mark.parametrize(
    ("case", "code"),
    [("other key", "token_used"), ("other hardware", "hardware_refused"),
     ("unknown", "token_invalid"), ("revoked", "token_invalid"), ("expired", "token_expired")],
)  # fmt: skip
def test_token_is_refused(controller: Controller, tmp_path: Path, case: str, code: str) -> None:
    token = controller.token(seconds=-1 if case == "expired" else 60)
    node = FakeNode(controller, tmp_path / "first")
    hardware = HARDWARE
    if case == "other key":
        assert node.enroll(token).status == 200
        node = FakeNode(controller, tmp_path / "second")
    elif case == "other hardware":
        assert node.enroll(token).status == 200
        hardware = {**HARDWARE, "serial": "S2"}
    elif case == "unknown":
        token = "nonsense"
    elif case == "revoked":
        tokens.revoke(controller.store, token.partition(".")[0])
    answer = node.enroll(token, hardware)
    assert (answer.status, answer.code) == (403, code)


def test_hardware_without_uuid_is_known_by_its_cards(
    controller: Controller, tmp_path: Path
) -> None:
    token = controller.token()
    node = FakeNode(controller, tmp_path)
    plain = {**HARDWARE, "uuid": None, "serial": None}
    assert node.enroll(token, plain).status == 200
    assert node.enroll(token, plain).status == 200
    assert node.enroll(token, {**plain, "macs": ["52:54:00:00:00:09"]}).code == "hardware_refused"
    nobody: dict[str, Any] = {**plain, "macs": []}
    assert node.enroll(controller.token(), nobody).code == "invalid_argument"


def test_two_machines_with_one_token_at_once(controller: Controller, tmp_path: Path) -> None:
    token = controller.token()
    contenders = [FakeNode(controller, tmp_path / str(i)) for i in range(4)]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(partial(FakeNode.enroll, token=token), contenders))
    assert sorted(answer.status for answer in answers) == [200, 403, 403, 403]
    assert {answer.code for answer in answers if answer.status == 403} == {"token_used"}


def test_expired_token_still_serves_the_node_it_admitted(
    controller: Controller, tmp_path: Path
) -> None:
    token = controller.token(seconds=600)
    node = FakeNode(controller, tmp_path)
    assert node.enroll(token).status == 200
    controller.store.run(
        "UPDATE tokens SET expires = '2020-01-01T00:00:00.000Z' WHERE node = ?", node.id
    )
    assert node.enroll(token).status == 200


@pytest.mark.parametrize("case", ["garbage", "tampered", "tampered and says so", "weak", "not ascii"])
def test_bad_certificate_request(controller: Controller, tmp_path: Path, case: str) -> None:
    node = FakeNode(controller, tmp_path)
    if case == "tampered":
        node.csr = tampered(node.csr)
    elif case == "tampered and says so":
        node.csr = tampered(make_key("/CN=verify OK")[1])
    elif case == "weak":
        done = subprocess.run(
            ["openssl", "req", "-new", "-newkey", "rsa:1024", "-nodes", "-keyout", "/dev/null",
             "-subj", "/CN=x"], check=True, capture_output=True, text=True,
        )  # fmt: skip
        node.csr = done.stdout
    else:
        node.csr = "garbage" if case == "garbage" else "ä" * 20
    token = controller.token()
    answer = node.enroll(token)
    assert (answer.status, answer.code) == (400, "invalid_argument")
    assert answer.message.startswith("/csr: ")
    row = tokens.find(controller.store, token)
    assert row is not None and tokens.state(row) == "unused"


def test_name_in_the_certificate_request_is_not_believed(
    controller: Controller, tmp_path: Path
) -> None:
    victim = enrolled(controller, tmp_path / "victim")
    done = subprocess.run(
        ["openssl", "req", "-new", "-key", str(victim.key_file), "-subj", f"/CN={victim.id}",
         "-addext", "basicConstraints=CA:TRUE"], check=True, capture_output=True, text=True,
    )  # fmt: skip
    node = FakeNode(controller, tmp_path / "node", (victim.key_file.read_text(), done.stdout))
    assert node.enroll(controller.token()).status == 200
    assert node.id != victim.id
    assert f"CN={node.id}" in text_of(tmp_path / "node" / "node.pem")
    assert "CA:TRUE" not in text_of(tmp_path / "node" / "node.pem")


def test_approval_by_an_operator(tmp_path: Path) -> None:
    controller = Controller(tmp_path / "state", "--approve")
    try:
        token = controller.token()
        node = FakeNode(controller, tmp_path / "node")
        answer = node.enroll(token)
        assert (answer.status, answer.body) == (202, {"retry_after_seconds": 5})
        (row,) = controller.json("nodes")
        assert row["state"] == "waiting"
        controller.ok("nodes", "approve", row["id"][:8])
        assert node.enroll(token).body["node_id"] == row["id"]
        assert node.register().status == 200
        assert controller.run("nodes", "approve", row["id"])[0] == 1
    finally:
        assert controller.stop() == 0


def test_call_without_certificate_or_with_another_nodes(
    controller: Controller, tmp_path: Path
) -> None:
    first = enrolled(controller, tmp_path / "first")
    second = enrolled(controller, tmp_path / "second")
    stranger = FakeNode(controller, tmp_path / "stranger")
    for node in (second, stranger):
        for method, rest in (("PUT", ""), ("PUT", "/status"), ("POST", "/events"),
                             ("GET", "/requests"), ("POST", "/certificate")):  # fmt: skip
            answer = node.call(method, f"/v1/nodes/{first.id}{rest}", {})
            assert (answer.status, answer.code) == (403, "wrong_node"), (method, rest)


def test_certificate_of_another_authority_does_not_get_in(
    controller: Controller, tmp_path: Path
) -> None:
    node = enrolled(controller, tmp_path)
    subprocess.run(
        ["openssl", "req", "-new", "-x509", "-key", str(node.key_file), "-days", "10", "-subj",
         f"/CN={node.id}/O=Slicenode node", "-out", str(tmp_path / "node.pem")], check=True,
    )  # fmt: skip
    node.close()
    with pytest.raises((ssl.SSLError, ConnectionError, http.client.RemoteDisconnected)):
        node.register()


def test_removed_node_is_shut_out(controller: Controller, tmp_path: Path) -> None:
    token = controller.token()
    node = FakeNode(controller, tmp_path)
    node.enroll(token)
    assert node.register().status == 200
    controller.ok("nodes", "remove", node.id)
    assert node.register().code == "wrong_node"
    assert node.enroll(token).code == "hardware_refused"


def test_renewed_certificate_works_and_so_does_the_old_one(
    controller: Controller, tmp_path: Path
) -> None:
    node = enrolled(controller, tmp_path)
    old = (tmp_path / "node.pem").read_text(), node.key_file.read_text()
    private, request = make_key()
    answer = node.node_call("POST", "/certificate", {"csr": request})
    assert answer.status == 200
    node.key_file.write_text(private)
    node.use(node.id, answer.body["certificate"])
    assert node.register().status == 200
    node.key_file.write_text(old[1])
    node.use(node.id, old[0])
    assert node.register().status == 200
    assert node.node_call("POST", "/certificate", {"csr": "x"}).code == "invalid_argument"


def test_tls_is_1_2_or_newer_and_the_pin_fits(controller: Controller) -> None:
    pin = controller.ok("pin").strip()
    for limit, good in (("1.1", False), ("1.2", True), ("1.3", True)):
        command = ["curl", "-sS", "-k", "--ciphers", "DEFAULT@SECLEVEL=0", "--tls-max", limit]
        command += ["--tlsv1.0", "--pinnedpubkey", pin, f"https://127.0.0.1:{controller.port}/"]
        done = subprocess.run(command, capture_output=True, check=False)
        assert (done.returncode == 0) == good, (limit, done.stderr)
    wrong = ["curl", "-sS", "-k", "--pinnedpubkey", "sha256//" + "A" * 43 + "="]
    done = subprocess.run([*wrong, command[-1]], capture_output=True, check=False)
    assert done.returncode == 90


# Bodies


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        (b"", "invalid_argument", "/: the body is not JSON"),
        (b"{", "invalid_argument", "/: the body is not JSON"),
        (b"\xff\xfe", "invalid_argument", "/: the body is not UTF-8"),
        (b"[]", "invalid_argument", "/: must be an object"),
        (b"[" * 200000, "invalid_argument", "/: the body is nested too deeply"),
        (b'{"time": NaN}', "invalid_argument", "/: the body is not JSON"),
        (b"{}", "invalid_argument", "/: must have 'time'"),
    ],
)
def test_bad_body(
    controller: Controller, node: FakeNode, body: bytes, code: str, pointer: str
) -> None:
    answer = node.node_call("PUT", "/status", body)
    assert (answer.status, answer.code) == (400, code)
    assert answer.message.startswith(pointer)
    assert f"node reportStatus {answer.message}" in controller.violations()


@pytest.fixture(scope="module")
def node(controller: Controller, tmp_path_factory: pytest.TempPathFactory) -> FakeNode:
    return enrolled(controller, tmp_path_factory.mktemp("node"))


def test_unknown_field_in_a_body(controller: Controller, node: FakeNode) -> None:
    answer = node.register(colour="red")
    assert (answer.status, answer.code) == (400, "unknown_field")
    assert answer.message == '/: unknown field "colour"'
    slices: list[dict[str, Any]] = [{"id": str(uuid.uuid4()), "state": "melted"}]
    answer = node.register(slices=slices)
    assert answer.code == "invalid_argument" and answer.message.startswith("/slices/0")


def test_query_is_checked(node: FakeNode) -> None:
    for query in ("wait=x", "wait=301", "wait=-1", "after=", "before=3", "after=" + "x" * 65):
        answer = node.node_call("GET", f"/requests?{query}")
        assert answer.status == 400, query


def test_calls_that_do_not_exist(node: FakeNode) -> None:
    answer = node.call("GET", "/v2/enroll")
    assert (answer.status, answer.code) == (404, "unknown_operation")
    answer = node.call("DELETE", "/v1/enroll")
    assert (answer.status, answer.code) == (405, "unknown_operation")


def test_body_that_is_too_large_or_of_no_known_length(node: FakeNode) -> None:
    connection = node.connection()
    connection.putrequest("POST", "/v1/enroll")
    connection.putheader("Content-Length", str(5 * 1024 * 1024))
    connection.endheaders()
    response = connection.getresponse()
    assert response.status == 413
    assert json.loads(response.read())["error"]["code"] == "invalid_argument"
    node.close()
    answer = node.call("POST", "/v1/enroll", iter([b"{}"]), **{"Transfer-Encoding": "chunked"})
    assert answer.status == 411


def test_body_of_4_mib_minus_1_is_read(node: FakeNode) -> None:
    answer = node.node_call("PUT", "/status", b" " * (4 * 1024 * 1024 - 2) + b"{}")
    assert answer.message.startswith("/: must have")


def test_caller_that_says_nothing_delays_nobody(controller: Controller, node: FakeNode) -> None:
    with socket.create_connection(("127.0.0.1", controller.port)):
        started = time.monotonic()
        assert node.register().status == 200
        assert time.monotonic() - started < 2


def test_plain_http_serves_no_calls(controller: Controller, node: FakeNode) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", controller.http_port, timeout=5)
    connection.request("PUT", f"/v1/nodes/{node.id}", body="{}")
    assert connection.getresponse().status == 404
    connection.close()


def test_one_connection_serves_many_calls(node: FakeNode) -> None:
    node.register()
    before = node.connection().sock
    for _ in range(200):
        assert node.poll().status == 200
    assert node.connection().sock is before


def test_plain_http_on_the_tls_port_is_no_service(controller: Controller) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", controller.port, timeout=3)
    with pytest.raises((http.client.HTTPException, ConnectionError)):
        connection.request("GET", "/images/x")
        connection.getresponse()


def part_of(number: int, last: bool, set_id: str, *slices: dict[str, Any]) -> dict[str, Any]:
    return {"part": {"set": set_id, "number": number, "last": last}, "slices": list(slices)}


def known(controller: Controller) -> dict[str, list[str]]:
    return {one["id"]: [snapshot["name"] for snapshot in one["snapshots"]]
            for one in controller.json("slices") if one["state"] == "running"}


def test_a_registration_in_parts_counts_when_it_is_whole(controller: Controller, tmp_path: Path) -> None:
    node = enrolled(controller, tmp_path)
    shown = example_of("/v1/nodes/{node_id}", "put")["slices"][0]
    old, split, late = str(uuid.uuid4()), str(uuid.uuid4()), str(uuid.uuid4())

    def one(slice_id: str, *names: str) -> dict[str, Any]:
        snapshots = [{**shown["snapshots"][0], "id": str(uuid.uuid4()), "name": name} for name in names]
        return {**shown, "id": slice_id, "name": "s", "snapshots": snapshots}

    assert node.register(slices=[one(old, "kept")]).status == 200
    first, second = str(uuid.uuid4()), str(uuid.uuid4())
    answer = node.register(**part_of(1, False, first, one(split, "a", "b")))
    assert answer.status == 202 and answer.body == {"received": 1}
    assert node.register(**part_of(2, False, first, one(split, "c"))).status == 202
    assert known(controller) == {old: ["kept"]}, "nothing is taken in before the last part"
    # One that skips a part, one of a set that nobody began, and a set of which the beginning is replaced.
    assert node.register(**part_of(4, True, first)).status == 409
    assert node.register(**part_of(2, True, second)).status == 409
    assert known(controller) == {old: ["kept"]}
    controller.stop()
    controller.start()
    node.close()
    assert node.register(**part_of(2, False, first, one(split, "c"))).status == 202, "the same again, after a restart"
    assert node.register(**part_of(3, True, first, one(split, "d"), one(late))).status == 200
    assert known(controller) == {split: ["a", "b", "c", "d"], late: []}
    assert node.register(**part_of(3, True, first)).status == 409, "the set is over"
    assert known(controller) == {split: ["a", "b", "c", "d"], late: []}
    # A whole one in the middle of another set ends that.
    assert node.register(**part_of(1, False, second, one(old))).status == 202
    assert node.register(slices=[one(late)]).status == 200
    assert node.register(**part_of(2, True, second)).status == 409
    assert known(controller) == {late: []}
    assert node.register(**part_of(257, False, second)).status == 400
