"""transfer_image: both children together; which error is told; nothing is left behind."""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from certificates import Authority
from conftest import ServerMaker
from helper import PROGRAMS, ROOT
from server import Request
from test_fetch import DATA, File

NAMES = {"none": "0", "gzip": "1", "xz": "2", "zstd": "3"}
MODULES = ("transfer/fetch transfer/side process/child process/wire base/json base/err base/text base/memory base/file "
           "base/clock base/ident base/check base/log").split()


@pytest.fixture(scope="session")
def tool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tool") / "transfer-tool"
    agent = ROOT / "agent"
    subprocess.run(
        ["gcc", "-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Wno-format-truncation", "-Werror",
         "-g", "-O1",
         "-fsanitize=address,undefined", "-fno-sanitize-recover=all", f"-I{agent}", "-o", path,
         ROOT / "tests" / "children" / "transfer_tool.c",
         *(agent / f"{module}.c" for module in MODULES), "-ljansson"], check=True)
    return path


class Runner:
    def __init__(self, tool: Path, folder: Path) -> None:
        self.tool = tool
        self.volume = folder / "volume"
        self.process: subprocess.Popen[str] | None = None

    def start(self, url: str, *, ca: Path | str = "", sha256: str = "", compression: str = "none",
              transfer_bytes: int = 0, limit: int = 1 << 30, stall: int = 20,
              cancel_after: int = 0, libexec: Path = PROGRAMS) -> subprocess.Popen[str]:
        self.process = subprocess.Popen(
            [self.tool, libexec, url, self.volume, str(ca), sha256, NAMES[compression],
             str(transfer_bytes), str(limit), str(stall), str(cancel_after)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        return self.process

    def run(self, url: str, **options: Any) -> str:
        process = self.start(url, **options)
        output, errors = process.communicate(timeout=90)
        assert process.returncode == 0, errors
        self.errors = errors
        return output.strip()


@pytest.fixture
def runner(tool: Path, tmp_path: Path) -> Iterator[Runner]:
    own = Runner(tool, tmp_path)
    yield own
    if own.process is not None and own.process.poll() is None:
        own.process.kill()
        own.process.communicate()


def hash_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_image(runner: Runner, serve: ServerMaker, authority: Authority, compression: str) -> None:
    stream = gzip.compress(DATA, 1) if compression == "gzip" else DATA
    server = serve(File(stream, breaks=(500_000,)))
    line = runner.run(server.url, ca=authority.certificate, sha256=hash_of(stream),
                      compression=compression, transfer_bytes=len(stream))
    assert line == f"done {len(DATA)} {len(stream)} {hash_of(stream)}"
    assert runner.volume.read_bytes() == DATA


def test_not_found(runner: Runner, serve: ServerMaker) -> None:
    server = serve(lambda request: request.answer(404, b""), certificate=None)
    assert runner.run(server.url).startswith(f"image_unavailable {server.url}: HTTP status 404")


def test_wrong_hash(runner: Runner, serve: ServerMaker) -> None:
    line = runner.run(serve(File(), certificate=None).url, sha256=hash_of(b""))
    assert line.startswith("image_hash_mismatch ") and hash_of(DATA) in line


def test_wrong_length(runner: Runner, serve: ServerMaker) -> None:
    line = runner.run(serve(File(), certificate=None).url, transfer_bytes=5)
    assert line.startswith("image_length_mismatch ")


def test_import_fails_while_net_sends(runner: Runner, serve: ServerMaker) -> None:
    """The broken pipe is a consequence; the cause is told."""
    line = runner.run(serve(File(DATA * 20), certificate=None).url, compression="xz")
    assert line.startswith("image_corrupt the xz stream is damaged")


def test_net_fails_while_import_reads(runner: Runner, serve: ServerMaker) -> None:
    """The truncated stream is a consequence; the cause is told."""
    stream = gzip.compress(DATA, 1)
    server = serve(File(stream, breaks=(1_000_000,), headers={}), certificate=None)
    line = runner.run(server.url, compression="gzip", sha256=hash_of(stream))
    assert line.startswith("image_unavailable ") and "cannot go on" in line


def test_too_large(runner: Runner, serve: ServerMaker) -> None:
    stream = gzip.compress(bytes(50 << 20), 1)
    line = runner.run(serve(File(stream), certificate=None).url, compression="gzip",
                      limit=10 << 20)
    assert line.startswith("image_too_large ")


def test_without_announced_hash_and_length(runner: Runner, serve: ServerMaker) -> None:
    line = runner.run(serve(File(), certificate=None).url)
    assert line == f"done {len(DATA)} {len(DATA)} {hash_of(DATA)}"


def slow(request: Request) -> None:
    """Something, then nothing for long."""
    request.answer(200, DATA[:100_000], length=len(DATA))
    request.handler.wfile.flush()
    time.sleep(6)
    request.break_off()


def test_stands_still(runner: Runner, serve: ServerMaker) -> None:
    line = runner.run(serve(slow, certificate=None).url, stall=2)
    assert line.startswith("timeout ") and "2 s" in line


def test_cancel(runner: Runner, serve: ServerMaker) -> None:
    line = runner.run(serve(slow, certificate=None).url, cancel_after=3)
    assert line.startswith("cancelled ")
    assert f"progress 100000 {len(DATA)}" in runner.errors


def children_of(pid: int) -> list[int]:
    return [int(word) for word in
            Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.parametrize("victim", ["sliced-net", "sliced-import"])
def test_a_child_dies(runner: Runner, serve: ServerMaker, victim: str) -> None:
    server = serve(slow, certificate=None)
    process = runner.start(server.url)
    deadline = time.monotonic() + 20
    while not server.requests or len(children_of(process.pid)) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    for pid in children_of(process.pid):
        if Path(f"/proc/{pid}/comm").read_text().strip() == victim:
            os.kill(pid, signal.SIGKILL)
    output, _ = process.communicate(timeout=30)
    assert output.startswith("internal ") and f"{victim} was killed by signal 9" in output, output


def test_net_that_dies_is_no_short_image(runner: Runner, tmp_path: Path) -> None:
    """The kernel may close its end of the pipe first, and import then finds the image empty."""
    folder = tmp_path / "libexec"
    folder.mkdir()
    (folder / "sliced-import").symlink_to(PROGRAMS / "sliced-import")
    net = folder / "sliced-net"
    net.write_text("#!/bin/sh\nexec 4>&-\n/bin/sleep 0.1\nkill -9 $$\n")
    net.chmod(0o755)
    assert "sliced-net was killed by signal 9" in runner.run("http://127.0.0.1:1", libexec=folder)


def test_worker_dies(runner: Runner, serve: ServerMaker) -> None:
    """Killing the worker takes both children with it."""
    process = runner.start(serve(slow, certificate=None).url)
    deadline = time.monotonic() + 10
    while len(pids := children_of(process.pid)) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    time.sleep(0.5)  # they have entered their sandboxes, which takes away and gives back the bond
    process.kill()
    process.communicate()
    deadline = time.monotonic() + 3
    while any(alive(pid) for pid in pids):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_program_is_missing(runner: Runner, serve: ServerMaker, tmp_path: Path) -> None:
    folder = tmp_path / "libexec"
    folder.mkdir()
    assert runner.run("http://127.0.0.1:1", libexec=folder).startswith(
        f"internal cannot run {folder}/sliced-net: No such file")
    shutil.copy(PROGRAMS / "sliced-net", folder)
    assert runner.run("http://127.0.0.1:1", libexec=folder).startswith(
        f"internal cannot run {folder}/sliced-import: No such file")
