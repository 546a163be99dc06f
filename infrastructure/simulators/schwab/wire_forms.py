"""Build JSON objects by Schwab's published schemas: no key that they do not know gets out.

`wire_schema.json` holds the parameters, statuses and schemas of Schwab's OpenAPI documents
(Market Data 1.0.0 and Trader 1.0.0). Keys that live accounts show beyond them are named where a
form is made.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

from infrastructure.errors import BugError

Side = Literal["market", "trader"]
_SCHEMA_FILE: Final = Path(__file__).with_name("wire_schema.json")


@cache
def wire_schema() -> dict[str, Any]:
    """Return the schema file's content."""
    content: dict[str, Any] = json.loads(_SCHEMA_FILE.read_text(encoding="utf-8"))
    return content


class WireForm:
    """Make objects of one schema.

    Args:
        name: The schema's name, such as "QuoteEquity".
        side: Which of the two documents it stands in.
        observed: Keys that live accounts show although the schema does not have them.
    """

    def __init__(self, name: str, side: Side = "market", observed: Iterable[str] = ()) -> None:
        self.name = name
        properties = wire_schema()["schemas"][side][name]["properties"]
        self.keys = frozenset(properties) | frozenset(observed)

    def __call__(self, values: dict[str, Any]) -> dict[str, Any]:
        """Return the values without the absent ones (None).

        Raises:
            BugError: If a key is none of this form's.
        """
        unknown = values.keys() - self.keys
        if unknown:
            raise BugError(f"{self.name} has no key {', '.join(sorted(unknown))}")
        return {key: value for key, value in values.items() if value is not None}
