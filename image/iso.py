"""The hybrid ISO: BIOS by isolinux, UEFI by the EFI system partition inside it, CD or USB.

UEFI reads slicenode.efi from the FAT image; BIOS reads vmlinuz and initramfs from ISO 9660. The same bytes serve both:
the directory entries of vmlinuz and initramfs are made to point into slicenode.efi inside the FAT image.
"""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from pathlib import Path

SECTOR = 2048
LABEL = "SLICENODE"
# Free space in the FAT image: room for a slicenode.conf that an operator copies onto the stick.
SPARE_BYTES = 1 << 20


class IsoError(Exception):
    """The image cannot be made as wanted."""


def run(*command: str | Path, epoch: int) -> None:
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(epoch), "TZ": "UTC", "MTOOLS_SKIP_CHECK": "1", "LC_ALL": "C"}
    words = [str(word) for word in command]
    result = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise IsoError(f"{' '.join(words)}:\n{result.stdout}{result.stderr}")


def make_fat(image: Path, efi: Path, epoch: int) -> None:
    """A FAT file system with efi as the program that firmware starts."""
    mebibytes = -(-(efi.stat().st_size + SPARE_BYTES) // (1 << 20)) + 1
    image.unlink(missing_ok=True)
    with image.open("wb") as file:
        file.truncate(mebibytes << 20)
    # clusters of one CD sector each
    serial = f"{epoch & 0xFFFFFFFF:08x}"
    run("mkfs.vfat", "--invariant", "-F", "16", "-s", "4", "-i", serial, "-n", LABEL, image, epoch=epoch)
    os.utime(efi, (epoch, epoch))
    run("mmd", "-i", image, "::/EFI", "::/EFI/BOOT", epoch=epoch)
    run("mcopy", "-m", "-i", image, efi, "::/EFI/BOOT/BOOTX64.EFI", epoch=epoch)


def records(image: bytes, extent: int, length: int) -> dict[str, int]:
    """The entries of a directory: name without version -> offset of its record in the image."""
    found = {}
    offset, end = extent * SECTOR, extent * SECTOR + length
    while offset < end:
        size = image[offset]
        if size == 0:
            offset = -(-(offset + 1) // SECTOR) * SECTOR
            continue
        name = image[offset + 33 : offset + 33 + image[offset + 32]]
        found[name.decode("ascii", "replace").split(";")[0].rstrip(".").upper()] = offset
        offset += size
    return found


def find_record(image: bytes, path: str) -> int:
    """Offset of the directory record of path."""
    record = 16 * SECTOR + 156
    for part in path.strip("/").split("/"):
        extent, length = struct.unpack_from("<I", image, record + 2)[0], struct.unpack_from("<I", image, record + 10)[0]
        try:
            record = records(image, extent, length)[part.upper()]
        except KeyError:
            raise IsoError(f"{path} is not in the ISO image") from None
    return record


def share(image: bytearray, path: str, content: bytes) -> None:
    """Makes the empty file at path show the copy of content that lies elsewhere in the image."""
    record = find_record(bytes(image), path)
    position = image.find(content)
    if position < 0 or position % SECTOR:
        raise IsoError(f"{path}: its content does not lie on a sector of the image")
    struct.pack_into("<I", image, record + 2, position // SECTOR)
    struct.pack_into(">I", image, record + 6, position // SECTOR)
    struct.pack_into("<I", image, record + 10, len(content))
    struct.pack_into(">I", image, record + 14, len(content))


def make_iso(output: Path, work: Path, files: dict[str, Path], shared: dict[str, bytes], efi: Path, epoch: int) -> None:
    """files are copied to their path in the ISO, shared ones point into efi."""
    shutil.rmtree(work, ignore_errors=True)
    tree = work / "tree"
    for path, source in files.items():
        target = tree / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    for path in shared:
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).touch()
    make_fat(tree / "efi.img", efi, epoch)
    for entry in [tree, *tree.rglob("*")]:
        entry.chmod(0o755 if entry.is_dir() else 0o644)
        os.utime(entry, (epoch, epoch))
    temporary = work / "new.iso"
    # fmt: off
    run("xorriso", "-as", "mkisofs", "-quiet", "-o", temporary, "-V", LABEL, "-iso-level", "3", "-R",
        "-uid", "0", "-gid", "0",
        "-c", "boot/isolinux/boot.cat", "-b", "boot/isolinux/isolinux.bin",
        "-no-emul-boot", "-boot-load-size", "4", "-boot-info-table",
        "-isohybrid-mbr", files["boot/isolinux/isohdpfx.bin"],
        "-eltorito-alt-boot", "-e", "efi.img", "-no-emul-boot", "-isohybrid-gpt-basdat",
        tree, epoch=epoch)
    # fmt: on
    image = bytearray(temporary.read_bytes())
    for path, content in shared.items():
        share(image, path, content)
    temporary.write_bytes(image)
    temporary.replace(output)
    shutil.rmtree(work)
