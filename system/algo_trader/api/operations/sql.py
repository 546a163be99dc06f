"""SQL as an operation: its parameters, and its answer with the facts of the tables it read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from system.algo_trader.api.operations.answer import Answer, Facts
from system.algo_trader.api.operations.candles import SAMPLED
from system.algo_trader.api.operations.parameters import Kind, Parameter
from system.algo_trader.api.operations.sql_sandbox import MOST_ROWS, ROWS, SqlSandbox
from system.algo_trader.api.operations.sql_text import LONGEST_SQL
from system.algo_trader.api.operations.ticks import OF_LEVEL_ONE
from system.algo_trader.storage.records import (
    ARCHIVED,
    GAPS,
    OPTION_QUOTES,
    QUOTES,
    TAPE,
    TRADES,
)

NAME: Final = "sql"
TITLE: Final = "SQL over the archive"
SQL: Final = Parameter("sql", Kind.TEXT, "One SELECT in DuckDB's dialect.", True, most=LONGEST_SQL)
LIMIT: Final = Parameter(
    "max_rows", Kind.WHOLE, "The most rows.", default=ROWS, least=1, most=MOST_ROWS
)
_SHOWN: Final = ("bars_{timeframe}", TRADES, QUOTES, OPTION_QUOTES, GAPS)
_TABLES: Final = "; ".join(
    f"{each.name}({', '.join(each.schema.names)})" for each in ARCHIVED if each.name in _SHOWN
)
DESCRIPTION: Final = (
    "Answer one SELECT over everything that is stored, in DuckDB's dialect. Tables (those that "
    f"have rows): {_TABLES}. Timeframes: 1m, 5m, 1d and others. Bars are the ones to believe; "
    "every revision stands in bars_1m_revisions and so on. Instants are whole nanoseconds UTC: "
    "make_timestamp_ns(start) shows them. Filter bars by symbol, session and adjustment: one "
    'start may have several. `right` is a word of SQL: write "right". Files, settings and other '
    "statements are not reached."
)


def sql_answer(sandbox: SqlSandbox, values: Mapping[str, Any]) -> Answer:
    """Return what one SELECT finds; the facts are those of all rows of the tables it reads.

    Args:
        sandbox: Answers.
        values: Of `SQL` and `LIMIT`.

    Raises:
        StackError: As `SqlSandbox.query`.
    """
    found = sandbox.query(values["sql"], max_rows=values["max_rows"])
    sampled = OF_LEVEL_ONE if set(found.datasets) & set(TAPE) else frozenset(SAMPLED)
    facts = Facts(
        found.sources,
        found.is_synthetic,
        bool(set(found.sources) & sampled),
        as_of_ns=found.as_of_ns,
    )
    summary = {"truncated": found.truncated, "took_s": round(found.took_s, 3)}
    return Answer(found.table, facts, summary)
