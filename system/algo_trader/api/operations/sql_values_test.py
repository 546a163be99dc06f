"""Values of DuckDB that Python and JSON do not know: said as text, or refused in a sentence."""

from __future__ import annotations

import pytest

from infrastructure.clock import SystemClock
from infrastructure.errors import UsageError
from system.algo_trader.api.operations.answer import Answer, Facts
from system.algo_trader.api.operations.rendering import Form, render
from system.algo_trader.api.operations.sql_sandbox import SqlSandbox
from system.algo_trader.market.bars import Bars, Series
from system.algo_trader.market.source import Source
from system.algo_trader.market.timeframe import Timeframe
from system.algo_trader.storage.archive import Archive


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> SqlSandbox:
    archive = Archive(tmp_path_factory.mktemp("place") / "archive")
    series = Series("AAPL", Timeframe.D1, source=Source.FILE)
    bars = Bars.of(
        series, start=[0], open=[1.0], high=[1.0], low=[1.0], close=[1.0], volume=[1],
        fetched_at=1, is_synthetic=True,
    )  # fmt: skip
    archive.append(bars, "a")
    return SqlSandbox(archive, SystemClock())


def test_values_beyond_the_calendar_and_of_every_kind_can_be_said_in_every_form(
    sandbox: SqlSandbox,
) -> None:
    found = sandbox.query(
        "SELECT DATE 'infinity' AS a, DATE '5877642-06-25 (BC)' AS b, TIMESTAMP 'infinity' AS c, "
        "TIMESTAMP '9999-01-01' AS d, INTERVAL 1 DAY AS e, TIME '10:00' AS f, 'x'::BLOB AS g, "
        "1::HUGEINT AS h, 'nan'::DOUBLE AS i, {'a': [1]} AS j, map {'a': 1} AS k, uuid() AS l, "
        "DATE '2020-02-29' AS m"
    ).table
    assert found.column("m").to_pylist()[0].isoformat() == "2020-02-29"
    for form in Form:
        content = render(Answer(found, Facts((), None)), form).content(1)
        if form != Form.ARROW:
            assert b"2020-02-29" in content
            assert b"out of range" in content


def test_dates_beyond_the_calendar_inside_of_lists_are_refused_in_a_sentence(
    sandbox: SqlSandbox,
) -> None:
    with pytest.raises(UsageError, match="outside of the years"):
        sandbox.query("SELECT [DATE 'infinity'] AS a")
    said = sandbox.query("SELECT [DATE 'infinity']::VARCHAR AS a").table
    assert said.column("a").to_pylist() == ["[infinity]"]


def test_half_a_letter_is_no_text(sandbox: SqlSandbox) -> None:
    with pytest.raises(UsageError, match="halves of letters"):
        sandbox.query("SELECT '\ud800'")
