"""The state folder as a command sees it."""

import fcntl
import os
from functools import cached_property
from pathlib import Path

from ..files.files import Images
from ..node_api.ca import Ca
from ..node_api.protocol import Protocol
from ..state.store import Row, Store
from .lookup import CommandError

DEFAULT_PORT = 8443
QEMU_HOST = "10.0.2.2"
SILENT_HEARTBEATS = 3


def default_folder() -> Path:
    named = os.environ.get("SLICENODE_CONTROLLER_DIR")
    if named:
        return Path(named)
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "slicenode-controller"


class Session:
    """One command's use of the state folder; makes what is missing."""

    def __init__(self, folder: Path, json: bool) -> None:
        self.folder = folder
        self.json = json

    @cached_property
    def store(self) -> Store:
        self._make_folder()
        return Store(self.folder / "controller.db")

    @cached_property
    def ca(self) -> Ca:
        self._make_folder()
        return Ca(self.folder / "ca")

    @cached_property
    def protocol(self) -> Protocol:
        return Protocol()

    def claim(self) -> None:
        """Keeps a second server out of the folder until this process ends."""
        self._make_folder()
        self._claim = open(self.folder / "serve.lock", "w", encoding="ascii")  # noqa: SIM115
        try:
            fcntl.flock(self._claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CommandError(f"a controller serves from {self.folder} already") from None

    def close(self) -> None:
        if "store" in self.__dict__:
            self.store.close()

    def _make_folder(self) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def url(self) -> str:
        """Where nodes reach this controller, as far as it can know."""
        known = self.store.setting("url")
        if known is not None:
            return known
        host = self.store.setting("host") or QEMU_HOST
        port = self.store.setting("port") or str(DEFAULT_PORT)
        return f"https://{_bracketed(host)}:{port}"

    def url_for(self, node: Row, plain_http: bool) -> str:
        """Beginning of the URLs of images, with the host name by which the node knows us."""
        base = f"https://{node['host']}" if node["host"] else self.url()
        if not plain_http:
            return base
        port = self.store.setting("http_port")
        if port is None:
            raise CommandError("the controller has no plain HTTP: start it with --http PORT")
        host = base.removeprefix("https://")
        name = host if host.endswith("]") else host.rpartition(":")[0] or host
        return f"http://{name}:{port}"

    def images(self) -> Images | None:
        known = self.store.setting("images")
        return None if known is None else Images(Path(known))

    def silent_after_seconds(self) -> float:
        """A node that was not heard for so long is called offline."""
        return SILENT_HEARTBEATS * float(self.store.setting("heartbeat_seconds") or 30)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
