"""Judge the history of implied volatility: its sessions, its window, its crashes."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from infrastructure.errors import CorruptStore, InputError
from infrastructure.exchange.calendars import calendar
from system.algo_trader.options.iv_rank import thirty_day_volatility
from system.algo_trader.options.ratios import TermPoint
from system.algo_trader.storage.iv_history import (
    KEPT,
    history_path,
    iv_history,
    iv_standing_of,
    record_iv,
    session_of_quotes,
)

FRIDAY = date(2022, 6, 10)


def ns(day: date, hour: int, minute: int = 0) -> int:
    moment = datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC)
    return int(moment.timestamp()) * 1_000_000_000


def fill(root: Path, values: list[float], last: date = FRIDAY) -> None:
    days = calendar("XNYS").sessions(last - timedelta(days=500), last)[-len(values) :]
    for session, value in zip(days, values, strict=True):
        record_iv(root, "SPX", value, ns(session.date, 19), "cboe")


def term(days: float, volatility: float | None) -> TermPoint:
    return TermPoint(int(days), days / 365, 100.0, volatility, None, None, None, None)


@pytest.mark.parametrize(
    ("moment", "session"),
    [
        (ns(date(2022, 6, 10), 13, 29), date(2022, 6, 9)),  # a minute before the open
        (ns(date(2022, 6, 10), 13, 30), FRIDAY),
        (ns(date(2022, 6, 11), 1), FRIDAY),  # Friday evening in New York
        (ns(date(2022, 6, 11), 15), FRIDAY),
        (ns(date(2022, 6, 20), 15), date(2022, 6, 17)),  # Juneteenth
    ],
)
def test_quotes_belong_to_the_session_that_opened_last(moment: int, session: date) -> None:
    assert session_of_quotes(moment) == session


def test_values_are_read_back_to_the_bit_by_symbol_and_source(tmp_path: Path) -> None:
    record_iv(tmp_path, "BRK/B", 0.1 + 0.2, ns(FRIDAY, 19), "cboe")
    record_iv(tmp_path, "..", 0.5, ns(FRIDAY, 19), "schwab")
    [found] = iv_history(tmp_path, "BRK/B")
    assert (found.session, found.volatility, found.source) == (FRIDAY, 0.1 + 0.2, "cboe")
    assert iv_history(tmp_path, "SPX") == ()
    assert {path.suffix for path in (tmp_path / "iv_history").iterdir()} == {".json", ".lock"}


def test_the_last_quotes_of_a_session_win_whatever_the_order(tmp_path: Path) -> None:
    record_iv(tmp_path, "SPX", 0.2, ns(FRIDAY, 15), "cboe")
    record_iv(tmp_path, "SPX", 0.3, ns(FRIDAY, 20), "cboe")
    record_iv(tmp_path, "SPX", 0.4, ns(FRIDAY, 16), "cboe")
    assert [each.volatility for each in iv_history(tmp_path, "SPX")] == [0.3]


def test_only_a_year_before_today_is_kept(tmp_path: Path) -> None:
    fill(tmp_path, [0.9] * 8 + [0.1 + 0.001 * row for row in range(KEPT)])
    history = iv_history(tmp_path, "SPX")
    assert (len(history), history[0].volatility, history[-1].session) == (253, 0.1, FRIDAY)
    found = iv_standing_of(tmp_path, "SPX", 0.226, ns(FRIDAY, 20))
    assert (found.samples, found.lowest, found.highest) == (252, 0.1, 0.351)
    # 0.226 lies in the middle of 0.100, 0.101, ... 0.351: 126 of 252 lie below it.
    assert found.percentile == pytest.approx(50)
    assert found.rank == pytest.approx(100 * 0.126 / 0.251)


def test_fewer_sessions_than_a_month_say_nothing(tmp_path: Path) -> None:
    fill(tmp_path, [0.1, 0.3] * 10)
    found = iv_standing_of(tmp_path, "SPX", 0.2, ns(FRIDAY, 20))
    assert (found.rank, found.percentile, found.samples) == (None, None, 19)
    assert found.reason == "19 sessions of history, at least 20 are needed"
    later = iv_standing_of(tmp_path, "SPX", 0.2, ns(date(2022, 6, 13), 20))
    assert [later.rank, later.percentile] == pytest.approx([50, 50])
    missing = iv_standing_of(tmp_path, "SPX", None, ns(date(2022, 6, 13), 20))
    assert (missing.rank, missing.reason) == (None, "today has no volatility")


@pytest.mark.parametrize(
    "step", ["cleared", "created", "half written", "written", "synced", "renamed", "folder synced"]
)
def test_a_crash_leaves_the_old_history_or_the_new_one(tmp_path: Path, step: str) -> None:
    fill(tmp_path, [0.1, 0.2])
    before = iv_history(tmp_path, "SPX")

    def crash(reached: str) -> None:
        if reached == step:
            raise KeyboardInterrupt

    monday = ns(date(2022, 6, 13), 19)
    with pytest.raises(KeyboardInterrupt):
        record_iv(tmp_path, "SPX", 0.3, monday, "cboe", on_step=crash)
    after = iv_history(tmp_path, "SPX")
    assert after[:2] == before
    assert len(after) == (3 if step in ("renamed", "folder synced") else 2)
    assert len(record_iv(tmp_path, "SPX", 0.3, monday, "cboe")) == 3


def test_writers_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    days = calendar("XNYS").sessions(date(2022, 5, 2), FRIDAY)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda s: record_iv(tmp_path, "SPX", 0.2, s.close_ns, "cboe"), days))
    assert [each.session for each in iv_history(tmp_path, "SPX")] == [s.date for s in days]


@pytest.mark.parametrize("value", [0.0, -0.2, float("nan"), float("inf")])
def test_what_is_no_volatility_is_refused(tmp_path: Path, value: float) -> None:
    with pytest.raises(InputError, match="is no volatility of SPX"):
        record_iv(tmp_path, "SPX", value, ns(FRIDAY, 19), "cboe")
    assert iv_history(tmp_path, "SPX") == ()


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"version": 2, "symbol": "SPX"}', "\xff"])
def test_a_damaged_history_is_said_and_stays(tmp_path: Path, content: str) -> None:
    path = history_path(tmp_path, "SPX")
    path.parent.mkdir()
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(CorruptStore, match="no history of SPX's volatility"):
        iv_history(tmp_path, "SPX")
    with pytest.raises(CorruptStore, match="no history of SPX's volatility"):
        record_iv(tmp_path, "SPX", 0.2, ns(FRIDAY, 19), "cboe")
    assert path.read_bytes() == content.encode("latin-1")


def test_thirty_days_lie_between_two_expiries_in_total_variance() -> None:
    # (0.2^2 * 20 + 0.3^2 * 40) / 2 = 2.2 over 30 days.
    found = thirty_day_volatility([term(40, 0.3), term(20, 0.2), term(30, None)])
    assert found.value == pytest.approx((2.2 / 30) ** 0.5, rel=1e-14)
    assert thirty_day_volatility([term(30, 0.25)]).value == pytest.approx(0.25)
    for terms in ([], [term(31, 0.2)], [term(10, 0.2), term(29, 0.2), term(60, None)]):
        assert thirty_day_volatility(terms).value is None
        assert "around 30 days" in str(thirty_day_volatility(terms).reason)


def test_a_session_keeps_its_put_call_ratio_and_files_without_one_are_read(tmp_path: Path) -> None:
    record_iv(tmp_path, "SPX", 0.2, ns(FRIDAY, 19), "cboe", put_call=1.25)
    assert [each.put_call for each in iv_history(tmp_path, "SPX")] == [1.25]
    path = history_path(tmp_path, "SPX")
    path.write_text(path.read_text().replace('"put_call": 1.25', '"other": 1'))
    assert [each.put_call for each in iv_history(tmp_path, "SPX")] == [None]
    path.write_text(path.read_text().replace('"other": 1', '"put_call": "much"'))
    with pytest.raises(CorruptStore, match="no number"):
        iv_history(tmp_path, "SPX")
