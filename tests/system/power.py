#!/usr/bin/python3 -B
"""Power cuts: a node's QEMU is killed at moments that a seed decides, its disk loses what was not flushed, and what is
left is held against what had been acknowledged.

usage: tests/system/power.py [--seed N] [--cuts N] [--seconds N]

What a cut models: QEMU is killed, and of what it had written since the last flush the disk keeps, by the seed, all, a
random half of the sectors, or nothing. Flushed data stays. Sectors are never torn. Two cuts of three come just when the
disk is asked for a flush or given a write, as that is when there is something to lose.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[1] / "common")]

from artefacts import Artefacts  # noqa: E402
from nbd_disk import FLUSH, WRITE  # noqa: E402
from nbd_rack import NbdRack  # noqa: E402
from node import REPOSITORY, die_with_parent, ssh_words  # noqa: E402
from offline import OfflineError, OfflineNode  # noqa: E402
from power_model import Asked, ControllerView, DiskCheck, Model, Slice, Tally  # noqa: E402
from rack import SLICES  # noqa: E402
from waiting import PATIENCE, wait_until  # noqa: E402

DISK_BYTES = 20 << 30
SLICES_MOST = 3
SNAPSHOTS_MOST = 3
BUSY_SECONDS = 25.0
DISK_SECONDS = 10.0
ACTIVE_SECONDS = 60.0
# Each is said in every boot; the status screen may leave out what lasts less than a second.
SETUP_MOMENTS = ("starting pid", "slicenode: disk ", "storage ready", "session|controller:")
# In a guest: numbered lines, each synced before its number is told, beside data that nobody syncs.
WRITER = r"""(while :; do dd if=/dev/urandom of=/root/noise bs=64k count=32 2>/dev/null; sleep 1; done) &
echo >>/root/records; n=%d; while :; do
echo "$n $(echo "record $n" | md5sum | cut -d' ' -f1)" >>/root/records && sync /root/records && echo $n
n=$((n + 1)); done"""


class Writer:
    """Writes records in a guest until the power is gone."""

    def __init__(self, words: list[str], owner: Slice, first: int) -> None:
        self.owner = owner
        self.stopped = threading.Event()
        self.told: list[int] = []
        self.words = [*words, WRITER % first]
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        while not self.stopped.is_set():
            with subprocess.Popen(self.words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL, text=True, preexec_fn=die_with_parent) as process:
                self.process = process
                assert process.stdout is not None
                for line in process.stdout:
                    if line.endswith("\n"):
                        self.told.append(int(line))
                        self.owner.records.add(int(line))
            if self.told:
                return
            self.stopped.wait(1)

    def stop(self) -> None:
        self.stopped.set()
        with contextlib.suppress(AttributeError):
            self.process.kill()
        self.thread.join()


class PowerRack(NbdRack):
    """A rack whose node loses power."""

    def __init__(self, folder: Path, artefacts: Artefacts, seed: int, say: Callable[[str], None]) -> None:
        super().__init__(folder, artefacts, DISK_BYTES)
        self.seed = seed
        self.say = say
        self.view = ControllerView(folder / "controller")
        self.model = Model()
        self.tally = Tally()
        self.writer: Writer | None = None
        self.records_told = 0
        self.made = 0

    # --- One cut ---------------------------------------------------------------------------------

    def round(self, cut: int, moment: str) -> None:
        """Boots, works, cuts, looks at the disk."""
        chance = random.Random(f"{self.seed}:{cut}")
        began = time.monotonic()
        boot_before = self.view.boot_id()
        self.switch_on()
        if moment == "boot":
            pattern = chance.choice(SETUP_MOMENTS)
            self.node.wait_for(pattern)
            when = f"boot, at {pattern!r}"
        else:
            self._wait(lambda: self.view.boot_id() != boot_before, "registered", 150)
            self.converge()
            when = self._work(chance, moment)
        delay = chance.uniform(0, chance.choice((0.3, 1, 3, 8)))
        time.sleep(delay)
        self.cut(chance, cut, f"{when} + {delay:.2f} s{self._await_disk(chance)}", began)

    def _await_disk(self, chance: random.Random) -> str:
        """Until the disk is at work, as the seed wants it; an idle disk is not waited for long. In words."""
        command = chance.choice((None, FLUSH, WRITE))
        if command is None:
            return ""
        count = chance.randint(1, 20)
        self.nbd.freeze_at(command, count)
        reached = self.nbd.frozen.wait(DISK_SECONDS)
        return f", at {'flush' if command == FLUSH else 'write'} {count}" if reached else ", disk idle"

    def cut(self, chance: random.Random, number: int, when: str, began: float) -> None:
        probability = chance.choice((0.0, 0.5, 1.0))
        self.node.power_off()
        if self.writer:
            self.writer.stop()
            self.records_told += len(self.writer.told)
            self.writer = None
        lost, cached = self.nbd.lose(chance, probability)
        # What the node had sent is taken in by the controller before its state is read.
        time.sleep(0.2)
        requests = self.view.requests()
        self.model.apply(requests)
        under_way = sorted(f"{one.op} at {requests[key]['step'] or requests[key]['state']}"
                           for key, one in self.model.asked.items())
        self.tally.cuts += 1
        self.tally.sectors_lost += lost
        self.tally.sectors_cached += cached
        self.tally.acknowledged = sum(row["ended"] is not None for row in requests.values())
        self.tally.undecided += len(under_way)
        self.say(f"cut {number}: {when}, {time.monotonic() - began:.0f} s after power on; {lost} of {cached} unflushed "
                 f"sectors lost; {len(self.model.slices)} slices; under way: {', '.join(under_way) or 'nothing'}")
        self.check_disk()

    def check_disk(self) -> None:
        try:
            offline = OfflineNode(self.image, self.folder / "offline")
        except OfflineError:
            assert not self.view.boot_id(), "the volume group is gone"
            return
        with offline:
            setup = "setup" in offline.group.get("tags", []) or not offline.has_volume("pool")
            if setup:
                assert not self.view.boot_id(), "the volume group has fallen back to its making"
                return
            DiskCheck(offline, self.model, self.tally).run(self.view.requests())

    # --- Between boot and cut --------------------------------------------------------------------

    def _wait(self, condition: Callable[[], object], what: str, seconds: float) -> None:
        """Until it is so; a node that can never get there fails at once."""
        end = time.monotonic() + seconds * PATIENCE
        while not condition():
            if time.monotonic() > end:
                raise AssertionError(f"not within {seconds * PATIENCE:.0f} s: {what}; "
                                     f"open: {self.view.open_requests()}\n{self.story()}")
            self.node.wait_for("", 1)
            time.sleep(0.05)

    def converge(self) -> None:
        """Every request ends; then controller, node and what had been acknowledged agree."""
        self._wait(lambda: not self.view.open_requests(), "all requests end", 180)
        self.model.apply(self.view.requests())
        self.model.compare(self.view.slices())

    def check_node(self) -> None:
        """On the node: what runs is what should, and nothing else is active."""
        wanted = {key for key, one in self.model.slices.items() if one.running}
        self._wait(lambda: {key for key, one in self.view.slices().items() if one["state"] == "running"} == wanted,
                   "the slices run that should", 120)
        expected = {f"{kind}-{key}" for key in wanted for kind in ("slice", "seed")}
        active: set[str] = set()
        end = time.monotonic() + ACTIVE_SECONDS * PATIENCE
        # What the controller knows may still be of the time before the cut: the node starts its slices meanwhile.
        while active != expected and time.monotonic() < end:
            names = self.dom0("ls /dev/mapper").split()
            # Stopping and starting leave nothing, the pool's own volumes aside.
            active = {name for name in names if not name.startswith("slicenode-")} - {"control"}
        assert active == expected, f"active volumes: {sorted(active)}, expected {sorted(expected)}"

    def _work(self, chance: random.Random, moment: str) -> str:
        """Gives the node something to do; returns at the moment of the cut, in words."""
        running = [(key, one) for key, one in self.model.slices.items() if one.running]
        if moment == "records" and running:
            key, owner = running[0]
            first = self.records_told * 10 + 1 + chance.randrange(10)
            self.writer = Writer([*ssh_words(self.key, self.ports[owner.number], "root")], owner,
                                 max(owner.records, default=0) + first)
            count = chance.randint(3, 12)
            self._wait(lambda: self.writer and len(self.writer.told) >= count, f"{count} records are synced", 180)
            if chance.random() < 0.6:
                self._submit(chance, "snapshot.create", key)
            return f"{count} records"
        if moment == "node":
            self.check_node()
        seen = self.view.steps_and_ends()
        for _ in range(chance.randint(1, 3)):
            self._submit(chance, "", "")
        count = chance.randint(1, 9)
        end = time.monotonic() + BUSY_SECONDS
        while self.view.steps_and_ends() < seen + count and self.view.open_requests() and time.monotonic() < end:
            time.sleep(0.02)
        return f"{self.view.steps_and_ends() - seen} events"

    def _submit(self, chance: random.Random, op: str, slice_id: str) -> None:
        """One request that fits what is there."""
        free = [key for key in self.model.slices if key not in self.model.busy()]
        choices: list[tuple[str, str]] = []
        for key in free:
            one = self.model.slices[key]
            choices += [("snapshot.create", key)] * 2 if len(one.snapshots) < SNAPSHOTS_MOST else []
            choices += [("snapshot.revert", key)] * 2 + [("snapshot.delete", key)] if one.snapshots else []
            choices += [("slice.stop", key) if one.running else ("slice.start", key)]
            choices += [("slice.terminate", key)] if len(self.model.slices) > 1 else []
        provisions = sum(one.op == "slice.provision" for one in self.model.asked.values())
        if len(self.model.slices) + provisions < SLICES_MOST:
            choices += [("slice.provision", str(uuid.UUID(int=chance.getrandbits(128), version=4)))] * 3
        if not op and not choices:
            return
        if not op:
            op, slice_id = chance.choice(choices)
        self._send(chance, op, slice_id)

    def _send(self, chance: random.Random, op: str, slice_id: str) -> None:
        known = self.model.slices.get(slice_id)
        asked = Asked(op, slice_id, known.name if known else "")
        if op == "slice.provision":
            self.made += 1
            running = not any(one.running for one in self.model.slices.values()) or chance.random() < 0.3
            asked.name = f"s{self.made}"
            asked.slice = Slice(asked.name, self.made % SLICES, running)
            words = ["--slice-id", slice_id, "--type", "pv", *([] if running else ["--stopped"])]
            answer = self.provision(asked.name, "small.raw.zst", asked.slice.number, *words, wait=False,
                                    boot_loader=True)
        else:
            assert known is not None
            snapshots = sorted(known.snapshots)
            if op == "snapshot.create":
                asked.snapshot_id = str(uuid.UUID(int=chance.getrandbits(128), version=4))
                asked.name = f"n{chance.randrange(10000)}"
                asked.records = set(known.records)
                words = ["snapshot", "create", slice_id, asked.name, "--snapshot-id", asked.snapshot_id]
            elif op in ("snapshot.revert", "snapshot.delete"):
                asked.snapshot_id = chance.choice(snapshots)
                words = ["snapshot", op[9:], slice_id, asked.snapshot_id]
                words += ["--restart"] if op == "snapshot.revert" and known.running else []
            else:
                words = [op[6:], slice_id]
                words += ["--force"] if op == "slice.stop" else []
            answer = self.json(*words)
        self.model.asked[answer["request"]] = asked

    def close(self) -> None:
        if self.writer:
            self.node.power_off()
            self.writer.stop()
        super().close()


def moments(cut: int, chance: random.Random) -> str:
    """The kind of the n-th cut: the making of the volume group first, then all kinds in turn."""
    if cut <= 2:
        return "boot"
    if cut % 8 == 0:
        return "boot"
    return ("events", "events", "records", "events", "node", "records")[cut % 6] if cut > 4 else "events"


def run(folder: Path, artefacts: Artefacts, seed: int, cuts: int, say: Callable[[str], None],
        seconds: float = 0) -> Tally:
    """`seconds`: no new cut after this time, 0 for no such bound."""
    rack = PowerRack(folder, artefacts, seed, say)
    end = time.monotonic() + seconds
    try:
        for cut in range(1, cuts + 1):
            if seconds and time.monotonic() > end:
                break
            try:
                rack.round(cut, moments(cut, random.Random(f"{seed}:{cut}:kind")))
            except Exception:
                say(f"cut {cut} of seed {seed} went wrong; so far {rack.tally}")
                raise
        before = rack.view.boot_id()
        rack.switch_on()
        wait_until(lambda: rack.view.boot_id() != before, "the node registers after the last cut", 150)
        rack.converge()
        rack.check_node()
        assert rack.controller("protocol-violations") == ""
        say(f"power: seed {seed}: {rack.tally}; nothing lost")
        return rack.tally
    finally:
        kept = REPOSITORY / "out" / "test" / "system" / "power"
        kept.mkdir(parents=True, exist_ok=True)
        for log in [rack.folder / "controller.log", *rack.node.folder.glob("*.log")]:
            (kept / log.name).write_bytes(log.read_bytes())
        rack.close()


def main() -> int:
    options = argparse.ArgumentParser(description="Cut a node's power again and again.")
    options.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    options.add_argument("--cuts", type=int, default=200)
    options.add_argument("--seconds", type=float, default=0, help="no new cut after this time")
    arguments = options.parse_args()
    print(f"power: seed {arguments.seed}, {arguments.cuts} cuts", flush=True)
    with tempfile.TemporaryDirectory(prefix="slicenode-power-") as folder:
        run(Path(folder), Artefacts.of(REPOSITORY / "out"), arguments.seed, arguments.cuts,
            lambda text: print(text, flush=True), arguments.seconds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
