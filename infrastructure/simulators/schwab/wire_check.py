"""Compare an answer with Schwab's published schema: its keys, types and enum values."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from infrastructure.simulators.schwab.wire_forms import wire_schema


def differences(
    value: Any, schema: str, *, side: str = "market", observed: Collection[str] = ()
) -> list[str]:
    """Return what in a decoded JSON answer is not as the schema says, as `path: reason` lines.

    Args:
        value: The decoded JSON.
        schema: The schema's name, such as "CandleList".
        side: "market" or "trader".
        observed: Keys that live accounts show beyond the schema.
    """
    schemas = wire_schema()["schemas"][side]
    return list(_compare(value, schemas[schema], schemas, schema, frozenset(observed)))


def _compare(
    value: Any, form: dict[str, Any], schemas: dict[str, Any], path: str, observed: frozenset[str]
) -> list[str]:
    if "$ref" in form:
        form = schemas[form["$ref"].rpartition("/")[2]]
    if value is None:
        return [] if form.get("nullable") else [f"{path}: null"]
    if "enum" in form and value not in form["enum"]:
        return [f"{path}: {value!r} is none of {form['enum']}"]
    kind = form.get("type")
    if not _is(value, kind):
        return [f"{path}: {value!r} is no {kind}"]
    if isinstance(value, list):
        items = form.get("items", {})
        return [
            line
            for number, item in enumerate(value)
            for line in _compare(item, items, schemas, f"{path}[{number}]", observed)
        ]
    if isinstance(value, dict):
        return _compare_object(value, form, schemas, path, observed)
    return []


def _compare_object(
    value: dict[str, Any],
    form: dict[str, Any],
    schemas: dict[str, Any],
    path: str,
    observed: frozenset[str],
) -> list[str]:
    properties = form.get("properties", {})
    rest = form.get("additionalProperties")
    lines = []
    for key, item in value.items():
        below = f"{path}.{key}"
        if key in properties:
            lines += _compare(item, properties[key], schemas, below, observed)
        elif isinstance(rest, dict):
            lines += _compare(item, rest, schemas, below, observed)
        elif key not in observed:
            lines.append(f"{below}: unknown key")
    return lines


def _is(value: Any, kind: str | None) -> bool:
    if kind is None:
        return True
    if isinstance(value, bool):
        return kind == "boolean"
    kinds: dict[str, type | tuple[type, ...]] = {
        "object": dict,
        "array": list,
        "string": str,
        "integer": int,
        "number": (int, float),
        "boolean": bool,
    }
    return isinstance(value, kinds[kind])
