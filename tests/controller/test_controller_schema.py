"""The checker of JSON, and openapi.json itself."""

import json
import re
from typing import Any

import pytest
from rig import REPOSITORY
from slicenode_controller.node_api import schema
from slicenode_controller.node_api.protocol import Protocol, UnknownCall

PROTOCOL = Protocol()
SCHEMAS = PROTOCOL.root["components"]["schemas"]
UUID = "0b6f9c0a-5a3e-4a1e-9f55-0e2c6d9a1b11"

# The agent's list; its first is for "no error".
CODES = re.findall(r'X\(\w+, "(\w+)"\)', (REPOSITORY / "agent" / "base" / "err.h").read_text())[1:]


def faults(value: Any, rules: dict[str, Any]) -> list[str]:
    schema.check_schema(rules, rules)
    return [str(fault) for fault in schema.check(value, rules, rules)]


@pytest.mark.parametrize(
    ("rules", "good", "bad"),
    [
        ({"type": "integer"}, 3, "3"),
        ({"type": "integer"}, 0, True),
        ({"type": "integer"}, 3, 3.5),
        ({"type": "number"}, 3.5, None),
        ({"type": ["string", "null"]}, None, 1),
        ({"type": "boolean"}, False, 0),
        ({"const": "grub"}, "grub", "kernel"),
        ({"const": 1}, 1, True),
        ({"enum": ["a", "b"]}, "b", "c"),
        ({"type": "integer", "minimum": 1}, 1, 0),
        ({"type": "integer", "maximum": 4}, 4, 5),
        ({"type": "string", "minLength": 1}, "x", ""),
        ({"type": "string", "maxLength": 2}, "äö", "äöü"),
        ({"type": "string", "pattern": "^[a-z]+$"}, "ab", "ab\n"),
        ({"type": "array", "items": {"type": "integer"}}, [1, 2], [1, "2"]),
        ({"type": "array", "minItems": 1}, [1], []),
        ({"type": "array", "maxItems": 1}, [1], [1, 2]),
        ({"type": "object", "required": ["a"]}, {"a": None}, {"b": 1}),
        ({"type": "object", "properties": {"a": {"type": "null"}}}, {"b": 1}, {"a": 1}),
        ({"type": "object", "additionalProperties": False}, {}, {"a": 1}),
        ({"oneOf": [{"type": "string"}, {"type": "null"}]}, None, 4),
        ({"oneOf": [{"required": ["a"]}, {"required": ["b"]}]}, {"a": 1}, {"a": 1, "b": 1}),
        ({"oneOf": [{"required": ["a"]}, {"required": ["b"]}], "required": ["c"]},
         {"b": 1, "c": 1}, {"b": 1}),
        ({"oneOf": [{"type": "string"}, {"minLength": 1, "type": "string"}]}, "", "x"),
    ],
)
def test_keyword(rules: dict[str, Any], good: Any, bad: Any) -> None:
    assert faults(good, rules) == []
    assert faults(bad, rules) != []


def test_fault_names_the_place_by_json_pointer() -> None:
    rules = {"properties": {"a/b": {"items": {"properties": {"~": {"type": "integer"}}}}}}
    assert faults({"a/b": [{}, {"~": "x"}]}, rules) == ["/a~1b/1/~0: must be an integer"]


def test_unknown_field_has_its_own_code() -> None:
    found = schema.check({"x": 1}, {"additionalProperties": False}, {})
    assert [(fault.code, fault.pointer) for fault in found] == [("unknown_field", "")]


def test_discriminator_reports_the_faults_of_the_chosen_form() -> None:
    boot = {"kind": "kernel"}
    found = schema.check(boot, SCHEMAS["Boot"], PROTOCOL.root)
    assert [str(fault) for fault in found] == ["/: must have 'kernel'"]
    assert schema.check({"kind": ["grub"]}, SCHEMAS["Boot"], PROTOCOL.root) != []
    assert schema.check([], SCHEMAS["Boot"], PROTOCOL.root) != []


@pytest.mark.parametrize(
    "rules",
    [
        {"maxProperties": 1},
        {"type": "text"},
        {"$ref": "#/components/schemas/Nothing"},
        {"$ref": "other.json"},
        {"additionalProperties": True},
        {"items": {"uniqueItems": True}},
        {"pattern": "("},
    ],
)
def test_schema_that_cannot_be_checked_is_an_error(rules: dict[str, Any]) -> None:
    with pytest.raises(schema.SchemaError):
        schema.check_schema(rules, PROTOCOL.root)


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b"\xff", b'{"a":1,"a":2}', b"[NaN]", b'["\\ud800"]', b"[" * 100000, b"1 2"],
)
def test_text_that_is_not_the_json_we_want(text: bytes) -> None:
    with pytest.raises(ValueError, match="the body"):
        schema.parse(text)


def examples() -> list[tuple[str, dict[str, Any], Any]]:
    found = []
    for path, item in PROTOCOL.root["paths"].items():
        for method, call in item.items():
            parts = {"request": call.get("requestBody"), **call["responses"]}
            for part, said in parts.items():
                if said is None:
                    continue
                content = said["content"]["application/json"]
                for name, example in content["examples"].items():
                    title = f"{method} {path} {part} {name}"
                    found.append((title, content["schema"], example["value"]))
    return found


