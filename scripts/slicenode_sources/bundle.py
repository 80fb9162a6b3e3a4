"""The bundle: every pinned file in the layout of SLICENODE_SOURCES, as a folder or a tar file.

It builds this commit without a network, and it is the corresponding source of what the image contains.
"""

from __future__ import annotations

import io
import os
import shutil
import tarfile
from pathlib import Path
from typing import IO

from . import SourcesError
from .cache import Cache, address, is_whole
from .pins import Pin

README = """\
Everything that Slicenode {version} is built from, by SHA-256. INDEX names each file: hash, size, kind, file,
package, version, recipe.

To build from it, without a network:

    make OFFLINE=1 SLICENODE_SOURCES={name}
"""


def index_of(pins: dict[str, list[Pin]]) -> str:
    rows = {
        f"{pin.sha256} {pin.size} {pin.kind} {pin.file} {pin.package} {pin.version} {name}\n"
        for name, own in pins.items()
        for pin in own
    }
    return "".join(sorted(rows, key=lambda row: row.split()[3]))


def write_bundle(cache: Cache, pins: dict[str, list[Pin]], target: Path, version: str, epoch: int) -> int:
    """Writes the bundle; a name that ends in .tar makes a tar file with the same bytes each time. Gives its files'
    bytes."""
    if target.suffixes and target.suffix != ".tar" and ".tar" in target.suffixes:
        raise SourcesError(
            f"{target}: a folder, or a file whose name ends in .tar: what is in it is compressed already"
        )
    if not target.parent.is_dir():
        raise SourcesError(f"{target}: there is no folder {target.parent}")
    if target.suffix == ".tar" and target.is_dir():
        raise SourcesError(f"{target} is a folder: name another file")
    files = {pin.sha256: pin for own in pins.values() for pin in own}
    texts = {"INDEX": index_of(pins), "README": README.format(version=version, name=target.name.removesuffix(".tar"))}
    if target.suffix == ".tar":
        _write_tar(cache, files, texts, target, epoch)
    else:
        _write_folder(cache, files, texts, target)
    return sum(pin.size for pin in files.values())


def _write_folder(cache: Cache, files: dict[str, Pin], texts: dict[str, str], target: Path) -> None:
    if target.exists() and (not target.is_dir() or any(target.iterdir()) and not (target / "INDEX").exists()):
        raise SourcesError(f"{target} is there already and is no bundle: name another")
    for sha256, pin in files.items():
        path = target / address(sha256)
        if is_whole(path, pin.size, sha256):
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(f".{os.getpid()}")
        shutil.copyfile(cache.path(pin), temporary)
        temporary.replace(path)
    for name, text in texts.items():
        (target / name).write_text(text)


def _write_tar(cache: Cache, files: dict[str, Pin], texts: dict[str, str], target: Path, epoch: int) -> None:
    top = target.name.removesuffix(".tar")
    temporary = target.with_suffix(f".{os.getpid()}")
    try:
        with tarfile.open(temporary, "w", format=tarfile.USTAR_FORMAT) as tar:
            for name, text in texts.items():
                _add(tar, f"{top}/{name}", len(text.encode()), io.BytesIO(text.encode()), epoch)
            for sha256, pin in sorted(files.items()):
                with cache.path(pin).open("rb") as stream:
                    _add(tar, f"{top}/{address(sha256)}", pin.size, stream, epoch)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def _add(tar: tarfile.TarFile, name: str, size: int, stream: IO[bytes], epoch: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mtime, entry.mode = size, epoch, 0o644
    tar.addfile(entry, stream)
