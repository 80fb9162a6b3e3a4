"""The controller's rooms use one another one way only, as its __init__ says."""

from __future__ import annotations

import ast
from pathlib import Path

ROOMS = ("state", "files", "node_api", "commands")
CONTROLLER = Path(__file__).resolve().parents[2] / "scripts" / "slicenode_controller"


def imported_rooms(file: Path) -> set[str]:
    """Of a file in a room, by its `from ..ROOM` lines."""
    return {node.module.split(".")[0] for node in ast.walk(ast.parse(file.read_text()))
            if isinstance(node, ast.ImportFrom) and node.level == 2 and node.module}


def test_every_file_is_in_a_room() -> None:
    assert [path.name for path in CONTROLLER.glob("*.py")] == ["__init__.py"]
    assert {path.name for path in CONTROLLER.iterdir() if path.is_dir()} - {"__pycache__"} == set(ROOMS)


def test_rooms_use_only_those_above() -> None:
    arrows = 0
    for number, room in enumerate(ROOMS):
        for file in (CONTROLLER / room).glob("*.py"):
            used = imported_rooms(file)
            arrows += len(used)
            assert used <= set(ROOMS[:number]), f"{file.relative_to(CONTROLLER)} uses {sorted(used)}"
    assert arrows > 20
