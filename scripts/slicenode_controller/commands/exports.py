"""snapshot export, snapshot apply-delta: snapshots leave their node."""

import argparse
import hashlib
import shutil
from pathlib import Path
from typing import Any

from ..files import delta
from ..files.exports import Exports
from ..state.store import Row, from_json
from . import lookup, ordering, output, waiting
from .lookup import CommandError
from .session import Session

SUFFIXES = {"none": "", "gzip": ".gz", "zstd": ".zst"}


def snapshot_export(session: Session, arguments: argparse.Namespace) -> None:
    found, node = ordering.slice_and_node(session, arguments.slice)
    snapshot = lookup.snapshot(found, arguments.snapshot)
    args: dict[str, Any] = {"snapshot": snapshot, "format": arguments.format,
                            "compression": arguments.compression}  # fmt: skip
    if arguments.since:
        args["since"] = lookup.snapshot(found, arguments.since)
    if arguments.stall_seconds is not None:
        args["stall_seconds"] = arguments.stall_seconds
    if arguments.header:
        args["headers"] = arguments.header
    if arguments.url is not None:
        args["url"] = arguments.url
        ordering.order(session, arguments, node, "snapshot.export", found["id"], args)
        return
    ending = "delta" if arguments.since else arguments.format
    name = f"{snapshot}.{ending}{SUFFIXES.get(arguments.compression, '')}"
    path, file = Exports(session.folder / "exports").offer(name)
    args["url"] = session.url_for(node, plain_http=False) + path
    if arguments.output is not None:
        arguments.wait = True
    row = ordering.order(session, arguments, node, "snapshot.export", found["id"], args,
                         {"file": str(arguments.output or file)})  # fmt: skip
    if row is not None:
        _check(row, file)
        if arguments.output is not None:
            shutil.move(file, arguments.output)
            file.parent.rmdir()


def _check(row: Row, file: Path) -> None:
    """What came must be what the node says it has sent."""
    result = from_json(row["result"]) or {}
    with file.open("rb") as source:
        found = hashlib.file_digest(source, "sha256").hexdigest()
    if (found, file.stat().st_size) != (result.get("sha256"), result.get("bytes")):
        raise CommandError(
            f"{file} has SHA-256 {found}, the node sent {result.get('sha256')} "
            f"({waiting.describe(row)['id']})"
        )


def apply_delta(session: Session, arguments: argparse.Namespace) -> None:
    try:
        header = delta.apply(arguments.base, arguments.delta, arguments.output)
    except delta.BadDelta as error:
        raise CommandError(f"{arguments.delta}: {error}") from None
    if session.json:
        output.print_json(header)
    else:
        print(f"snapshot {header.get('snapshot')}")


def add_actions(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    action = actions.add_parser("export", help="send a snapshot's disk here, or to a URL")
    action.add_argument("slice", help="name or id")
    action.add_argument("snapshot", help="name or id")
    action.add_argument("--since", metavar="SNAPSHOT", help="only what has changed since then")
    action.add_argument("--format", default="raw", help="raw (default) or vhd")
    action.add_argument("--compression", default="none", help="none (default), gzip or zstd")
    action.add_argument("--url", help="send it there; default: to this controller's folder")
    action.add_argument("--header", action="append", metavar="'NAME: VALUE'", help="for --url")
    action.add_argument("--output", type=Path, metavar="FILE", help="wait, and put it there")
    action.add_argument("--stall-seconds", type=int, help="give up after so long without a byte")
    ordering.add_options(action, timeout="1h")
    action.set_defaults(run=snapshot_export)
    action = actions.add_parser("apply-delta", help="the newer disk from the older and a delta")
    for name in ("base", "delta", "output"):
        action.add_argument(name, type=Path, metavar=name.upper())
    action.set_defaults(run=apply_delta)
