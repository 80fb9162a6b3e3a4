"""What commands print: tables for people, JSON for programs."""

import json
import re
import sys
from collections.abc import Sequence
from typing import Any

from ..state import clock

# Titles (OSC), CSI sequences such as colours, and two-character escapes.
ESCAPES = re.compile(r"\x1b(\][^\x07\x1b]*(\x07|\x1b\\)?|\[[0-?]*[ -/]*[@-~]|[@-Z\\^_])")


def clean(value: Any) -> str:
    """Text from a node or a slice, without what could drive the operator's terminal."""
    text = "-" if value is None or value == "" else str(value)
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def clean_lines(text: str) -> str:
    """The same for text of many lines, such as a console's; colours and cursor moves are lost."""
    text = ESCAPES.sub("", text)
    lines = text.replace("\r\n", "\n").replace("\t", "    ").split("\n")
    return "\n".join(
        "".join(char for char in line if char.isprintable()) for line in lines
    )


def print_json(value: Any) -> None:
    json.dump(value, sys.stdout, ensure_ascii=False, indent=2)
    print(flush=True)


def print_json_line(value: Any) -> None:
    print(json.dumps(value, ensure_ascii=False, separators=(",", ":")), flush=True)


def print_table(headings: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Columns as wide as their longest text; the last one is not padded."""
    texts = [[clean(value) for value in row] for row in rows]
    widths = [max(len(line[i]) for line in [list(headings), *texts]) for i in range(len(headings))]
    for line in [list(headings), *texts]:
        padded = [text.ljust(width) for text, width in zip(line, widths, strict=True)]
        print("  ".join(padded).rstrip())


def ago(moment: str | None) -> str:
    """How long ago, in one number and unit."""
    if moment is None:
        return "never"
    seconds = max(0.0, clock.seconds_since(moment))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{int(seconds // size)} {unit} ago"
    return f"{int(seconds)} s ago"


def error_text(error: dict[str, Any] | None) -> str:
    """`code: message` on one line."""
    if error is None:
        return ""
    return f"{clean(error.get('code'))}: {clean(error.get('message'))}"


def print_error_console(error: dict[str, Any] | None) -> None:
    """The slice's last console lines, if the error brought them."""
    if error is not None and error.get("console"):
        print("last lines of the slice's console:", file=sys.stderr)
        for line in clean_lines(error["console"]).splitlines():
            print(f"  | {line}", file=sys.stderr)
