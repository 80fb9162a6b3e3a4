"""scripts/controller as a process on loopback."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from node import ROOT
from waiting import wait_until

PROGRAM = ROOT / "scripts" / "controller"


class Controller:
    """Its folder, its process and its command line."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="sc-", dir="/tmp"))
        self.port = 0
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def start(self, *options: str) -> None:
        port_file = self.folder / "port"
        port_file.unlink(missing_ok=True)
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [PROGRAM, "--dir", self.folder / "state", "serve", "--listen",
                 f"127.0.0.1:{self.port}", "--port-file", port_file, "--heartbeat", "1",
                 "--poll-wait", "10", *options], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_until(lambda: port_file.exists() and port_file.read_text().strip(),
                   "the controller listens")
        self.port = int(port_file.read_text())

    def stop(self) -> None:
        if self.process:
            self.process.terminate()
            self.process.wait(20)
            self.process = None

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([PROGRAM, "--dir", str(self.folder / "state"), *words],
                              env=os.environ, capture_output=True, text=True, timeout=60,
                              check=False)

    def text(self, *words: str) -> str:
        done = self.run(*words)
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout

    def json(self, *words: str) -> Any:
        """The output of a command with --json: one value, or one to a line."""
        text = self.text("--json", *words)
        try:
            return json.loads(text)
        except json.JSONDecodeError:
            return [json.loads(line) for line in text.splitlines() if line]

    def conf(self, *options: str) -> str:
        return self.text("conf", "--url", self.url, *options)
