"""The parameters of operations: declared once, parsed, and told to OpenAPI and to models."""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final
from zoneinfo import ZoneInfo

from infrastructure.clock import parse_rfc3339
from system.algo_trader.api.operations.problem import Problem

SYMBOL_PATTERN: Final = r"[A-Za-z0-9$/.][A-Za-z0-9$/.^_ -]{0,31}"
MOST_SYMBOLS: Final = 100
_SYMBOL: Final = re.compile(SYMBOL_PATTERN)
_WHOLE: Final = re.compile(r"-?[0-9]{1,18}")
_CURSOR_LENGTH: Final = 200
_MOST_SKIPPED: Final = 1_000_000
"""What a cursor skips is read: nobody may ask for more than rows of one instant can be."""
_LAST_NS: Final = 2**63 - 1
_NEW_YORK: Final = ZoneInfo("America/New_York")


class Kind(StrEnum):
    """Name what a parameter is."""

    SYMBOL = "symbol"
    SYMBOLS = "symbols"
    WHOLE = "whole"
    NUMBER = "number"
    INSTANT = "instant"
    DATE = "date"
    CHOICE = "choice"
    CURSOR = "cursor"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Position:
    """Say where the next page of an answer begins.

    Attributes:
        at_ns: The instant from which rows count, nanoseconds UTC.
        skip: How many rows of exactly that instant were given out already.
    """

    at_ns: int
    skip: int = 0

    def text(self) -> str:
        """Return it as a cursor."""
        content = json.dumps([self.at_ns, self.skip], separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(content).decode().rstrip("=")

    @classmethod
    def of(cls, text: str) -> Position:
        """Return the position of a cursor.

        Raises:
            ValueError: If it is none of ours.
        """
        if len(text) > _CURSOR_LENGTH:
            raise ValueError("too long")
        try:
            content = base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
            at_ns, skip = json.loads(content)
        except (binascii.Error, UnicodeError, RecursionError, TypeError) as error:
            raise ValueError(str(error)) from error
        if not (type(at_ns) is int and type(skip) is int):
            raise ValueError("no numbers")
        if not (0 <= at_ns <= _LAST_NS and 0 <= skip <= _MOST_SKIPPED):
            raise ValueError("out of range")
        return cls(at_ns, skip)


@dataclass(frozen=True, slots=True)
class Parameter:
    """Declare one parameter.

    Attributes:
        name: As it is written in a query.
        kind: What it is.
        description: For people and models.
        is_required: Whether it must be given.
        default: Its value when it is not given.
        least: The smallest number.
        most: The largest number; of symbols, how many.
        choices: The words that are allowed.
        in_path: Whether it stands in the path.
    """

    name: str
    kind: Kind
    description: str
    is_required: bool = False
    default: Any = None
    least: float | None = None
    most: float | None = None
    choices: Sequence[str] = ()
    in_path: bool = False

    def parse(self, text: str) -> Any:
        """Return the value of a text.

        Raises:
            Problem: 400, naming the parameter and what is allowed.
        """
        try:
            return self._value(text)
        except ValueError:
            said = text if len(text) <= 40 else f"{text[:40]}..."
            raise Problem(
                400, f"{self.name}={said!r} is not allowed", self.name, self.allowed()
            ) from None

    def allowed(self) -> str | list[str]:
        """Return what is allowed, in words or as a list."""
        match self.kind:
            case Kind.CHOICE:
                return list(self.choices)
            case Kind.WHOLE | Kind.NUMBER:
                what = "a whole number" if self.kind is Kind.WHOLE else "a number"
                return f"{what} from {self.least:,} to {self.most:,}"
            case Kind.SYMBOLS:
                return f"1 to {self._most_symbols} symbols with commas between: AAPL,BRK/B,$SPX"
        return _ALLOWED[self.kind]

    def schema(self) -> dict[str, Any]:
        """Return it as a JSON schema (2020-12)."""
        found: dict[str, Any]
        match self.kind:
            case Kind.WHOLE | Kind.NUMBER:
                name = "integer" if self.kind is Kind.WHOLE else "number"
                found = {"type": name, "minimum": self.least, "maximum": self.most}
            case Kind.CHOICE:
                found = {"type": "string", "enum": list(self.choices)}
            case Kind.SYMBOL:
                found = {"type": "string", "pattern": f"^{SYMBOL_PATTERN}$"}
            case Kind.SYMBOLS:
                rest = self._most_symbols - 1
                found = {
                    "type": "string",
                    "pattern": f"^{SYMBOL_PATTERN}(,{SYMBOL_PATTERN}){{0,{rest}}}$",
                }
            case Kind.DATE:
                found = {"type": "string", "format": "date"}
            case Kind.INSTANT:
                found = {"type": "string", "format": "date-time"}
            case _:
                found = {"type": "string", "maxLength": int(self.most or _CURSOR_LENGTH)}
        if self.default is not None:
            found["default"] = self.default
        return found

    @property
    def _most_symbols(self) -> int:
        return MOST_SYMBOLS if self.most is None else int(self.most)

    def _value(self, text: str) -> Any:
        match self.kind:
            case Kind.SYMBOL:
                return _symbol(text)
            case Kind.SYMBOLS:
                symbols = list(dict.fromkeys(_symbol(each) for each in text.split(",")))
                if len(symbols) > self._most_symbols:
                    raise ValueError(text)
                return symbols
            case Kind.WHOLE:
                if not _WHOLE.fullmatch(text):
                    raise ValueError(text)
                return int(self._bounded(int(text)))
            case Kind.NUMBER:
                return self._bounded(float(text))
            case Kind.INSTANT:
                return _instant(text)
            case Kind.DATE:
                return date.fromisoformat(text)
            case Kind.CHOICE:
                if text not in self.choices:
                    raise ValueError(text)
                return text
            case Kind.CURSOR:
                return Position.of(text)
        if len(text) > (self.most or math.inf):
            raise ValueError(text)
        return text

    def _bounded(self, value: float) -> float:
        low = -math.inf if self.least is None else self.least
        high = math.inf if self.most is None else self.most
        if not low <= value <= high:
            raise ValueError(value)
        return value


_ALLOWED: Final = {
    Kind.SYMBOL: "a symbol of up to 32 letters, digits and $ / . ^ _ -: AAPL, BRK/B, $SPX",
    Kind.INSTANT: "an instant as 2026-01-16T14:30:00Z, or a date for its midnight in New York",
    Kind.DATE: "a date as 2026-01-16",
    Kind.CURSOR: "the `next` of an earlier answer to the same question",
    Kind.TEXT: "a text",
}


def parse_query(
    parameters: Iterable[Parameter], pairs: Iterable[tuple[str, str]]
) -> dict[str, Any]:
    """Return the values of a query, defaults filled in.

    Args:
        parameters: What is known.
        pairs: Names and texts as they came.

    Raises:
        Problem: 400, if a name is unknown, given twice or missing, or a text is not allowed.
    """
    known = {each.name: each for each in parameters}
    values: dict[str, Any] = {name: each.default for name, each in known.items()}
    given: set[str] = set()
    for name, text in pairs:
        if name not in known:
            said = name if len(name) <= 40 else f"{name[:40]}..."
            raise Problem(400, f"there is no parameter {said!r} here", said, sorted(known))
        if name in given:
            raise Problem(400, f"{name} is given twice", name, "once")
        given.add(name)
        values[name] = known[name].parse(text)
    for each in known.values():
        if each.is_required and each.name not in given:
            raise Problem(400, f"{each.name} is missing", each.name, each.allowed())
    return values


def texts_of(arguments: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return plain values, as models and clients give them, in the form of a query."""
    return [(name, _text(value)) for name, value in arguments.items() if value is not None]


def _text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ",".join(str(each) for each in value)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _symbol(text: str) -> str:
    if not _SYMBOL.fullmatch(text.strip()):
        raise ValueError(text)
    return text.strip().upper()


def _instant(text: str) -> int:
    if len(text) == len("2026-01-16"):
        day = date.fromisoformat(text)
        midnight = datetime(day.year, day.month, day.day, tzinfo=_NEW_YORK)
        at_ns = int(midnight.timestamp()) * 1_000_000_000
    else:
        at_ns = parse_rfc3339(text)
    if not 0 <= at_ns <= _LAST_NS:
        raise ValueError(text)
    return at_ns
