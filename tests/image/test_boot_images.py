"""The boot images: the same bytes each time, shared where they can be, and a slot that takes a conf."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
OUT = REPOSITORY / "out"
PERSONALISE = REPOSITORY / "scripts" / "personalise"
PARTS = ("xen/xen.efi", "xen/xen.gz", "linux/vmlinuz", "initramfs/initramfs")


@pytest.fixture(scope="module")
def iso() -> Path:
    found = sorted(OUT.glob("slicenode-*.iso"))
    assert found, "the image is not built: run make"
    return found[-1]


def personalise(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([PERSONALISE, *arguments], capture_output=True, text=True, check=False)


def extracted(iso: Path, path: str, folder: Path) -> bytes:
    target = folder / Path(path).name
    command: list[str | Path] = ["xorriso", "-osirrox", "on", "-indev", iso, "-extract", path, target]
    subprocess.run(command, check=True, capture_output=True)
    return target.read_bytes()


def test_bios_and_uefi_read_the_same_bytes(iso: Path, tmp_path: Path) -> None:
    kernel = extracted(iso, "/boot/vmlinuz", tmp_path)
    ramdisk = extracted(iso, "/boot/initramfs", tmp_path)
    assert kernel == (OUT / "linux" / "vmlinuz").read_bytes()
    image = iso.read_bytes()
    assert image.count(kernel[:65536]) == 1 and image.count(ramdisk[:65536]) == 1
    efi = (OUT / "slicenode.efi").read_bytes()
    assert kernel in efi and ramdisk in efi and efi in image


def test_sums_are_those_of_the_files() -> None:
    lines = (OUT / "SHA256SUMS").read_text().splitlines()
    named = {line.split("  ")[1]: line.split("  ")[0] for line in lines}
    for name, expected in named.items():
        assert hashlib.sha256((OUT / name).read_bytes()).hexdigest() == expected, name
    for needed in ("slicenode.efi", "pxe/lpxelinux.0", "pxe/slicenode.ipxe", "pxe/pxelinux.cfg/default"):
        assert needed in named


def build_again(folder: Path) -> Path:
    """The images from the same parts in another folder."""
    for part in PARTS:
        (folder / part).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(OUT / part, folder / part)
    shutil.copytree(OUT / "syslinux", folder / "syslinux")
    subprocess.run([REPOSITORY / "image" / "build", "--out", folder], check=True, capture_output=True)
    return folder


def test_two_builds_give_the_same_bytes(tmp_path: Path) -> None:
    first, second = build_again(tmp_path / "first"), build_again(tmp_path / "somewhere" / "second")
    assert (first / "SHA256SUMS").read_text() == (second / "SHA256SUMS").read_text()


def test_a_build_that_ends_in_the_middle_leaves_no_sums(tmp_path: Path) -> None:
    """make takes SHA256SUMS for a sign that all artefacts are there and belong together."""
    folder = build_again(tmp_path)
    (folder / "xen" / "xen.gz").unlink()
    command: list[str | Path] = [REPOSITORY / "image" / "build", "--out", folder]
    result = subprocess.run(command, check=False, capture_output=True, text=True)
    assert result.returncode == 1 and "xen.gz" in result.stderr
    assert not (folder / "SHA256SUMS").exists()


def test_the_initramfs_is_packed_the_same_without_its_cache(tmp_path: Path) -> None:
    output = tmp_path / "initramfs"
    shutil.copytree(OUT / "initramfs" / "parts", tmp_path / "kept")
    subprocess.run([REPOSITORY / "scripts" / "mkinitramfs", output], check=True, capture_output=True)
    first = output.read_bytes()
    for part in (OUT / "initramfs" / "parts").iterdir():
        # the big part takes half a minute to compress; the small ones stand for it
        if part.stat().st_size < 1_000_000:
            part.unlink()
    subprocess.run([REPOSITORY / "scripts" / "mkinitramfs", output], check=True, capture_output=True)
    assert output.read_bytes() == first


def test_a_conf_is_written_in_place_shown_and_cleared(iso: Path, tmp_path: Path) -> None:
    conf = tmp_path / "slicenode.conf"
    conf.write_text("controller=https://controller.example:8443\nname=rack-1\n")
    for image in (iso, OUT / "slicenode.efi", OUT / "initramfs" / "initramfs"):
        copy = tmp_path / image.name
        result = personalise(conf, image, copy)
        assert result.returncode == 0, result.stderr
        assert "1 slot" in result.stdout
        assert copy.stat().st_size == image.stat().st_size
        assert personalise("--show", copy).stdout.splitlines() == conf.read_text().splitlines()
        assert personalise("--clear", copy).returncode == 0
        assert copy.read_bytes() == image.read_bytes()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("colour=blue\n", "colour"),
        ("controller=ftp://x\n", "controller"),
        ("name=x\n" + "# filler\n" * 8000, "the slot holds"),
        ("name=\0\n", "not a text file"),
    ],
    ids=["unknown-key", "bad-value", "too-long", "not-text"],
)
def test_a_bad_conf_is_refused_and_the_image_left_alone(iso: Path, tmp_path: Path, text: str, reason: str) -> None:
    conf = tmp_path / "slicenode.conf"
    conf.write_text(text)
    copy = tmp_path / "copy.efi"
    shutil.copyfile(OUT / "slicenode.efi", copy)
    result = personalise(conf, copy)
    assert result.returncode == 1
    assert reason in result.stderr
    assert copy.read_bytes() == (OUT / "slicenode.efi").read_bytes()


def test_a_file_without_a_slot_is_refused(tmp_path: Path) -> None:
    conf = tmp_path / "slicenode.conf"
    conf.write_text("name=x\n")
    other = tmp_path / "other.iso"
    # the first line alone, as this very source file has it, is no slot
    other.write_bytes(b"# slicenode.conf slot v1 -- replaced by scripts/personalise\n" + bytes(70000))
    result = personalise(conf, other)
    assert result.returncode == 1
    assert "no slot" in result.stderr
