"""Images in qcow2 and VHD: the scratch volume comes and goes with the import, whatever happens."""

from __future__ import annotations

import subprocess
import uuid
from pathlib import Path
from typing import Any

import pytest
from images import Images
from node import Node, Refused, slice_args
from test_recovery import killed_at_each_point

DISK = b"BOOTS!" + b"\1" * 200_000 + bytes(3_000_000) + b"\2" * 100_000 + bytes(6_346)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("formats")
    (folder / "raw").write_bytes(DISK)

    def convert(name: str, *options: str) -> bytes:
        subprocess.run(["qemu-img", "convert", "-f", "raw", *options, folder / "raw",
                        folder / name], check=True)
        return (folder / name).read_bytes()

    made = {"qcow2": convert("qcow2", "-O", "qcow2"),
            "qcow2 compressed": convert("packed", "-c", "-O", "qcow2"),
            "vhd": convert("vhd", "-O", "vpc", "-o", "force_size=on"),
            "vhd fixed": convert("fixed", "-O", "vpc", "-o", "force_size=on,subformat=fixed")}
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", "qcow2", "-F", "qcow2",
                    "overlay"], cwd=folder, check=True)
    made["overlay"] = (folder / "overlay").read_bytes()
    return made


def refused(node: Node, image: dict[str, Any]) -> Refused:
    with pytest.raises(Refused) as caught:
        node.do("image.fetch", **image)
    return caught.value


@pytest.mark.parametrize("name", ["qcow2", "qcow2 compressed", "vhd", "vhd fixed"])
@pytest.mark.parametrize("stated", [False, True])
@pytest.mark.parametrize("compress", [False, True])
def test_provision(node: Node, images: Images, files: dict[str, bytes], name: str, stated: bool,
                   compress: bool) -> None:
    image = images.add(files[name], compress, format=name.split()[0] if stated else None)
    slice_id = str(uuid.uuid4())
    node.do("slice.provision", slice_id, **slice_args(image))
    assert node.state(slice_id) == "running"
    with node.disk(slice_id).open("rb") as disk:
        assert disk.read(len(DISK)) == DISK
        assert not any(disk.read(4096))
    assert len(node.volumes()) == 3, "image, disk and seed"
    assert not any(one.startswith("scratch") for one in node.active())


def test_scratch_volume_is_not_counted_afterwards(node: Node, images: Images,
                                                  files: dict[str, bytes]) -> None:
    free = node.call("node.status")["capacity"]["disk_free_mib"]
    node.do("image.fetch", **images.add(files["qcow2"]))
    assert free - node.call("node.status")["capacity"]["disk_free_mib"] <= 1


@pytest.mark.parametrize("change, code, word", [
    ({"format": "vhd"}, "image_corrupt", "VHD"), ({"format": "iso"}, "invalid_argument", "qcow2"),
    ({"format": "qcow2", "kind": "kernel"}, "invalid_argument", "disks"),
    ({"sha256": "0" * 64}, "image_hash_mismatch", "SHA-256")])
def test_refused(node: Node, images: Images, files: dict[str, bytes], change: dict[str, Any],
                 code: str, word: str) -> None:
    error = refused(node, images.add(files["qcow2"], **change))
    assert error.code == code and word in error.message
    assert node.volumes() == set() and node.active() == set() and node.call("image.list") == []


def test_an_image_stands_alone(node: Node, images: Images, files: dict[str, bytes]) -> None:
    error = refused(node, images.add(files["overlay"]))
    assert error.code == "image_unsupported" and "backing file" in error.message
    assert node.volumes() == set() and node.active() == set()


def test_disk_larger_than_the_slices(node: Node, images: Images, tmp_path: Path) -> None:
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", tmp_path / "large", "2G"],
                   check=True)
    image = images.add((tmp_path / "large").read_bytes())
    with pytest.raises(Refused) as caught:
        node.do("slice.provision", str(uuid.uuid4()), **slice_args(image))
    assert caught.value.code == "image_too_large"
    assert node.volumes() == set() and node.active() == set() and node.slices() == {}


def test_no_room_for_both(node: Node, images: Images, files: dict[str, bytes]) -> None:
    """A file that is not raw needs its own room beside the disk's."""
    fixed = files["vhd fixed"]
    node.settings(pool_mib=len(fixed) * 3 // 2 >> 20)
    assert refused(node, images.add(fixed, format="vhd")).code == "insufficient_disk"
    node.do("image.fetch", **images.add(fixed, format="raw"))


def test_killed_at_each_point(node: Node, images: Images, files: dict[str, bytes]) -> None:
    image = images.add(files["qcow2 compressed"])

    def check(ended: dict[str, Any]) -> None:
        assert ended["phase"] == "done", ended
        (volume,) = node.volumes()
        assert (node.sim / "volumes" / volume).read_bytes()[:len(DISK)] == DISK
        assert node.active() == set()
        node.do("image.delete", id=image["id"])
        assert node.volumes() == set()

    assert killed_at_each_point(node, lambda: node.submit("image.fetch", **image), check,
                                stride=1) >= 10


@pytest.mark.parametrize("call", ["create", "activate", "deactivate", "remove"])
def test_each_call_fails(node: Node, images: Images, files: dict[str, bytes], call: str) -> None:
    """Once, the first time and the second; and what failed can be done again."""
    image = images.add(files["vhd"])
    for nth in (1, 2, 3, 4):
        before = node.calls(call)
        node.settings(fail=[{"call": call, "nth": before + nth, "times": 1,
                             "code": "storage_error"}])
        ended = node.wait(node.submit("image.fetch", **image))
        node.settings()
        if ended["phase"] == "failed":
            assert ended["error"]["code"] == "storage_error"
            assert node.volumes() == set() and node.call("image.list") == []
        else:
            node.do("image.delete", id=image["id"])
        assert node.volumes() == set() and node.active() == set()
