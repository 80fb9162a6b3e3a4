"""What `make firmware` picks, on a made-up kernel and package; and that the image has nothing of it."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import lzma
import subprocess
import sys
from pathlib import Path
from types import ModuleType

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.append(str(REPOSITORY / "scripts"))


def program() -> ModuleType:
    loader = importlib.machinery.SourceFileLoader("mkfirmware", str(REPOSITORY / "scripts" / "mkfirmware"))
    spec = importlib.util.spec_from_loader("mkfirmware", loader)
    assert spec
    module = importlib.util.module_from_spec(spec)
    sys.modules["mkfirmware"] = module
    loader.exec_module(module)
    return module


def make_package(folder: Path) -> Path:
    """A package as Debian has them, with links, microcode, and a file that no driver asks for."""
    root = folder / "tree"
    firmware = root / "usr" / "lib" / "firmware"
    for name, content in (
        ("ice/ice-1.pkg", b"ddp"),
        ("bnx2/a.fw", b"a"),
        ("other/b.fw", b"b"),
        ("intel-ucode/06-55-04", b"one"),
        ("intel-ucode/06-8f-08", b"two"),
        ("amd-ucode/microcode_amd.bin", b"amd"),
        ("amd-ucode/microcode_amd.bin.asc", b"signature"),
    ):
        (firmware / name).parent.mkdir(parents=True, exist_ok=True)
        (firmware / name).write_bytes(content)
    (firmware / "ice" / "ice.pkg").symlink_to("ice-1.pkg")
    (firmware / "gone.fw").symlink_to("nowhere.fw")
    (root / "usr" / "share" / "doc" / "fw").mkdir(parents=True)
    (root / "usr" / "share" / "doc" / "fw" / "copyright").write_text("terms\n")
    (root / "DEBIAN").mkdir()
    (root / "DEBIAN" / "control").write_text(
        "Package: fw\nVersion: 1\nArchitecture: all\nMaintainer: x <x@example.org>\nDescription: x\n"
    )
    subprocess.run(["dpkg-deb", "--root-owner-group", "-b", root, folder / "fw.deb"], check=True, capture_output=True)
    return folder / "fw.deb"


def make_module(tree: Path, name: str, *firmware: str) -> None:
    info = b"".join(b"firmware=" + word.encode() + b"\0" for word in firmware)
    (tree / f"{name}.ko.xz").write_bytes(lzma.compress(b"\x7fELF\0license=GPL\0" + info + b"alias=pci\0"))


def test_what_drivers_ask_for_is_taken_with_its_links(tmp_path: Path) -> None:
    made = program()
    tree = tmp_path / "modules"
    tree.mkdir()
    make_module(tree, "ice", "ice/ice.pkg")
    make_module(tree, "bnx2", "bnx2/a.fw", "bnx2/missing.fw")
    make_module(tree, "odd-one", "gone.fw")
    make_module(tree, "plain")
    files = made.Files()
    files.read("fw", make_package(tmp_path))
    asked = made.wanted(tree)
    assert asked == {"ice": ["ice/ice.pkg"], "bnx2": ["bnx2/a.fw", "bnx2/missing.fw"], "odd_one": ["gone.fw"]}
    entries, lines = made.firmware(files, asked)
    assert {entry.path: entry.content for entry in entries} == {
        "/lib/firmware/ice/ice.pkg": b"ice-1.pkg",
        "/lib/firmware/ice/ice-1.pkg": b"ddp",
        "/lib/firmware/bnx2/a.fw": b"a",
    }
    assert lines == ["bnx2 bnx2/a.fw fw", "ice ice/ice.pkg fw", "ice ice/ice-1.pkg fw"]
    assert files.microcode("intel-ucode/") == b"onetwo" and files.microcode("amd-ucode/") == b"amd"
    assert files.terms == {"fw": b"terms\n"}


def test_the_image_has_no_driver_that_comes_with_firmware_and_no_firmware() -> None:
    listed = subprocess.run(
        [REPOSITORY / "scripts" / "mkinitramfs", "--list"], check=True, capture_output=True, text=True
    ).stdout
    paths = [line.split()[2] for line in listed.splitlines()]
    names = {Path(path).name.split(".ko")[0].replace("-", "_") for path in paths if ".ko" in path}
    lines = (REPOSITORY / "initramfs" / "modules.firmware").read_text().splitlines()
    left_out = {line.replace("-", "_") for line in lines if line and not line.startswith("#")}
    assert left_out and not left_out & names
    assert "bnx2" in names
    assert not [path for path in paths if path.startswith(("/lib/firmware", "/kernel"))]
    pinned = (REPOSITORY / "initramfs" / "firmware" / "pins").read_text()
    packages = [line.split()[1] for line in pinned.splitlines() if not line.startswith("#")]
    bill = (REPOSITORY / "out" / "sbom.spdx.json").read_text()
    assert packages and not [name for name in packages if name in bill]
