"""Faults on purpose, for tests of nodes: `serve --faults FILE`.

FILE is JSON, a list of rules; it is read again when it changes. A rule:

    {"path": "/images/a.raw", "kind": "drop", "after_bytes": 1000, "times": 1}

`path` is the path of the URL, `*` at its end stands for any rest. `times`: how often the rule
holds; without it, always. Only the first rule that fits is used. Kinds:

    status   answer with `status` (and code `internal`) instead
    delay    wait `seconds`, then go on as if nothing was
    close    close the connection without an answer

and for files under /images/ only:

    drop     close the connection after `after_bytes` of the body
    short    serve only the first `after_bytes` of the file, as if that were all
    long     announce `extra_bytes` more than there are, then close
    corrupt  flip the bits of the byte at offset `at_byte` of the file
    no_range ignore Range: always the whole file
    new_etag another ETag at each request, as if the file changed

`drop` also holds for what is sent to /exports/.
"""

import json
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PARAMETERS = {
    "status": ("status",),
    "delay": ("seconds",),
    "close": (),
    "drop": ("after_bytes",),
    "short": ("after_bytes",),
    "long": ("extra_bytes",),
    "corrupt": ("at_byte",),
    "no_range": (),
    "new_etag": (),
}


class BadFaults(ValueError):
    """The file of faults is wrong."""


@dataclass
class Rule:
    """One fault; `left` counts down, None is always."""

    path: str
    kind: str
    number: float
    left: int | None

    def fits(self, path: str) -> bool:
        if self.left == 0:
            return False
        if self.path.endswith("*"):
            return path.startswith(self.path[:-1])
        return path == self.path


class Faults:
    """The rules of one file; without a file, none."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._state: tuple[int, int] | None = None
        self._rules: list[Rule] = []

    def take(self, path: str) -> Rule | None:
        """The rule that holds for this call, counted as used. Raises BadFaults."""
        if self._file is None:
            return None
        with self._lock:
            self._refresh(self._file)
            for rule in self._rules:
                if rule.fits(path):
                    if rule.left is not None:
                        rule.left -= 1
                    return rule
        return None

    def _refresh(self, file: Path) -> None:
        try:
            found = file.stat()
        except FileNotFoundError:
            self._state, self._rules = None, []
            return
        state = (found.st_mtime_ns, found.st_size)
        if state != self._state:
            self._rules = read_rules(file.read_text(encoding="utf-8"))
            self._state = state


def read_rules(text: str) -> list[Rule]:
    """Raises BadFaults, with the number of the rule."""
    try:
        said = json.loads(text)
    except ValueError as error:
        raise BadFaults(f"faults: not JSON: {error}") from None
    if not isinstance(said, list):
        raise BadFaults("faults: must be a list")
    return [_read_rule(index, rule) for index, rule in enumerate(said)]


def _read_rule(index: int, said: Any) -> Rule:
    if not isinstance(said, dict) or said.get("kind") not in PARAMETERS:
        raise BadFaults(f"faults: rule {index} has no kind out of {', '.join(PARAMETERS)}")
    needed = PARAMETERS[said["kind"]]
    unknown = set(said) - {"path", "kind", "times", *needed}
    missing = {"path", *needed} - set(said)
    if unknown or missing:
        raise BadFaults(f"faults: rule {index}: {sorted(unknown | missing)} unknown or missing")
    number = said[needed[0]] if needed else 0
    return Rule(said["path"], said["kind"], number, said.get("times"))
