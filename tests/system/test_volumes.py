"""Data volumes on the real node: they come and go while slices run, grow, and keep what was written.

One node serves all tests of this file in their order: the volume `data` goes from one slice to the other.
"""

from __future__ import annotations

import gzip
import subprocess
from typing import Any

from node import ssh_words
from rack import Rack
from waiting import PATIENCE, wait_until

READY = "small-guest: ready"
GIB = 1 << 30
SIZE = "blockdev --getsize64 /dev/{} 2>/dev/null || echo 0"


def volume(rack: Rack, name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in rack.json("volume", "list") if one["name"] == name)
    return found


def wait_size(rack: Rack, number: int, device: str, size: int) -> None:
    """Until the slice sees the device so large; 0: not at all."""
    wait_until(lambda: rack.ssh(number, SIZE.format(device)) == str(size), f"{device} has {size} bytes", 60)


def write_file_system(rack: Rack, number: int) -> None:
    """Puts a file system of the host's making on the slice's xvdc: the guest has no program for it."""
    image = rack.folder / "ext4.img"
    subprocess.run(["mke2fs", "-q", "-t", "ext4", str(image), "64M"], check=True)
    words = [*ssh_words(rack.key, rack.ports[number], "root"), "gunzip >/dev/xvdc && sync"]
    subprocess.run(words, input=gzip.compress(image.read_bytes()), check=True, timeout=120 * PATIENCE)


def test_a_running_slice_gets_a_volume(rack: Rack) -> None:
    rack.do("volume", "create", "data", "1")
    rack.provision("one", "small.raw.zst", 0, "--type", "pvh")
    rack.wait_console("one", READY)
    rack.do("volume", "attach", "data", "one")
    assert volume(rack, "data")["device"] == "xvdc"
    wait_size(rack, 0, "xvdc", GIB)
    write_file_system(rack, 0)
    rack.ssh(0, "mount -t ext4 /dev/xvdc /mnt && dd if=/dev/urandom of=/mnt/filled bs=1M count=16 && sync"
                " && sha256sum /mnt/filled >/mnt/sum && sync")
    rack.do("volume", "attach", "data", "one")
    assert rack.ssh(0, "cd /mnt && sha256sum -c sum") == "/mnt/filled: OK"


def test_it_grows_under_the_running_slice(rack: Rack) -> None:
    rack.do("volume", "resize", "data", "2")
    wait_size(rack, 0, "xvdc", 2 * GIB)
    # What was added can be written and read, beside the mounted file system.
    end = "dd if=/dev/xvdc bs=1M skip=2047 count=1 2>/dev/null | sha256sum"
    rack.ssh(0, "head -c 1048576 /mnt/filled >/tmp/part && dd if=/tmp/part of=/dev/xvdc bs=1M seek=2047 count=1"
                " && sync")
    assert rack.ssh(0, end) == rack.ssh(0, "sha256sum </tmp/part")
    refused = rack.try_controller("volume", "resize", "data", "1", "--wait")
    assert refused.returncode == 1 and "cannot become smaller" in refused.stderr


def test_a_slice_that_does_not_release_it_keeps_it(rack: Rack) -> None:
    rack.do("pause", "one")
    refused = rack.try_controller("volume", "detach", "data", "--wait", seconds=120)
    assert refused.returncode == 1 and "volume_busy" in refused.stderr
    assert volume(rack, "data")["state"] == "attached"
    rack.do("unpause", "one")
    # It works on as if nothing had been asked.
    assert rack.ssh(0, "echo 3 >/proc/sys/vm/drop_caches; cd /mnt && sha256sum -c sum") == "/mnt/filled: OK"
    rack.ssh(0, "echo after >/mnt/note && sync")
    wait_size(rack, 0, "xvdc", 2 * GIB)


def test_both_kinds_are_there_after_a_restart(rack: Rack) -> None:
    rack.do("volume", "create", "more", "1")
    rack.ssh(0, "umount /mnt")
    rack.do("stop", "one")
    rack.do("volume", "attach", "more", "one")
    assert volume(rack, "more")["device"] == "xvdd"
    rack.do("start", "one")
    wait_size(rack, 0, "xvdd", GIB)
    wait_size(rack, 0, "xvdc", 2 * GIB)
    rack.ssh(0, "mount -t ext4 /dev/xvdc /mnt")
    assert rack.ssh(0, "cat /mnt/note; cd /mnt && sha256sum -c sum") == "after\n/mnt/filled: OK"


def test_it_goes_to_another_slice_with_what_is_on_it(rack: Rack) -> None:
    rack.provision("two", "small.raw.zst", 1, "--type", "pv")
    rack.wait_console("two", READY)
    refused = rack.try_controller("volume", "attach", "data", "two", "--wait")
    assert refused.returncode == 1 and rack.slice("one")["id"] in refused.stderr
    refused = rack.try_controller("volume", "delete", "data", "--wait")
    assert refused.returncode == 1 and "volume_attached" in refused.stderr
    rack.ssh(0, "umount /mnt")
    rack.do("volume", "detach", "data")
    wait_size(rack, 0, "xvdc", 0)
    rack.do("volume", "attach", "data", "two")
    wait_size(rack, 1, "xvdc", 2 * GIB)
    rack.ssh(1, "mount -t ext4 /dev/xvdc /mnt")
    assert rack.ssh(1, "cat /mnt/note; cd /mnt && sha256sum -c sum") == "after\n/mnt/filled: OK"
    wait_size(rack, 0, "xvdd", GIB)


def test_by_force_it_goes_whatever_the_slice_does(rack: Rack) -> None:
    rack.do("pause", "two")
    rack.do("volume", "detach", "data", "--force")
    assert volume(rack, "data")["state"] == "available"
    rack.do("unpause", "two")
    wait_size(rack, 1, "xvdc", 0)
    assert rack.ssh(1, "hostname") == "two"


def test_terminate_keeps_it_and_delete_gives_every_block_back(rack: Rack) -> None:
    rack.do("volume", "attach", "data", "two")
    rack.do("terminate", "two")
    assert volume(rack, "data")["state"] == "available"
    before = rack.disk_used_mib()
    rack.do("volume", "delete", "data")
    assert rack.disk_used_mib() <= before - 16
    assert [one["name"] for one in rack.json("volume", "list")] == ["more"]


def test_traffic_kept_to_the_protocol(rack: Rack) -> None:
    assert rack.controller("protocol-violations") == ""
