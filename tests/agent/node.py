"""A node under test: sliced with the simulated backend in a folder of its own."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import uuid
from pathlib import Path
from typing import Any, ClassVar

from waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = ROOT / "out" / "agent-host"
RELEASE = ROOT / "out" / "agent-release"  # the same without the sanitizers
BOOT_ID = "11111111-1111-4111-8111-111111111111"
TIMEOUT = 30.0


class Refused(Exception):
    """The node's error: `code` of the protocol's list."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class Connection:
    """A client of the local socket."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(TIMEOUT)
        self.socket.connect(str(path))
        self.stream = self.socket.makefile("rb")
        self.notices: list[dict[str, Any]] = []
        self.last_id = 0

    def close(self) -> None:
        self.stream.close()
        self.socket.close()

    def send(self, method: str, params: dict[str, Any]) -> int:
        self.last_id += 1
        message = {"jsonrpc": "2.0", "id": self.last_id, "method": method, "params": params}
        self.socket.sendall(json.dumps(message).encode() + b"\n")
        return self.last_id

    def receive(self) -> dict[str, Any]:
        line = self.stream.readline()
        if not line:
            raise ConnectionError("sliced closed the connection")
        return json.loads(line)

    def answer(self, number: int) -> Any:
        while True:
            message = self.receive()
            if message.get("id") != number:
                self.notices.append(message)
                continue
            if "error" in message:
                error = message["error"]
                raise Refused(error.get("data", {}).get("code", ""), error["message"])
            return message["result"]

    def call(self, method: str, **params: Any) -> Any:
        return self.answer(self.send(method, params))


class Node:
    """The folder, the process, and the simulated machine."""

    there: ClassVar[set[Node]] = set()

    def __init__(self, controller: str | None = None, storage: bool = True,
                 programs: Path = PROGRAMS) -> None:
        self.programs = programs
        # Short, since the paths of sockets and volumes are bounded; in RAM, since each step is
        # written to disk before it runs.
        memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else "/tmp"
        self.folder = Path(tempfile.mkdtemp(prefix="sn-", dir=memory))
        self.run = self.folder / "run"
        self.sim = self.folder / "sim"
        self.log_path = self.folder / "log"
        self.storage = storage
        # What was asked for, by id, as a controller remembers it: operation, slice, arguments.
        self.asked: dict[str, tuple[str, str | None, dict[str, Any]]] = {}
        self.wrapper: list[str] = []  # what sliced runs under
        self.process: subprocess.Popen[bytes] | None = None
        Node.there.add(self)
        for name in ("run/conf", "sim", "proc/sys/kernel/random", "sys/class/dmi/id",
                     "sys/class/net/eth0/device"):
            (self.folder / name).mkdir(parents=True)
        self.boot(BOOT_ID)
        (self.folder / "sys/class/dmi/id/product_uuid").write_text(f"{uuid.uuid4()}\n")
        (self.folder / "sys/class/net/eth0/address").write_text("52:54:00:11:22:33\n")
        (self.folder / "sys/class/net/eth0/carrier").write_text("1\n")
        if controller is not None:
            self.conf(controller)

    # --- the machine ---------------------------------------------------------------------------

    def conf(self, text: str) -> None:
        """The boot parameters, as scripts/controller conf prints them."""
        path = self.folder / "slicenode.conf"
        path.write_text(text)
        subprocess.run([self.programs / "slicenode-conf", "--output", self.run / "conf", "--cmdline",
                        "/dev/null", path], check=True)

    def boot(self, boot_id: str) -> None:
        (self.folder / "proc/sys/kernel/random/boot_id").write_text(f"{boot_id}\n")

    def power_cut(self) -> None:
        """Everything that lives in RAM is gone, the disk stays; the next start is a new boot."""
        self.kill()
        for path in (self.sim / "domains").iterdir():
            path.unlink()
        for path in (self.sim / "active").iterdir():
            path.unlink()
        self.boot(str(uuid.uuid4()))

    def settings(self, **values: Any) -> None:
        """Replaces the simulated node's settings (backend/sim/folder.h)."""
        part = self.sim / "node.json.part"
        part.write_text(json.dumps(values))
        part.rename(self.sim / "node.json")

    def points(self) -> int:
        """Cancel points passed so far."""
        try:
            return int(json.loads((self.sim / "calls.json").read_text())["points"])
        except (FileNotFoundError, KeyError):
            return 0

    def calls(self, name: str) -> int:
        """How often the backend's function was called so far."""
        try:
            return int(json.loads((self.sim / "calls.json").read_text()).get(name, 0))
        except FileNotFoundError:
            return 0

    def domains(self) -> dict[str, dict[str, Any]]:
        folder = self.sim / "domains"
        return {path.name: json.loads(path.read_text())
                for path in folder.iterdir() if len(path.name) == 36}

    def end_domain(self, slice_id: str, reason: str) -> None:
        """The guest ends by itself: poweroff, reboot or crash."""
        path = self.sim / "domains" / slice_id
        domain = json.loads(path.read_text())
        domain.update(state="shutdown", reason=reason)
        part = self.sim / f"part-{slice_id}"
        part.write_text(json.dumps(domain))
        part.rename(path)

    def change_domain(self, slice_id: str, **changes: Any) -> None:
        """Something happens inside a guest."""
        path = self.sim / "domains" / slice_id
        part = self.sim / f"part-{slice_id}"
        part.write_text(json.dumps(json.loads(path.read_text()) | changes))
        part.rename(path)

    def volumes(self) -> set[str]:
        return {path.name for path in (self.sim / "volumes").iterdir()}

    def active(self) -> set[str]:
        return {path.name for path in (self.sim / "active").iterdir()}

    def disk(self, slice_id: str) -> Path:
        """The data of a slice's disk."""
        return (self.sim / "active" / f"slice-{slice_id}").resolve()

    # --- the process ---------------------------------------------------------------------------

    def start(self, *options: str) -> None:
        arguments = [str(self.programs / "sliced"), "--backend", "sim", "--sim", str(self.sim),
                     "--state-dir", str(self.folder / "state"), "--run-dir", str(self.run),
                     "--libexec", str(self.programs), "--kernels-dir", str(self.folder / "kernels"),
                     "--console-dir", str(self.folder / "console"),
                     "--sysfs", str(self.folder / "sys"), "--procfs", str(self.folder / "proc")]
        if not self.storage:
            arguments.append("--no-storage")
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen([*self.wrapper, *arguments, *options], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log)
        wait_until(self.answers, "sliced answers on its socket")

    def answers(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError(f"sliced ended with {self.process.returncode}:\n{self.log()}")
        try:
            self.call("node.status")  # a worker of one that was killed still has its socket for a moment
        except OSError:
            return False
        return True

    def kill(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def wait_killed(self) -> bool:
        """Whether sliced dies of a kill point before the request under way ends."""
        assert self.process is not None
        code = self.process.wait(TIMEOUT)
        assert code == -signal.SIGKILL, self.log()
        self.process = None
        return True

    def stop(self) -> None:
        """Asks it to leave; the sanitizers have the last word."""
        if not self.process:
            return
        self.process.terminate()
        code = self.process.wait(TIMEOUT)
        self.process = None
        assert code == 0, self.log()
        assert "Sanitizer" not in self.log(), self.log()

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        Node.there.discard(self)

    def log(self) -> str:
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def screen(self) -> str:
        """What the status files show."""
        return "".join(path.read_text() for path in sorted(self.run.glob("status/[0-9]*")))

    def memory_kib(self) -> int:
        assert self.process is not None
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        return 0

    # --- what is asked of it -------------------------------------------------------------------

    def connect(self) -> Connection:
        return Connection(self.run / "api.sock")

    def call(self, method: str, **params: Any) -> Any:
        connection = self.connect()
        try:
            return connection.call(method, **params)
        finally:
            connection.close()

    def submit(self, op: str, slice_id: str | None = None, request: str | None = None,
               **args: Any) -> str:
        """Queues a request and returns its id."""
        request = request or str(uuid.uuid4())
        self.asked[request] = op, slice_id, args
        self.call(op, id=request, slice=slice_id, args=args)
        return request

    def wait(self, request: str) -> dict[str, Any]:
        """How the request ended."""
        return self.call("request.wait", id=request)

    def do(self, op: str, slice_id: str | None = None, **args: Any) -> Any:
        """Carries out a request; its result, or Refused."""
        ended = self.wait(self.submit(op, slice_id, **args))
        if ended["phase"] == "failed":
            raise Refused(ended["error"]["code"], ended["error"]["message"])
        return ended["result"]

    def slices(self) -> dict[str, dict[str, Any]]:
        return {slice_["id"]: slice_ for slice_ in self.call("slice.list")}

    def state(self, slice_id: str) -> str:
        return self.slices()[slice_id]["state"]

    def wait_state(self, slice_id: str, state: str) -> dict[str, Any]:
        return wait_until(
            lambda: (found := self.slices().get(slice_id)) and found["state"] == state and found,
            f"slice {slice_id} is {state}")

    def idle(self) -> None:
        wait_until(lambda: self.call("node.status")["requests"] == 0, "no request is at work")

    def slicectl(self, *words: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "SLICENODE_SOCKET": str(self.run / "api.sock")}
        return subprocess.run([self.programs / "slicectl", *words], env=environment, input=text,
                              capture_output=True, text=True, timeout=TIMEOUT, check=False)


def slice_args(image: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Arguments of slice.provision; a change to None takes the field away."""
    args: dict[str, Any] = {"name": "web", "image": image, "vcpus": 1, "memory_mib": 128,
                            "disk_gib": 1}
    args.update(changes)
    return {key: value for key, value in args.items() if value is not None}


@atexit.register
def remove_all() -> None:
    """What a test that was cut off has left."""
    for node in list(Node.there):
        node.kill()
        node.remove()
