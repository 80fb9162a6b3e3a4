"""A node whose disk has bad sectors says so; only who reads them gets an error, and nothing is corrupted."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from conftest import Artefacts
from nbd_rack import NbdRack
from node import REPOSITORY
from offline import OfflineNode
from rack import wait_until

DISK_BYTES = 4608 << 20
BLOCK = 64 << 10


@pytest.fixture(scope="module")
def rack(artefacts: Artefacts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NbdRack]:
    made = NbdRack(tmp_path_factory.mktemp("sick"), artefacts, DISK_BYTES)
    try:
        made.boot()
        made.provision("web", "small.raw.zst", 0, "--type", "pv")
        made.provision("idle", "small.raw.zst", 1, "--type", "pv", "--stopped")
        made.ssh(0, "dd if=/dev/urandom of=/root/data bs=1M count=16 && md5sum /root/data >/root/sum && sync")
        yield made
    finally:
        made.close()
        kept = REPOSITORY / "out" / "test" / "system" / "sick"
        kept.mkdir(parents=True, exist_ok=True)
        for log in [made.folder / "controller.log", *made.node.folder.glob("*.log")]:
            shutil.copyfile(log, kept / log.name)


def told(rack: NbdRack, text: str, code: str, over: bool = False, after: int = 0) -> bool:
    """Whether the controller has been told of the problem, or of its end."""
    found = rack.json("events", "--type", "node.problem", "--after", str(after))
    events: list[dict[str, Any]] = found if isinstance(found, list) else [found]
    return any(text in event["error"]["message"] and event["error"]["code"] == code
               and (event["result"] is not None) == over for event in events)


def wait_told(rack: NbdRack, text: str, code: str, over: bool = False) -> None:
    wait_until(lambda: told(rack, text, code, over), f"the controller hears {text!r} [{code}], over: {over}", 60)


def intact(rack: NbdRack) -> bool:
    """Whether what the guest had synced before is on its disk, read from there."""
    done = rack.try_ssh(0, "echo 3 >/proc/sys/vm/drop_caches; md5sum -c /root/sum")
    return done.returncode == 0


def test_bad_sectors_hurt_only_who_reads_them(rack: NbdRack) -> None:
    assert intact(rack)
    with OfflineNode(rack.image, rack.folder / "offline") as node:
        # Both slices' disks are snapshots of the image; what web alone maps is what it has written.
        ids = node.thin_ids()
        shared = {block for thin_id in ids for block in node.mappings(thin_id).values()
                  if thin_id != max(ids, key=lambda one: (ids[one], one))}
        web = max(ids, key=lambda one: (ids[one], one))
        own = sorted((at, block) for at, block in node.mappings(web).items() if block not in shared)
        at, block = own[len(own) // 2]
        start = next(node._segments("pool_tdata"))[1] + block * BLOCK
    rack.nbd.sick = [range(start, start + BLOCK)]
    read = f"echo 3 >/proc/sys/vm/drop_caches; dd if=/dev/xvda of=/dev/null bs=64k count=1 skip={at}"
    assert rack.try_ssh(0, read).returncode != 0
    assert rack.try_ssh(0, read.replace(str(at), "0")).returncode == 0
    wait_told(rack, "disk vda has errors, first at sector", "storage_error")
    rack.node.wait_for(r"sliced: error: storage_error: disk vda has errors")
    rack.do("snapshot", "create", "web", "sick")
    rack.do("snapshot", "delete", "web", "sick")
    rack.nbd.sick = []
    assert rack.try_ssh(0, read).returncode == 0
    assert intact(rack)
