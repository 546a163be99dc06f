"""What of a stranger's answer may stand in a report that is published."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from system.algo_trader.conformance.difference import Difference

PERSONAL_KEYS: Final = frozenset(
    {
        "accountNumber",
        "account",
        "hashValue",
        "nickName",
        "displayAcctId",
        "symbol",
        "underlyingSymbol",
        "description",
        "cusip",
        "tag",
        "orderId",
        "activityId",
        "positionId",
        "schwabClientCustomerId",
        "schwabClientCorrelId",
        "access_token",
        "refresh_token",
        "id_token",
    }
)
"""Keys whose values name a person, an account, or what is held in it."""

_KEY: Final = re.compile(r"[A-Za-z0-9_]{1,40}")
_WORD: Final = re.compile(r"[A-Z][A-Z_]{1,39}|[a-z]{2,20}|[0-9]{1,3}")
_DIGITS: Final = re.compile(r"[0-9]{4}")
_HEX: Final = re.compile(r"[0-9A-Fa-f]{16,}")


def personal_words(value: Any) -> Iterator[str]:
    """Yield every text and number that stands under a personal key of a decoded answer."""
    if isinstance(value, list):
        for item in value:
            yield from personal_words(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key in PERSONAL_KEYS and isinstance(item, str | int) and not isinstance(item, bool):
                yield str(item)
            yield from personal_words(item)


class SafeWords:
    """Let words of forms through and nothing else; learns what is personal on the way."""

    def __init__(self) -> None:
        self._personal: set[str] = set()

    def learn(self, *values: Any) -> None:
        """Remember the personal words of decoded answers, and texts as they are."""
        for value in values:
            words = [value] if isinstance(value, str) else personal_words(value)
            self._personal.update(word.casefold() for word in words if word)

    def key(self, name: str) -> str:
        """Return a key's name if it reads like one, else only its length."""
        plain = _KEY.fullmatch(name) and not _DIGITS.search(name) and not _HEX.search(name)
        if plain and not self._is_personal(name):
            return name
        return f"<a key of {len(name)} characters>"

    def value(self, value: Any) -> str:
        """Return a value that reads like a word of an enumeration, else only its kind."""
        text = value if isinstance(value, str) else kind_of(value)
        if not isinstance(value, str):
            return text
        if _WORD.fullmatch(text) and not self._is_personal(text):
            return text
        return f"<a text of {len(text)} characters>"

    def again(self, found: Difference) -> Difference:
        """Return a difference without words that turned out to be personal after it was found."""
        path = found.path
        if found.kind == "unknown key":
            # All other words of a path are those of forms.
            before, _, key = path.rpartition(".")
            path = f"{before}.{self._masked(key, 'key')}"
        return replace(found, path=path, observed=self._masked(found.observed, "text"))

    def _masked(self, text: str, what: str) -> str:
        return f"<a {what} of {len(text)} characters>" if self._is_personal(text) else text

    def _is_personal(self, text: str) -> bool:
        low = text.casefold()
        return low in self._personal or any(
            len(word) >= 4 and word in low for word in self._personal
        )


def kind_of(value: Any) -> str:
    """Return the JSON kind of a decoded value."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    kinds: tuple[tuple[type, str], ...] = (
        (int, "integer"),
        (float, "number"),
        (str, "string"),
        (list, "array"),
        (dict, "object"),
    )
    return next((name for kind, name in kinds if isinstance(value, kind)), "unknown")
