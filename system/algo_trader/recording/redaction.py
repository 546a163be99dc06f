"""Take whatever names a person out of a frame; market data stay letter for letter."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

import msgspec

ACCT_ACTIVITY: Final = "ACCT_ACTIVITY"
NOBODY: Final = "00000000-0000-0000-0000-000000000000"
NO_ACCOUNT: Final = "00000000"
NO_MOMENT: Final = "1970-01-01 00:00:00.000"

_STATUS: Final = re.compile(r"status=(PN|NP|PP)")
_WORD: Final = re.compile(r"[A-Za-z_]{1,40}")
_KEY: Final = re.compile(r"[A-Za-z][A-Za-z0-9]{0,59}")
_DIGITS: Final = re.compile(r"[0-9]{4}")
# What of an event's words may stay: kinds and states, never a name, a number or a price.
_KEPT: Final = re.compile(
    r"EventType|Type|Status|LegStatus|LegSubStatus|TimeInForce|OrderTypeCode|BuySellCode|"
    r"AssetType|MajorAssetType|RouteRequestedType|RouteStatus|ResponseType|ExecutionTransType|"
    r"CancelType|CancelRequestType|OutCancelType|QuantityUnitCodeType|LimitPriceUnitCode|"
    r"TradingSessionCodeOnOrderEntry|QuoteTypeCode"
)


class FrameRedactor:
    """Redact the frames of one user's stream.

    Args:
        personal: Ids and numbers that must not be in any frame, such as the customer's id.
        account_activity: Keep account activity, redacted, instead of leaving it out.
    """

    def __init__(self, personal: Iterable[str], *, account_activity: bool = False) -> None:
        self._personal = tuple(word for word in personal if word)
        self._account_activity = account_activity

    def __call__(self, text: str) -> str | None:
        """Return a frame as it may be kept, None for one that is left out."""
        try:
            frame = msgspec.json.decode(text)
        except msgspec.DecodeError:
            # What cannot be read cannot be redacted: it stays only if nothing personal streams.
            return None if self._account_activity else self._checked(text)
        if not isinstance(frame, dict):
            return None
        if frame.keys() == {"data"} and not self._has_activity(frame["data"]):
            return self._checked(text)
        redacted = {key: self._part(key, parts) for key, parts in frame.items() if key in _PARTS}
        redacted = {key: parts for key, parts in redacted.items() if parts}
        if not redacted:
            return None
        return self._checked(msgspec.json.encode(redacted).decode())

    def _checked(self, text: str) -> str | None:
        return None if any(word in text for word in self._personal) else text

    def _has_activity(self, parts: Any) -> bool:
        if not isinstance(parts, list) or not all(isinstance(part, dict) for part in parts):
            return True
        return any(part.get("service") == ACCT_ACTIVITY for part in parts)

    def _part(self, key: str, parts: Any) -> list[Any]:
        parts = (
            [part for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []
        )
        if key == "response":
            return [_response(part) for part in parts]
        if key == "notify":
            return [part for part in parts if part.keys() == {"heartbeat"}]
        kept = [part for part in parts if part.get("service") != ACCT_ACTIVITY]
        if self._account_activity:
            kept += [_activity(part) for part in parts if part.get("service") == ACCT_ACTIVITY]
        return kept


_PARTS: Final = ("response", "notify", "data")


def _objects(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _response(part: dict[str, Any]) -> dict[str, Any]:
    content = part.get("content")
    content = content if isinstance(content, dict) else {}
    said = content.get("msg")
    said = said if isinstance(said, str) else ""
    if part.get("command") == "LOGIN":
        status = _STATUS.search(said)
        said = f"server=redacted;{status[0]}" if status else "redacted"
    names = ("service", "command", "requestid", "timestamp")
    return {
        **{name: part[name] for name in names if name in part},
        "SchwabClientCorrelId": NOBODY,
        "content": {"code": content.get("code"), "msg": said},
    }


def _activity(part: dict[str, Any]) -> dict[str, Any]:
    return {
        "service": ACCT_ACTIVITY,
        "timestamp": part.get("timestamp"),
        "command": "SUBS",
        "content": [_activity_item(item) for item in _objects(part.get("content"))],
    }


def _activity_item(item: dict[str, Any]) -> dict[str, Any]:
    kind = item.get("2")
    redacted: dict[str, Any] = {"seq": item.get("seq"), "key": "Account Activity"}
    redacted["1"] = NO_ACCOUNT if item.get("1") else ""
    redacted["2"] = kind if isinstance(kind, str) and _WORD.fullmatch(kind) else ""
    redacted["3"] = _event_text(item.get("3"))
    return redacted


def _event_text(text: Any) -> str:
    if not isinstance(text, str) or not text:
        return ""
    try:
        event = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return ""
    return msgspec.json.encode(_event(event, "")).decode()


def _event(value: Any, key: str) -> Any:
    """Return an event of the same shape that says nothing of whom or how much."""
    if isinstance(value, dict):
        return {
            name: _event(item, name)
            for name, item in value.items()
            if _KEY.fullmatch(name) and not _DIGITS.search(name)
        }
    if isinstance(value, list):
        return [_event(item, key) for item in value]
    if isinstance(value, str):
        if _KEPT.fullmatch(key) and _WORD.fullmatch(value):
            return value
        if key == "DateTimeString":
            return NO_MOMENT
        return "0" if value.lstrip("-").isdigit() else ""
    if isinstance(value, bool):
        return False
    return None if value is None else 0
