"""Xen's parameters of a slicenode.conf: into every boot medium in place, back out of it, and the same in C."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
OUT = REPOSITORY / "out"
CHECKER = OUT / "agent-host" / "slicenode-conf"
sys.path.append(str(REPOSITORY / "scripts"))

from slicenode_build import boot_arguments  # noqa: E402
from slicenode_menu import FIRST_LINE, SIZE, MenuError, arguments_with, menu_with, new_menu  # noqa: E402
from slicenode_menu import parameters, xen_words  # noqa: E402

ALL = """\
name=rack-1
serial=com2,57600
slicenode.dom0_mem = 1G
dom0_max_vcpus="2-4"
smt=off
spec-ctrl=xen=no-verw,ibpb
sched-gran=core
"""
WORDS = [
    "console=com2,vga",
    "com2=57600,8n1",
    "dom0_mem=1G,max:1G",
    "dom0_max_vcpus=2-4",
    "smt=off",
    "spec-ctrl=xen=no-verw,ibpb",
    "sched-gran=core",
]


def personalise(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command: list[str | Path] = [REPOSITORY / "scripts" / "personalise", *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def template(name: str) -> bytes:
    text = (REPOSITORY / "image" / name).read_text()
    return new_menu(text, boot_arguments("arguments.xen"), boot_arguments("arguments.linux"))


def xen_line(menu: bytes) -> list[str]:
    for line in menu.decode().splitlines():
        if line.startswith("options="):
            return line.removeprefix("options=").split()
        if "xen.gz" in line:
            return line.split("xen.gz ")[1].split(" --- ")[0].split()
    raise AssertionError("no line of Xen's")


@pytest.mark.parametrize("name", ["isolinux.cfg", "pxelinux.cfg", "xen.cfg"])
def test_menus_take_the_parameters_and_give_them_back(name: str) -> None:
    before = template(name)
    menu = menu_with(before, parameters(ALL))
    assert len(menu) == len(before)
    words = xen_line(menu)
    assert set(WORDS) <= set(words)
    assert not {"com1=115200,8n1", "console=com1,vga"} & set(words)
    assert [word for word in words if word.startswith("dom0_mem=")] == ["dom0_mem=1G,max:1G"]
    assert menu_with(menu, parameters(ALL)) == menu
    assert menu_with(menu, {}) == before
    one = menu_with(menu, {"smt": "off"})
    assert "smt=off" in xen_line(one) and "com1=115200,8n1" in xen_line(one)


def test_isolinux_talks_where_xen_does() -> None:
    menu = template("isolinux.cfg")
    values = ("com2,9600,8n1,0x2f8,3", "none", "com1,921600")
    lines = {value: menu_with(menu, {"serial": value}).decode() for value in values}
    assert "\nSERIAL 1 9600\n" in lines["com2,9600,8n1,0x2f8,3"]
    assert "\n# SERIAL" in lines["none"] and "\n# SERIAL" in lines["com1,921600"]
    assert menu_with(lines["none"].encode(), {}) == menu


def test_what_an_operator_wrote_into_a_menu_stays() -> None:
    own, append, rest = template("pxelinux.cfg").partition(b"  APPEND ")
    rest = rest.replace(b"ucode=scan ", b"ucode=scan iommu=no-intremap smt=0 ")
    menu = own + append + rest.replace(b"--- initramfs", b"slicenode.name=x --- initramfs")
    changed = menu_with(menu, {"smt": "off"})
    assert "iommu=no-intremap" in xen_line(changed) and "smt=off" in xen_line(changed)
    assert b"slicenode.name=x" in changed


@pytest.mark.parametrize("text", ["smt=off --- x", "serial=com1", "dom0_mem=1G noreboot", "spec-ctrl=a b", "smt="])
def test_a_value_that_would_break_the_menu_is_refused(text: str) -> None:
    with pytest.raises(MenuError, match="docs/boot.md"):
        parameters(text)


def test_a_line_that_xen_would_not_read_whole_is_refused() -> None:
    long = "spec-ctrl=" + "a" * 200
    assert arguments_with(["a"], [], parameters(long))
    menu = template("xen.cfg").replace(b"options=", b"options=" + b"x " * 400)
    with pytest.raises(MenuError, match="Xen's command line would have"):
        menu_with(menu, parameters(long))


def test_the_program_wants_the_words_that_are_written(tmp_path: Path) -> None:
    """slicenode-conf says nothing when Xen has them, and names each that it has not."""
    conf, line, cmdline = tmp_path / "conf", tmp_path / "xen", tmp_path / "cmdline"
    conf.write_text(ALL)
    cmdline.touch()

    def problems() -> list[str]:
        subprocess.run([CHECKER, "--cmdline", cmdline, "--xen", line, "--output", tmp_path / "out", conf], check=True)
        return (tmp_path / "out" / "problems").read_text().splitlines()

    line.write_text(" ".join(xen_words(parameters(ALL))) + "\n")
    assert problems() == []
    line.write_text(boot_arguments("arguments.xen") + "\n")
    assert len(problems()) == 6
    assert all("scripts/personalise" in problem for problem in problems())


def test_every_medium_takes_them(tmp_path: Path) -> None:
    """ISO (isolinux and slicenode.efi inside), slicenode.efi, and the folder for PXE."""
    conf = tmp_path / "slicenode.conf"
    conf.write_bytes(b"\xef\xbb\xbf" + ALL.replace("\n", "\r\n").encode())
    iso = next(OUT.glob("slicenode-*.iso"))
    for image, menus in ((iso, 2), (OUT / "slicenode.efi", 1)):
        copy = tmp_path / image.name
        result = personalise(conf, image, copy)
        assert result.returncode == 0 and "Xen's serial" in result.stdout, result.stderr
        content = copy.read_bytes()
        places = content.split(FIRST_LINE)[1:]
        assert len(places) == menus
        assert all(set(WORDS) <= set(xen_line(place[: SIZE - len(FIRST_LINE)])) for place in places)
        assert copy.stat().st_size == image.stat().st_size
        assert personalise("--clear", copy).returncode == 0
        assert copy.read_bytes() == image.read_bytes()
    pxe = tmp_path / "pxe"
    shutil.copytree(OUT / "pxe", pxe)
    menu = (pxe / "pxelinux.cfg" / "default").read_text().rstrip("\n") + "\n# of mine\n"
    (pxe / "pxelinux.cfg" / "default").write_text(menu)
    assert personalise(conf, pxe).returncode == 0
    for name in ("pxelinux.cfg/default", "slicenode.efi"):
        assert b"smt=off" in (pxe / name).read_bytes()
    assert "# of mine" in (pxe / "pxelinux.cfg" / "default").read_text()
    assert "rack-1" in personalise("--show", pxe).stdout
    result = personalise(conf, OUT / "initramfs" / "initramfs", tmp_path / "initramfs")
    assert result.returncode == 0 and "does not hold Xen's command line: serial, dom0_mem" in result.stderr


def test_a_conf_of_windows_is_named_for_what_it_is(tmp_path: Path) -> None:
    conf = tmp_path / "slicenode.conf"
    conf.write_bytes("name=x\r\n".encode("utf-16"))
    result = personalise(conf, OUT / "slicenode.efi", tmp_path / "copy")
    assert result.returncode == 1 and "is UTF-16: have the editor save it as UTF-8" in result.stderr
