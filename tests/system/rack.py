"""A node in QEMU with its controller: slices are made, looked at and reached as their owners would.

    rack.boot()
    rack.provision("web", "small.raw.zst", 0, "--type", "pvh")
    rack.wait_console("web", "small-guest: ready")
    rack.ssh(0, "hostname")

Slice number N has the address 10.0.2.(100 + N), whose SSH port is forwarded to the host.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

from artefacts import Artefacts
from node import REPOSITORY, Node, die_with_parent, retry_ssh, run_ssh, ssh_words
from waiting import PATIENCE, free_port, wait_until
from saved import Saved

SLICES = 6
REGISTERED_SECONDS = 150.0
# While one vCPU of QEMU 7.2 is busy, a PVH guest on the other at times misreads its page tables and ends in a triple
# fault or a panic, also with both in one thread of QEMU. With one vCPU that was never seen; PV guests do not mind.
NODE_CPUS = 1
# GRUB reads a kernel in pages of 4 KiB, each a round trip between domains: with the kernel given from outside the small
# guest is up in half the time. As in its grub.cfg.
SMALL_KERNEL = ("--kernel", "small.vmlinuz", "--ramdisk", "small.initrd",
                "--cmdline", "root=LABEL=small-root console=hvc0 loglevel=4 cryptomgr.notests")


class Rack:
    """Controller and node live in one folder; both can be stopped and started again."""

    def __init__(self, folder: Path, artefacts: Artefacts, cpus: int = NODE_CPUS, saved: Saved | None = None,
                 port: int = 0) -> None:
        """`saved`: the first boot is none, but goes on where that node was. `port`: the controller's, else any."""
        self.folder = folder
        self.artefacts = artefacts
        self.cpus = cpus
        self.memory_mib = 3072
        self.node = Node(folder / "node")
        self.ports = [free_port() for _ in range(SLICES)]
        self.saved = saved
        self.port = saved.port if saved else port or free_port()
        self.key = folder / "key"
        self.parameters = saved.parameters if saved else ""
        self.more_parameters = ""
        self.disk_file = self.node.folder / "disk.img"
        self.disk = f"{self.disk_file},size=20G,durable"
        self.forwards = [f"--hostfwd={port}:10.0.2.{100 + number}:22" for number, port in enumerate(self.ports)]
        self.registered_at = 0.0
        if saved:
            saved.copy_controller(folder)
        else:
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.key], check=True)
        self._start_controller()

    def _start_controller(self) -> None:
        with (self.folder / "controller.log").open("ab") as log:
            self.server = subprocess.Popen(
                self._command("serve", "--listen", f"127.0.0.1:{self.port}", "--heartbeat", "2",
                              "--images", str(self.artefacts.out / "guest")),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                preexec_fn=die_with_parent)
        wait_until(lambda: "serving" in (self.folder / "controller.log").read_text(), "the controller serves", 20)

    def stop_controller(self) -> None:
        self.server.terminate()
        self.server.wait(20 * PATIENCE)

    def _command(self, *words: str) -> list[str]:
        return [str(REPOSITORY / "scripts" / "controller"), "--dir", str(self.folder / "controller"), *words]

    def controller(self, *words: str, seconds: float = 60) -> str:
        """What a command of the controller prints; a command that fails fails the test."""
        done = self.try_controller(*words, seconds=seconds)
        assert done.returncode == 0, f"{' '.join(words)}: {done.stdout}{done.stderr}\n{self.story()}"
        return done.stdout

    def try_controller(self, *words: str, seconds: float = 60) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self._command(*words), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=seconds * PATIENCE, preexec_fn=die_with_parent)

    def json(self, *words: str, seconds: float = 60) -> Any:
        """The output of a command with --json: one value, or one to a line."""
        text = self.controller("--json", *words, seconds=seconds)
        try:
            return json.loads(text)
        except json.JSONDecodeError:
            return [json.loads(line) for line in text.splitlines() if line]

    def boot(self) -> None:
        """Switches the node on, the first time with a token, and waits until it has registered."""
        if self.saved and not self.node.boots:
            self._go_on(self.saved)
            return
        other = []
        if self.parameters:
            other = ["--other-boot", self.json("nodes")[0]["boot_id"]]
        self.switch_on()
        self.node.wait_for("Xen 4")  # or tells at once why QEMU has ended
        seconds = REGISTERED_SECONDS * PATIENCE
        self.controller("wait", "--registered", *other, "--timeout", f"{seconds:.0f}s", seconds=seconds + 10)
        self.registered_at = time.monotonic()
        wait_until(lambda: self.json("nodes")[0]["status"] is not None, "the node's status", 60)

    def switch_on(self) -> None:
        """Starts the node and does not wait for anything."""
        if not self.parameters:
            token = self.controller("token", "create").strip()
            pin = self.controller("pin").strip()
            self.parameters = (f"slicenode.controller=https://10.0.2.2:{self.port} slicenode.pin={pin} "
                               f"slicenode.token={token}{self.more_parameters}")
        self._start_node()

    def _start_node(self, *more: str) -> None:
        self.node.start("--kernel", str(self.artefacts.out), "--append", self.parameters,
                        "--memory", str(self.memory_mib), "--cpus", str(self.cpus), "--disk", self.disk, *self.forwards,
                        *more)

    def _go_on(self, saved: Saved) -> None:
        """Until the node that was saved has found its controller again."""
        assert saved.machine == (self.memory_mib, self.cpus), "a saved node goes on in the machine that it was saved in"
        saved.copy_disk(self.disk_file)
        before = self.json("nodes")[0]["status"]["time"]
        self._start_node("--", "-incoming", saved.incoming)
        self.node.go_on(60)
        wait_until(lambda: self.json("nodes")[0]["status"]["time"] > before, "the first heartbeat", 60)
        for name in saved.paused:
            self.do("unpause", name)

    def provision(self, name: str, image: str, number: int, *options: str, wait: bool = True,
                  boot_loader: bool = False) -> dict[str, Any]:
        """Asks for a slice; its host name is its name. Returns the request. `image` may be SLICE/SNAPSHOT instead. With
        `boot_loader` the small guest starts by the one on its disk, as others always do."""
        source = "--snapshot" if "/" in image else "--image"
        words = ["--name", name, "--hostname", name, source, image, "--address", f"10.0.2.{100 + number}/24",
                 "--gateway", "10.0.2.2", "--dns", "10.0.2.3", "--ssh-key", f"{self.key}.pub"]
        if "--memory-mib" not in options:
            words += ["--memory-mib", "192", "--disk-gib", "1"]
        if image.startswith("small.") and not boot_loader and "--kernel" not in options:
            words += SMALL_KERNEL
        if wait:
            words += ["--wait"]
        made: dict[str, Any] = self.json("provision", *words, *options, seconds=600)
        return made

    def do(self, *words: str) -> None:
        """A command that gives the node a request, to its end."""
        self.controller(*words, "--wait", seconds=240)

    def resize(self, name: str, *words: str) -> dict[str, str]:
        """What was applied when."""
        done: Any = self.json("resize", name, *words, "--wait", seconds=120)
        applied: dict[str, str] = done["result"]["applied"]
        return applied

    def slice(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.json("slices", "show", name)
        return found

    def wait_state(self, name: str, state: str, seconds: float = 120) -> None:
        self.controller("wait", "--slice", name, "--state", state, "--timeout", f"{seconds * PATIENCE:.0f}s",
                        seconds=seconds + 10)

    def console(self, name: str) -> str:
        text: str = self.json("console", name, "--bytes", "65536")["console"]
        return text

    def wait_console(self, name: str, text: str, seconds: float = 120) -> None:
        self.controller("console", name, "--until", text, "--bytes", "65536", "--timeout",
                        f"{seconds * PATIENCE:.0f}s", seconds=seconds + 10)

    def events(self, name: str, kind: str) -> list[dict[str, Any]]:
        found: Any = self.json("events", "--slice", name, "--type", kind)
        return found if isinstance(found, list) else [found]

    def try_ssh(self, number: int, command: str, user: str = "root") -> subprocess.CompletedProcess[str]:
        return run_ssh(self._ssh_words(number, command, user))

    def _ssh_words(self, number: int, command: str, user: str) -> list[str]:
        return [*ssh_words(self.key, self.ports[number], user), command]

    def ssh(self, number: int, command: str, user: str = "root", seconds: float = 90) -> str:
        """What a command in the slice prints; waits until the slice lets us in."""
        done = retry_ssh(self._ssh_words(number, command, user), seconds)
        assert done.returncode == 0, f"ssh {command!r}: {done.returncode} {done.stdout}{done.stderr}\n{self.story()}"
        return done.stdout.strip()

    def disk_used_mib(self) -> int:
        """From a heartbeat that is later than this call."""
        def heartbeat() -> Any:
            return self.json("nodes")[0]["status"]
        before = heartbeat()["time"]
        wait_until(lambda: heartbeat()["time"] > before, "the next heartbeat", 30)
        used: int = heartbeat()["capacity"]["disk_used_mib"]
        return used

    def story(self) -> str:
        """For a failed test: the last events, the ends of the slices' consoles and of the node's."""
        said = ["last events:", *self.try_controller("events").stdout.splitlines()[-25:]]
        slices = json.loads(self.try_controller("--json", "slices").stdout or "[]") if self.node.is_on else []
        for one in slices:
            console = self.try_controller("--json", "console", one["id"], "--bytes", "2000", seconds=20)
            if console.returncode == 0:
                said += [f"slice {one['name']}:", *json.loads(console.stdout)["console"].splitlines()[-15:]]
        return "\n".join([*said, "node:", *self.node.console.splitlines()[-25:]])

    def close(self) -> None:
        self.node.power_off()
        self.stop_controller()

    def end(self, name: str) -> None:
        """Closes; what it said stays in out/test/system/NAME, its disk does not stay."""
        self.close()
        kept = REPOSITORY / "out" / "test" / "system" / name
        kept.mkdir(parents=True, exist_ok=True)
        for log in [self.folder / "controller.log", *self.node.folder.glob("*.log")]:
            shutil.copyfile(log, kept / log.name)
        self.disk_file.unlink(missing_ok=True)


class OpenRack(Rack):
    """A rack whose operator has given the node a key and so is let in by ssh."""

    def __init__(self, folder: Path, artefacts: Artefacts, cpus: int = NODE_CPUS, saved: Saved | None = None,
                 port: int = 0) -> None:
        super().__init__(folder, artefacts, cpus, saved, port)
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

    def dom0_meminfo(self) -> dict[str, int]:
        """KiB of each kind of dom0's memory, and as Used what it cannot give to anything else. Two that it can are not
        in MemAvailable: what each processor keeps for its next allocations, up to an eighth of all, and the blocks of
        the pool's metadata that device mapper has read, up to a fiftieth."""
        told = self.dom0("cat /proc/meminfo; sed -n 's/^ *count:/processor:/p' /proc/zoneinfo;"
                         " sed 's/^/blocks: /' /sys/module/dm_bufio/parameters/current_allocated_bytes")
        kib = {name: int(value) for name, value in re.findall(r"^(\w+): +(\d+) kB", told, re.M)}
        kib["Kept"] = 4 * sum(int(pages) for pages in re.findall(r"^processor: +(\d+)$", told, re.M))
        kib["Blocks"] = sum(int(size) for size in re.findall(r"^blocks: (\d+)$", told, re.M)) // 1024
        return kib | {"Used": kib["MemTotal"] - kib["MemAvailable"] - kib["Kept"] - kib["Blocks"]}

    def dom0_used_kib(self) -> int:
        return self.dom0_meminfo()["Used"]
