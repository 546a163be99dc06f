import pytest

from infrastructure.grafana.sql_names import names_of


@pytest.mark.parametrize(
    ("sql", "tables", "columns"),
    [
        ("SELECT a, b AS c FROM t WHERE d > 1 ORDER BY c", {"t"}, {"a", "b", "d"}),
        ("SELECT count(*) AS n, max(x) FROM t GROUP BY 1", {"t"}, {"x"}),
        ("SELECT x FROM (SELECT y AS x FROM t) ORDER BY x LIMIT 5", {"t"}, {"y"}),
        ("WITH w AS (SELECT a FROM t) SELECT a FROM w", {"t"}, {"a"}),
        ("SELECT t.a FROM t JOIN u ON t.k = u.k", {"t", "u"}, {"a", "k"}),
        ("SELECT 'select it from x' AS s FROM t", {"t"}, set()),
        ('SELECT "interval" FROM "t"', {"t"}, {"interval"}),
        ("SELECT a FROM t -- from nowhere\n", {"t"}, {"a"}),
        ("SELECT a FROM t WHERE s = ${v:raw} AND $__timeFilter(time)", {"t"}, {"a", "s", "time"}),
        ("SELECT first FROM t ORDER BY first NULLS LAST", {"t"}, {"first"}),
        ("SELECT lag(c) OVER (ORDER BY time ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) FROM t",
         {"t"}, {"c", "time"}),
    ],
)  # fmt: skip
def test_tables_and_columns_are_found(sql: str, tables: set[str], columns: set[str]) -> None:
    names = names_of(sql)
    assert set(names.tables) == tables
    assert set(names.columns) == columns
