"""Pins: which file of the Debian archive each recipe is made of, and where to look for it.

A file `pins` stands beside each recipe, one line a file, made by `make bump` and never by hand. SHA-256 alone
decides what is accepted; all the rest tells where it can be had.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from . import SourcesError

ROOT = Path(__file__).resolve().parents[2]
HEADER = """\
# Pinned files of the Debian archive, one a line. Made by `make bump`, checked by `make check`; SHA-256 alone decides.
# kind package version size sha256 sha1 date path
"""
GUEST = "guest-debian"
GUEST_FOLDER = Path("scripts/guest/debian")
# Not free, so of no image that is built without being asked for it, of no bundle and of no SBOM.
FIRMWARE = "firmware"
FIRMWARE_FOLDER = Path("initramfs/firmware")
# The largest file pinned today has 154 MB. A size ten times this limit is a mistake in a pins file, not a source.
LARGEST_BYTES = 4 << 30
FORMS = {
    "kind": r"source|binary",
    "package": r"[a-z0-9][a-z0-9+.-]+",
    "version": r"([0-9]+:)?[0-9][A-Za-z0-9.+~-]*",
    "size": r"[1-9][0-9]*",
    "sha256": r"[0-9a-f]{64}",
    "sha1": r"[0-9a-f]{40}",
    "date": r"[0-9]{8}T[0-9]{6}Z",
    "path": r"pool/([A-Za-z0-9+.~_-]+/)+[A-Za-z0-9+.~_-]+",
}


class PinsError(SourcesError):
    """A pins file that cannot be used."""


@dataclass(frozen=True)
class Pin:
    """One pinned file. `date` is when the archive had it; `path` is its place in the archive."""

    kind: str
    package: str
    version: str
    size: int
    sha256: str
    sha1: str
    date: str
    path: str

    @property
    def file(self) -> str:
        return self.path.rsplit("/", 1)[1]

    @property
    def archive(self) -> str:
        """The archive's name at Debian's snapshot service."""
        return "debian-security" if self.path.startswith("pool/updates/") else "debian"

    def line(self) -> str:
        return (
            f"{self.kind} {self.package} {self.version} {self.size} {self.sha256} {self.sha1} {self.date} {self.path}\n"
        )

    def __str__(self) -> str:
        return f"{self.file} ({self.package} {self.version})"


@dataclass(frozen=True)
class Recipe:
    """A folder with pinned files: a package's recipe, or the Debian guest."""

    name: str
    folder: Path
    shipped: bool

    @property
    def file(self) -> Path:
        return self.folder / "pins"

    def moved_file(self, root: Path = ROOT) -> Path:
        """What stands in for the pins when they cannot be had; what is not in the image does not mark its version."""
        folder = root / "out" / "moved"
        return (folder if self.shipped else folder / "guest") / f"{self.name}.pins"

    def pins(self) -> list[Pin]:
        return read(self.file)


def recipes(root: Path = ROOT) -> dict[str, Recipe]:
    """Everything that is pinned, by name."""
    found: dict[str, Recipe] = {}
    for path in sorted([*root.glob("hv/*/recipe"), *root.glob("initramfs/pkg/*/recipe")]):
        shipped = not re.search(r"^shipped=no$", path.read_text(), re.MULTILINE)
        found[path.parent.name] = Recipe(path.parent.name, path.parent, shipped)
    if (root / GUEST_FOLDER / "pins").exists():
        found[GUEST] = Recipe(GUEST, root / GUEST_FOLDER, False)
    if (root / FIRMWARE_FOLDER / "pins").exists():
        found[FIRMWARE] = Recipe(FIRMWARE, root / FIRMWARE_FOLDER, False)
    return found


def parse_line(line: str) -> Pin:
    words = line.split()
    if len(words) != len(FORMS):
        raise PinsError(f"{len(words)} words instead of {len(FORMS)}")
    fields = dict(zip(FORMS, words))
    for name, form in FORMS.items():
        if not re.fullmatch(form, fields[name]):
            raise PinsError(f"not a {name}: {fields[name]}")
    if "/../" in fields["path"] or "/./" in fields["path"]:
        raise PinsError(f"not a path: {fields['path']}")
    size = int(fields.pop("size"))
    if size > LARGEST_BYTES:
        raise PinsError(f"not a size: {size} bytes")
    return Pin(size=size, **fields)


def parse(text: str, name: str) -> list[Pin]:
    """The pins of a file's text; PinsError names the file and the line at fault."""
    pins: list[Pin] = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line or line.startswith("#"):
            continue
        try:
            pin = parse_line(line)
            if line != pin.line().rstrip("\n"):
                raise PinsError("white space that does not belong there")
            if any(pin.file == other.file or pin.sha256 == other.sha256 for other in pins):
                raise PinsError(f"{pin.file} is there twice")
        except PinsError as error:
            raise PinsError(f"{name}:{number}: {error}; `make bump` writes these files") from error
        pins.append(pin)
    return pins


def read(path: Path) -> list[Pin]:
    try:
        text = path.read_bytes().decode("ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise PinsError(f"{path}: {error}") from error
    found = parse(text, str(path))
    if not found:
        raise PinsError(f"{path}: pins nothing")
    return found


def text_of(pins: Iterable[Pin], header: str = HEADER) -> str:
    return header + "".join(pin.line() for pin in pins)


def identity(pins: Iterable[Pin]) -> str:
    """Changes when a pinned file changes, not when only its date or place does."""
    return hashlib.sha256("".join(f"{pin.file} {pin.sha256}\n" for pin in pins).encode()).hexdigest()


def without_revision(version: str) -> str:
    """A Debian version without epoch and Debian revision."""
    bare = version.split(":", 1)[-1]
    return bare.rsplit("-", 1)[0] if "-" in bare else bare


def upstream(version: str) -> str:
    """The upstream version in a Debian one: `1:1.3.dfsg+really1.3.1-1` is 1.3.1."""
    return re.sub(r"[+.]dfsg.*", "", without_revision(version).split("+really")[-1])


def series(version: str) -> tuple[str, ...]:
    """The upstream series: the first two numbers. A version of one number alone is a date: the series is the
    package."""
    numbers = re.match(r"([0-9]+)\.([0-9]+)", upstream(version))
    return numbers.groups() if numbers else ()
