"""Images over HTTP, whole, in part and broken on purpose."""

import hashlib
import http.client
import json
import os
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rig import Answer, Controller
from slicenode_controller.files import faults as faults_module
from slicenode_controller.files.files import sha256_of

SIZE = 700_001
CONTENT = hashlib.shake_256(b"image").digest(SIZE)


@pytest.fixture(scope="module", autouse=True)
def image(images: Path) -> Path:
    (images / "sub").mkdir()
    (images / "sub" / "b b.raw").write_bytes(b"spaces")
    (images / ".hidden").write_text("secret")
    (images.parent / "outside").write_text("secret")
    (images / "link").symlink_to(images.parent / "outside")
    (images / "empty").touch()
    file = images / "a.raw"
    file.write_bytes(CONTENT)
    return file


@pytest.fixture(autouse=True)
def no_faults(faults: Path) -> Iterator[None]:
    yield
    faults.unlink(missing_ok=True)


def get(controller: Controller, path: str, method: str = "GET", **headers: str) -> Answer:
    tls = ssl.create_default_context(cafile=str(controller.ca_file))
    connection = http.client.HTTPSConnection(
        "127.0.0.1", controller.port, context=tls, timeout=10
    )
    try:
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        connection.request(method, path, headers=named)
        response = connection.getresponse()
        return Answer(response, response.read())
    finally:
        connection.close()


def test_whole_file_without_a_certificate(controller: Controller) -> None:
    answer = get(controller, "/images/a.raw")
    assert answer.status == 200 and answer.bytes == CONTENT
    assert answer.headers["Accept-Ranges"] == "bytes"
    head = get(controller, "/images/a.raw", "HEAD")
    assert head.bytes == b"" and head.headers["Content-Length"] == str(SIZE)
    assert head.headers["ETag"] == answer.headers["ETag"]
    assert get(controller, "/images/sub/b%20b.raw").bytes == b"spaces"
    assert get(controller, "/images/empty").bytes == b""


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=100-299", 100, 299),
        (f"bytes={SIZE - 1}-", SIZE - 1, SIZE - 1),
        ("bytes=500000-", 500000, SIZE - 1),
        ("bytes=-5", SIZE - 5, SIZE - 1),
        (f"bytes=-{SIZE * 2}", 0, SIZE - 1),
        (f"bytes=10-{SIZE * 2}", 10, SIZE - 1),
    ],
)
def test_range(controller: Controller, asked: str, first: int, last: int) -> None:
    answer = get(controller, "/images/a.raw", Range=asked)
    assert answer.status == 206
    assert answer.headers["Content-Range"] == f"bytes {first}-{last}/{SIZE}"
    assert answer.bytes == CONTENT[first : last + 1]


@pytest.mark.parametrize("asked", [f"bytes={SIZE}-", f"bytes={SIZE + 9}-{SIZE + 10}", "bytes=-0"])
def test_range_that_cannot_be_given(controller: Controller, asked: str) -> None:
    answer = get(controller, "/images/a.raw", Range=asked)
    assert (answer.status, answer.bytes) == (416, b"")
    assert answer.headers["Content-Range"] == f"bytes */{SIZE}"


@pytest.mark.parametrize(
    "asked", ["bytes=9-3", "bytes=-", "lines=1-2", "bytes=0-1,3-4", "bytes=x-"]
)
def test_range_that_is_ignored(controller: Controller, asked: str) -> None:
    answer = get(controller, "/images/a.raw", Range=asked)
    assert answer.status == 200 and len(answer.bytes) == SIZE


def test_if_range_continues_only_the_same_file(controller: Controller, image: Path) -> None:
    first = get(controller, "/images/a.raw", "HEAD")
    etag, modified = first.headers["ETag"], first.headers["Last-Modified"]
    for condition in (etag, modified):
        answer = get(controller, "/images/a.raw", Range="bytes=5-", If_Range=condition)
        assert answer.status == 206
    os.utime(image, (time.time() - 9999, time.time() - 9999))
    for condition in (etag, modified, "nonsense", 'W/"x"'):
        answer = get(controller, "/images/a.raw", Range="bytes=5-", If_Range=condition)
        assert answer.status == 200 and answer.bytes == CONTENT


@pytest.mark.parametrize(
    "path",
    ["/images/none", "/images/", "/images", "/images/sub", "/images/.hidden", "/images/link",
     "/images/../outside", "/images/%2e%2e/outside", "/images/sub%2f..%2f..%2foutside",
     "/images//a.raw", "/images/a.raw%00", "/images/" + "x" * 5000],
)  # fmt: skip
def test_nothing_but_the_folders_files(controller: Controller, path: str) -> None:
    answer = get(controller, path)
    assert answer.status == 404 and b"secret" not in answer.bytes
    assert answer.code in ("image_not_found", "unknown_operation")


