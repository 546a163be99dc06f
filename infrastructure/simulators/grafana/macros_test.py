"""The expansions are compared with the texts of Grafana's own documentation and source."""

import pytest

from infrastructure.simulators.grafana.macros import MacroError, QueryWindow, expand_macros

NS = 1_000_000_000
WINDOW = QueryWindow(1_767_312_000 * NS + 5, 1_767_398_400 * NS, 60_000)


@pytest.mark.parametrize(
    ("macro", "sql"),
    [
        (
            "$__timeFilter(time)",
            "time >= '2026-01-02T00:00:00Z' AND time <= '2026-01-03T00:00:00Z'",
        ),
        ("$__timeFrom", "cast('2026-01-02T00:00:00Z' as timestamp)"),
        ("$__timeTo", "cast('2026-01-03T00:00:00Z' as timestamp)"),
        ("$__interval", "interval '60 second'"),
        (
            "$__dateBin(time)",
            "date_bin(interval '60 second', time, timestamp '1970-01-01T00:00:00Z')",
        ),
        (
            "$__dateBinAlias(time)",
            "date_bin(interval '60 second', time, timestamp '1970-01-01T00:00:00Z') as time_binned",
        ),
        (
            "$__timeGroup(time, month)",
            "datepart('month', time),datepart('year', time)",
        ),
        (
            "$__timeGroupAlias(time, year)",
            "datepart('year', time) as time_year",
        ),
        ("$__timeGroup(time, century)", ""),
    ],
)
def test_a_macro_becomes_the_sql_that_grafana_sends(macro: str, sql: str) -> None:
    assert expand_macros(f"SELECT {macro}", WINDOW) == f"SELECT {sql}"


def test_every_use_of_a_macro_is_replaced() -> None:
    sql = "SELECT $__dateBin(time) AS time FROM t GROUP BY $__dateBin(time)"
    assert "$__" not in expand_macros(sql, WINDOW)


def test_a_bin_below_one_second_becomes_nothing() -> None:
    assert expand_macros("$__interval", QueryWindow(0, NS, 999)) == "interval '0 second'"


def test_a_macro_without_parentheses_swallows_the_next_ones() -> None:
    assert expand_macros("$__interval, max(close) FROM t", WINDOW) == "interval '60 second' FROM t"


def test_a_closing_parenthesis_stops_the_search() -> None:
    sql = "(time > $__timeFrom) AND max(x) > 0"
    assert expand_macros(sql, WINDOW) == (
        "(time > cast('2026-01-02T00:00:00Z' as timestamp)) AND max(x) > 0"
    )


@pytest.mark.parametrize(
    "sql", ["$__timeFilter(a, b)", "$__dateBin(a, b)", "$__timeGroup(a)", "$__timeGroupAlias(a)"]
)
def test_a_wrong_number_of_arguments_is_refused(sql: str) -> None:
    with pytest.raises(MacroError, match="unexpected number of arguments"):
        expand_macros(sql, WINDOW)
