"""A node that runs out of room or has sick disks: told early, refused, and well again afterwards."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from node import Node, Refused, slice_args
from waiting import wait_until

STATE_MIB = 80


def problems(node: Node) -> dict[str, str]:
    """What is wrong now with what this file is about: message and code."""
    return {problem["message"]: problem["code"] for problem in node.call("node.status")["problems"]
            if problem["code"] != "not_configured"}


def wait_problem(node: Node, text: str, code: str) -> None:
    wait_until(lambda: any(text in message and code == found for message, found in problems(node).items()),
               f"the problem {text!r} [{code}]")


def wait_well(node: Node) -> None:
    wait_until(lambda: not problems(node), "no problem is left")


def provision(node: Node, image: dict[str, Any]) -> str:
    slice_id = str(uuid.uuid4())
    node.do("slice.provision", slice_id, **slice_args(image))
    return slice_id


def refused(node: Node, image: dict[str, Any]) -> str:
    with pytest.raises(Refused) as caught:
        provision(node, image)
    return caught.value.code


def test_pool_is_told_early_and_when_it_is_well_again(node: Node, small: dict[str, Any]) -> None:
    slice_id = provision(node, small)
    listener = node.connect()
    listener.call("events.follow")
    node.settings(data_used_percent=86)
    wait_problem(node, "85 % of the pool", "pool_full")
    provision(node, small)
    node.settings(data_used_percent=96)
    wait_problem(node, "95 % of the pool are in use: nothing", "pool_full")
    assert refused(node, small) == "pool_full"
    node.settings(data_used_percent=100, out_of_space=True)
    wait_problem(node, "the pool is full: ", "pool_full")
    assert node.state(slice_id) == "running"
    node.do("slice.terminate", slice_id)
    node.settings(data_used_percent=40)
    wait_well(node)
    provision(node, small)
    listener.call("node.status")
    told = [notice["params"] for notice in listener.notices if notice["params"].get("type") == "node.problem"]
    assert [event["result"] for event in told] == [None, None, None, {"over": True}]
    assert all(event["error"]["code"] == "pool_full" for event in told)


def test_metadata_and_a_read_only_pool(node: Node, small: dict[str, Any]) -> None:
    provision(node, small)
    node.settings(metadata_percent=80)
    wait_problem(node, "75 % of the pool's metadata", "pool_full")
    node.settings(metadata_percent=88)
    wait_problem(node, "85 % of the pool's metadata are in use: nothing", "pool_full")
    assert refused(node, small) == "pool_full"
    node.settings(read_only=True)
    wait_problem(node, "is read-only", "storage_error")
    assert refused(node, small) == "storage_error"
    node.settings()
    wait_well(node)
    provision(node, small)


def test_short_memory_of_dom0(node: Node) -> None:
    meminfo = node.folder / "proc" / "meminfo"
    meminfo.write_text("MemTotal: 700000 kB\nMemAvailable:   20000 kB\n")
    wait_problem(node, "dom0's memory", "insufficient_memory")
    meminfo.write_text("MemTotal: 700000 kB\nMemAvailable:  300000 kB\n")
    wait_well(node)


def test_kernels_log(make_node: Callable[..., Node]) -> None:
    """Disks with errors and gone, one that nobody uses, a stick pulled out, firmware, errors of memory."""
    node = make_node()
    log = node.folder / "kmsg"
    os.mkfifo(log)
    kernel = os.open(log, os.O_RDWR)
    for disk, removable in (("vda", 0), ("sdb", 1), ("sdc", 0)):
        (node.folder / "sys" / "block" / disk).mkdir(parents=True)
        (node.folder / "sys" / "block" / disk / "removable").write_text(f"{removable}\n")
    (node.folder / "run" / "disks").write_text(
        "vda\t10240\tclaimed\tvolume group slicenode\tmodel\tserial\n"
        "sda\t10240\tclaimed\tvolume group slicenode\tmodel\tserial\n"
        "sdb\t10240\tunused\tremovable\tmodel\tserial\n")
    node.start("--kernel-log", str(log))
    tail = "op 0x0:(READ) flags 0x80700 phys_seg 1 prio class 2"
    lines = [
        "6,1,1,-;vda: vda1",
        "3,2,9,-;operation not supported error, dev vda, sector 4 op 0x9:(WRITE_ZEROES) flags 0x800 phys_seg 0",
        f"3,3,9,-;I/O error, dev vda, sector 4711 {tail}",
        " SUBSYSTEM=block",
        f"3,4,9,-;I/O error, dev vda, sector 4712 {tail}",
        f"3,5,9,-;I/O error, dev sdb, sector 1 {tail}",
        f"3,6,9,-;device offline error, dev sdd, sector 1 {tail}",
        f"3,7,9,-;I/O error, dev sdc, sector 99 {tail}",
        f"3,8,9,-;I/O error, dev sda, sector 2 {tail}",
        f"14,9,9,-;I/O error, dev vdz, sector 3 {tail}",
        "4,10,9,-;bnx2 0000:03:00.0: Direct firmware load for bnx2/bnx2-mips-09-6.2.1b.fw failed with error -2",
        "4,11,9,-;bnx2 0000:03:00.0: Direct firmware load for bnx2/bnx2-rv2p-09-6.0.17.fw failed with error -2",
        *["4,12,9,-;{1}[Hardware Error]: event severity: corrected"] * 9,
        "2,13,9,-;{2}[Hardware Error]: event severity: recoverable",
    ]
    for line in lines:
        os.write(kernel, line.encode() + b"\n")
    wait_problem(node, "a hardware error that could not be corrected", "hypervisor_error")
    assert sorted(message.partition(":")[0] for message in problems(node)) == [
        "disk sda does not answer any more", "disk sdc has errors, first at sector 99",
        "disk vda has errors, first at sector 4711",
        "the machine's firmware reports a hardware error that could not be corrected"]
    screen = wait_until(node.screen, "the screen")
    assert screen.count("asks for firmware") == 1 and "bnx2 (0000:03:00.0) asks for firmware bnx2/bnx2-mips" in screen
    os.write(kernel, b"4,14,9,-;{1}[Hardware Error]: event severity: corrected\n")
    wait_problem(node, "has corrected 10 hardware errors", "hypervisor_error")
    os.close(kernel)
    node.stop()


class SmallState:
    """A node whose state volume is a small file system of its own, in a mount namespace."""

    def __init__(self, node: Node) -> None:
        self.node = node
        (node.folder / "state").mkdir()
        own = ["-m"] if os.geteuid() == 0 else ["-r", "-m"]
        script = f"mount -t tmpfs -o size={STATE_MIB}m state {node.folder}/state && echo ready && exec sleep 3600"
        self.holder = subprocess.Popen(["unshare", *own, "sh", "-c", script], stdout=subprocess.PIPE, text=True)
        assert self.holder.stdout is not None and self.holder.stdout.readline() == "ready\n"
        enter = ["-m"] if os.geteuid() == 0 else ["-U", "-m", "--preserve-credentials"]
        node.wrapper = ["nsenter", "-t", str(self.holder.pid), *enter]
        self.folder = Path(f"/proc/{self.holder.pid}/root{node.folder}/state")

    def free_kib(self) -> int:
        status = os.statvfs(self.folder)
        return status.f_bfree * status.f_frsize >> 10

    def fill(self, leave_kib: int) -> None:
        with (self.folder / "filler").open("ab") as filler:
            while (left := self.free_kib() - leave_kib) > 0:
                try:
                    filler.write(bytes(min(left << 10, 1 << 20)))
                    filler.flush()
                except OSError:
                    return

    def close(self) -> None:
        self.node.kill()
        self.holder.send_signal(signal.SIGKILL)
        self.holder.wait()


@pytest.fixture
def tight(make_node: Callable[..., Node]) -> Iterator[SmallState]:
    made = SmallState(make_node())
    yield made
    made.node.stop()
    made.close()


def test_full_state_volume_and_back(tight: SmallState, small: dict[str, Any]) -> None:
    node = tight.node
    node.start()
    slice_id, other = provision(node, small), provision(node, small)
    reserve = tight.folder / "reserve"
    assert reserve.stat().st_blocks * 512 >= 8 << 20
    tight.fill(40 << 10)
    wait_problem(node, "of the state volume are free", "insufficient_disk")
    tight.fill(1 << 10)
    wait_problem(node, "the state volume is full", "insufficient_disk")
    assert not reserve.exists()
    assert refused(node, small) == "insufficient_disk"
    assert node.state(slice_id) == "running"
    node.do("slice.terminate", other)
    (tight.folder / "filler").unlink()
    wait_well(node)
    assert reserve.exists()
    provision(node, small)


def test_agent_starts_on_a_full_state_volume(tight: SmallState, small: dict[str, Any]) -> None:
    node = tight.node
    node.start()
    slice_id = provision(node, small)
    node.kill()
    tight.fill(0)
    node.start()
    wait_problem(node, "the state volume is full", "insufficient_disk")
    assert node.state(slice_id) == "running"
    assert refused(node, small) == "insufficient_disk"
    (tight.folder / "filler").unlink()
    wait_well(node)
    provision(node, small)


def test_store_that_cannot_be_written_ends_the_agent_and_nothing_else(
        tight: SmallState, small: dict[str, Any]) -> None:
    """Nothing is left at all, the reserve used: the agent says so and ends; with room it goes on where it was."""
    node = tight.node
    node.start()
    slice_id = provision(node, small)
    tight.fill(0)
    (tight.folder / "reserve").unlink()
    tight.fill(0)
    process = node.process
    assert process is not None
    connection = node.connect()
    while process.poll() is None:
        try:
            connection.send("slice.start", {"slice": slice_id, "args": {}, "pad": "x" * 100000})
            connection.receive()
        except (OSError, ConnectionError):
            break
    assert process.wait(20) == 1
    assert "full" in node.log().splitlines()[-1]
    node.process = None
    assert list(node.domains().values())[0]["state"] == "running"
    (tight.folder / "filler").unlink()
    node.start()
    node.idle()
    wait_well(node)
    assert node.state(slice_id) == "running"
    node.do("slice.terminate", slice_id)
    assert len(node.volumes()) == 1


def test_what_the_boot_scripts_found_reaches_the_controller(make_node: Callable[..., Node]) -> None:
    node = make_node()
    folder = node.run / "problems"
    folder.mkdir()
    (folder / "agent").write_text("internal\tthe agent ended (code 1) and is started again\n")
    (folder / "storage").write_text("storage_error\tthe state volume is damaged\n")
    (folder / "odd").write_text("no tab\n")
    node.start()
    assert problems(node)["the state volume is damaged"] == "storage_error"
    assert not (folder / "agent").exists()
    (folder / "storage").unlink()
    wait_well(node)
    assert "the agent ended (code 1)" in node.log()


def test_log_that_nobody_reads_holds_nothing_up(make_node: Callable[..., Node], small: dict[str, Any]) -> None:
    """As svlogd does that cannot write: it leaves the agent's pipe full."""
    node = make_node()
    os.mkfifo(node.log_path)
    pipe = os.open(node.log_path, os.O_RDWR | os.O_NONBLOCK)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(pipe, bytes(4096))
    node.start()
    slice_id = provision(node, small)
    assert node.state(slice_id) == "running"
    node.kill()
    node.log_path.unlink()
    os.close(pipe)
