"""What every connection needs, and the notes taken of it: counts, violations, the log."""

import sys
import threading
import traceback
from collections import Counter
from typing import Any

from ..files.exports import Exports
from ..files.faults import Faults
from ..files.files import Images
from ..state import clock, nodes, requests, traffic
from ..state.store import Store
from .protocol import Protocol
from .service import Service


class Context:
    """Used by many threads."""

    def __init__(
        self,
        store: Store,
        service: Service,
        protocol: Protocol,
        faults: Faults,
        images: Images | None,
        exports: Exports,
        verbose: bool,
    ) -> None:
        self.store = store
        self.service = service
        self.protocol = protocol
        self.faults = faults
        self.images = images
        self.exports = exports
        self._verbose = verbose
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, int]] = Counter()
        self._heard: dict[str, tuple[str, str, str]] = {}

    def count(self, operation: str, status: int) -> None:
        with self._lock:
            self._counts[operation, status] += 1

    def heard(self, node_id: str, address: str, host: str) -> None:
        with self._lock:
            self._heard[node_id] = (clock.now(), address, host)

    def write_down(self) -> None:
        """Stores what was counted since the last time: once for many calls."""
        with self._lock:
            counts, self._counts = self._counts, Counter()
            heard, self._heard = self._heard, {}
        if not counts and not heard:
            return
        with self.store.transaction():
            for (operation, status), times in counts.items():
                traffic.count(self.store, operation, status, times)
            for node_id, (moment, address, host) in heard.items():
                nodes.heard(self.store, node_id, moment, address, host)

    def violation(
        self, side: str, node_id: str | None, operation: str, message: str, body: Any
    ) -> None:
        traffic.violation(self.store, side, node_id, operation, message, body)
        self.log(f"protocol violation by the {side}: {operation}: {message}")

    def check_results(self, node_id: str, body: dict[str, Any]) -> None:
        """Results depend on what was asked for, which the schema of events cannot say."""
        for event in body["events"]:
            request = requests.find(self.store, event["request"] or "")
            if event["type"] != "request.done" or request is None:
                continue
            faults = self.protocol.check_result(request["op"], event["result"])
            for fault in faults[:10]:
                message = f"result of {request['op']}: {fault}"
                self.violation("node", node_id, "reportEvents", message, event)
            if faults:
                # Refused, it would come again for ever: taken, but not what it brings.
                event["result"] = None

    def only_checked(self, said: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Without the requests that break the protocol because a test wants it so."""
        unchecked = set()
        for request in said:
            row = requests.find(self.store, request["id"])
            if row is not None and row["unchecked"]:
                unchecked.add(request["id"])
        return [request for request in said if request["id"] not in unchecked]

    def log(self, text: str) -> None:
        print(f"{clock.now()} {text}", file=sys.stderr, flush=True)

    def log_access(self, text: str) -> None:
        if self._verbose:
            self.log(text)

    def log_failure(self, text: str) -> None:
        self.log(f"{text}\n{traceback.format_exc()}")
