"""A rack whose node has an NBD disk of the test's."""

from __future__ import annotations

from pathlib import Path

from artefacts import Artefacts
from nbd_disk import NbdDisk
from rack import OpenRack


class NbdRack(OpenRack):
    """The disk's file is `image`."""

    def __init__(self, folder: Path, artefacts: Artefacts, disk_bytes: int) -> None:
        super().__init__(folder, artefacts)
        self.image = self.disk_file = folder / "disk.img"
        self.nbd = NbdDisk(self.image, disk_bytes)
        self.disk = f"nbd:{self.nbd.socket_path},durable"

    def close(self) -> None:
        super().close()
        self.nbd.close()
        self.image.unlink(missing_ok=True)
