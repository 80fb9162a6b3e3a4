"""What slicenode-disks makes of disks: blank, ours, or somebody's, which stay as they are."""

from __future__ import annotations

import lzma
import os
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from disk_rig import HALF_MADE, MIB, SIZE, DiskRig, data_hash, physical_volume
from helper import ROOT

UUID = "AbCdEf-0123-4567-89ab-cdef-0123-456789"
# In the kernel's folder of a drive that tells its name.
NAMED = {"device__wwid": "naa.5000c500a1b2c3d4"}


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[DiskRig]:
    made = DiskRig(tmp_path)
    yield made
    for path in made.dev.iterdir():
        path.unlink()


# --- Everything that libblkid knows -------------------------------------------------------------------------------


def signature_images() -> Iterator[tuple[str, bytes]]:
    """The images that util-linux tests libblkid with, from its pinned source."""
    listed = subprocess.run([ROOT / "scripts" / "fetch", "--files", "util-linux"], check=True, capture_output=True,
                            text=True).stdout
    source = next(line.split(" ", 2)[2] for line in listed.splitlines() if ".orig.tar" in line)
    with tarfile.open(source) as tar:
        for member in tar:
            if "/ts/blkid/images-" in member.name and member.name.endswith(".img.xz"):
                stream = tar.extractfile(member)
                assert stream
                yield Path(member.name).name.removesuffix(".img.xz"), lzma.decompress(stream.read())


# The FAT images differ in their labels alone; these would only take time.
ALIKE = "fat32_"
# What a RAID controller writes lies at the end of a disk, and nowhere else.
AT_THE_END = ("adaptec-raid", "ddf-raid", "hpt37x-raid", "hpt45x-raid", "isw-raid", "jmicron-raid", "lsi-raid",
              "mdraid", "nvidia-raid", "promise-raid", "silicon-raid", "via-raid", "drbd-v08", "drbd-v09")


def test_every_signature_of_libblkid_is_left_alone(rig: DiskRig) -> None:
    """At the beginning of a disk, and at its end: RAID's lie there. The disks' sizes are whole MiB and all others."""
    before: dict[str, str] = {}
    kinds: dict[str, str] = {}
    for number, (kind, data) in enumerate(signature_images()):
        if kind.startswith(ALIKE) and kind != "fat32_xp_none":
            continue
        for where, at in (("start", 0), ("end", -len(data))):
            if where != ("end" if kind in AT_THE_END else "start") and len(data) > 8 * MIB:
                continue
            name = f"sd{chr(97 + number // 26)}{chr(97 + number % 26)}{where[0]}"
            rig.add(name, SIZE + number * 8192 + (512 if where == "end" else 0))
            rig.put(name, data, at)
            kinds[name] = f"{kind} at its {where}"
            before[name] = data_hash(rig.dev / name)
    assert len(kinds) > 120
    found = rig.look()
    taken = {kinds[name]: one.reason for name, one in found.items() if one.state not in ("foreign", "unreadable")}
    assert not taken
    # An LVM volume that LVM knows nothing of may be of a group that is ours.
    assert {kinds[name] for name, one in found.items() if one.state == "unreadable"} <= {
        "lvm2 at its start", "drbdmanage-control-volume at its start"}
    assert not [line for line in rig.storage() if line.split()[0] in ("take", "wipe", "remake", "use")]
    for name in kinds:
        assert data_hash(rig.dev / name) == before[name], kinds[name]


def test_what_is_not_blank_is_not_prepared(rig: DiskRig) -> None:
    """The verdict may be old: preparing looks again. And it may have been for another disk."""
    rig.add("sda")
    rig.add("sdb")
    rig.put("sdb", b"somebody's", SIZE - 4096)
    rig.look()
    for command in ("prepare", "label", "emulate"):
        done = rig.call(command, "sdb")
        assert done.returncode == 1 and "no part in the storage" in done.stdout
    rig.put("sda", b"somebody's", SIZE - 4096)
    before = data_hash(rig.dev / "sda")
    done = rig.call("prepare", "sda")
    assert done.returncode == 1 and done.stdout == "holds data of an unknown kind by now\n"
    assert data_hash(rig.dev / "sda") == before
    assert rig.call("label", "sda").returncode == 0, "nothing is in its first sector"
    with (rig.dev / "sda").open("r+b") as stream:
        stream.write(bytes(512))
    rig.put("sda", b"grub")
    done = rig.call("label", "sda")
    assert done.returncode == 1 and "holds something else" in done.stdout


