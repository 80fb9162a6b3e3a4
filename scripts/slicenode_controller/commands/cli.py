"""The command line: options, dispatch, exit codes.

0: done. 1: it failed. 2: time was over. 64: the command was wrong. 130: interrupted.
"""

import argparse
import os
import sqlite3
import sys
from pathlib import Path
from typing import NoReturn

from ..node_api.ca import CaError
from . import images, lookup, nodes, serve, slices, volumes, watch
from .session import Session, default_folder

INTERRUPTED = 130


class Parser(argparse.ArgumentParser):
    """Wrong usage has its own exit code: argparse's 2 means here that time was over."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(lookup.USAGE, f"{self.prog}: {message}\n")


def common_options() -> argparse.ArgumentParser:
    """Allowed before and after the command; SUPPRESS keeps the later from erasing the earlier."""
    common = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    common.add_argument("--dir", type=Path, metavar="FOLDER",
                        help="state folder; default $SLICENODE_CONTROLLER_DIR or"
                        " ~/.local/state/slicenode-controller")  # fmt: skip
    common.add_argument("--json", action="store_true", help="print JSON")
    return common


def build_parser() -> argparse.ArgumentParser:
    common = common_options()

    class SubParser(Parser):
        def __init__(self, **options: object) -> None:
            super().__init__(parents=[common], **options)  # type: ignore[arg-type]

    parser = Parser(
        prog="controller",
        parents=[common],
        description="Slicenode's development controller: for development and a single rack.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=SubParser)
    for module in (
        serve,
        nodes,
        slices,
        images,
        volumes,
        watch,
    ):
        module.add_parsers(commands)
    return parser


def main(words: list[str] | None = None) -> int:
    arguments = build_parser().parse_args(words)
    folder = getattr(arguments, "dir", None) or default_folder()
    session = Session(folder, getattr(arguments, "json", False))
    try:
        status = arguments.run(session, arguments)
        sys.stdout.flush()
    except lookup.CommandError as error:
        print(f"controller: {error}", file=sys.stderr)
        return error.status
    except (CaError, sqlite3.Error, RuntimeError) as error:
        print(f"controller: {folder}: {error}", file=sys.stderr)
        return lookup.FAILED
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            # Whoever read the output has enough: say nothing, also not at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return lookup.OK
        print(f"controller: {error}", file=sys.stderr)
        return lookup.FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    finally:
        session.close()
    return lookup.OK if status is None else int(status)
