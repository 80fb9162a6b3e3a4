"""From what the operator writes for an image to what the node is told."""

import argparse
import uuid
from pathlib import Path
from typing import Any

from ..files.files import sha256_of
from ..state.store import Row
from . import lookup
from .lookup import CommandError
from .session import Session

COMPRESSIONS = {".gz": "gzip", ".xz": "xz", ".zst": "zstd"}


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--sha256", help="of the file as it is; found out for the controller's own")
    parser.add_argument("--size-bytes", type=int, help="of the file as it is; likewise")
    parser.add_argument("--compression", help="default: by the name's end")
    parser.add_argument("--format", choices=["raw", "qcow2", "vhd"],
                        help="inside the compression; default: the node finds out")  # fmt: skip
    parser.add_argument("--image-id", metavar="UUID", help="default: made from the URL or SHA-256")
    parser.add_argument("--plain-http", action="store_true",
                        help="the controller's own files by http and not https")  # fmt: skip


def resolve(
    session: Session, node: Row, text: str, arguments: argparse.Namespace
) -> dict[str, Any]:
    """The id, and for a URL or one of the controller's own files all that fetching needs."""
    if text.startswith(("http://", "https://")):
        source: dict[str, Any] = {"url": text}
        seed = f"{text}\n{arguments.sha256 or ''}"
    else:
        file = _own_file(session, text)
        if file is None:
            return {"id": lookup.image(session.store, node["id"], text)}
        images = session.images()
        assert images is not None
        base = session.url_for(node, arguments.plain_http)
        digest = arguments.sha256 or sha256_of(session.store, file)
        source = {
            "url": base + images.url_path(file),
            "sha256": digest,
            "size_bytes": file.stat().st_size,
        }
        seed = f"{text}\n{digest}"
    if arguments.size_bytes is not None:
        seed += f"\n{arguments.size_bytes}"
    result = {"id": arguments.image_id or str(uuid.uuid5(uuid.NAMESPACE_URL, seed)), **source}
    compression = arguments.compression or COMPRESSIONS.get(Path(text).suffix, "none")
    result["compression"] = compression
    if arguments.format is not None:
        result["format"] = arguments.format
    if arguments.sha256 is not None:
        result["sha256"] = arguments.sha256
    if arguments.size_bytes is not None:
        result["size_bytes"] = arguments.size_bytes
    return result


def _own_file(session: Session, text: str) -> Path | None:
    """A file of the folder that is served as /images/, by its path there or anywhere."""
    images = session.images()
    for candidate in [images.folder / text, Path(text)] if images is not None else [Path(text)]:
        if not candidate.is_file():
            continue
        if images is not None and candidate.resolve().is_relative_to(images.folder):
            return candidate.resolve()
        raise CommandError(f"{text} is not in the folder that `serve --images` serves")
    return None