# --- Where data can be, and how large a disk can be ------------------------------------------------------------------

# Bytes of usual drives, most of them no whole MiB.
USUAL_SIZES = (4_294_967_296, 32_017_047_552, 120_034_123_776, 240_057_409_536, 480_103_981_056, 500_107_862_016,
               1_000_204_886_016, 1_920_383_410_176, 2_000_398_934_016, 4_000_787_030_016, 8_001_563_222_016,
               16_000_900_661_248, 18_000_207_937_536, 22_000_969_973_760)


def test_blank_disks_of_all_sizes_are_taken(rig: DiskRig) -> None:
    for number, size in enumerate(USUAL_SIZES):
        if size < 15 << 40:
            rig.add(f"sd{chr(97 + number)}", size)
    found = rig.look()
    assert {one.state for one in found.values()} == {"claimed"}
    assert sum(line.startswith("take ") for line in rig.storage()) == len(found)


@pytest.mark.parametrize("size", [size for size in USUAL_SIZES if size < 15 << 40])
def test_data_in_the_last_sectors_is_found(rig: DiskRig, size: int) -> None:
    """A backup GPT alone, a RAID anchor in the last sector, one byte at the very end."""
    places = {"sda": (b"EFI PART", -512), "sdb": (b"\xde\x11\xde\x11", -512), "sdc": (b"\1", -1),
              "sdd": (b"data", -33 * 512), "sde": (b"data", -16 * MIB), "sdf": (b"data", 16 * MIB - 4),
              "sdg": (b"data", 128 * MIB + 1024), "sdh": (b"data", 129 * MIB + 1024), "sdi": (b"data", size // 4),
              "sdj": (b"data", size // 2 + 8192), "sdk": (b"data", 64 * MIB + 65536), "sdl": (b"data", 4096)}
    if size > 4 << 30:
        places["sdm"] = (b"FILE0", (3 << 30) + MIB)
    for name, (data, at) in places.items():
        rig.add(name, size)
        rig.put(name, data, at)
    found = rig.look()
    assert {name for name, one in found.items() if one.state != "foreign"} == set()
    assert "data of an unknown kind; left untouched" in found["sdc"].reason


def test_a_half_wiped_file_system_is_not_blank(rig: DiskRig) -> None:
    """`dd` over the first MiB is no end of a file system: its copies are there."""
    for name, command in (("sda", ["mkfs.ext4", "-q", "-F"]), ("sdb", ["mkfs.vfat"])):
        path = rig.add(name)
        subprocess.run([*command, str(path)], check=True, capture_output=True)
        with path.open("r+b") as stream:
            stream.write(bytes(MIB))
    found = rig.look()
    assert found["sda"].state == "foreign", found["sda"]
    # FAT keeps all it has within its first megabytes.
    assert found["sdb"].state == "foreign", found["sdb"]


def test_small_readonly_removable_sequential_and_empty_drives(rig: DiskRig) -> None:
    rig.add("sda", 4095 * MIB)
    rig.add("sdb", ro="1")
    rig.add("sdc", removable="1")
    rig.add("sdd", queue__zoned="host-managed")
    rig.add("sde", queue__logical_block_size="520")
    rig.add("sdf", size=0)
    rig.add("sdg", size=0, removable="1")
    rig.add("nvme0c0n1", hidden="1")
    rig.add("nvme0n1", queue__zoned="none")
    found = rig.look()
    assert {name: one.state for name, one in found.items()} == {
        "sda": "too_small", "sdb": "readonly", "sdc": "unused", "sdd": "unused", "sde": "unused",
        "sdf": "unreadable", "nvme0n1": "claimed"}
    assert "shows no capacity" in found["sdf"].reason and "520" in found["sde"].reason


def test_names_are_in_the_order_of_the_machine(rig: DiskRig) -> None:
    for name in ("sdaa", "sdb", "nvme10n1", "nvme2n1", "sda", "cciss!c0d0"):
        rig.add(name)
    (rig.dev / "cciss").mkdir()
    (rig.dev / "cciss!c0d0").rename(rig.dev / "cciss" / "c0d0")
    found = rig.look()
    (rig.dev / "cciss" / "c0d0").unlink()
    (rig.dev / "cciss").rmdir()
    assert list(found) == ["cciss/c0d0", "nvme2n1", "nvme10n1", "sda", "sdb", "sdaa"]
    assert found["cciss/c0d0"].state == "claimed"


# --- What cannot be read ----------------------------------------------------------------------------------------------


def test_a_disk_without_its_device_is_not_made(rig: DiskRig) -> None:
    """A drive of which there is no device node: a file of its name would be written to instead."""
    rig.add("sda")
    rig.add("sdb")
    (rig.dev / "sda").unlink()
    found = rig.look()
    assert found["sda"].state == "unreadable" and "No such file" in found["sda"].reason
    assert found["sdb"].state == "claimed"
    assert rig.call("prepare", "sda").returncode == 1
    assert not (rig.dev / "sda").exists()


def test_a_disk_that_ends_early_is_not_blank(rig: DiskRig) -> None:
    path = rig.add("sda")
    os.truncate(path, SIZE - 4096)
    found = rig.look()
    assert found["sda"].state == "unreadable" and "ends before its size" in found["sda"].reason
    assert rig.look("/dev/sda:wipe")["sda"].state == "unreadable"


# --- Ours ------------------------------------------------------------------------------------------------------------


def ours(rig: DiskRig, name: str, uuid: str = UUID, also: dict[str, str] | None = None) -> None:
    rig.add(name, also=also)
    rig.put(name, physical_volume(uuid))


def test_our_disk_is_used_and_never_wiped(rig: DiskRig) -> None:
    ours(rig, "sda")
    rig.add("sdb")
    rig.volume("sda", UUID, tags="chunk_kib=128")
    found = rig.look("/dev/sda:wipe,/dev/sdb:wipe")
    assert found["sda"].state == "claimed" and found["sda"].reason == "volume group slicenode"
    assert [f"use sda {rig.dev}/sda", f"take sdb {rig.dev}/sdb"] == [
        line for line in rig.storage() if line.split()[0] in ("use", "take", "wipe")]
    assert "chunk_kib 128" in rig.storage()


def test_lvm_failing_is_no_permission(rig: DiskRig) -> None:
    """The node's own live disk, with :wipe left in the configuration, while LVM does not answer."""
    ours(rig, "sda")
    for status in (5, 1):
        rig.lvm_says(status)
        found = rig.look("/dev/sda:wipe")
        assert found["sda"].state == "unreadable" and "LVM" in found["sda"].reason
    rig.lvm.unlink()
    assert rig.look("/dev/sda:wipe")["sda"].state == "unreadable"


def test_a_labelled_disk_is_ours_whatever_lvm_says(rig: DiskRig) -> None:
    """LVM takes a volume whose metadata it could not read for one of no group: with :wipe it would be gone."""
    ours(rig, "sda")
    labelled(rig, "sda", "naa.1")
    rig.volume("sda", UUID, group="")
    assert rig.look("/dev/sda:wipe")["sda"].state == "unreadable"


def test_a_usb_disk_has_the_serial_number_of_its_device(rig: DiskRig) -> None:
    rig.add("sda", removable="1")
    usb = rig.sys / "devices" / "pci0" / "usb1" / "1-1"
    (usb / "1-1:1.0" / "host0" / "target0").mkdir(parents=True)
    (usb / "idVendor").write_text("1234\n")
    (usb.parent / "idVendor").write_text("1d6b\n")
    (usb.parent / "serial").write_text("0000:00:14.0\n")
    (usb / "serial").write_text("STICK-7\n")
    (rig.sys / "block" / "sda" / "device").symlink_to(usb / "1-1:1.0" / "host0" / "target0")
    assert rig.look()["sda"].serial == "STICK-7"
    assert rig.look("serial=STICK-7")["sda"].state == "claimed"


def test_one_volume_that_lvm_cannot_read_hides_no_other(rig: DiskRig) -> None:
    other = UUID.replace("A", "X")
    ours(rig, "sda")
    ours(rig, "sdb", other)
    rig.volume("sda", UUID)
    rig.volume("sdb", other, fails=True)
    found = rig.look("/dev/sdb:wipe")
    assert found["sda"].state == "claimed" and found["sdb"].state == "unreadable"


def test_half_made_disks(rig: DiskRig) -> None:
    """Made anew, unless the group that was being made with them is whole, or they were to join one."""
    for name in ("sda", "sdb"):
        rig.add(name)
        rig.put(name, HALF_MADE)
    rig.put("sdb", b"more", len(HALF_MADE))
    found = rig.look()
    assert found["sda"].state == "claimed" and f"remake sda {rig.dev}/sda" in rig.storage()
    assert found["sdb"].state == "foreign", "what merely begins like the mark is somebody's data"
    for missing, tags, line in ((0, "setup", "use"), (1, "setup", "remake"), (1, "", None)):
        rig.put("sda", physical_volume()[512:], 512)
        rig.volumes.clear()
        rig.volume("sda", UUID, missing=missing, tags=tags)
        rig.look()
        lines = [one.split()[0] for one in rig.storage() if one.split()[0] in ("use", "remake")]
        assert lines == ([line] if line else []), (missing, tags)
        assert ("code storage_error" in rig.storage()) == (line is None)


def test_missing_grown_and_shrunk(rig: DiskRig) -> None:
    ours(rig, "sda")
    rig.add("sdb")
    rig.volume("sda", UUID, missing=1)
    found = rig.look()
    assert "code storage_error" in rig.storage() and found["sdb"].state == "unused"
    rig.volumes.clear()
    rig.volume("sda", UUID, size=SIZE - 64 * MIB)
    rig.look()
    assert f"grown sda {rig.dev}/sda" in rig.storage()
    rig.volumes.clear()
    rig.volume("sda", UUID, size=SIZE + 4 * MIB)
    rig.look()
    assert any("is smaller than when it was taken" in line for line in rig.storage())


def test_a_pool_takes_no_more_than_its_chunks_allow(rig: DiskRig) -> None:
    ours(rig, "sda")
    rig.add("sdb", 15 << 40)
    rig.volume("sda", UUID, size=14 << 40)
    (rig.sys / "block" / "sda" / "size").write_text(str((14 << 40) // 512 + 8192))
    with (rig.dev / "sda").open("r+b") as stream:
        stream.truncate((14 << 40) + 8192 * 512)
    found = rig.look()
    assert found["sdb"].state == "unused" and "chunks of 64 KiB and cannot be larger than" in found["sdb"].reason


# --- One disk twice --------------------------------------------------------------------------------------------------


def test_two_paths_to_one_disk(rig: DiskRig) -> None:
    """One is used, whatever the disk holds; :wipe by serial names both."""
    for name in ("sda", "sdb"):
        ours(rig, name, also={**NAMED, "device__vpd_pg80": "\0\0\0\4LUN7"})
    rig.volume("sda", UUID)
    found = rig.look("serial=LUN7:wipe")
    assert found["sda"].state == "claimed"
    assert found["sdb"].state == "duplicate" and "sda and sdb are the same disk" in found["sdb"].reason
    for name in ("sda", "sdb"):
        rig.add(name, also=NAMED)
    found = rig.look()
    assert [found["sda"].state, found["sdb"].state] == ["claimed", "duplicate"]
    # by a path that fails
    os.truncate(rig.dev / "sda", MIB)
    found = rig.look()
    assert [found["sda"].state, found["sdb"].state] == ["duplicate", "claimed"]


def test_two_disks_with_one_serial_number_are_two(rig: DiskRig) -> None:
    """Cheap bridges give all their disks the same name."""
    rig.add("sda", also=NAMED)
    ours(rig, "sdb", also=NAMED)
    rig.volume("sdb", UUID)
    found = rig.look()
    assert [found["sda"].state, found["sdb"].state] == ["claimed", "claimed"]


def labelled(rig: DiskRig, name: str, identity: str) -> None:
    """Ours, and labelled so."""
    (rig.sys / "block" / name / "device").mkdir(exist_ok=True)
    (rig.sys / "block" / name / "device" / "wwid").write_text(identity)
    (rig.run / "storage").write_text(f"use {name} {rig.dev}/{name}\n")
    done = rig.call("label", name, "5f0f8f5e-8ad2-4c3f-9f0e-0f6f3a6d9c01")
    assert done.returncode == 0, done.stdout


def test_a_copy_is_told_from_its_original(rig: DiskRig) -> None:
    ours(rig, "sda")
    rig.add("sdb", device__wwid="naa.2")
    labelled(rig, "sda", "naa.1")
    with (rig.dev / "sda").open("rb") as stream:
        rig.put("sdb", stream.read(4096))
    rig.volume("sda", UUID)
    rig.volume("sdb", UUID)
    found = rig.look("/dev/sdb,/dev/sda")
    assert found["sda"].state == "claimed" and found["sdb"].reason == "a copy of sda; left untouched"
    # what is named with :wipe may go; the original that is named so stays what it is
    found = rig.look("/dev/sdb:wipe,/dev/sda:wipe")
    assert found["sdb"].reason == "volume group slicenode (new)"
    assert [line.split()[:2] for line in rig.storage() if "/sd" in line] == [["use", "sda"], ["wipe", "sdb"]]
    assert "node 5f0f8f5e-8ad2-4c3f-9f0e-0f6f3a6d9c01" in rig.storage()
    # the label survived, and is changed only when it has to be
    before = data_hash(rig.dev / "sda")
    labelled(rig, "sda", "naa.1")
    assert data_hash(rig.dev / "sda") == before


def test_a_group_of_our_name_that_no_node_made_is_somebodys(rig: DiskRig) -> None:
    ours(rig, "sda")
    rig.volume("sda", UUID, volumes=0)
    found = rig.look()
    assert found["sda"].reason == "volume group slicenode that no node has made; left untouched"
    assert found["sda"].state == "foreign"
    for tags in ("setup", "chunk_kib=64", "chunk_kib=128,mirror"):
        rig.volumes.clear()
        rig.volume("sda", UUID, volumes=0, tags=tags)
        assert rig.look()["sda"].state == "claimed", tags


def test_copies_that_nobody_can_tell_apart(rig: DiskRig) -> None:
    ours(rig, "sda")
    ours(rig, "sdb")
    rig.add("sdc")
    for name in ("sda", "sdb"):
        rig.volume(name, UUID)
    found = rig.look()
    assert {one.state for one in found.values()} == {"duplicate", "unused"}
    assert "sda and sdb are copies of each other" in found["sda"].reason
    assert "code storage_error" in rig.storage()
    # of somebody else's group they are no trouble
    rig.volumes.clear()
    for name in ("sda", "sdb"):
        rig.volume(name, UUID, group="backup")
    found = rig.look()
    assert {name: one.state for name, one in found.items()} == {"sda": "foreign", "sdb": "foreign", "sdc": "claimed"}


# --- Taking ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["blank", "half made", "foreign"])
def test_prepared_disks_are_blank_behind_their_mark(rig: DiskRig, kind: str) -> None:
    path = rig.add("sda", 5_000_077_824)
    if kind == "half made":
        rig.put("sda", HALF_MADE)
        rig.put("sda", physical_volume()[512:], 512)
        rig.volume("sda", UUID, group="")
    elif kind == "foreign":
        subprocess.run(["mkfs.ext4", "-q", "-F", str(path)], check=True)
        rig.put("sda", b"RAID", -512)
    rig.look("/dev/sda:wipe" if kind == "foreign" else "/dev/sda")
    done = rig.call("prepare", "sda")
    assert done.returncode == 0, done.stdout
    assert path.read_bytes()[:512].rstrip(b"\0") == HALF_MADE
    rig.volumes.clear()
    assert rig.look()["sda"].state == "claimed" and f"remake sda {rig.dev}/sda" in rig.storage()
    assert rig.call("label", "sda").returncode == 0
    assert path.read_bytes()[:512].startswith(b"slicenode: this disk is part of a node\n")


def test_a_disk_of_4096_byte_sectors_is_used_through_512(rig: DiskRig) -> None:
    rig.add("sda", queue__logical_block_size="4096")
    rig.add("sdb")
    rig.look()
    assert f"take sda {rig.dev}/mapper/disk512-sda" in rig.storage()
    assert any(line.startswith("ask sda sdb") for line in rig.storage())


def test_sizes_of_new_pools() -> None:
    """As LVM was told before for small ones, and what its metadata can hold for large ones."""
    rig_words = {"5000": "1024 64 4", str(20 << 20): "16384 512 2558", str(1 << 30): "16384 16384 4096"}
    program = ROOT / "out" / "agent-host" / "slicenode-disks"
    for group, wanted in rig_words.items():
        assert subprocess.run([program, "sizes", group], capture_output=True, text=True,
                              check=True).stdout.strip() == wanted


# --- Mirrors ---------------------------------------------------------------------------------------------------------


def test_a_mirror_takes_two_disks(rig: DiskRig) -> None:
    rig.add("sda")
    found = rig.look("auto,mirror")
    assert found["sda"].state == "unused" and "code storage_error" in rig.storage()
    assert any("mirror, which takes two disks: 1 can be used" in line for line in rig.storage())
    rig.add("sdb", SIZE + 512)
    rig.look("auto,mirror")
    assert {"mirror 5000", f"take sda {rig.dev}/sda", f"take sdb {rig.dev}/sdb"} <= set(rig.storage())
    rig.add("sdc")
    rig.look("auto,mirror")
    assert "code storage_error" in rig.storage()
    rig.look("/dev/sda,/dev/sdc,mirror")
    assert {f"take sda {rig.dev}/sda", f"take sdc {rig.dev}/sdc"} <= set(rig.storage())


def test_a_mirror_goes_on_with_one_disk_and_takes_another(rig: DiskRig) -> None:
    ours(rig, "sda")
    rig.volume("sda", UUID, tags="chunk_kib=64,mirror", missing=1)
    rig.look()
    assert {"mirror 5000", "missing 1", f"use sda {rig.dev}/sda"} <= set(rig.storage())
    assert "code" not in " ".join(rig.storage())
    rig.add("sdb", SIZE - 8 * MIB)
    rig.add("sdc")
    rig.add("sdd")
    found = rig.look()
    assert found["sdb"].state == "unused" and "smaller than the disk it would stand beside" in found["sdb"].reason
    assert found["sdc"].state == "claimed" and f"take sdc {rig.dev}/sdc" in rig.storage()
    assert found["sdd"].state == "unused"
    rig.volumes.clear()
    rig.volume("sda", UUID, tags="mirror", missing=2)
    rig.look()
    assert "code storage_error" in rig.storage()


def test_a_whole_mirror_takes_no_third_disk(rig: DiskRig) -> None:
    other = UUID.replace("A", "X")
    ours(rig, "sda")
    ours(rig, "sdb", other)
    for name, uuid in (("sda", UUID), ("sdb", other)):
        rig.volume(name, uuid, tags="mirror")
    rig.add("sdc")
    assert rig.look()["sdc"].state == "unused"


def test_a_group_that_was_made_without_a_mirror_says_so(rig: DiskRig) -> None:
    ours(rig, "sda")
    rig.volume("sda", UUID)
    rig.look("auto,mirror")
    assert any(line.startswith("note ") and "made without a mirror" in line for line in rig.storage())
