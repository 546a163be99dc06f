"""Services and their fields, out of `stream_fields.json` (Schwab's streamer guide, corrected by
what live accounts see)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal, get_args

from infrastructure.errors import BugError

Delivery = Literal["change", "whole", "all-sequence"]
ADMIN: Final = "ADMIN"
ACCT_ACTIVITY: Final = "ACCT_ACTIVITY"

# What a live account sends for a field without a value is not established. [?]
_EMPTY: Final[dict[str, Any]] = {
    "f": 0.0,
    "l": 0,
    "i": 0,
    "b": False,
    "str": "",
    "char": " ",
    "[level]": [],
    "[item]": [],
}
_FILE: Final = Path(__file__).with_name("stream_fields.json")


@dataclass(frozen=True, slots=True)
class ServiceForm:
    """One service.

    Attributes:
        name: Such as "LEVELONE_EQUITIES".
        delivery: "change" sends what changed, "whole" all of a key each time, "all-sequence"
            every item once with a `seq` number.
        names: Field number to its name.
        types: Field number to its type: f, l, i, b, str, char, [level] or [item].
    """

    name: str
    delivery: Delivery
    names: Mapping[str, str]
    types: Mapping[str, str]

    @property
    def sequenced(self) -> bool:
        """Say whether items carry `seq`."""
        return self.delivery == "all-sequence"

    def number(self, name: str) -> str:
        """Return the number of a field's name.

        Raises:
            BugError: If this service has no such field.
        """
        for number, known in self.names.items():
            if known == name:
                return number
        raise BugError(f"{self.name} has no field {name}")

    def filled(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return a value for every field but 0, by number; absent ones get their type's empty one.

        Args:
            values: By field name.

        Raises:
            BugError: If a name is none of this service's.
        """
        filled = dict(_empty_values(self.name))
        numbers = _numbers(self.name)
        try:
            for name, value in values.items():
                filled[numbers[name]] = value
        except KeyError as error:
            raise BugError(f"{self.name} has no field {error}") from error
        return filled

    def numbered(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return values by field number instead of by field name."""
        numbers = _numbers(self.name)
        return {numbers[name]: value for name, value in values.items()}


@cache
def service_forms() -> Mapping[str, ServiceForm]:
    """Return the 13 services by name."""
    content: dict[str, Any] = json.loads(_FILE.read_text(encoding="utf-8"))
    forms = {}
    for name, form in content.items():
        if name.startswith("_"):
            continue
        if form["delivery"] not in get_args(Delivery):
            raise BugError(f"{name} has the unknown delivery {form['delivery']}")
        fields = form["fields"]
        forms[name] = ServiceForm(
            name,
            form["delivery"],
            {number: field["name"] for number, field in fields.items()},
            {number: field["type"] for number, field in fields.items()},
        )
    return forms


@cache
def _numbers(service: str) -> Mapping[str, str]:
    form = service_forms()[service]
    return {name: number for number, name in form.names.items()}


@cache
def _empty_values(service: str) -> Mapping[str, Any]:
    types = service_forms()[service].types
    return {number: _EMPTY[kind] for number, kind in types.items() if number != "0"}
