"""Replace dashboard variables in a query as Grafana's front end does.

Only the explicit forms `${name:format}` are known: the plain forms change their escaping with
the variable's options (grafana/grafana#98499), so a dashboard of ours may not use them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

REFERENCE = re.compile(r"\$\{(?P<braced>\w+)(?::(?P<format>\w+))?\}|\$(?P<plain>(?!__)\w+)")


class TemplateError(ValueError):
    """Report a reference that names no variable or no format that is safe in SQL."""


def _sqlstring(values: Sequence[str]) -> str:
    return ",".join("'" + value.replace("'", "''") + "'" for value in values)


def _singlequote(values: Sequence[str]) -> str:
    return ",".join("'" + value.replace("'", "\\'") + "'" for value in values)


FORMATS: dict[str, Callable[[Sequence[str]], str]] = {
    "sqlstring": _sqlstring,
    "singlequote": _singlequote,
    "raw": ",".join,
    "csv": ",".join,
}


def references(text: str) -> list[tuple[str, str | None]]:
    """Return the variables that a text names, each with its format or None."""
    return [
        (match["braced"] or match["plain"], match["format"]) for match in REFERENCE.finditer(text)
    ]


def interpolate(sql: str, values: Mapping[str, str | Sequence[str]]) -> str:
    """Replace every variable reference of a query.

    Args:
        sql: The query as the dashboard holds it.
        values: The chosen value or values of each variable.

    Raises:
        TemplateError: A reference has no format, an unknown one, or names no variable.
    """

    def replace(match: re.Match[str]) -> str:
        name = match["braced"] or match["plain"]
        if name.startswith("__"):
            return match[0]
        if name not in values:
            raise TemplateError(f"the query names the variable {name!r}, which is not defined")
        formatter = FORMATS.get(match["format"] or "")
        if formatter is None:
            raise TemplateError(
                f"the reference {match[0]!r} needs one of the formats {', '.join(FORMATS)}"
            )
        value = values[name]
        return formatter([value] if isinstance(value, str) else value)

    return REFERENCE.sub(replace, sql)
