"""A node with two Debian slices, PV and PVH, that cloud-init has set up: its first boot takes an emulated processor
minutes, so it is booted once and kept (kept.py).
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import kept
from artefacts import Artefacts
from node import REPOSITORY
from rack import OpenRack
from saved import Saved, lasting_port, save

KINDS = ("pv", "pvh")
USER_DATA = "#cloud-config\nwrite_files:\n  - path: /etc/made-by-user-data\n    content: |\n      yes it was\n"
FIRST_BOOT_SECONDS = 600.0
MEMORY_MIB = 512
DISK_GIB = 4


def inputs(artefacts: Artefacts) -> list[Path]:
    """What a kept node comes from: the image, the guest, the controller, and how they are started."""
    out, scripts, here = artefacts.out, REPOSITORY / "scripts", Path(__file__).resolve().parent
    return [out / "xen" / "xen", out / "linux" / "vmlinuz", out / "initramfs" / "initramfs",
            out / "guest" / "debian.raw.zst", *(REPOSITORY / "image").glob("arguments.*"),
            scripts / "qemu", *(scripts / "slicenode_controller").glob("*.py"),
            REPOSITORY / "docs" / "protocol" / "openapi.json",
            *(here / f"{name}.py" for name in ("debian", "node", "rack", "saved"))]


def make(artefacts: Artefacts, target: Path) -> None:
    """The second is made when the first has finished, so that neither starves the other on the node's one CPU."""
    with tempfile.TemporaryDirectory(prefix=target.name, dir=target.parent) as folder:
        rack = OpenRack(Path(folder), artefacts, port=lasting_port())
        try:
            rack.boot()
            user_data = rack.folder / "user-data"
            user_data.write_text(USER_DATA)
            for number, kind in enumerate(KINDS):
                rack.provision(f"debian-{kind}", "debian.raw.zst", number, "--type", kind, "--memory-mib",
                               str(MEMORY_MIB), "--disk-gib", str(DISK_GIB), "--user-data", str(user_data))
                # What went wrong is not kept.
                status = rack.ssh(number, "cloud-init status --wait --long", "debian", FIRST_BOOT_SECONDS)
                assert "status: done" in status and "errors: []" in status, status
            save(rack, target)
        finally:
            rack.end("debian-made")


@contextmanager
def booted(artefacts: Artefacts) -> Iterator[Saved]:
    """For one rack at a time."""
    with kept.one("debian", inputs(artefacts), lambda target: make(artefacts, target)) as saved:
        yield saved
