"""Whose a volume of the pool is: a node that has lost its records gives nobody what was somebody's."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from audit import audit
from images import Images
from node import Node, Refused, slice_args
from operations import THIN_ID_MAX, give_out_up_to
from waiting import wait_until

SECRET = b"a tenant's secret" * 1000


def somebody(node: Node, *numbers: int) -> None:
    """Volumes of a node that was here before."""
    for number in numbers:
        (node.sim / "volumes" / str(number)).write_bytes(SECRET)


def untouched(node: Node, *numbers: int) -> None:
    for number in numbers:
        assert (node.sim / "volumes" / str(number)).read_bytes() == SECRET, number


def given_out(node: Node) -> int:
    """The last number that the store has given out."""
    with closing(sqlite3.connect(node.folder / "state" / "sliced.db")) as store:
        return int(store.execute("SELECT value FROM settings WHERE name = 'thin_id'").fetchone()[0])


@pytest.fixture
def found(make_node: Callable[..., Node]) -> Node:
    """A new store on a pool that has volumes."""
    node = make_node()
    node.start()
    node.stop()
    for state in (node.folder / "state").glob("sliced.db*"):
        state.unlink()
    somebody(node, 1, 2, 3, 4, 5, 6, 7, 40)
    node.start()
    return node


def test_new_store_on_an_old_pool_reports_and_begins_above(found: Node, small: dict[str, Any]) -> None:
    wait_until(lambda: "do not know" in found.screen(), "it is told")
    problems = found.do("node.report")["problems"]
    assert any("8 volume(s)" in one["message"] and "1, 2, 3" in one["message"] for one in problems), problems
    slice_id = str(uuid.uuid4())
    found.do("slice.provision", slice_id, **slice_args(small))
    volume = str(uuid.uuid4())
    found.do("volume.create", volume=volume, name="data", size_gib=1)
    found.do("snapshot.create", slice_id, snapshot=str(uuid.uuid4()), name="first")
    made = {int(number) for number in found.volumes()} - {1, 2, 3, 4, 5, 6, 7, 40}
    assert min(made) > 40 and len(made) >= 5
    found.do("slice.terminate", slice_id)
    untouched(found, 1, 2, 3, 4, 5, 6, 7, 40)


def test_what_a_step_finds_and_has_not_made_is_left(found: Node, images: Images, small: dict[str, Any]) -> None:
    """Whatever the numbers were given out for: the request fails, the volume stays, all else is undone."""
    slice_id = str(uuid.uuid4())
    found.do("slice.provision", slice_id, **slice_args(small))
    asked: list[tuple[str, str | None, dict[str, Any]]] = [
        ("slice.provision", str(uuid.uuid4()), slice_args(small)),
        ("volume.create", None, {"volume": str(uuid.uuid4()), "name": "data", "size_gib": 1}),
        ("snapshot.create", slice_id, {"snapshot": str(uuid.uuid4()), "name": "one"}),
        ("snapshot.create", slice_id, {"snapshot": str(uuid.uuid4()), "name": "two", "memory": True}),
        ("image.fetch", None, images.add(b"BOOTS!" + b"other" * 100)),
    ]
    for op, slice_of, args in asked:
        before = found.volumes()
        # what the next few numbers stand for is there already
        numbers = range(given_out(found) + 1, given_out(found) + 8)
        somebody(found, *numbers)
        with pytest.raises(Refused) as failure:
            found.do(op, slice_of, **args)
        assert failure.value.code == "storage_error" and "nothing here has made" in failure.value.message, op
        untouched(found, *numbers)
        assert found.volumes() == before | {str(number) for number in numbers}, op
        for number in numbers:
            Path(found.sim / "volumes" / str(number)).unlink()
        found.idle()
    assert found.state(slice_id) == "running"


def test_nothing_is_made_while_the_pool_cannot_be_read(make_node: Callable[..., Node]) -> None:
    node = make_node()
    node.settings(list_fails=True)
    node.start()
    wait_until(lambda: "none is made" in node.screen(), "it is told")
    args: dict[str, Any] = {"volume": str(uuid.uuid4()), "name": "data", "size_gib": 1}
    with pytest.raises(Refused) as failure:
        node.do("volume.create", **args)
    assert failure.value.code == "storage_error"
    node.settings()
    node.do("volume.create", **{**args, "volume": str(uuid.uuid4())})


def volume(node: Node, name: str = "data") -> str:
    made = str(uuid.uuid4())
    node.do("volume.create", volume=made, name=name, size_gib=1)
    return made


def beginning(node: Node, number: str) -> bytes:
    with (node.sim / "volumes" / number).open("rb") as content:
        return content.read(1 << 16)


def test_numbers_are_used_again_without_those_in_use(make_node: Callable[..., Node], small: dict[str, Any]) -> None:
    """Whoever uses them: slices, images, snapshots, what only the pool knows; also when the agent comes anew, and
    when all have been given out a second time."""
    node = make_node()
    node.start()
    slice_id = str(uuid.uuid4())
    node.do("slice.provision", slice_id, **slice_args(small))  # 1, 3 and 4; 2 was for the import
    gone, kept = volume(node), volume(node)  # 5 and 6
    node.do("snapshot.create", slice_id, snapshot=str(uuid.uuid4()), name="one")  # 7
    somebody(node, 8, 9)
    give_out_up_to(node, THIN_ID_MAX - 2)
    before = {number: beginning(node, number) for number in node.volumes()}

    def made(count: int) -> list[int]:
        there = node.volumes()
        for _ in range(count):
            volume(node)
        return sorted(int(number) for number in node.volumes() - there)

    assert made(3) == [2, THIN_ID_MAX - 1, THIN_ID_MAX]
    assert "used again" in node.log()
    node.do("volume.delete", volume=gone)
    assert made(1) == [10], "5 is free, and has its turn in the next pass"
    node.kill()
    node.start()
    assert made(1) == [11], "the pool's highest number says nothing now"
    give_out_up_to(node, THIN_ID_MAX)
    assert made(2) == [5, 12], "the next pass leaves out what came into the pool in this one"
    for number, content in before.items():
        if number != "5":
            assert beginning(node, number) == content, number
    untouched(node, 8, 9)
    for one in (8, 9):
        (node.sim / "volumes" / str(one)).unlink()
    node.idle()
    audit(node)
    assert {shown["id"] for shown in node.call("volume.list")} >= {kept}


def test_no_number_is_used_again_while_the_pool_cannot_be_read(make_node: Callable[..., Node]) -> None:
    node = make_node()
    node.start()
    volume(node)
    give_out_up_to(node, THIN_ID_MAX)
    node.idle()
    node.settings(list_fails=True)
    with pytest.raises(Refused) as failure:
        volume(node)
    assert failure.value.code == "storage_error" and "none is made" in failure.value.message
    node.settings()
    volume(node)
    assert node.volumes() == {"1", "2"}
