"""How fast an image comes in, beside `curl | zstd -d | dd` into a thin volume of the same pool, both in one boot."""

from __future__ import annotations

import functools
import hashlib
import http.server
import subprocess
import tempfile
import threading
import uuid
from pathlib import Path

import peers
from figures import show, show_ratio
from waiting import PATIENCE
from rack import OpenRack

DATA_BYTES = 256 << 20
ZERO_BYTES = 128 << 20
DISK_ID = 2000000
TIMED = peers.NOW + r"""
began=$(now)
{ COMMAND; } >/tmp/import.log 2>&1 || { cat /tmp/import.log; exit 1; }
echo $(($(now) - began))
"""


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


def make_image(folder: Path) -> Path:
    """What disks hold: programs and libraries of this machine, and free space."""
    raw = folder / "image.raw"
    with raw.open("wb") as image:
        for path in sorted(Path("/usr/lib").rglob("*")):
            if image.tell() >= DATA_BYTES:
                break
            if path.is_file() and not path.is_symlink():
                image.write(path.read_bytes()[:DATA_BYTES - image.tell()])
        image.truncate(image.tell() + ZERO_BYTES)
    subprocess.run(["zstd", "-q", "-3", "--rm", "-f", raw, "-o", folder / "image.zst"], check=True)
    return folder / "image.zst"


def seconds(rack: OpenRack, command: str) -> float:
    """How long a command takes on the node, by the node's clock."""
    done = subprocess.run([*rack.dom0_words(), TIMED.replace("COMMAND", command)], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=600 * PATIENCE)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return int(done.stdout) / 100


def compare(rack: OpenRack, url: str, sha256: str, runs: int) -> dict[str, object]:
    called = peers.install(rack, "curl", "zstd", "dd")
    thin = f"{peers.send_tool(rack, 'thin-try')} slicenode-pool"
    size_mib = (DATA_BYTES + ZERO_BYTES) >> 20
    pipeline = (f"{called['curl']} -sf {url} | {called['zstd']} -dc | {called['dd']} of=/dev/mapper/bench-import bs=1M "
                "iflag=fullblock conv=fsync status=none")
    ours, theirs = [], []
    for _ in range(runs):
        image = uuid.uuid4()
        ours.append(seconds(rack, f"slicectl image fetch {url} --id {image} --sha256 {sha256} --compression zstd"))
        rack.dom0(f"slicectl image delete {image}")
        rack.dom0(f"{thin} create bench-import {DISK_ID} {size_mib}")
        theirs.append(seconds(rack, pipeline))
        rack.dom0(f"{thin} remove bench-import {DISK_ID}")
    return {"import": show(f"image.fetch of {size_mib} MiB in zstd", ours),
            "pipeline": show("curl | zstd -d | dd of the same", theirs),
            "import_ratio": show_ratio("times as fast as the pipeline", ours, theirs)}


def measure(rack: OpenRack, runs: int) -> dict[str, object]:
    with tempfile.TemporaryDirectory(prefix="slicenode-bench-") as name:
        image = make_image(Path(name))
        handler = functools.partial(Quiet, directory=name)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            return compare(rack, f"http://10.0.2.2:{server.server_address[1]}/{image.name}",
                           hashlib.sha256(image.read_bytes()).hexdigest(), runs)
        finally:
            server.shutdown()
            server.server_close()
