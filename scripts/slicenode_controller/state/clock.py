"""Times as the protocol writes them: RFC 3339, UTC, with `Z`."""

import re
from datetime import UTC, datetime, timedelta

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def write(moment: datetime) -> str:
    """Milliseconds always, so that texts sort as the times do."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def now() -> str:
    return write(datetime.now(UTC))


def after(seconds: float) -> str:
    """The time that many seconds from now; negative for the past."""
    return write(datetime.now(UTC) + timedelta(seconds=seconds))


def read(text: str) -> datetime:
    """Raises ValueError for what is no time."""
    match = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?Z", text)
    if match is None:
        raise ValueError(f"not a time: {text}")
    fraction = (match[2] or ".0")[:7]
    return datetime.strptime(match[1] + fraction, "%Y-%m-%dT%H:%M:%S.%f").replace(tzinfo=UTC)


def seconds_since(text: str) -> float:
    return (datetime.now(UTC) - read(text)).total_seconds()


def duration(text: str) -> float:
    """Seconds in texts such as `90`, `90s`, `15m`, `12h`, `7d`; ValueError for others."""
    match = re.fullmatch(r"(\d{1,9})([smhd]?)", text)
    if match is None:
        raise ValueError(f"not a duration: {text} (use 90s, 15m, 12h or 7d)")
    return int(match[1]) * UNITS[match[2] or "s"]
