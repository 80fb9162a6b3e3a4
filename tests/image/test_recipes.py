"""What is built again when a recipe changes."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


def rules(tree: Path) -> str:
    subprocess.run(["make", "-s", "out/recipes.mk"], cwd=tree, check=True, capture_output=True)
    return (tree / "out" / "recipes.mk").read_text()


def test_a_new_patch_is_noticed(tmp_path: Path) -> None:
    for name in ("Makefile", "scripts", "hv", "initramfs"):
        copy = shutil.copytree if (REPOSITORY / name).is_dir() else shutil.copyfile
        copy(REPOSITORY / name, tmp_path / name)
    assert "hv/xen/new.patch" not in rules(tmp_path)
    (tmp_path / "hv" / "xen" / "new.patch").write_text("")
    assert "hv/xen/new.patch" in rules(tmp_path)
