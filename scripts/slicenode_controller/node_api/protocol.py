"""The protocol as docs/protocol/openapi.json states it: finds the call, checks what is said."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from . import schema
from .schema import Fault, Schema

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "protocol" / "openapi.json"


@dataclass(frozen=True)
class Operation:
    """One call of the protocol."""

    id: str
    method: str
    path: str
    pattern: re.Pattern[str]
    needs_certificate: bool
    body: Schema | None
    query: dict[str, dict[str, Any]]
    responses: dict[str, Schema]


class UnknownCall(Exception):
    """No such path, or (`allowed` not empty) not with this method."""

    def __init__(self, allowed: list[str]) -> None:
        super().__init__("no such call")
        self.allowed = allowed


class Protocol:
    """openapi.json, ready to check with."""

    def __init__(self, document: Path = DOCUMENT) -> None:
        self.root: Schema = json.loads(document.read_text(encoding="utf-8"))
        self.operations = {
            operation["operationId"]: self._operation(path, method, operation)
            for path, item in self.root["paths"].items()
            for method, operation in item.items()
        }
        for part in self.root["components"]["schemas"].values():
            schema.check_schema(part, self.root)

    def _operation(self, path: str, method: str, said: dict[str, Any]) -> Operation:
        names = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path)
        parameters = [
            schema.find(self.root, parameter["$ref"]) if "$ref" in parameter else parameter
            for parameter in said.get("parameters", [])
        ]
        body = said.get("requestBody")
        return Operation(
            id=said["operationId"],
            method=method.upper(),
            path=path,
            pattern=re.compile(names + r"\Z"),
            needs_certificate=bool(said.get("security", self.root["security"])),
            body=None if body is None else body["content"]["application/json"]["schema"],
            query={p["name"]: p for p in parameters if p["in"] == "query"},
            responses={
                status: response["content"]["application/json"]["schema"]
                for status, response in said["responses"].items()
            },
        )

    def match(self, method: str, path: str) -> tuple[Operation, dict[str, str]]:
        """The call and the names in its path; raises UnknownCall."""
        allowed = []
        for operation in self.operations.values():
            found = operation.pattern.match(path)
            if found is None:
                continue
            if operation.method == method:
                return operation, found.groupdict()
            allowed.append(operation.method)
        raise UnknownCall(allowed)

    def check_body(self, operation: Operation, body: Any) -> list[Fault]:
        if operation.body is None:
            return []
        return schema.check(body, operation.body, self.root)

    def check_query(self, operation: Operation, text: str) -> tuple[dict[str, Any], list[Fault]]:
        """The query's values with their types, and what is wrong with them."""
        values: dict[str, Any] = {}
        faults: list[Fault] = []
        for name, raw in parse_qsl(text, keep_blank_values=True):
            parameter = operation.query.get(name)
            if parameter is None:
                faults.append(Fault("?" + name, "unknown_field", "unknown parameter"))
                continue
            is_number = parameter["schema"].get("type") == "integer"
            value: Any = int(raw) if is_number and re.fullmatch(r"[0-9]{1,9}", raw) else raw
            faults += schema.check(value, parameter["schema"], self.root, "?" + name)
            values[name] = value
        return values, faults

    def check_response(self, operation: Operation, status: int, body: Any) -> list[Fault]:
        rules = operation.responses.get(str(status), operation.responses["default"])
        return schema.check(body, rules, self.root)

    def check_as(self, name: str, value: Any) -> list[Fault]:
        """Checks against the named schema, such as `Registration`."""
        return schema.check(value, self.root["components"]["schemas"][name], self.root)

    def check_request(self, request: dict[str, Any]) -> list[Fault]:
        """Checks a request that this controller is about to give to a node."""
        return self.check_as("Request", request)

    @property
    def request_names(self) -> list[str]:
        """Every operation that a request can ask for."""
        return list(self.root["components"]["schemas"]["Request"]["discriminator"]["mapping"])

    def check_result(self, request_name: str, result: Any) -> list[Fault]:
        """Checks what `request.done` brings for this kind of request."""
        done = self.root["components"]["schemas"]["EventRequestDone"]
        reference = done["x-results"].get(request_name)
        rules = {"type": "null"} if reference is None else {"$ref": reference}
        return schema.check(result, rules, self.root)