@pytest.mark.parametrize(("title", "rules", "value"), examples(), ids=lambda x: str(x)[:60])
def test_example_follows_its_schema(title: str, rules: dict[str, Any], value: Any) -> None:
    assert [str(fault) for fault in schema.check(value, rules, PROTOCOL.root)] == [], title


def test_every_call_and_every_answer_has_an_example() -> None:
    for item in PROTOCOL.root["paths"].values():
        for call in item.values():
            for part in [call.get("requestBody"), *call["responses"].values()]:
                assert part is None or part["content"]["application/json"]["examples"]


def test_examples_show_every_request_and_every_event() -> None:
    values = {title: value for title, _, value in examples()}
    asked = values["get /v1/nodes/{node_id}/requests 200 every_operation"]["requests"]
    assert sorted({one["op"] for one in asked}) == sorted(PROTOCOL.request_names)
    told = values["post /v1/nodes/{node_id}/events request every_type"]["events"]
    assert {one["type"] for one in told} == set(SCHEMAS["Event"]["discriminator"]["mapping"])


def test_error_codes_are_the_closed_list() -> None:
    assert SCHEMAS["ErrorCode"]["enum"] == CODES


def test_every_schema_is_used() -> None:
    text = json.dumps(PROTOCOL.root)
    unused = [name for name in SCHEMAS if f'"#/components/schemas/{name}"' not in text]
    assert unused == []


def test_every_object_is_closed_and_its_keys_say_their_unit() -> None:
    for name, part in SCHEMAS.items():
        if part.get("type") == "object":
            assert part["additionalProperties"] is False, name
            for key, value in part["properties"].items():
                assert key.isascii() and key == key.lower(), f"{name}.{key}"
                if value.get("type") != "boolean":
                    assert key not in ("memory", "disk", "size", "timeout", "wait"), f"{name}.{key}"


def test_readme_names_every_call_and_every_request() -> None:
    text = (REPOSITORY / "docs" / "protocol" / "README.md").read_text()
    for operation in PROTOCOL.operations.values():
        assert f"`{operation.method} {operation.path}`" in text
    for name in [*PROTOCOL.request_names, *SCHEMAS["Event"]["discriminator"]["mapping"]]:
        assert f"`{name}`" in text, name


def test_finding_a_call() -> None:
    operation, names = PROTOCOL.match("PUT", f"/v1/nodes/{UUID}/status")
    assert (operation.id, names) == ("reportStatus", {"node_id": UUID})
    with pytest.raises(UnknownCall) as caught:
        PROTOCOL.match("DELETE", f"/v1/nodes/{UUID}/status")
    assert caught.value.allowed == ["PUT"]
    for path in ("/v1/nodes", f"/v1/nodes/{UUID}/status/", f"/v1/nodes/{UUID}/status\n", "/"):
        with pytest.raises(UnknownCall) as caught:
            PROTOCOL.match("PUT", path)
        assert caught.value.allowed == []


def provision(**changes: Any) -> dict[str, Any]:
    args = {"name": "web1", "image": {"id": UUID}, "vcpus": 1, "memory_mib": 256, "disk_gib": 4}
    args.update(changes)
    return {"id": UUID, "op": "slice.provision", "slice": UUID, "args": args, "deadline": None}


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"memory_mib": 0}, "/args/memory_mib"),
        ({"memory_mib": 10**12}, "/args/memory_mib"),
        ({"disk_gib": -1}, "/args/disk_gib"),
        ({"vcpus": "1"}, "/args/vcpus"),
        ({"name": "two words"}, "/args/name"),
        ({"name": "a" * 64}, "/args/name"),
        ({"color": "red"}, "/args"),
        ({"image": {"id": UUID, "url": "file:///etc/passwd"}}, "/args/image/url"),
        ({"image": {"id": UUID, "sha256": "AB"}}, "/args/image/sha256"),
        ({"image": {"id": UUID.upper()}}, "/args/image/id"),
        ({"network": [{"addresses": ["10.0.2.100"]}]}, "/args/network/0/addresses/0"),
        ({"network": [{"vlan": 4095}]}, "/args/network/0/vlan"),
        ({"cloud_init": {"hostname": "-x"}}, "/args/cloud_init/hostname"),
        ({"cloud_init": {"ssh_keys": ["a\nb"]}}, "/args/cloud_init/ssh_keys/0"),
        ({"boot": {"kind": "floppy"}}, "/args/boot/kind"),
        ({"type": "hvm"}, "/args/type"),
    ],
)
def test_bad_provision(changes: dict[str, Any], pointer: str) -> None:
    assert PROTOCOL.check_request(provision()) == []
    assert [fault.pointer for fault in PROTOCOL.check_request(provision(**changes))] == [pointer]


def test_request_of_unknown_operation() -> None:
    said = {**provision(), "op": "slice.explode"}
    assert [fault.code for fault in PROTOCOL.check_request(said)] == ["unknown_operation"]
