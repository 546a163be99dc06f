from __future__ import annotations

import errno
import os
from collections.abc import Callable
from datetime import date
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from infrastructure.clock import VirtualClock, parse_rfc3339
from infrastructure.errors import (
    DiskFull,
    NetworkError,
    NoDataError,
    RefreshTokenExpired,
    StackError,
    UnknownSymbol,
)
from infrastructure.exchange.calendars import calendar
from infrastructure.exchange.timeframes import schwab_bar_starts
from system.algo_trader.feeds.feed import History
from system.algo_trader.jobs.history import Progress, fetch_and_store
from system.algo_trader.jobs.plan import FetchRequest, extension
from system.algo_trader.jobs.report import RunReport
from system.algo_trader.market.bars import Bars, Floats, Series
from system.algo_trader.market.source import Source
from system.algo_trader.market.timeframe import Timeframe
from system.algo_trader.storage.archive import Archive
from system.algo_trader.storage.memory_store import MemoryCandleStore

NYSE = calendar("XNYS")
DAYS = NYSE.session_dates(date(2013, 1, 2), date(2013, 3, 1))
STARTS = schwab_bar_starts(DAYS, "1d")
END = parse_rfc3339("2013-03-01T21:00:01Z")
LONG_AFTER = parse_rfc3339("2013-06-01T00:00:00Z")


class ScriptedFeed:
    """Deliver closing prices of AAPL and MSFT as they are set, and fail as told."""

    source = Source.SCHWAB

    def __init__(self, now_ns: int = END) -> None:
        self.close: Floats = 400.0 + np.arange(len(STARTS), dtype=np.float64)
        self.volume = 400
        self.now_ns = now_ns
        self.failures: dict[str, StackError] = {}
        self.asked: list[FetchRequest] = []

    def resolve(self, symbol: str) -> str:
        return symbol

    def series(self, symbol: str, timeframe: Timeframe) -> Series:
        return Series(symbol, timeframe)

    def history(self, symbol: str, timeframe: Timeframe, *, start_ns: int, end_ns: int) -> History:
        self.asked.append(FetchRequest(symbol, timeframe, start_ns, end_ns))
        if symbol in self.failures:
            raise self.failures[symbol]
        rows = (start_ns <= STARTS) & (end_ns >= STARTS)
        close = self.close[rows]
        bars = Bars.of(
            self.series(symbol, timeframe), start=STARTS[rows], open=close, high=close * 1.01,
            low=close * 0.99, close=close, volume=[self.volume] * len(close),
            fetched_at=LONG_AFTER, is_synthetic=False,
        )  # fmt: skip
        return History(bars)


