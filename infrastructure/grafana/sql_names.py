"""Find the tables and columns that a query names, without a SQL parser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

TOKEN = re.compile(
    r"'(?:[^']|'')*'|\"(?P<quoted>[^\"]+)\"|\$\{[^}]*\}|\$\w+|(?P<word>[A-Za-z_]\w*)|\d[\w.]*|\S"
)
KEYWORDS = frozenset(
    re.findall(
        r"\w+",
        """
        all and as asc between by case cast cross current date day days desc distinct else end
        except exists explain false following from full group having hour hours ilike in inner
        intersect interval into is join left like limit minute minutes month months natural not
        null nulls offset on or order outer over partition preceding range right row rows second
        seconds select similar then timestamp true unbounded union using values varchar double
        bigint boolean float int integer when where window with within year years
        """,
    )
)
# Keywords only behind NULLS; elsewhere they may be names.
AFTER_NULLS = frozenset({"first", "last"})


@dataclass(frozen=True, slots=True)
class Names:
    """What a query names.

    Attributes:
        tables: Names after FROM and JOIN that are no common table expressions.
        columns: Every other name that is no keyword, function or alias.
    """

    tables: frozenset[str]
    columns: frozenset[str]


def _tokens(sql: str) -> Iterator[tuple[str, bool, bool]]:
    """Yield each token with whether it is a name, and whether it may be a keyword."""
    for match in TOKEN.finditer(re.sub(r"--[^\n]*", " ", sql)):
        quoted, word = match["quoted"], match["word"]
        yield quoted or match[0], bool(quoted or word), word is not None


def names_of(sql: str) -> Names:
    """Return the tables and columns of a query."""
    tokens = list(_tokens(sql))
    texts = ["", *(text.lower() for text, _, _ in tokens), "", ""]
    tables: set[str] = set()
    aliases: set[str] = set()
    columns: set[str] = set()
    for index, (text, is_name, is_word) in enumerate(tokens):
        if not is_name:
            continue
        before, after, then = texts[index], texts[index + 2], texts[index + 3]
        lower = text.lower()
        if before in ("as", "with") or (after == "as" and then == "("):
            aliases.add(text)
        elif before in ("from", "join"):
            tables.add(text)
        elif not (
            after in ("(", ".")
            or (is_word and lower in KEYWORDS)
            or (lower in AFTER_NULLS and before == "nulls")
        ):
            columns.add(text)
    return Names(frozenset(tables - aliases), frozenset(columns - aliases))
