"""snapshot.export: what arrives is the snapshot, and whatever goes wrong leaves nothing behind."""

from __future__ import annotations

import hashlib
import io
import json
import os
import signal
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from controller import Controller
from node import PROGRAMS, Node, Refused, slice_args
from waiting import wait_until
from test_controller import enrolled, node_id

SIZE = 1 << 30


@pytest.fixture(scope="module")
def receiver() -> Iterator[Controller]:
    """A controller that breaks what `faults` says."""
    made = Controller()
    made.start("--faults", str(made.folder / "faults.json"))
    yield made
    made.stop()
    made.remove()


def faults(receiver: Controller, *rules: dict[str, Any]) -> None:
    part = receiver.folder / "faults.part"
    part.write_text(json.dumps(list(rules)))
    part.rename(receiver.folder / "faults.json")


class Subject:
    """A node of the receiver's with a slice and a snapshot of it."""

    def __init__(self, node: Node, receiver: Controller, image: dict[str, Any]) -> None:
        self.node, self.receiver = node, receiver
        self.slice = str(uuid.uuid4())
        node.do("slice.provision", self.slice, **slice_args(image))
        self.write(700_000, b"older" * 30_000)
        self.snapshot = self.take("one")

    def write(self, offset: int, data: bytes) -> None:
        with self.node.disk(self.slice).open("r+b") as disk:
            disk.seek(offset)
            disk.write(data)

    def take(self, name: str) -> str:
        snapshot = str(uuid.uuid4())
        self.node.do("snapshot.create", self.slice, snapshot=snapshot, name=name)
        return snapshot

    def place(self) -> tuple[str, Path]:
        """A URL that the receiver takes an export at, and where it will be."""
        folder = self.receiver.folder / "state" / "exports" / str(uuid.uuid4())
        folder.mkdir(parents=True)
        return f"{self.receiver.url}/exports/{folder.name}/disk", folder / "disk"

    def refused(self, **args: Any) -> Refused:
        args.setdefault("snapshot", self.snapshot)
        with pytest.raises(Refused) as caught:
            self.node.do("snapshot.export", self.slice, **args)
        self.check_clean()
        return caught.value

    def check_clean(self) -> None:
        assert not [name for name in self.node.active() if name.startswith("export-")]
        assert not (self.node.sim / "metadata").exists()
        assert self.node.state(self.slice) == "running"


def digest(path: Path) -> str:
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


@pytest.fixture
def subject(make_node: Callable[..., Node], receiver: Controller,
            small: dict[str, Any]) -> Subject:
    faults(receiver)
    return Subject(enrolled(make_node, receiver), receiver, small)


def unpacked(path: Path, program: str) -> str:
    with subprocess.Popen([program, "-dc", path], stdout=subprocess.PIPE) as process:
        assert isinstance(process.stdout, io.BufferedReader)
        return hashlib.file_digest(process.stdout, "sha256").hexdigest()


def test_by_the_controllers_command(subject: Subject, receiver: Controller, tmp_path: Path) -> None:
    """The snapshot's contents, not what the slice has written since."""
    expected = digest(subject.node.disk(subject.slice))
    subject.write(0, b"newer")
    output = tmp_path / "disk"
    receiver.text("snapshot", "export", subject.slice, subject.snapshot, "--compression", "gzip",
                  "--output", str(output))
    assert unpacked(output, "gzip") == expected
    done = receiver.json("events", "--node", node_id(subject.node), "--type", "request.done")
    assert done[-1]["result"]["sha256"] == digest(output)
    subject.check_clean()


def test_to_a_url(subject: Subject) -> None:
    """Without a length that is known before, so in chunks."""
    url, file = subject.place()
    result = subject.node.do("snapshot.export", subject.slice, snapshot=subject.snapshot, url=url,
                             compression="zstd", headers=["Authorization: Bearer x"])
    assert (result["sha256"], result["bytes"]) == (digest(file), file.stat().st_size)
    assert (result["format"], result["compression"], result["since"]) == ("raw", "zstd", None)
    assert file.stat().st_size < SIZE / 50
    assert unpacked(file, "zstd") == digest(subject.node.disk(subject.slice))


def test_vhd(subject: Subject, tmp_path: Path) -> None:
    url, file = subject.place()
    result = subject.node.do("snapshot.export", subject.slice, snapshot=subject.snapshot, url=url,
                             format="vhd")
    assert (result["sha256"], result["format"]) == (digest(file), "vhd")
    told = json.loads(subprocess.run(["qemu-img", "info", "-f", "vpc", "--output=json", file],
                                     check=True, capture_output=True).stdout)
    assert told["virtual-size"] == SIZE
    raw = tmp_path / "raw"
    subprocess.run(["qemu-img", "convert", "-f", "vpc", "-O", "raw", file, raw], check=True)
    assert digest(raw) == digest(subject.node.disk(subject.slice))


