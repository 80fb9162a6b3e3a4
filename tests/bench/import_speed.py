"""How fast an image comes in, beside `curl | zstd -d | dd` into the same file system, one after the other on this
machine: the node's busybox has neither curl nor zstd, so the comparison cannot be made in the node itself."""

from __future__ import annotations

import functools
import http.server
import subprocess
import threading
import time
from pathlib import Path

MODULES = "transfer child wire json err util file clock ident check log".split()
DATA_BYTES = 512 << 20
ZERO_BYTES = 256 << 20
LIMIT_BYTES = 4 << 30
ZSTD = "3"  # of enum compression


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


def make_image(folder: Path) -> Path:
    """What disks hold: programs and libraries of this machine, and free space."""
    raw = folder / "image.raw"
    with raw.open("wb") as image:
        for path in sorted(Path("/usr").rglob("*")):
            if image.tell() >= DATA_BYTES:
                break
            if path.is_file() and not path.is_symlink():
                image.write(path.read_bytes()[:DATA_BYTES - image.tell()])
        image.truncate(image.tell() + ZERO_BYTES)
    subprocess.run(["zstd", "-q", "-3", "--rm", "-f", raw, "-o", folder / "image.zst"], check=True)
    return folder / "image.zst"


def make_tool(root: Path, folder: Path) -> Path:
    agent = root / "agent"
    subprocess.run(["make", "-s", "-C", agent, "BUILD=release", "sliced-net", "sliced-import"], check=True)
    subprocess.run(["gcc", "-std=gnu11", "-D_GNU_SOURCE", "-O2", f"-I{agent}", "-o", folder / "tool",
                    root / "tests" / "children" / "transfer_tool.c",
                    *(agent / f"{module}.c" for module in MODULES), "-ljansson"], check=True)
    return folder / "tool"


def seconds(words: list[str | Path], output: Path, shell: str = "") -> float:
    output.unlink(missing_ok=True)
    subprocess.run(["sync"], check=True)
    began = time.monotonic()
    done = subprocess.run(shell or words, shell=bool(shell), capture_output=True, text=True, check=True)
    assert shell or done.stdout.startswith("done "), done.stdout
    return time.monotonic() - began


def compare(root: Path, folder: Path, runs: int) -> tuple[list[float], list[float]]:
    """Seconds of our imports and of the pipeline's, in turns."""
    image, tool, output = make_image(folder), make_tool(root, folder), folder / "output"
    handler = functools.partial(Quiet, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}/{image.name}"
    ours, theirs = [], []
    for _ in range(runs):
        ours.append(seconds([tool, root / "out" / "agent-release", url, output, "", "", ZSTD, "0", str(LIMIT_BYTES),
                             "60", "0"], output))
        theirs.append(seconds([], output, f"curl -sf {url} | zstd -dc | "
                                          f"dd of={output} bs=1M iflag=fullblock conv=fsync status=none"))
    server.shutdown()
    return ours, theirs
