"""Drives `sliced-net session`."""

from __future__ import annotations

from typing import Any

from helper import Child, Message
from server import Request

NODE = "6f1d7f64-8e3b-4c52-9d34-0b8a5b0f9f11"


class Session:
    def __init__(self) -> None:
        self.child = Child("sliced-net", "session")
        self.next_id = 0

    def configure(self, *urls: str, **more: object) -> Message:
        self.child.send({"type": "config", "urls": list(urls), "ca": None, "pin": None,
                         "key": None, "certificate": None, "node_id": None, "version": "1.2.3",
                         **more})
        message = self.child.receive()
        assert message is not None
        return message

    def begin(self, call: str, body: object = None, query: object = None,
              timeout_ms: int = 10_000) -> int:
        self.next_id += 1
        self.child.send({"type": "call", "id": self.next_id, "call": call, "body": body,
                         "query": query, "timeout_ms": timeout_ms})
        return self.next_id

    def reply(self, timeout: float = 20.0) -> Message:
        message = self.child.receive(timeout)
        assert message is not None, self.child.errors()
        assert message["type"] == "reply"
        return message

    def call(self, call: str, **arguments: Any) -> Message:
        self.begin(call, **arguments)
        return self.reply()

    def error(self, call: str, code: str, *words: str, **arguments: Any) -> Message:
        reply = self.call(call, **arguments)
        assert "body" not in reply
        assert reply["error"]["code"] == code, reply
        for word in words:
            assert word in reply["error"]["message"], reply
        return reply


def answer_with(status: int, body: Any, **headers: str) -> Any:
    def respond(request: Request) -> None:
        request.answer(status, body, headers)
    return respond