def test_since(subject: Subject, receiver: Controller, tmp_path: Path) -> None:
    """Older disk and delta give the newer disk, byte for byte."""
    base, change, applied = tmp_path / "base", tmp_path / "delta", tmp_path / "applied"
    subprocess.run(["cp", "--sparse=always", subject.node.disk(subject.slice), base], check=True)
    subject.write(100, b"near the beginning")
    subject.write(700_000, bytes(65536))
    subject.write(500 << 20, os.urandom(300_000))
    subject.write(SIZE - 10, b"at the end")
    newer = subject.take("two")
    expected = digest(subject.node.disk(subject.slice))
    subject.write(0, b"later")
    receiver.text("snapshot", "export", subject.slice, newer, "--since", subject.snapshot,
                  "--output", str(change))
    done = receiver.json("events", "--node", node_id(subject.node), "--type", "request.done")
    result = done[-1]["result"]
    assert (result["format"], result["since"]) == ("delta", subject.snapshot)
    assert result["sha256"] == digest(change)
    assert 300_000 < result["read_bytes"] < 1_000_000 and change.stat().st_size < 1_000_000
    receiver.text("snapshot", "apply-delta", str(base), str(change), str(applied))
    assert digest(applied) == expected
    # A delta that is not whole, or something else, is not applied.
    whole = change.read_bytes()
    for broken in (whole[:-1], whole[:-24], whole + b"x", b"{}\n" + whole):
        change.write_bytes(broken)
        failed = receiver.run("snapshot", "apply-delta", str(base), str(change), str(applied))
        assert failed.returncode == 1 and "delta" in failed.stderr
    subject.check_clean()


def test_nothing_has_changed(subject: Subject) -> None:
    newer = subject.take("two")
    url, file = subject.place()
    result = subject.node.do("snapshot.export", subject.slice, snapshot=newer, url=url,
                             since=subject.snapshot)
    assert result["read_bytes"] == 0
    header, _, rest = file.read_bytes().partition(b"\n")
    assert json.loads(header)["size_bytes"] == SIZE and rest[:4] == b"END " and len(rest) == 24


def test_since_what_cannot_be(subject: Subject, small: dict[str, Any]) -> None:
    newer = subject.take("two")
    url, _ = subject.place()
    error = subject.refused(url=url, since=newer)
    assert error.code == "invalid_argument" and "newer" in error.message
    assert subject.refused(url=url, since=str(uuid.uuid4())).code == "snapshot_not_found"
    other = str(uuid.uuid4())
    subject.node.do("slice.provision", other, **slice_args(small))
    theirs = str(uuid.uuid4())
    subject.node.do("snapshot.create", other, snapshot=theirs, name="theirs")
    assert subject.refused(url=url, since=theirs).code == "snapshot_not_found"
    assert subject.refused(url=url, snapshot=theirs).code == "snapshot_not_found"


def test_without_the_pools_metadata(subject: Subject) -> None:
    """A pool that takes no changes: the whole disk still comes, a delta does not."""
    older = subject.snapshot
    newer = subject.take("two")
    subject.node.settings(fail=[{"call": "metadata_open", "code": "storage_error"}])
    url, file = subject.place()
    result = subject.node.do("snapshot.export", subject.slice, snapshot=newer, url=url,
                             compression="zstd")
    assert result["read_bytes"] == SIZE and digest(file) == result["sha256"]
    assert subject.refused(url=url, snapshot=newer, since=older).code == "storage_error"


# --- slicectl -----------------------------------------------------------------------------------


def slicectl_export(node: Node, *words: str, stdout: Any) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "SLICENODE_SOCKET": str(node.run / "api.sock")}
    return subprocess.Popen([PROGRAMS / "slicectl", "snapshot", "export", *words], env=environment,
                            stdout=stdout, stderr=subprocess.PIPE)


def test_to_standard_output(subject: Subject, tmp_path: Path) -> None:
    output = tmp_path / "disk"
    with output.open("wb") as target:
        done = slicectl_export(subject.node, subject.slice, "one", "--compression", "gzip",
                               stdout=target)
        errors = done.communicate(timeout=60)[1].decode()
    assert done.returncode == 0, errors
    assert f"{output.stat().st_size} bytes, sha256 {digest(output)}" in errors
    subject.check_clean()


def test_reader_of_standard_output_goes_away(subject: Subject) -> None:
    done = slicectl_export(subject.node, subject.slice, "one", stdout=subprocess.PIPE)
    assert done.stdout is not None
    done.stdout.read(1000)
    done.stdout.close()
    assert done.stderr is not None
    assert done.wait(60) == 1 and b"cancelled" in done.stderr.read()
    subject.node.idle()
    subject.check_clean()


def test_slicectl_is_killed(subject: Subject) -> None:
    """Nobody reads: the export ends with who wanted it."""
    done = slicectl_export(subject.node, subject.slice, "one", stdout=subprocess.PIPE)
    assert done.stdout is not None
    done.stdout.read(1000)
    done.kill()
    subject.node.idle()
    subject.check_clean()
    done.communicate()


def test_reader_stands_still(subject: Subject) -> None:
    done = slicectl_export(subject.node, subject.slice, "one", "--stall", "1",
                           stdout=subprocess.PIPE)
    # Not idle() first: before slicectl has asked, the node has nothing to do either. And it ends by itself.
    done.wait(60)
    subject.node.idle()
    subject.check_clean()
    errors = done.communicate(timeout=60)[1]
    assert done.returncode == 1 and b"timeout: the export stands still for 1 s" in errors


