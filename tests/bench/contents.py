"""The largest things in each file of the image: sections of what is linked, files of what is packed."""

from __future__ import annotations

import gzip
import re
import shutil
import struct
import subprocess
import tempfile
from pathlib import Path

import sizes
from figures import WIDTH
from peers import CannotMeasure

LARGEST = 10

Contents = list[tuple[int, str]]


def output_of(*words: str | Path) -> str:
    if not shutil.which(str(words[0])):
        raise CannotMeasure(f"{words[0]} is not installed on this machine")
    return subprocess.run([str(word) for word in words], check=True, capture_output=True, text=True).stdout


def sections(path: Path) -> Contents:
    """Of an ELF or PE file, those that it holds."""
    lines = re.findall(r"^ +\d+ (\S+) +([0-9a-f]+) .*\n +(.*)$", output_of("objdump", "-h", path), re.M)
    return [(int(size, 16), name) for name, size, flags in lines if "CONTENTS" in flags]


def sections_of(data: bytes) -> Contents:
    with tempfile.NamedTemporaryFile(prefix="slicenode-bench-") as file:
        file.write(data)
        file.flush()
        return sections(Path(file.name))


def unpacked_kernel(image: bytes) -> bytes:
    """The ELF file in a bzImage (Linux, Documentation/arch/x86/boot.rst), packed with zstd, with its length behind."""
    offset, length = struct.unpack_from("<II", image, 0x248)
    begin = (image[0x1F1] + 1) * 512 + offset
    packed = image[begin:begin + length - 4]
    return subprocess.run(["zstd", "-dc"], input=packed, check=True, capture_output=True).stdout


def iso_files(path: Path) -> Contents:
    listed = output_of("xorriso", "-indev", path, "-find", "/", "-type", "f", "-exec", "lsdl", "--")
    return [(int(size), name) for size, name in re.findall(r"^-\S+ +\d+ +\S+ +\S+ +(\d+) .* '(.+)'$", listed, re.M)]


def measured(out: Path) -> dict[str, Contents]:
    pxe, iso = out / "pxe", sorted(out.glob("slicenode-*.iso"))[-1]
    found = {"xen.gz, unpacked": sections_of(gzip.decompress((pxe / "xen.gz").read_bytes())),
             "vmlinuz, unpacked": sections_of(unpacked_kernel((pxe / "vmlinuz").read_bytes())),
             "initramfs, unpacked": [(size, f"{path} ({part})") for size, part, path in sizes.unpacked_files(out)],
             "slicenode.efi": sections(out / "slicenode.efi"),
             "ISO": iso_files(iso)}
    return {name: sorted(contents, reverse=True)[:LARGEST] for name, contents in found.items()}


def measure(out: Path) -> dict[str, object]:
    found = measured(out)
    for name, contents in found.items():
        print(f"  the largest in {name}")
        for size, content in contents:
            print(f"    {content:{WIDTH - 2}} {size / 1e6:7.2f} MB")
    return {name: dict((content, size) for size, content in contents) for name, contents in found.items()}
