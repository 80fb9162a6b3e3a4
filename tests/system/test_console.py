"""The console of a slice on the real node: streamed to the controller, and with an operator at it."""

from __future__ import annotations

import io
import subprocess
import threading

from node import run_ssh
from rack import OpenRack
from waiting import PATIENCE, wait_until

HINT = "Ctrl-] leaves it"


class Operator:
    """Logged in to the node, at the console of a slice."""

    def __init__(self, rack: OpenRack, name: str) -> None:
        *words, host = rack.dom0_words()
        self.process = subprocess.Popen([*words, "-tt", host, f"slicectl console --attach {name}"],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.seen = ""
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert isinstance(self.process.stdout, io.BufferedReader)
        while data := self.process.stdout.read1():
            self.seen += data.decode(errors="replace")

    def type(self, text: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def see(self, text: str) -> None:
        wait_until(lambda: text in self.seen, f"{text!r} in {self.seen!r}", 60)

    def leave(self) -> int:
        return self.process.wait(60 * PATIENCE)


def test_operator_at_the_console(rack: OpenRack) -> None:
    rack.provision("web", "small.raw.zst", 0, "--type", "pvh")
    rack.wait_console("web", "Please press Enter")
    rack.dom0("slicectl show web")
    operator = Operator(rack, "web")
    operator.see(HINT)
    operator.type("\r")
    operator.see("# ")
    operator.type("echo $((6 * 7))-proof; hostname\r")
    operator.see("42-proof")
    second = run_ssh([*rack.dom0_words(), "slicectl console --attach web"])
    assert second.returncode == 1 and "somebody else is attached" in second.stderr
    operator.type("\x1d")
    assert operator.leave() == 0 and "left the console of web" in operator.seen
    assert "42-proof" in rack.console("web"), "xenconsoled keeps what was said as well"


def test_program_at_the_console_and_the_stream(rack: OpenRack) -> None:
    request = rack.json("request", "slice.console", "--slice", "web", "--args",
                        '{"follow_seconds": 600, "bytes": 1}')["request"]
    *words, host = rack.dom0_words()
    done = subprocess.run([*words, host, "slicectl console --attach web"], input="echo $((7 * 7))-piped\n",
                          capture_output=True, text=True, timeout=120 * PATIENCE)
    assert done.returncode == 0 and "49-piped" in done.stdout, done

    def told() -> str:
        return "".join(event["result"]["console"] for event in rack.events("web", "slice.console")
                       if event["request"] == request)

    wait_until(lambda: "49-piped" in told(), "the controller has been told", 60)


def test_slice_that_ends_with_an_operator_at_it(rack: OpenRack) -> None:
    operator = Operator(rack, "web")
    operator.see(HINT)
    rack.do("stop", "web", "--force")
    assert operator.leave() == 1 and "slice web has ended" in operator.seen, operator.seen
    refused = run_ssh([*rack.dom0_words(), "slicectl console --attach web"])
    assert refused.returncode == 1 and "slice_state" in refused.stderr
    rack.do("terminate", "web")
    assert rack.events("web", "slice.console")
