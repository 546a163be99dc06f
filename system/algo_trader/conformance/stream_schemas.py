"""The forms of the streamer's frames, its items out of the field maps."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from infrastructure.simulators.schwab.streamer.forms import ServiceForm
from system.algo_trader.conformance.schemas import Form

_KINDS: Final = {
    "f": "number",
    "l": "integer",
    "i": "integer",
    "b": "boolean",
    "str": "string",
    "char": "string",
}
_NUMBER: Final[Form] = {"type": "number"}
_INTEGER: Final[Form] = {"type": "integer"}
_TEXT: Final[Form] = {"type": "string"}


def _object(required: dict[str, Form], **optional: Form) -> Form:
    return {
        "type": "object",
        "properties": required | optional,
        "required": list(required),
    }


def _list(items: Form) -> Form:
    return {"type": "array", "items": items}


_VENUE: Final = _object({"0": _TEXT, "1": _INTEGER, "2": _INTEGER})
_LEVEL: Final = _object({"0": _NUMBER, "1": _INTEGER, "2": _INTEGER, "3": _list(_VENUE)})
_MOVER: Final = _object(
    {
        "symbol": _TEXT,
        "description": _TEXT,
        "lastPrice": _NUMBER,
        "netChange": _NUMBER,
        "netPercentChange": _NUMBER,
        "marketShare": _NUMBER,
        "totalVolume": _INTEGER,
        "volume": _INTEGER,
        "trades": _INTEGER,
    }
)
_LISTS: Final = {"[level]": _list(_LEVEL), "[item]": _list(_MOVER)}

RESPONSE: Final = _object(
    {
        "response": _list(
            _object(
                {
                    "service": _TEXT,
                    "command": _TEXT,
                    "requestid": {},
                    "SchwabClientCorrelId": _TEXT,
                    "timestamp": _INTEGER,
                    "content": _object({"code": _INTEGER, "msg": _TEXT}),
                }
            )
        )
    }
)
DATA: Final = _object(
    {
        "data": _list(
            _object(
                {
                    "service": _TEXT,
                    "timestamp": _INTEGER,
                    "command": {"type": "string", "enum": ["SUBS"]},
                    "content": _list({"type": "object"}),
                }
            )
        )
    }
)
HEARTBEAT: Final = _object({"notify": _list(_object({"heartbeat": _TEXT}))})


def item_form(form: ServiceForm, *, is_whole: bool) -> Form:
    """Return the form of one item of a service.

    Args:
        form: The service.
        is_whole: Whether every field must be there, as in a key's first frame.
    """
    return _item_form(form.name, tuple(form.types.items()), form.sequenced, is_whole)


@cache
def _item_form(
    name: str, types: tuple[tuple[str, str], ...], sequenced: bool, is_whole: bool
) -> Form:
    fields: dict[str, Any] = {number: _kind(kind) for number, kind in types}
    extras = {
        "key": _TEXT,
        "seq": _INTEGER,
        "delayed": {"type": "boolean"},
        "assetMainType": _TEXT,
        "assetSubType": _TEXT,
        "cusip": _TEXT,
    }
    required = ["key", *(["seq"] if sequenced else [])]
    if is_whole:
        required += [number for number in fields if number != "0"]
    return {"type": "object", "properties": fields | extras, "required": required}


def _kind(kind: str) -> Form:
    return _LISTS[kind] if kind in _LISTS else {"type": _KINDS[kind]}
