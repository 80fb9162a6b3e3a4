"""The build knows its parts: what is made again after an edit, neither more nor less.

make is asked what it would do if a file were newer (`make -n -W FILE`); nothing is written.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
OUT = REPOSITORY / "out"
# What make prints for each artefact.
MADE_BY = {
    r"scripts/build-pkg \S*/(\S+)$": r"\1",
    r"scripts/mkinitramfs >": "initramfs",
    r"image/build$": "image",
    r"scripts/sbom$": "sbom",
    r"scripts/mkguest (\S+)$": r"guest-\1",
}
IMAGE = {"initramfs", "image"}
SMALL = {"guest-small", "guest-noboot"}


def make(*arguments: str, folder: Path = REPOSITORY) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    done = subprocess.run(["make", *arguments], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def made_again(*touched: str) -> set[str]:
    """The artefacts that make would make again after an edit of these files."""
    for path in touched:
        assert (REPOSITORY / path).exists(), path
    what_if = [word for path in touched for word in ("-W", path)]
    found = set()
    # The agent has a make of its own, which only a real run asks; its programs are looked at below.
    for line in make("-n", "-o", "agent-programs", *what_if, "all", "guests").splitlines():
        for pattern, name in MADE_BY.items():
            match = re.search(pattern, line)
            if match:
                found.add(match.expand(name))
    return found


def test_nothing_is_made_again_without_an_edit() -> None:
    assert made_again() == set()
    artefacts = ("SHA256SUMS", "sbom.spdx.json", "initramfs/initramfs", "guest/small.raw.zst", "guest/debian.raw.zst")
    before = [(OUT / name).stat().st_mtime_ns for name in artefacts]
    make("all", "guests")
    assert [(OUT / name).stat().st_mtime_ns for name in artefacts] == before


@pytest.mark.parametrize(
    ("touched", "expected"),
    [
        ("initramfs/pkg/ca-certificates/recipe", {"ca-certificates", "sbom", *IMAGE}),
        ("initramfs/pkg/ca-certificates/pins", {"ca-certificates", "sbom", *IMAGE}),
        ("scripts/guest/debian/pins", {"guest-debian"}),
        ("initramfs/pkg/dropbear/localoptions.h", {"dropbear", *IMAGE, *SMALL}),
        ("hv/xen/xenstored-idle-guests.patch", {"xen", *IMAGE}),
        ("hv/linux/config", {"linux", *IMAGE}),
        ("hv/linux-cloud/recipe", {"linux-cloud", *SMALL}),
        ("hv/linux-cloud/pins", {"linux-cloud", *SMALL}),
        ("initramfs/etc/rc/boot", IMAGE),
        ("initramfs/modules.plain", IMAGE),
        ("initramfs/manifest", IMAGE),
        ("scripts/mkinitramfs", IMAGE),
        ("scripts/slicenode_build.py", IMAGE),
        ("scripts/slicenode_menu.py", {"image"}),
        ("image/isolinux.cfg", {"image"}),
        ("image/pxelinux.cfg", {"image"}),
        ("image/slicenode.ipxe", {"image"}),
        ("image/xen.cfg", {"image"}),
        ("image/arguments.xen", {"image"}),
        ("image/unified.py", {"image"}),
        ("image/limits.json", set()),
        ("LICENSE", {"sbom"}),
        ("scripts/sbom", {"sbom"}),
        ("scripts/mkguest", {*SMALL, "guest-debian"}),
        ("scripts/guest/small/grub.cfg", SMALL),
        ("scripts/guest/small.sh", SMALL),
        ("scripts/guest/debian.sh", {"guest-debian"}),
        ("scripts/guest/debian/cloud.cfg", {"guest-debian"}),
        ("scripts/guest/pv-kernel", {*SMALL, "guest-debian"}),
        ("scripts/qemu", set()),
        ("scripts/personalise", set()),
        ("README.md", set()),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_made_again(touched: str, expected: set[str]) -> None:
    assert made_again(touched) == expected


def test_a_recipe_of_all_makes_all_that_depend_on_it() -> None:
    found = made_again("initramfs/pkg/zlib/recipe")
    assert found == {"zlib", "xen", "sbom", *IMAGE}


def test_scripts_that_make_packages_make_all_of_them() -> None:
    names = {path.parent.name for path in [*REPOSITORY.glob("hv/*/recipe"), *REPOSITORY.glob("initramfs/pkg/*/recipe")]}
    assert made_again("scripts/build-pkg") == names | IMAGE | SMALL | {"guest-debian"}


# --- The agent's programs -------------------------------------------------------------------------

def packed_programs() -> set[str]:
    manifest = (REPOSITORY / "initramfs" / "manifest").read_text()
    return set(re.findall(r" out/agent/(\S+)$", manifest, re.MULTILINE))


def built_programs() -> set[str]:
    return set(make("-s", "-C", "agent", "BUILD=target", "list").split())


def linked_again(source: str) -> set[str]:
    """The programs that make would link again after an edit of one of the agent's files."""
    text = make("-n", "-C", "agent", "BUILD=target", "-W", source)
    return set(re.findall(r" -o \S*/out/agent/([a-z0-9-]+)\.part ", text))