class House:
    """Hold one run's parts in memory and in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.feed = ScriptedFeed()
        self.store = MemoryCandleStore()
        self.now_ns = END
        self.faults: Callable[[str], None] = lambda step: None
        self.progress: list[Progress] = []

    @property
    def archive(self) -> Archive:
        return Archive(self.folder, faults=lambda step: self.faults(step))

    def run(self, *symbols: str, start_ns: int = int(STARTS[0]), end_ns: int = 0) -> RunReport:
        wanted = [
            FetchRequest(symbol, Timeframe.D1, start_ns, end_ns or self.now_ns)
            for symbol in symbols or ("AAPL",)
        ]
        return self.carry_out(wanted)

    def update(self) -> RunReport:
        known = [Series(*pair) for pair in self.archive.bar_series()]
        return self.carry_out(list(extension(known, now_ns=self.now_ns, stored=self.archive)))

    def carry_out(self, wanted: list[FetchRequest]) -> RunReport:
        return fetch_and_store(
            self.feed,
            self.archive,
            self.store,
            wanted,
            job="main",
            calendar=NYSE,
            market_now_ns=lambda: self.now_ns,
            clock=VirtualClock(LONG_AFTER),
            progress=self.progress.append,
            token_age_s=3600.0,
            new_id=lambda: "run-1",
        )


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_what_is_fetched_is_archived_projected_and_read_back(house: House) -> None:
    report = house.run("AAPL", "MSFT")
    count = len(STARTS)
    for each in report.series:
        assert (each.fetched, each.new, each.written, each.read_back) == (count,) * 4
    assert house.store.closes("MSFT") == house.feed.close.tolist()
    assert house.archive.winners("AAPL", Timeframe.D1).floats("close").tolist() == (
        house.feed.close.tolist()
    )
    assert (report.exit_code, report.error, report.failures) == (0, None, ())


def test_a_second_run_stores_nothing_twice(house: House) -> None:
    house.run()
    files = sorted(house.folder.rglob("*.parquet"))
    [again] = house.run().series
    assert (again.new, again.unchanged, again.written) == (0, len(STARTS), 0)
    assert again.read_back == len(STARTS)
    assert sorted(house.folder.rglob("*.parquet")) == files


def test_an_update_asks_for_twenty_stored_bars_and_what_is_new(house: House) -> None:
    house.now_ns = int(STARTS[30]) + 86_400_000_000_000
    house.run()
    house.now_ns = END
    [report] = house.update().series
    assert house.feed.asked[-1].start_ns == STARTS[11]
    assert (report.unchanged, report.new) == (20, len(STARTS) - 31)
    assert house.store.closes("AAPL") == house.feed.close.tolist()


def test_a_split_between_two_runs_is_found_reported_and_restated(house: House) -> None:
    house.now_ns = int(STARTS[30]) + 86_400_000_000_000
    house.run()
    house.now_ns = END
    raw = house.feed.close.copy()
    house.feed.close = raw / 4
    house.feed.volume = 1600
    report = house.update()
    [each] = report.series
    assert each.split == Fraction(4)
    assert (each.revised, each.restated, each.rejected) == (20, 11, {})
    assert report.rewritten
    assert house.store.closes("AAPL") == (raw / 4).tolist()
    won = house.archive.winners("AAPL", Timeframe.D1)
    assert won.floats("close").tolist() == (raw / 4).tolist()
    assert set(won.integers("volume").tolist()) == {1600}
    assert won.integers("revision").tolist() == [1] * 31 + [0] * (len(STARTS) - 31)
    [split] = house.archive.splits("AAPL").to_pylist()
    assert (split["numerator"], split["denominator"]) == (4, 1)
    assert STARTS[30] < split["before"] <= STARTS[31]
    assert report.as_dict()["series"][0]["split"] == "4:1"
    [after] = house.update().series
    assert (after.split, after.new, after.revised) == (None, 0, 0)


def test_bars_restated_by_a_factor_take_the_sources_rounding_without_complaint(
    house: House,
) -> None:
    house.now_ns = int(STARTS[30]) + 86_400_000_000_000
    house.run()
    house.now_ns = END
    house.feed.close = np.round(house.feed.close / 3, 2)
    house.feed.volume = 1200
    [found] = house.update().series
    assert found.split == Fraction(3)
    [whole] = house.run().series
    assert whole.rejected == {}
    assert house.store.closes("AAPL") == house.feed.close.tolist()


def test_a_planted_corruption_goes_to_quarantine_once_and_the_stored_bar_stays(
    house: House,
) -> None:
    house.run()
    true = house.feed.close.copy()
    house.feed.close[10] = 700.0
    for _ in range(2):
        report = house.run()
        assert report.series[0].rejected == {"differs_from_stored": 1}
        assert report.exit_code == 0
    assert house.store.closes("AAPL") == true.tolist()
    [row] = house.archive.quarantined("AAPL").to_pylist()
    assert (row["start"], row["close"], row["rule"]) == (
        STARTS[10],
        700.0,
        "differs_from_stored",
    )


def test_a_bar_that_is_refused_at_first_sight_is_a_gap(house: House) -> None:
    house.feed.close[10] = -5.0
    [report] = house.run().series
    assert report.rejected == {"non_positive_price": 1}
    assert report.gaps == 1
    [gap] = house.archive.gaps("AAPL").to_pylist()
    assert (gap["first"], gap["last"], gap["count"]) == (STARTS[10], STARTS[10], 1)
    house.feed.close[10] = 410.0
    [mended] = house.run().series
    assert (mended.new, mended.gaps) == (1, 0)


def test_an_open_bar_is_left_out_until_it_is_over(house: House) -> None:
    house.now_ns = END - 2_000_000_000
    [early] = house.run().series
    assert (early.still_open, early.new) == (1, len(STARTS) - 1)
    house.now_ns = END
    assert house.run().series[0].new == 1


@pytest.mark.parametrize(
    ("error", "code"), [(UnknownSymbol("no symbol ZZZZ"), 2), (NoDataError("nothing"), 4)]
)
def test_one_symbols_failure_does_not_stop_the_others(
    house: House, error: StackError, code: int
) -> None:
    house.feed.failures["ZZZZ"] = error
    report = house.run("AAPL", "ZZZZ", "MSFT")
    assert [each.error for each in report.series] == [None, error, None]
    assert len(house.store.closes("MSFT")) == len(STARTS)
    assert report.exit_code == code
    assert [each.symbol for each in report.failures] == ["ZZZZ"]


def test_an_unknown_symbol_is_asked_for_once(house: House) -> None:
    house.feed.failures["ZZZZ"] = UnknownSymbol("no symbol ZZZZ")
    report = house.run("ZZZZ", "ZZZZ")
    assert len(house.feed.asked) == 1
    assert len(report.failures) == 2


@pytest.mark.parametrize("error", [NetworkError("no network"), RefreshTokenExpired("too old")])
def test_a_failure_of_all_stops_and_what_is_stored_is_still_projected(
    house: House, error: StackError
) -> None:
    house.feed.failures["BAD"] = error
    report = house.run("AAPL", "BAD", "MSFT")
    assert report.stopped_by is error
    assert report.exit_code == error.exit_code
    assert [each.symbol for each in report.series] == ["AAPL", "BAD"]
    assert len(house.store.closes("AAPL")) == len(STARTS)


def test_rows_whose_writing_was_cut_off_are_not_counted_as_none(house: House) -> None:
    house.store.writes_left = 7
    report = house.run("AAPL")
    assert not report.is_projected
    [aapl] = report.as_dict()["series"]
    assert (aapl["new"], aapl["written"], aapl["read_back"]) == (len(STARTS), None, None)
    house.store.writes_left = None
    house.feed.failures["GOOG"] = UnknownSymbol("GOOG is not known")
    report = house.run("AAPL", "GOOG")
    assert report.is_projected
    [aapl, goog] = report.as_dict()["series"]
    assert aapl["written"] == len(STARTS) - 7
    assert (goog["written"], goog["latency_ms"]) == (None, None)


def test_influxdb_down_is_reported_and_the_next_run_projects(house: House) -> None:
    house.store.writes_left = 7
    report = house.run()
    assert report.exit_code == 3
    assert "the archive has them all" in str(report.error)
    assert len(house.archive.winners("AAPL", Timeframe.D1)) == len(STARTS)
    house.store.writes_left = None
    assert house.update().exit_code == 0
    assert house.store.closes("AAPL") == house.feed.close.tolist()


def test_a_full_disk_is_reported_and_nothing_is_stored_half(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.run("AAPL")

    def no_space(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", no_space)
        report = house.run("MSFT")
    assert isinstance(report.error, DiskFull)
    assert report.exit_code == 3
    assert [symbol for symbol, _ in house.archive.bar_series()] == ["AAPL"]
    assert house.archive.damages() == []
    assert house.run("MSFT").exit_code == 0


@pytest.mark.parametrize("step", ["part", "manifest", "committed"])
def test_an_interrupt_at_any_step_is_mended_by_the_next_run(house: House, step: str) -> None:
    def interrupt(name: str) -> None:
        if name == step:
            raise KeyboardInterrupt

    house.faults = interrupt
    with pytest.raises(KeyboardInterrupt):
        house.run()
    assert house.store.rows == {}
    house.faults = lambda name: None
    report = house.run()
    assert report.series[0].written == len(STARTS)
    assert house.store.closes("AAPL") == house.feed.close.tolist()


def test_the_run_writes_metrics_of_each_series_and_of_the_whole(house: House) -> None:
    house.feed.failures["ZZZZ"] = UnknownSymbol("no symbol ZZZZ")
    house.run("AAPL", "ZZZZ")
    whole, apple, unknown = house.store.metrics
    assert (whole["fetched"], whole["token_age_s"], whole["failed"]) == (len(STARTS), 3600.0, True)
    assert "symbol" not in whole
    assert (apple["symbol"], apple["timeframe"], apple["new"]) == ("AAPL", "1d", len(STARTS))
    assert (unknown["symbol"], unknown["failed"]) == ("ZZZZ", True)
    assert "fetched" not in unknown


def test_progress_is_told_before_each_request_and_at_the_end(house: House) -> None:
    house.run("AAPL", "MSFT")
    assert [(each.done, each.total) for each in house.progress] == [(0, 2), (1, 2), (2, 2)]
    assert [each.request.symbol if each.request else None for each in house.progress] == [
        "AAPL",
        "MSFT",
        None,
    ]
