"""Turn decoded JSON into typed records without losing what the types do not know.

Schwab adds keys without notice and sends some values in forms its papers do not name. So a
record keeps every unknown key, and every optional value of an unexpected type, in `extra`; only
a missing or mistyped required value is an error.
"""

from __future__ import annotations

import functools
import types
import typing
from typing import Any, TypeVar

import msgspec


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """A typed answer; keys that its type does not know are in `extra`.

    Attributes:
        extra: Unknown keys, and known ones whose value had an unexpected type, as decoded.
    """

    extra: dict[str, Any] = msgspec.field(default_factory=dict)


class WireFormError(ValueError):
    """Say which value of an answer has not the documented form."""


T = TypeVar("T")
R = TypeVar("R", bound=Record)


def build_record(kind: type[R], value: Any, path: str = "$") -> R:
    """Return the record of a decoded JSON object.

    Args:
        kind: The record's type.
        value: The decoded object.
        path: Where it stands in the answer, for the error.

    Raises:
        WireFormError: If it is no object, or a required value is missing or mistyped.
    """
    if not isinstance(value, dict):
        raise WireFormError(f"{path}: expected an object, got {type(value).__name__}")
    plan = _plan(kind)
    known: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    for key, item in value.items():
        entry = plan.get(key)
        if entry is None:
            extra[key] = item
            continue
        try:
            known[entry.name] = _build(entry.kind, item, f"{path}.{key}")
        except WireFormError:
            if entry.required:
                raise
            extra[key] = item
    missing = [key for key, entry in plan.items() if entry.required and entry.name not in known]
    if missing:
        raise WireFormError(f"{path}: {', '.join(missing)} is missing")
    return kind(**known, extra=extra)


class _Field(typing.NamedTuple):
    name: str
    kind: Any
    required: bool


@functools.cache
def _plan(kind: type[Record]) -> dict[str, _Field]:
    hints = typing.get_type_hints(kind)
    return {
        field.encode_name: _Field(field.name, hints[field.name], field.required)
        for field in msgspec.structs.fields(kind)
        if field.name != "extra"
    }


def _build(kind: Any, value: Any, path: str) -> Any:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is types.UnionType or origin is typing.Union:
        if value is None and type(None) in arguments:
            return None
        (inner,) = [argument for argument in arguments if argument is not type(None)]
        return _build(inner, value, path)
    if isinstance(kind, type) and issubclass(kind, Record):
        return build_record(kind, value, path)
    if origin is tuple and isinstance(value, list):
        return tuple(_build(arguments[0], item, f"{path}[{i}]") for i, item in enumerate(value))
    if origin is dict and isinstance(value, dict):
        return {key: _build(arguments[1], item, f"{path}.{key}") for key, item in value.items()}
    return _leaf(kind, value, path)


def _leaf(kind: Any, value: Any, path: str) -> Any:
    if kind is int and isinstance(value, float) and value.is_integer():
        return int(value)
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise WireFormError(f"{path}: {error}") from None
