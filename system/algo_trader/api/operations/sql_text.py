"""What a text of SQL may be: one SELECT that reads our tables and nothing of the machine."""

from __future__ import annotations

import json
from collections.abc import Iterator, Set
from typing import TYPE_CHECKING, Any, Final

from infrastructure.errors import UsageError

if TYPE_CHECKING:
    import duckdb

LONGEST_SQL: Final = 20_000
TABLE_FUNCTIONS: Final = frozenset({"range", "generate_series", "unnest"})
"""Functions that may stand for a table. All others read files, settings or the catalogue."""
_TELLING: Final = frozenset(
    {
        *("current_setting", "getvariable", "getenv", "write_log", "query", "query_table"),
        *("current_query", "txid_current", "sleep_ms", "pg_sleep", "in_search_path"),
    }
)
"""Functions of one value that tell something of the process, or change it."""
_BUILT_IN: Final = (
    "SELECT view_name FROM duckdb_views() UNION SELECT table_name FROM duckdb_tables()"
)


def tables_read(connection: duckdb.DuckDBPyConnection, sql: str, known: Set[str]) -> set[str]:
    """Return which of the known tables a text reads.

    Args:
        connection: Parses the text; it has no tables yet.
        sql: What was asked.
        known: Names of tables that may be read.

    Raises:
        UsageError: If it is anything but one SELECT of these tables.
        duckdb.Error: If it cannot be parsed.
    """
    import duckdb

    if len(sql) > LONGEST_SQL:
        raise UsageError(f"SQL has at most {LONGEST_SQL:,} letters here, not {len(sql):,}")
    statements = connection.extract_statements(sql)
    if len(statements) != 1:
        raise UsageError(f"one statement is answered at a time, not {len(statements)}")
    if statements[0].type != duckdb.StatementType.SELECT:
        name = str(statements[0].type).rpartition(".")[2]
        raise UsageError(f"only SELECT is answered, not {name}", next_step="Ask with SELECT.")
    found = connection.execute("SELECT json_serialize_sql(?)", [sql]).fetchone()
    assert found is not None
    tree = json.loads(found[0])
    if tree.get("error"):
        raise UsageError("this SELECT cannot be looked through", next_step="Say it more simply.")
    built_in = {name for (name,) in connection.execute(_BUILT_IN).fetchall()}
    return _Reader(known, built_in).read(tree)


class _Reader:
    """Look through a parsed statement.

    Args:
        known: Names of tables that may be read.
        built_in: Names of DuckDB's own tables and views.
    """

    def __init__(self, known: Set[str], built_in: Set[str]) -> None:
        self._known = known
        self._built_in = {each.lower() for each in built_in}

    def read(self, tree: Any) -> set[str]:
        nodes = list(_nodes(tree))
        # A name that a WITH gives holds only inside of it: outside, the same name must be nothing.
        given = {name.lower() for node in nodes for name in _given(node)}
        for name in sorted(given & (self._built_in | self._known)):
            raise UsageError(f"WITH cannot give the name {name!r}: a table has it already")
        read: set[str] = set()
        for node in nodes:
            self._check_function(node)
            table = _table(node)
            if table is None:
                continue
            is_qualified = bool(node.get("schema_name") or node.get("catalog_name"))
            if table.lower() in given and not is_qualified:
                continue
            if table.lower() not in self._known or is_qualified:
                raise UsageError(
                    f"there is no table {table[:60]!r} here",
                    next_step=f"There are: {', '.join(sorted(self._known))}.",
                )
            read.add(table.lower())
        return read

    def _check_function(self, node: dict[str, Any]) -> None:
        name = node.get("function_name")
        if isinstance(name, str) and name.lower() in _TELLING:
            raise UsageError(f"the function {name} is not answered here")
        if node.get("type") != "TABLE_FUNCTION":
            return
        called = str(node.get("function", {}).get("function_name", "")).lower()
        if called not in TABLE_FUNCTIONS:
            raise UsageError(
                f"the function {called} does not stand for a table here",
                next_step=f"There are: {', '.join(sorted(TABLE_FUNCTIONS))}.",
            )


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield node
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)


def _given(node: dict[str, Any]) -> Iterator[str]:
    named = node.get("cte_map")
    if isinstance(named, dict):
        yield from (str(each["key"]) for each in named.get("map", ()))
    if node.get("type") == "RECURSIVE_CTE_NODE" or "cte_name" in node:
        yield str(node.get("cte_name") or node.get("ctename") or "")


def _table(node: dict[str, Any]) -> str | None:
    match node.get("type"):
        case "BASE_TABLE":
            return str(node.get("table_name"))
        case "SHOW_REF":
            raise UsageError(
                "only SELECT is answered, not DESCRIBE, SHOW or SUMMARIZE",
                next_step="Ask `SELECT * FROM name LIMIT 1` for the columns of a table.",
            )
    return None