def test_every_program_of_the_agent_is_packed_and_the_other_way_round() -> None:
    assert packed_programs() == built_programs()


@pytest.mark.parametrize("program", sorted(packed_programs()))
def test_a_new_program_is_packed(program: str) -> None:
    assert made_again(f"out/agent/{program}") == IMAGE


@pytest.mark.parametrize("program", sorted(packed_programs()))
def test_an_edit_of_its_first_source_links_a_program_again(program: str) -> None:
    sources = make("-s", "-C", "agent", "BUILD=target", f"sources-{program}").split()
    users: dict[str, set[str]] = {}
    for other in packed_programs():
        for source in make("-s", "-C", "agent", "BUILD=target", f"sources-{other}").split():
            users.setdefault(source, set()).add(other)
    own = min(sources, key=lambda source: len(users[source]))
    assert linked_again(own) == users[own]
    assert program in users[own]


def test_what_is_packed_is_what_was_built(tmp_path: Path) -> None:
    fresh = tmp_path / "initramfs"
    subprocess.run([REPOSITORY / "scripts" / "mkinitramfs", fresh], check=True, capture_output=True)
    assert fresh.read_bytes() == (OUT / "initramfs" / "initramfs").read_bytes()
    assert fresh.read_bytes() in (OUT / "slicenode.efi").read_bytes()


# --- Recipes --------------------------------------------------------------------------------------

def copy_to(folder: Path, *names: str) -> None:
    """Copies these of the repository's files and folders."""
    for name in names:
        if (REPOSITORY / name).is_dir():
            shutil.copytree(REPOSITORY / name, folder / name)
        else:
            shutil.copyfile(REPOSITORY / name, folder / name)


def rules(tree: Path) -> str:
    make("-s", "out/recipes.mk", folder=tree)
    return (tree / "out" / "recipes.mk").read_text()


@pytest.mark.parametrize("path", ["hv/xen/new.patch", "hv/linux/patches/new.patch"])
def test_a_new_patch_is_noticed_and_one_that_went(tmp_path: Path, path: str) -> None:
    copy_to(tmp_path, "Makefile", "scripts", "hv", "initramfs")
    assert path not in rules(tmp_path)
    (tmp_path / path).write_text("")
    assert path in rules(tmp_path)
    (tmp_path / path).unlink()
    assert path not in rules(tmp_path)


@pytest.mark.parametrize("artefact", ["slicenode.efi", "pxe/initramfs", "slicenode-*.iso"])
def test_what_was_removed_is_made_again(tmp_path: Path, artefact: str) -> None:
    path = next(OUT.glob(artefact))
    aside = tmp_path / path.name
    shutil.move(path, aside)
    try:
        assert made_again() == {"image"}
    finally:
        shutil.move(aside, path)


def test_a_folder_with_a_space_is_refused(tmp_path: Path) -> None:
    tree = tmp_path / "a folder"
    tree.mkdir()
    copy_to(tree, "Makefile", "scripts")
    done = subprocess.run(["make", "help"], cwd=tree, capture_output=True, text=True)
    assert done.returncode != 0 and "has a space in its name" in done.stderr