def test_agent_killed_under_slicectl(subject: Subject) -> None:
    """The descriptor went with the agent: the request is undone, not sent to nowhere."""
    done = slicectl_export(subject.node, subject.slice, "one", stdout=subprocess.PIPE)
    assert done.stdout is not None
    done.stdout.read(1000)
    subject.node.kill()
    done.communicate(timeout=60)
    assert done.returncode == 3
    subject.node.start()
    subject.node.idle()
    subject.check_clean()
    wait_until(lambda: '"cancelled"' in subject.receiver.text(
        "--json", "events", "--node", node_id(subject.node), "--type", "request.failed"),
        "the node has told")


# --- What goes wrong ------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [403, 500, 307])
def test_server_refuses(subject: Subject, receiver: Controller, status: int) -> None:
    url, file = subject.place()
    faults(receiver, {"path": "/exports/*", "kind": "status", "status": status})
    error = subject.refused(url=url)
    assert error.code == "export_failed" and f"HTTP status {status}" in error.message
    assert not file.exists()


def test_server_hangs_up(subject: Subject, receiver: Controller) -> None:
    url, file = subject.place()
    faults(receiver, {"path": "/exports/*", "kind": "drop", "after_bytes": 5_000_000})
    assert subject.refused(url=url).code == "export_failed"
    assert not file.exists()


def test_server_stands_still(subject: Subject, receiver: Controller) -> None:
    url, file = subject.place()
    faults(receiver, {"path": "/exports/*", "kind": "delay", "seconds": 15})
    error = subject.refused(url=url, stall_seconds=1)
    assert error.code == "export_failed" and "taken nothing for 1 s" in error.message
    assert not file.exists()


def test_nobody_there(subject: Subject) -> None:
    assert subject.refused(url="https://127.0.0.1:1/x").code == "export_failed"


def test_foreign_certificate(subject: Subject, controller: Controller) -> None:
    """Another CA than the node's own controller's."""
    error = subject.refused(url=f"{controller.url}/exports/x/y")
    assert error.code == "export_failed" and "certificate is not trusted" in error.message


def test_arguments(subject: Subject) -> None:
    good = "https://127.0.0.1:1/x"
    wrong: list[tuple[dict[str, Any], str, str]] = [
        ({}, "invalid_argument", "url"),
        ({"url": "http://127.0.0.1/x"}, "invalid_argument", "https"),
        ({"url": good, "format": "qcow2"}, "invalid_argument", "format"),
        ({"url": good, "compression": "xz"}, "invalid_argument", "xz"),
        ({"url": good, "headers": ["Host: x"]}, "invalid_argument", "headers[0]"),
        ({"url": good, "headers": ["a: b\r\nc: d"]}, "invalid_argument", "headers[0]"),
        ({"url": good, "more": 1}, "unknown_field", "more"),
        ({"url": good, "snapshot": str(uuid.uuid4())}, "snapshot_not_found", "no snapshot"),
        ({"url": good, "since": str(uuid.uuid4()), "format": "vhd"}, "invalid_argument",
         "since")]
    for args, code, words in wrong:
        error = subject.refused(**args)
        assert error.code == code and words in error.message, (args, error)


# --- Beside other requests ------------------------------------------------------------------------


def hold(subject: Subject, seconds: float = 20) -> str:
    """An export that waits for its server."""
    url, _ = subject.place()
    faults(subject.receiver, {"path": "/exports/*", "kind": "delay", "seconds": seconds})
    request = subject.node.submit("snapshot.export", subject.slice, snapshot=subject.snapshot,
                                  url=url, compression="zstd")
    wait_until(lambda: [n for n in subject.node.active() if n.startswith("export-")],
               "the export runs")
    return request


def test_does_not_hold_up_the_slice(subject: Subject) -> None:
    request = hold(subject)
    subject.node.do("slice.reboot", subject.slice, force=True)
    subject.take("two")
    assert subject.node.call("request.show", id=request)["phase"] == "running"
    subject.node.do("slice.terminate", subject.slice)
    ended = subject.node.wait(request)
    assert ended["error"]["code"] == "cancelled"
    assert subject.node.active() == set() and len(subject.node.volumes()) == 1, "only the image"


def test_deletion_waits(subject: Subject) -> None:
    request = hold(subject, seconds=2)
    delete = subject.node.submit("snapshot.delete", subject.slice, snapshot=subject.snapshot)
    assert subject.node.wait(delete)["phase"] == "done"
    assert subject.node.call("request.show", id=request)["phase"] == "done"


def test_worker_killed(subject: Subject) -> None:
    request = hold(subject)
    assert subject.node.process is not None
    pid = subject.node.process.pid
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        if Path(f"/proc/{child}/comm").read_text().strip() == "sliced":
            os.kill(int(child), signal.SIGKILL)
    ended = subject.node.wait(request)
    assert ended["error"]["code"] == "internal"
    subject.check_clean()
