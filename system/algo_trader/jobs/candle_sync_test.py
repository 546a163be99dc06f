"""Judge what is asked for, when, and when a person is told."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from infrastructure.clock import VirtualClock
from infrastructure.errors import NetworkError
from infrastructure.exchange.calendars import calendar
from system.algo_trader.jobs.candle_sync import CandleSync
from system.algo_trader.jobs.plan import FetchRequest
from system.algo_trader.market.bars import Bars, Series
from system.algo_trader.market.timeframe import Timeframe

DAY = 86_400 * 1_000_000_000
M = 60_000_000_000


def ns(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000_000


class Stored:
    """Bars by symbol and timeframe: the start of the last one."""

    def __init__(self, lasts: dict[tuple[str, Timeframe], int]) -> None:
        self.lasts = lasts

    def last(self, count: int, series: Series) -> Bars:
        last = self.lasts.get((series.symbol, series.timeframe))
        if last is None:
            return Bars.empty()
        starts = last - np.arange(count)[::-1] * M
        ones = np.ones(count)
        return Bars.of(
            series, start=starts, open=ones, high=ones, low=ones, close=ones,
            volume=np.ones(count, np.int64), fetched_at=0, is_synthetic=True,
        )  # fmt: skip


class Told:
    """A notifier that remembers, and fails when told to."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.fails = False

    def send(self, title: str, text: str) -> None:
        if self.fails:
            raise NetworkError("no network")
        self.texts.append(text)


def sync(
    now: str, lasts: dict[tuple[str, Timeframe], int]
) -> tuple[CandleSync, Told, list[Sequence[FetchRequest]], VirtualClock]:
    clock, told, done = VirtualClock(ns(now)), Told(), []

    def carry_out(requests: Sequence[FetchRequest]) -> int:
        done.append(requests)
        return 0

    job = CandleSync(
        lambda symbol, timeframe: Series(symbol, timeframe),
        Stored(lasts),
        carry_out,
        calendar("XNYS"),
        clock.now_ns,
        clock,
        [told],
    )
    return job, told, done, clock


def test_stored_series_are_extended_from_their_last_bars_after_days_off() -> None:
    last = ns("2024-03-01T20:59")
    job, _, done, _ = sync(
        "2024-03-12T20:15", {("AAPL", each): last for each in (Timeframe.M1, Timeframe.M5)}
    )
    assert job.once(["AAPL"]) == 0
    minute, five, daily = done[0]
    assert (minute.start_ns, minute.end_ns) == (last - 19 * M, ns("2024-03-12T20:15"))
    assert five.timeframe is Timeframe.M5
    # Nothing is stored of days: twenty years are asked for, from the date's own stamp.
    assert daily.start_ns == ns("2004-03-12T06:00")


def test_a_new_symbol_gets_what_the_source_still_has() -> None:
    job, _, done, _ = sync("2024-03-12T20:15", {})
    job.once(["MSFT"])
    minute = done[0][0]
    assert 40 * DAY < minute.end_ns - minute.start_ns < 48 * DAY


@pytest.mark.parametrize(
    ("now", "words"),
    [
        ("2024-04-07T20:15", None),
        ("2024-04-08T21:00", "Schwab drops them in 10 days"),
        ("2024-05-06T20:15", "are partly gone at Schwab, by 18 days"),
    ],
)
def test_a_person_is_told_ten_days_before_minutes_are_gone(now: str, words: str | None) -> None:
    # The last stored minute is of Friday the first of March: 38 days later is the 8th of April.
    job, told, _, _ = sync(now, {("AAPL", Timeframe.M1): ns("2024-03-01T20:59")})
    job.once(["AAPL"])
    job.once(["AAPL"])
    assert len(told.texts) == (0 if words is None else 1)
    assert words is None or words in told.texts[0]


def test_a_notice_that_failed_is_given_again() -> None:
    job, told, _, _ = sync("2024-05-06T20:15", {("AAPL", Timeframe.M1): ns("2024-03-01T20:59")})
    told.fails = True
    job.once(["AAPL"])
    told.fails = False
    job.once(["AAPL"])
    assert len(told.texts) == 1


@pytest.mark.parametrize(
    ("now", "due"),
    [
        ("2024-03-11T15:00", "2024-03-11T20:15"),
        ("2024-03-11T20:10", "2024-03-11T20:15"),
        ("2024-03-11T20:15", "2024-03-12T20:15"),
        ("2024-03-08T22:00", "2024-03-11T20:15"),
        ("2024-11-28T12:00", "2024-11-29T18:15"),
    ],
)
def test_the_next_run_is_a_quarter_hour_after_the_next_close(now: str, due: str) -> None:
    assert sync(now, {})[0].next_run_ns() == ns(due)


def test_the_service_runs_after_each_close() -> None:
    job, _, done, clock = sync("2024-03-08T15:00", {})
    dues: list[int] = []
    tidied = 0

    def tidy() -> None:
        nonlocal tidied
        tidied += 1

    job = replace(job, tidy=tidy)

    class Ended(Exception):
        pass

    def told(due: int) -> None:
        dues.append(due)
        if len(dues) == 3:
            raise Ended

    with pytest.raises(Ended):
        job.serve(lambda: ["AAPL"], told)
    assert dues == [ns("2024-03-08T21:15"), ns("2024-03-11T20:15"), ns("2024-03-12T20:15")]
    assert len(done) == tidied == 3
    assert clock.now_ns() == ns("2024-03-11T20:15")
