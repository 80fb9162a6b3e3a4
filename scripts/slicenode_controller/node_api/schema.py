"""Checks JSON values against the subset of JSON Schema 2020-12 that the protocol uses.

A keyword that this module does not know is an error in the schema, so that nothing that
openapi.json demands goes unchecked.
"""

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

Schema = dict[str, Any]

NOTES = {"description", "default", "title", "examples", "discriminator"}
CHECKED = {
    "$ref", "type", "const", "enum", "oneOf",
    "properties", "required", "additionalProperties", "minProperties",
    "items", "minItems", "maxItems",
    "minLength", "maxLength", "pattern",
    "minimum", "maximum",
}  # fmt: skip
TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


class SchemaError(Exception):
    """The schema itself is wrong."""


@dataclass(frozen=True)
class Fault:
    """One place where a value does not follow its schema."""

    pointer: str
    code: str
    message: str

    def __str__(self) -> str:
        return f"{self.pointer or '/'}: {self.message}"


def parse(text: bytes) -> Any:
    """JSON as the protocol allows it: UTF-8, no NaN, no key twice, no half characters.

    Raises ValueError, whose text is fit for an answer.
    """
    try:
        value = json.loads(
            text.decode("utf-8"), parse_constant=_no_constant, object_pairs_hook=_no_twins
        )
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeError:
        raise ValueError("the body is not UTF-8") from None
    except RecursionError:
        raise ValueError("the body is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"the body is not JSON: {error}") from None
    return value


def _no_constant(name: str) -> Any:
    raise ValueError(f"the body is not JSON: {name}")


def _no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("the body has a key twice in one object")
    return result


def find(root: Schema, reference: str) -> Schema:
    """What a reference such as `#/components/schemas/Uuid` means in the document."""
    if not reference.startswith("#/"):
        raise SchemaError(f"reference leaves the document: {reference}")
    place: Any = root
    for part in reference[2:].split("/"):
        try:
            place = place[part.replace("~1", "/").replace("~0", "~")]
        except (KeyError, TypeError):
            raise SchemaError(f"reference leads nowhere: {reference}") from None
    if not isinstance(place, dict):
        raise SchemaError(f"reference is not to a schema: {reference}")
    return place


def check_schema(schema: Schema, root: Schema, seen: set[int] | None = None) -> None:
    """Raises SchemaError unless every keyword is known and every reference leads somewhere."""
    seen = set() if seen is None else seen
    if id(schema) in seen:
        return
    seen.add(id(schema))
    unknown = {key for key in schema if not key.startswith("x-")} - NOTES - CHECKED
    if unknown:
        raise SchemaError(f"unknown keyword {sorted(unknown)} in {json.dumps(schema)[:200]}")
    if schema.get("additionalProperties", False) is not False:
        raise SchemaError("additionalProperties can only be false")
    if "$ref" in schema:
        check_schema(find(root, schema["$ref"]), root, seen)
    for child in [*schema.get("properties", {}).values(), *schema.get("oneOf", [])]:
        check_schema(child, root, seen)
    if "items" in schema:
        check_schema(schema["items"], root, seen)
    for name in _type_names(schema):
        if name not in TYPES:
            raise SchemaError(f"unknown type {name}")
    if "pattern" in schema:
        _compiled(schema["pattern"])
    for target in schema.get("discriminator", {}).get("mapping", {}).values():
        find(root, target)


def check(value: Any, schema: Schema, root: Schema, pointer: str = "") -> list[Fault]:
    """All faults of the value, the first in the order of the schema."""
    if "$ref" in schema:
        faults = check(value, find(root, schema["$ref"]), root, pointer)
        beside = {key: rule for key, rule in schema.items() if key != "$ref"}
        return faults or check(value, beside, root, pointer)
    if "oneOf" in schema:
        faults = _check_one_of(value, schema, root, pointer)
        beside = {key: rule for key, rule in schema.items() if key not in ("oneOf", "discriminator")}
        return faults or check(value, beside, root, pointer)
    if not _has_type(value, _type_names(schema)):
        wanted = " or ".join(_with_article(name) for name in _type_names(schema))
        return [Fault(pointer, "invalid_argument", f"must be {wanted}")]
    if "const" in schema and not _same(value, schema["const"]):
        wanted = json.dumps(schema["const"])
        return [Fault(pointer, "invalid_argument", f"must be {wanted}")]
    if "enum" in schema and not any(_same(value, choice) for choice in schema["enum"]):
        message = f"{_short(value)} is not one of the allowed values"
        return [Fault(pointer, "invalid_argument", message)]
    if isinstance(value, dict):
        return _check_object(value, schema, root, pointer)
    if isinstance(value, list):
        return _check_array(value, schema, root, pointer)
    if isinstance(value, str):
        return _check_string(value, schema, pointer)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return _check_number(value, schema, pointer)
    return []


def _check_one_of(value: Any, schema: Schema, root: Schema, pointer: str) -> list[Fault]:
    discriminator = schema.get("discriminator")
    if discriminator is not None:
        if not isinstance(value, dict):
            return [Fault(pointer, "invalid_argument", "must be an object")]
        key = discriminator["propertyName"]
        if key not in value:
            return [Fault(pointer, "invalid_argument", f"must have '{key}'")]
        chosen = discriminator["mapping"].get(value[key]) if _is_text(value[key]) else None
        if chosen is None:
            code = "unknown_operation" if key == "op" else "invalid_argument"
            return [Fault(f"{pointer}/{key}", code, f"{_short(value[key])} is unknown")]
        return check(value, find(root, chosen), root, pointer)
    outcomes = [check(value, choice, root, pointer) for choice in schema["oneOf"]]
    matches = outcomes.count([])
    if matches == 1:
        return []
    if matches > 1:
        return [Fault(pointer, "invalid_argument", "fits more than one form")]
    # "must be null" helps nobody who sent an object: prefer the other form's faults.
    forms = [faults for choice, faults in zip(schema["oneOf"], outcomes, strict=True)
             if choice.get("type") != "null"]  # fmt: skip
    return forms[0]


def _check_object(
    value: dict[str, Any], schema: Schema, root: Schema, pointer: str
) -> list[Fault]:
    faults = []
    properties = schema.get("properties", {})
    for key in schema.get("required", []):
        if key not in value:
            faults.append(Fault(pointer, "invalid_argument", f"must have '{key}'"))
    if len(value) < schema.get("minProperties", 0):
        faults.append(Fault(pointer, "invalid_argument", "has too few fields"))
    for key, member in value.items():
        if key in properties:
            place = f"{pointer}/{key.replace('~', '~0').replace('/', '~1')}"
            faults += check(member, properties[key], root, place)
        elif "additionalProperties" in schema:
            faults.append(Fault(pointer, "unknown_field", f"unknown field {_short(key)}"))
    return faults


def _check_array(value: list[Any], schema: Schema, root: Schema, pointer: str) -> list[Fault]:
    if len(value) < schema.get("minItems", 0):
        return [Fault(pointer, "invalid_argument", f"needs {schema['minItems']} or more items")]
    if "maxItems" in schema and len(value) > schema["maxItems"]:
        return [Fault(pointer, "invalid_argument", f"has more than {schema['maxItems']} items")]
    faults = []
    if "items" in schema:
        for index, member in enumerate(value):
            faults += check(member, schema["items"], root, f"{pointer}/{index}")
    return faults


def _check_string(value: str, schema: Schema, pointer: str) -> list[Fault]:
    if len(value) < schema.get("minLength", 0):
        return [Fault(pointer, "invalid_argument", "is too short")]
    if "maxLength" in schema and len(value) > schema["maxLength"]:
        message = f"is longer than {schema['maxLength']} characters"
        return [Fault(pointer, "invalid_argument", message)]
    if "pattern" in schema and not _compiled(schema["pattern"]).search(value):
        message = f"{_short(value)} does not match {schema['pattern']}"
        return [Fault(pointer, "invalid_argument", message)]
    return []


def _check_number(value: float, schema: Schema, pointer: str) -> list[Fault]:
    if "minimum" in schema and value < schema["minimum"]:
        return [Fault(pointer, "invalid_argument", f"must be at least {schema['minimum']}")]
    if "maximum" in schema and value > schema["maximum"]:
        return [Fault(pointer, "invalid_argument", f"must be at most {schema['maximum']}")]
    return []


def _type_names(schema: Schema) -> list[str]:
    names: str | list[str] = schema.get("type", [])
    return [names] if isinstance(names, str) else names


def _has_type(value: Any, names: list[str]) -> bool:
    if not names:
        return True
    if isinstance(value, bool):
        return "boolean" in names
    return any(isinstance(value, TYPES[name]) for name in names)


def _same(left: Any, right: Any) -> bool:
    return type(left) is type(right) and bool(left == right)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _with_article(name: str) -> str:
    if name == "null":
        return name
    return f"an {name}" if name[0] in "aio" else f"a {name}"


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 64 else text[:60] + "...\""


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        # Python's $ also matches before a last line feed; ECMAScript's does not.
        return re.compile(re.sub(r"(?<!\\)\$$", r"\\Z", pattern), re.ASCII)
    except re.error as error:
        raise SchemaError(f"pattern {pattern}: {error}") from None
