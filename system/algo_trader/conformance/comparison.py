"""Compare a decoded answer with its form: key sets, kinds and enumerations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from system.algo_trader.conformance.difference import Difference, Kind, merged
from system.algo_trader.conformance.safe_words import SafeWords, kind_of
from system.algo_trader.conformance.schemas import Form, Side, form_of, schemas

_FEW: Final = 12


class Comparison:
    """Compare answers of one case.

    Args:
        case: What was asked.
        side: Whose forms apply.
        words: Decides what of an answer may be told.
    """

    def __init__(self, case: str, side: Side, words: SafeWords) -> None:
        self._case = case
        self._schemas = schemas(side)
        self._side: Side = side
        self._words = words

    def of(self, value: Any, name: str) -> list[Difference]:
        """Return what in a decoded answer is not as the named form says."""
        return merged(self.against(value, form_of(self._side, name)))

    def given(self, value: Any, form: Form) -> list[Difference]:
        """Return what in a decoded answer is not as a form of no name says."""
        return merged(self.against(value, form))

    def against(self, value: Any, form: Form, path: str = "$") -> Iterator[Difference]:
        """Yield what in a decoded value is not as a form says."""
        if value is None and form.get("nullable"):
            return
        if "$ref" in form:
            form = self._schemas[form["$ref"].rpartition("/")[2]]
        if "variants" in form and isinstance(value, dict):
            yield from self._variant(value, form, path)
            return
        if value is None:
            if not form.get("nullable"):
                yield self._found(path, "type", form.get("type", "object"), "null")
            return
        kind = form.get("type")
        if kind is not None and not _is(value, kind):
            yield self._found(path, "type", kind, kind_of(value))
            return
        choices = form.get("enum")
        if choices is not None and value not in choices:
            told = ", ".join(map(str, choices[:_FEW])) + (", ..." if len(choices) > _FEW else "")
            yield self._found(path, "enum value", told, self._words.value(value))
        elif isinstance(value, list) and "items" in form:
            for item in value:
                yield from self.against(item, form["items"], f"{path}[]")
        elif isinstance(value, dict) and ("properties" in form or "additionalProperties" in form):
            yield from self._object(value, form, path)

    def _variant(self, value: dict[str, Any], form: Form, path: str) -> Iterator[Difference]:
        key, forms = form["variants"]
        name = forms.get(value.get(key))
        if name is not None:
            yield from self.against(value, self._schemas[name], path)
        elif key in value:
            told = self._words.value(value[key])
            yield self._found(f"{path}.{key}", "enum value", ", ".join(forms), told)
        else:
            yield self._found(f"{path}.{key}", "missing key", ", ".join(forms), "nothing")

    def _object(self, value: dict[str, Any], form: Form, path: str) -> Iterator[Difference]:
        properties = form.get("properties", {})
        rest = form.get("additionalProperties")
        for key in form.get("required", ()):
            if key not in value:
                expected = properties.get(key, {}).get("type", "a value")
                yield self._found(f"{path}.{key}", "missing key", expected, "nothing")
        for key, item in value.items():
            if key in properties:
                yield from self.against(item, properties[key], f"{path}.{key}")
            elif isinstance(rest, dict):
                yield from self.against(item, rest, f"{path}.*")
            else:
                told = f"{path}.{self._words.key(key)}"
                yield self._found(told, "unknown key", "nothing", kind_of(item))

    def _found(self, path: str, kind: Kind, expected: str, observed: str) -> Difference:
        return Difference(self._case, path, kind, expected, observed)


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    if kind == "number":
        return isinstance(value, int | float)
    return kind_of(value) == kind
