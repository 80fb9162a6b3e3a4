"""A rack whose node has an NBD disk of the test's and lets the test in by ssh."""

from __future__ import annotations

from pathlib import Path

from conftest import Artefacts
from nbd_disk import NbdDisk
from node import free_port, retry_ssh, ssh_words
from rack import Rack


class NbdRack(Rack):
    """The disk's file is `image`."""

    def __init__(self, folder: Path, artefacts: Artefacts, disk_bytes: int) -> None:
        super().__init__(folder, artefacts)
        self.image = folder / "disk.img"
        self.nbd = NbdDisk(self.image, disk_bytes)
        self.disk = f"nbd:{self.nbd.socket_path},durable"
        self.node_port = free_port()
        self.forwards.append(f"--hostfwd={self.node_port}:22")
        key = self.key.with_suffix(".pub").read_text().strip()
        self.more_parameters = f' slicenode.ssh_key="{key}"'

    def dom0_words(self) -> list[str]:
        return ssh_words(self.key, self.node_port, "root")

    def dom0(self, command: str, seconds: float = 60) -> str:
        """What a command on the node itself prints."""
        done = retry_ssh([*self.dom0_words(), command], seconds)
        assert done.returncode == 0, f"node: {command!r}: {done.returncode} {done.stdout}{done.stderr}\n{self.story()}"
        return done.stdout.strip()

    def close(self) -> None:
        super().close()
        self.nbd.close()
        self.image.unlink(missing_ok=True)
