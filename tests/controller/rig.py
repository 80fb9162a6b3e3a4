"""A controller that really runs, and nodes made of Python that talk to it over real TLS."""

import base64
import contextlib
import http.client
import io
import json
import os
import signal
import ssl
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
PROGRAM = REPOSITORY / "scripts" / "controller"
sys.path.insert(0, str(REPOSITORY / "scripts"))

from slicenode_controller.commands import cli  # noqa: E402
from slicenode_controller.state import tokens  # noqa: E402
from slicenode_controller.state.store import Store  # noqa: E402

HARDWARE: dict[str, Any] = {
    "uuid": "b8a3c0de-1111-4222-8333-944455556666",
    "serial": "S1",
    "vendor": "QEMU",
    "product": "Standard PC",
    "macs": ["52:54:00:12:34:56"],
}


class Controller:
    """`scripts/controller serve` in a process of its own, on a free port."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self.options = options
        self.start()

    def start(self) -> None:
        port_file = self.folder / "port"
        port_file.unlink(missing_ok=True)
        self.log = (self.folder.parent / f"{self.folder.name}.log").open("ab")
        self.folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, str(PROGRAM), "serve", "--dir", str(self.folder)]
        command += ["--listen", "127.0.0.1:0", "--port-file", str(port_file), *self.options]
        self.process = subprocess.Popen(command, stderr=self.log)
        end = time.monotonic() + 20
        while not port_file.exists():
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"the controller does not start: {self.log.name}")
            time.sleep(0.01)
        ports = port_file.read_text().split()
        self.port = int(ports[0])
        self.http_port = int(ports[1]) if len(ports) > 1 else 0
        self.store = Store(self.folder / "controller.db")

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.store.close()
        self.process.send_signal(number)
        status = self.process.wait(timeout=10)
        self.log.close()
        return status

    @property
    def ca_file(self) -> Path:
        return self.folder / "ca" / "ca.pem"

    def token(self, seconds: float = 600, name: str = "") -> str:
        return tokens.create(self.store, seconds, name)[1]

    def run(self, *words: str) -> tuple[int, str, str]:
        """A command, in this process: exit code, stdout, stderr."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                status = cli.main(["--dir", str(self.folder), *words])
            except SystemExit as error:
                status = int(error.code or 0)
        return status, out.getvalue(), err.getvalue()

    def ok(self, *words: str) -> str:
        status, out, err = self.run(*words)
        assert status == 0, f"{words}: exit {status}: {err}"
        return out

    def json(self, *words: str) -> Any:
        return json.loads(self.ok("--json", *words))

    def violations(self) -> list[str]:
        rows = self.store.all("SELECT side, operation, message FROM violations ORDER BY id")
        return [f"{row['side']} {row['operation']} {row['message']}" for row in rows]


class Answer:
    """What came back."""

    def __init__(self, response: http.client.HTTPResponse, body: bytes) -> None:
        self.status = response.status
        self.headers = response.headers
        self.bytes = body

    @property
    def body(self) -> Any:
        return json.loads(self.bytes)

    @property
    def code(self) -> str:
        return str(self.body["error"]["code"])

    @property
    def message(self) -> str:
        return str(self.body["error"]["message"])


class FakeNode:
    """A node's side of the protocol, one connection kept open."""

    def __init__(
        self, controller: Controller, folder: Path, key: tuple[str, str] | None = None
    ) -> None:
        self.controller = controller
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.key_file = folder / "node.key"
        self.key = key or make_key()
        private, self.csr = self.key
        self.key_file.write_text(private)
        self.id = ""
        self.seq = 0
        self._connection: http.client.HTTPSConnection | None = None

    def connection(self) -> http.client.HTTPSConnection:
        if self._connection is None:
            tls = ssl.create_default_context(cafile=str(self.controller.ca_file))
            if self.id:
                tls.load_cert_chain(self.folder / "node.pem", self.key_file)
            self._connection = http.client.HTTPSConnection(
                "127.0.0.1", self.controller.port, context=tls, timeout=30
            )
        return self._connection

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        data = json.dumps(body).encode() if isinstance(body, (dict, list)) else body
        connection = self.connection()
        try:
            connection.request(method, path, body=data, headers=headers)
            response = connection.getresponse()
            answer = Answer(response, response.read())
        except (OSError, http.client.HTTPException):
            self.close()
            raise
        if response.will_close:
            self.close()
        return answer

    def node_call(self, method: str, rest: str, body: Any = None) -> Answer:
        return self.call(method, f"/v1/nodes/{self.id}{rest}", body)

    def enroll(self, token: str, hardware: dict[str, Any] | None = None) -> Answer:
        said = {"token": token, "csr": self.csr, "hardware": hardware or HARDWARE}
        answer = self.call("POST", "/v1/enroll", said)
        if answer.status == 200:
            self.use(answer.body["node_id"], answer.body["certificate"])
        return answer

    def use(self, node_id: str, certificate: str) -> None:
        self.id = node_id
        (self.folder / "node.pem").write_text(certificate)
        self.close()

    def register(self, **changes: Any) -> Answer:
        return self.node_call("PUT", "", {**registration(), **changes})

    def poll(self, after: str | None = None, wait: int = 0) -> Answer:
        cursor = "" if after is None else f"&after={after}"
        return self.node_call("GET", f"/requests?wait={wait}{cursor}")

    def events(self, *events: dict[str, Any]) -> Answer:
        return self.node_call("POST", "/events", {"events": list(events)})

    def event(self, kind: str, **fields: Any) -> dict[str, Any]:
        self.seq += 1
        return event(self.seq, kind, **fields)


def make_key(subject: str = "/CN=node") -> tuple[str, str]:
    """A private key and a certificate request, both PEM."""
    done = subprocess.run(
        ["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-keyout", "-", "-subj", subject],
        check=True, capture_output=True,
    )  # fmt: skip
    private, mark, request = done.stdout.decode().partition("-----BEGIN CERTIFICATE REQUEST")
    return private, mark + request


def enrolled(controller: Controller, folder: Path, name: str = "") -> FakeNode:
    node = FakeNode(controller, folder)
    assert node.enroll(controller.token(name=name)).status == 200
    return node


def event(seq: int, kind: str, **fields: Any) -> dict[str, Any]:
    blank = dict.fromkeys(("request", "slice", "step", "progress", "result", "error"))
    return {"seq": seq, "time": now(), "type": kind, **blank, **fields}


def registration() -> dict[str, Any]:
    example = example_of("/v1/nodes/{node_id}", "put")
    return {**example, "boot_id": str(uuid.uuid4()), "name": "", "slices": [], "problems": []}


def example_of(path: str, method: str) -> Any:
    document = json.loads((REPOSITORY / "docs" / "protocol" / "openapi.json").read_text())
    content = document["paths"][path][method]["requestBody"]["content"]["application/json"]
    return next(iter(content["examples"].values()))["value"]


def now() -> str:
    moment = time.time()
    text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment))
    return f"{text}.{int(moment % 1 * 1000):03d}Z"


def tampered(csr: str) -> str:
    """The same request with a signature that is wrong."""
    lines = csr.strip().splitlines()
    body = bytearray(base64.b64decode("".join(lines[1:-1])))
    body[-3] ^= 1
    text = base64.encodebytes(bytes(body)).decode()
    return f"{lines[0]}\n{text}{lines[-1]}\n"


def environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "SLICENODE_CONTROLLER_DIR": str(folder)}
