"""What is refused, with which code, and that nothing is left of it."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from images import Images
from node import Node, Refused, slice_args
from waiting import wait_until

MISSING = "00000000-0000-4000-8000-00000000000f"


def refused(node: Node, op: str, slice_id: str | None = None, **args: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        node.do(op, slice_id, **args)
    return caught.value


def provision_refused(node: Node, given: dict[str, Any], **changes: Any) -> Refused:
    args = slice_args(given, **{key: changes[key] for key in changes if key != "image"})
    if "image" in changes:
        args["image"] = changes["image"]
    error = refused(node, "slice.provision", str(uuid.uuid4()), **args)
    assert node.slices() == {} and node.domains() == {} and node.active() == set()
    return error


def test_more_memory_than_there_is(node: Node, small: dict[str, Any]) -> None:
    node.settings(memory_mib=1024)
    error = provision_refused(node, small, memory_mib=2048)
    assert error.code == "insufficient_memory"
    assert "2048" in error.message and "1024 MiB available" in error.message


def test_memory_is_reserved_exactly(node: Node, small: dict[str, Any]) -> None:
    # 128 MiB and its overhead: 1 MiB paging, 4 MiB domain, 1 MiB for the processor.
    node.settings(memory_mib=134 * 3)
    done = [node.submit("slice.provision", str(uuid.uuid4()), **slice_args(small, name=f"s{i}"))
            for i in range(4)]
    ended = [node.wait(request) for request in done]
    assert sorted(item["phase"] for item in ended) == ["done", "done", "done", "failed"]
    stopped = next(iter(node.slices()))
    node.do("slice.stop", stopped)
    node.do("slice.provision", str(uuid.uuid4()), **slice_args(small, name="another"))
    assert refused(node, "slice.start", stopped).code == "insufficient_memory"
    assert node.state(stopped) == "stopped"


def test_dom0s_memory_is_reserved_for_the_back_ends(node: Node, small: dict[str, Any]) -> None:
    """Each slice has a NIC and takes 2.25 MiB, of the 9 that this dom0 has beside its own 112; a volume 0.375."""
    node.settings(dom0_mib=112 + 9)
    volume = str(uuid.uuid4())
    done = [node.submit("slice.provision", str(uuid.uuid4()), **slice_args(small, name=f"s{i}")) for i in range(5)]
    ended = [node.wait(request) for request in done]
    assert sorted(item["phase"] for item in ended) == ["done"] * 4 + ["failed"]
    refusal = next(item["error"] for item in ended if item["error"])
    assert refusal["code"] == "insufficient_memory"
    assert "dom0" in refusal["message"] and "slicenode.dom0_mem" in refusal["message"]
    stopped, *_, last = node.slices()
    node.do("volume.create", volume=volume, name="data", size_gib=1)
    assert refused(node, "volume.attach", last, volume=volume).code == "insufficient_memory"
    node.do("slice.stop", stopped)
    # Also of a slice that is stopped: it may be started without a question.
    node.do("volume.attach", stopped, volume=volume)
    assert refused(node, "slice.start", stopped).code == "insufficient_memory"
    node.do("volume.detach", stopped, volume=volume)
    node.do("slice.start", stopped)
    # An image that counts more of dom0, or an operator who gives it less: what ran runs again.
    node.power_cut()
    node.settings(dom0_mib=112)
    node.start()
    for slice_ in node.slices():
        node.wait_state(slice_, "running")
    assert "is started all the same" in node.log()
    assert node.call("node.status")["capacity"]["dom0_free_mib"] == 0


def test_more_disk_than_there_is(node: Node, small: dict[str, Any]) -> None:
    node.settings(pool_mib=3000)
    error = provision_refused(node, small, disk_gib=3)
    assert error.code == "insufficient_disk" and "3073 MiB" in error.message


def test_disk_is_reserved_exactly(node: Node, small: dict[str, Any]) -> None:
    node.do("image.fetch", **small)
    node.settings(pool_mib=2 * 1025 + 1)
    for name in ("a", "b"):
        node.do("slice.provision", str(uuid.uuid4()), **slice_args(small, name=name))
    error = refused(node, "slice.provision", str(uuid.uuid4()), **slice_args(small, name="c"))
    assert error.code == "insufficient_disk"
    assert len(node.slices()) == 2


def test_pool_nearly_full(node: Node, small: dict[str, Any]) -> None:
    slice_id = str(uuid.uuid4())
    node.do("slice.provision", slice_id, **slice_args(small))
    node.settings(data_used_percent=96)
    assert refused(node, "slice.provision", str(uuid.uuid4()),
                   **slice_args(small)).code == "pool_full"
    assert refused(node, "snapshot.create", slice_id, snapshot=str(uuid.uuid4()),
                   name="x").code == "pool_full"
    node.settings(metadata_percent=90)
    assert refused(node, "image.fetch", **small | {"id": str(uuid.uuid4())}).code == "pool_full"
    node.do("slice.stop", slice_id)
    node.do("slice.terminate", slice_id)


def test_too_many_vcpus(node: Node, small: dict[str, Any]) -> None:
    node.settings(threads=4)
    assert provision_refused(node, small, vcpus=5).code == "insufficient_vcpus"


@pytest.mark.parametrize("changes", [
    {"memory_mib": 0}, {"memory_mib": -5}, {"memory_mib": 1 << 62}, {"disk_gib": 0},
    {"disk_gib": 1 << 50}, {"vcpus": 0}, {"vcpus": "two"}, {"name": ""}, {"name": "a b"},
    {"name": "../etc"}, {"name": "x" * 64}, {"name": "-x"}, {"name": "sl\u00efce"},
    {"name": "a\nb"}, {"type": "hvm"}, {"image": {"id": "nonsense"}}, {"image": None},
    {"network": [{"mac": "zz"}]}, {"network": [{"addresses": ["10.0.0.300/24"]}]},
    {"boot": {"kind": "kernel"}}])
def test_absurd_arguments(node: Node, small: dict[str, Any], changes: dict[str, Any]) -> None:
    assert provision_refused(node, small, **changes).code == "invalid_argument"


@pytest.mark.parametrize("changes", [
    {"memory": 5}, {"network": [{"colour": "red"}]}, {"cloud_init": {"extra": 1}}])
def test_unknown_fields(node: Node, small: dict[str, Any], changes: dict[str, Any]) -> None:
    error = provision_refused(node, small, **changes)
    assert error.code == "unknown_field"
    for name in ("memory", "colour", "extra"):
        if name in str(changes):
            assert name in error.message


def test_duplicate_slice(node: Node, small: dict[str, Any]) -> None:
    slice_id = str(uuid.uuid4())
    node.do("slice.provision", slice_id, **slice_args(small))
    domains = node.domains()
    assert refused(node, "slice.provision", slice_id,
                   **slice_args(small)).code == "slice_exists"
    assert node.domains() == domains


@pytest.mark.parametrize("op, args", [
    ("slice.start", {}), ("slice.stop", {}), ("slice.reboot", {}), ("slice.terminate", {}),
    ("slice.console", {}), ("snapshot.create", {"snapshot": MISSING, "name": "x"}),
    ("snapshot.revert", {"snapshot": MISSING}), ("snapshot.delete", {"snapshot": MISSING})])
def test_slice_that_is_not_there(node: Node, op: str, args: dict[str, Any]) -> None:
    assert refused(node, op, MISSING, **args).code == "slice_not_found"


def test_wrong_state(node: Node, small: dict[str, Any]) -> None:
    slice_id, snapshot = str(uuid.uuid4()), str(uuid.uuid4())
    node.do("slice.provision", slice_id, **slice_args(small))
    node.do("snapshot.create", slice_id, snapshot=snapshot, name="x")
    assert refused(node, "snapshot.create", slice_id, snapshot=snapshot,
                   name="x").code == "snapshot_exists"
    assert refused(node, "snapshot.revert", slice_id, snapshot=snapshot).code == "slice_running"
    assert refused(node, "snapshot.revert", slice_id,
                   snapshot=MISSING).code == "snapshot_not_found"
    assert refused(node, "snapshot.delete", slice_id,
                   snapshot=MISSING).code == "snapshot_not_found"
    node.do("slice.stop", slice_id)
    assert refused(node, "slice.reboot", slice_id).code == "slice_state"
    assert refused(node, "slice.stop", slice_id, force="yes").code == "invalid_argument"
    assert refused(node, "slice.start", slice_id, fast=True).code == "unknown_field"


def test_unknown_operation_and_images(node: Node, small: dict[str, Any]) -> None:
    assert refused(node, "slice.dance", MISSING).code == "unknown_operation"
    assert refused(node, "image.delete", id=MISSING).code == "image_not_found"
    assert provision_refused(node, {"id": MISSING}).code == "image_not_found"
    node.do("image.fetch", **small)
    assert refused(node, "image.fetch", **small).code == "image_exists"
    assert provision_refused(
        node, small, boot={"kind": "kernel", "kernel": MISSING}).code == "image_not_found"
    assert provision_refused(
        node, small, boot={"kind": "kernel", "kernel": small["id"]}).code == "invalid_argument"


@pytest.mark.parametrize("changes, code", [
    ({"sha256": "0" * 64}, "image_hash_mismatch"),
    ({"size_bytes": 99}, "image_length_mismatch"),
    ({"compression": "zstd"}, "image_corrupt"),
    ({"url": "http://127.0.0.1:1/x"}, "image_unavailable")])
def test_bad_images(node: Node, images: Images, changes: dict[str, Any], code: str) -> None:
    image = images.add(b"data" * 50000, compress=True, **changes)
    error = provision_refused(node, image)
    assert error.code == code and error.message
    assert node.volumes() == set() and node.call("image.list") == []


def test_image_404_and_broken(node: Node, images: Images) -> None:
    image = images.add(b"data" * 50000)
    error = provision_refused(node, image | {"url": images.url("nothing")})
    assert error.code == "image_unavailable" and "404" in error.message
    assert node.volumes() == set()


def test_image_larger_than_the_disk(node: Node, images: Images) -> None:
    image = images.add(b"end" + b"\0" * ((1 << 30) + 4096), compress=True)
    error = provision_refused(node, image)
    assert error.code == "image_too_large" and node.volumes() == set()
    node.do("image.fetch", **image)
    error = provision_refused(node, image)
    assert error.code == "invalid_argument"
    assert "1025 MiB" in error.message and "1 GiB" in error.message


def test_image_in_use(node: Node, images: Images, small: dict[str, Any]) -> None:
    kernel = images.add(b"kernel")
    node.do("image.fetch", kind="kernel", **kernel)
    node.do("slice.provision", str(uuid.uuid4()),
            **slice_args(small, boot={"kind": "kernel", "kernel": kernel["id"]}))
    assert refused(node, "image.delete", id=kernel["id"]).code == "image_in_use"
    # A disk is independent of the image that it was made from.
    node.do("image.delete", id=small["id"])


def test_deadline(node: Node, small: dict[str, Any]) -> None:
    request = str(uuid.uuid4())
    node.call("slice.provision", id=request, slice=str(uuid.uuid4()), args=slice_args(small),
              deadline="2020-01-01T00:00:00Z")
    assert node.wait(request)["error"]["code"] == "deadline_passed"
    assert node.slices() == {}


def test_without_storage(make_node: Callable[..., Node], small: dict[str, Any]) -> None:
    node = make_node(storage=False)
    node.start()
    error = refused(node, "slice.provision", str(uuid.uuid4()), **slice_args(small))
    assert error.code == "storage_missing"
    assert refused(node, "image.fetch", **small).code == "storage_missing"
    report = node.do("node.report")
    assert report["inventory"]["storage"] is None
    assert "no_disk" in [problem["code"] for problem in report["problems"]]


def test_failing_backend_is_undone(node: Node, small: dict[str, Any]) -> None:
    for call, code in (("domain_start", "hypervisor_error"), ("snapshot", "storage_error"),
                       ("bridge", "network_error")):
        node.settings(fail=[{"call": call, "code": code, "message": f"{call} broke"}])
        error = provision_refused(node, small)
        assert error.code == code and error.message == f"{call} broke"
        assert len(node.volumes()) == 1, "only the image is left"
    node.settings()
    node.do("slice.provision", str(uuid.uuid4()), **slice_args(small))


def test_boot_problems_are_reported(make_node: Callable[..., Node]) -> None:
    node = make_node()
    node.conf("slicenode.nonsense=1\nslicenode.net=300.1.1.1/99\n")
    (node.run / "disks").write_text("sda\t100000\tforeign\tan ext4 file system\tDisk\tS1\n"
                                    "sdb\t100\ttoo_small\t\tStick\t\n")
    node.start()
    problems = node.do("node.report")["problems"]
    assert {problem["code"] for problem in problems} >= {
        "conf_invalid", "disk_foreign", "disk_too_small", "not_configured"}
    wait_until(lambda: "ext4" in node.screen() and "slicenode.controller" in node.screen(),
               "the screen says so")
