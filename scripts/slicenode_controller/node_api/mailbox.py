"""Wakes a node's long poll when there is a new request for it."""

import threading


class _Box:
    def __init__(self) -> None:
        self.condition = threading.Condition()
        self.polls = 0
        self.calls = 0


class Visit:
    """One poll's stay at its node's box."""

    def __init__(self, box: _Box, closed: threading.Event) -> None:
        self._box = box
        self._closed = closed
        with box.condition:
            box.polls += 1
            self._number = box.polls
            self._calls_seen = box.calls
            box.condition.notify_all()

    def is_over(self) -> bool:
        """Whether a newer poll of this node has come, or the server stops."""
        return self._closed.is_set() or self._box.polls != self._number

    def wait(self, seconds: float) -> None:
        """Until the box is called (also if it was since the last wait), or `is_over`, or time."""
        with self._box.condition:
            self._box.condition.wait_for(
                lambda: self.is_over() or self._box.calls != self._calls_seen, seconds
            )
            self._calls_seen = self._box.calls


class Mailboxes:
    """One box per node. Look for requests after `visit`, not before: then none is missed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._boxes: dict[str, _Box] = {}
        self._closed = threading.Event()

    def visit(self, node_id: str) -> Visit:
        return Visit(self._box(node_id), self._closed)

    def call(self, node_id: str) -> None:
        box = self._box(node_id)
        with box.condition:
            box.calls += 1
            box.condition.notify_all()

    def close(self) -> None:
        """Ends all waiting, now and later."""
        self._closed.set()
        with self._lock:
            boxes = list(self._boxes.values())
        for box in boxes:
            with box.condition:
                box.condition.notify_all()

    def _box(self, node_id: str) -> _Box:
        with self._lock:
            return self._boxes.setdefault(node_id, _Box())
