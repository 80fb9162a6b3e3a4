"""Small parts of the commands: texts for terminals, addresses, times."""

import pytest
import rig  # noqa: F401 - it makes the controller's package known
from slicenode_controller.commands import output
from slicenode_controller.state import clock
from slicenode_controller.commands.serve import split_address
from slicenode_controller.commands.console_stream import new_part
from slicenode_controller.commands.lookup import CommandError


@pytest.mark.parametrize(
    ("before", "now", "new"),
    [("", "abc", "abc"), ("abc", "abcd", "d"), ("abc", "abc", ""), ("xabc", "bcd" "e", "bcde"),
     ("x" * 600 + "abc", "x" * 550 + "abcd", "d"), ("abc", "", "")],
)  # fmt: skip
def test_new_part_of_a_console(before: str, now: str, new: str) -> None:
    assert new_part(before, now) == new


def test_texts_from_outside_do_not_drive_the_terminal() -> None:
    assert output.clean("a\x1b[31m\nb") == "a\ufffd[31m\ufffdb"
    assert output.clean_lines("\x1b]0;title\x07a\x1b[2Jb\r\nc\td\x9b5m") == "ab\nc    d5m"


@pytest.mark.parametrize(
    ("text", "address"),
    [("127.0.0.1:80", ("127.0.0.1", 80)), ("[::1]:443", ("::1", 443)), (":0", ("0.0.0.0", 0))],
)
def test_address(text: str, address: tuple[str, int]) -> None:
    assert split_address(text) == address
    for bad in ("127.0.0.1", "x:y", "x:70000", "x:-1"):
        with pytest.raises(CommandError):
            split_address(bad)


def test_times() -> None:
    moment = clock.read("2026-01-02T03:04:05.123456789Z")
    assert clock.write(moment) == "2026-01-02T03:04:05.123Z"
    assert clock.read("2026-01-02T03:04:05Z") < moment
    assert [clock.duration(text) for text in ("90", "90s", "2m", "1h", "7d")] == (
        [90, 90, 120, 3600, 604800]
    )
    for bad in ("", "x", "1w", "-1s", "1.5h"):
        with pytest.raises(ValueError, match="duration"):
            clock.duration(bad)
    for bad in ("2026-01-02", "2026-01-02T03:04:05", "2026-13-02T03:04:05Z"):
        with pytest.raises(ValueError):  # noqa: PT011 - strptime has its own words
            clock.read(bad)
