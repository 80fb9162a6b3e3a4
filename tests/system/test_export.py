"""Snapshots leave the real node: whole, as VHD, and as what has changed, out of the kernel's own thin pool metadata."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path
from typing import Any

from rack import Rack

GIB = 1 << 30
EXPORT_SECONDS = 240.0


def digest(path: Path) -> str:
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


def export(rack: Rack, snapshot: str, name: str, *options: str) -> tuple[Path, dict[str, Any]]:
    """The file, whose SHA-256 the controller has compared with what the node says, and the result."""
    file = rack.folder / name
    ended: dict[str, Any] = rack.json("snapshot", "export", "web", snapshot, "--output", str(file), *options,
                                      seconds=EXPORT_SECONDS)
    result: dict[str, Any] = ended["result"]
    assert (result["sha256"], result["bytes"]) == (digest(file), file.stat().st_size)
    print(f"{name}: {result['bytes']} bytes sent, {result['read_bytes']} read, {ended['seconds']} s")
    return file, result


def unpack(packed: Path) -> Path:
    raw = packed.with_suffix("")
    subprocess.run(["zstd", "-q", "-f", "-d", packed, "-o", raw], check=True)
    packed.unlink()
    assert raw.stat().st_size == GIB
    return raw


def write(rack: Rack, path: str, kib: int) -> bytes:
    """Noise in a file of the slice, on its disk when this returns."""
    rack.ssh(0, f"dd if=/dev/urandom of={path} bs=1024 count={kib} 2>/dev/null; sync")
    return bytes.fromhex(rack.ssh(0, f"head -c 4096 {path} | od -An -v -tx1 | tr -d ' \\n'"))


def test_whole_vhd_and_changes(rack: Rack) -> None:
    rack.provision("web", "small.raw.zst", 0)
    first = write(rack, "/root/first", 300)
    rack.do("snapshot", "create", "web", "one")
    second = write(rack, "/root/second", 700)
    rack.ssh(0, "rm /root/first; sync")
    rack.do("snapshot", "create", "web", "two")
    rack.ssh(0, "echo later >/root/later; sync")

    one, result = export(rack, "one", "one.raw.zst", "--compression", "zstd")
    assert result["read_bytes"] < GIB / 2, "what was never written is not read"
    older = unpack(one)
    assert first in older.read_bytes()

    vhd, result = export(rack, "one", "one.vhd", "--format", "vhd")
    assert result["bytes"] < GIB / 2
    check = subprocess.run(["qemu-img", "info", "-f", "vpc", vhd], check=True, capture_output=True, text=True)
    assert f"({GIB} bytes)" in check.stdout
    back = rack.folder / "vhd.raw"
    subprocess.run(["qemu-img", "convert", "-f", "vpc", "-O", "raw", vhd, back], check=True)
    assert digest(back) == digest(older)

    change, result = export(rack, "two", "two.delta", "--since", "one")
    assert 700 << 10 <= result["read_bytes"] < 64 << 20, result
    applied = rack.folder / "applied.raw"
    rack.controller("snapshot", "apply-delta", str(older), str(change), str(applied))
    whole = unpack(export(rack, "two", "two.raw.zst", "--compression", "zstd")[0])
    assert digest(applied) == digest(whole) != digest(older)
    assert second in whole.read_bytes()
    assert rack.ssh(0, "cat /root/later") == "later"


def test_what_cannot_be_sent_is_refused(rack: Rack) -> None:
    failed = rack.try_controller("snapshot", "export", "web", "one", "--url", "https://10.0.2.2:1/x", "--wait")
    assert failed.returncode == 1 and "export_failed" in failed.stderr, failed.stderr
    failed = rack.try_controller("snapshot", "export", "web", "one", "--since", "two", "--wait")
    assert failed.returncode == 1 and "newer" in failed.stderr, failed.stderr
    # Nothing of it keeps the slice and its snapshots from being removed.
    rack.do("terminate", "web")
