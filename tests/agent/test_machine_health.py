"""slicenode-health on folders that stand for a machine: watchdogs, sensors, the kernel's log, the sign of life."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from waiting import wait_until

PROGRAM = Path(__file__).resolve().parents[2] / "out" / "agent-host" / "slicenode-health"


class Machine:
    """The folders, and the program while it runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.run, self.dev, self.chip = folder / "run", folder / "dev", folder / "sys" / "class" / "hwmon" / "hwmon0"
        for path in (self.run / "problems", self.dev, self.chip):
            path.mkdir(parents=True)
        self.watchdog = self.dev / "watchdog0"
        self.watchdog.touch()
        os.mkfifo(self.dev / "kmsg")
        self.kernel = os.open(self.dev / "kmsg", os.O_RDWR)
        self.alive = folder / "alive"
        self.alive.touch()
        os.utime(self.alive, (1, 1))
        self.process: subprocess.Popen[str] | None = None

    def start(self, probe: str = "/bin/true") -> None:
        self.process = subprocess.Popen(
            [PROGRAM, "--run-dir", self.run, "--devices", self.dev, "--sysfs", self.folder / "sys", "--probe", probe,
             "--tick", "1", "--look", "1", "--alive", self.alive], stderr=(self.folder / "log").open("w"), text=True)

    def stop(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()

    def fed(self) -> int:
        return self.watchdog.stat().st_size

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def problem(self, area: str) -> str:
        path = self.run / "problems" / area
        return path.read_text() if path.exists() else ""


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    made = Machine(tmp_path)
    yield made
    made.stop()
    os.close(made.kernel)


def test_watchdogs_are_fed_while_programs_can_be_started(machine: Machine) -> None:
    machine.start()
    wait_until(lambda: machine.fed() >= 2, "the watchdog is fed twice")
    wait_until(lambda: machine.alive.stat().st_mtime > 1, "the sign of being alive")


def test_watchdogs_are_not_fed_when_a_program_does_not_end(machine: Machine) -> None:
    hangs = machine.folder / "hangs"
    hangs.write_text("#!/bin/sh\nexec sleep 30\n")
    hangs.chmod(0o755)
    machine.start(str(hangs))
    wait_until(lambda: machine.log().count("has not ended") >= 3, "three ticks without an end")
    assert machine.fed() == 0
    found = subprocess.run(["pgrep", "-P", str(machine.process.pid if machine.process else 0), "sleep"], check=True,
                           capture_output=True, text=True).stdout.split()
    assert len(found) == 1, "one program is started, not one each tick"
    os.kill(int(found[0]), 9)
    wait_until(lambda: machine.fed() > 0, "it is fed when the program has ended after all")


def test_sensors_are_a_problem_as_long_as_they_tell_of_one(machine: Machine) -> None:
    (machine.chip / "name").write_text("coretemp\n")
    (machine.chip / "temp1_crit").write_text("100000\n")
    (machine.chip / "temp1_input").write_text("100000\n")
    machine.start()
    wait_until(lambda: machine.problem("sensors"), "the problem")
    assert machine.problem("sensors") == (
        "hypervisor_error\tthe machine is too hot or not cooled: coretemp has more than 100 °C\n")
    (machine.chip / "temp1_input").write_text("50000\n")
    wait_until(lambda: not machine.problem("sensors"), "the problem is over")


def test_the_kernels_lines_are_kept(machine: Machine) -> None:
    machine.start()
    os.write(machine.kernel, b"4,1,1000001,-;sd 0:0:0:0: [sda] Unaligned partial completion\n")
    wait_until(lambda: "kernel: 4 [1.000001] sd 0:0:0:0: [sda]" in machine.log(), "the line")
    # without a place for last words, as here, a task that hangs is only written down
    os.write(machine.kernel, b"3,2,2000001,-;INFO: task a:1 blocked for more than 600 seconds.\n")
    wait_until(lambda: "INFO: task a:1 blocked" in machine.log(), "the second line")
    assert machine.process and machine.process.poll() is None


def test_a_disk_that_says_nothing_is_no_problem(machine: Machine) -> None:
    (machine.run / "disks").write_text("nodisk9\t10240\tclaimed\tvolume group\tmodel\tserial\nsda\t1\tforeign\tx\n")
    machine.start()
    wait_until(lambda: machine.fed() >= 2, "two ticks")
    assert list((machine.run / "problems").iterdir()) == []