def test_plain_http_serves_the_same(controller: Controller) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", controller.http_port, timeout=5)
    connection.request("GET", "/images/a.raw", headers={"Range": "bytes=1-2"})
    response = connection.getresponse()
    assert (response.status, response.read()) == (206, CONTENT[1:3])
    connection.close()


def test_curl_resumes(controller: Controller, tmp_path: Path) -> None:
    part = tmp_path / "part"
    part.write_bytes(CONTENT[:123_456])
    url = f"https://127.0.0.1:{controller.port}/images/a.raw"
    command = ["curl", "-sS", "--fail", "--cacert", str(controller.ca_file), "-C", "-"]
    subprocess.run([*command, "-o", str(part), url], check=True)
    assert part.read_bytes() == CONTENT


def test_hash_of_a_file_is_remembered_until_it_changes(
    controller: Controller, tmp_path: Path
) -> None:
    file = tmp_path / "x"
    file.write_bytes(b"one")
    assert sha256_of(controller.store, file) == hashlib.sha256(b"one").hexdigest()
    os.utime(file, (1, 1))
    file.write_bytes(b"two")
    assert sha256_of(controller.store, file) == hashlib.sha256(b"two").hexdigest()


# Faults


def set_faults(faults: Path, *rules: dict[str, Any]) -> None:
    scratch = faults.with_suffix(".new")
    scratch.write_text(json.dumps(rules))
    scratch.replace(faults)


def rule(kind: str, **fields: Any) -> dict[str, Any]:
    return {"path": "/images/a.raw", "kind": kind, **fields}


def test_status_a_number_of_times(controller: Controller, faults: Path) -> None:
    set_faults(faults, rule("status", status=503, times=2))
    assert [get(controller, "/images/a.raw").status for _ in range(3)] == [503, 503, 200]


def test_fault_in_a_call_of_the_protocol(controller: Controller, faults: Path) -> None:
    set_faults(faults, {"path": "/v1/*", "kind": "status", "status": 500, "times": 1})
    assert get(controller, "/v1/enroll", "POST").status == 500
    assert get(controller, "/v1/enroll", "POST").status == 400


def test_connection_lost_half_way_and_resumed(controller: Controller, faults: Path) -> None:
    set_faults(faults, rule("drop", after_bytes=300_000, times=1))
    with pytest.raises((http.client.IncompleteRead, ssl.SSLError, ConnectionError)) as caught:
        get(controller, "/images/a.raw")
    if isinstance(caught.value, http.client.IncompleteRead):
        assert caught.value.partial == CONTENT[:300_000]
    assert get(controller, "/images/a.raw", Range="bytes=300000-").bytes == CONTENT[300_000:]


def test_close_without_an_answer(controller: Controller, faults: Path) -> None:
    set_faults(faults, rule("close", times=1))
    with pytest.raises((http.client.HTTPException, ssl.SSLError, ConnectionError)):
        get(controller, "/images/a.raw")


def test_short_long_and_corrupt_bodies(controller: Controller, faults: Path) -> None:
    set_faults(faults, rule("short", after_bytes=1000))
    assert get(controller, "/images/a.raw").bytes == CONTENT[:1000]
    set_faults(faults, rule("long", extra_bytes=10))
    with pytest.raises((http.client.IncompleteRead, ssl.SSLError, ConnectionError)):
        get(controller, "/images/a.raw")
    set_faults(faults, rule("corrupt", at_byte=400_000))
    body = get(controller, "/images/a.raw").bytes
    assert [i for i in range(SIZE) if body[i] != CONTENT[i]] == [400_000]
    body = get(controller, "/images/a.raw", Range="bytes=399999-400001").bytes
    assert [body[0] == CONTENT[399_999], body[1] == CONTENT[400_000]] == [True, False]


def test_no_range_and_new_etag(controller: Controller, faults: Path) -> None:
    set_faults(faults, rule("no_range"))
    assert get(controller, "/images/a.raw", Range="bytes=5-").status == 200
    set_faults(faults, rule("new_etag", times=3))
    tags = {get(controller, "/images/a.raw", "HEAD").headers["ETag"] for _ in range(3)}
    assert len(tags) == 3


def test_delay(controller: Controller, faults: Path) -> None:
    set_faults(faults, rule("delay", seconds=0.3))
    started = time.monotonic()
    assert get(controller, "/images/a.raw").status == 200
    assert time.monotonic() - started >= 0.3


@pytest.mark.parametrize(
    "text",
    ["{", "{}", '[{"path": "/x"}]', '[{"path": "/x", "kind": "explode"}]',
     '[{"path": "/x", "kind": "status"}]', '[{"kind": "close"}]',
     '[{"path": "/x", "kind": "close", "status": 1}]', "[1]"],
)  # fmt: skip
def test_bad_faults(text: str) -> None:
    with pytest.raises(faults_module.BadFaults):
        faults_module.read_rules(text)
