"""What the build made, for the tests that boot it."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from node import REPOSITORY


@dataclass(frozen=True)
class Artefacts:
    """The files of out/."""

    out: Path
    iso: Path
    efi: Path
    pxe: Path

    @classmethod
    def of(cls, out: Path) -> Artefacts:
        isos = sorted(out.glob("slicenode-*.iso"))
        assert isos, "the image is not built: run make"
        return cls(out=out, iso=isos[-1], efi=out / "slicenode.efi", pxe=out / "pxe")

    def personalised(self, image: Path, conf: str, folder: Path) -> Path:
        """A copy of the image with this slicenode.conf in its slot, mistakes and all."""
        conf_path = folder / "slicenode.conf"
        conf_path.write_text(conf)
        copy = folder / image.name
        shutil.copyfile(image, copy)
        command = [str(REPOSITORY / "scripts" / "personalise"), "--force", str(conf_path), str(copy)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return copy
