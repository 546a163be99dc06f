"""Fill gaps from a scripted history, and look at what the archive then holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from infrastructure.clock import VirtualClock, parse_rfc3339
from infrastructure.errors import NetworkError, NoDataError, StackError
from infrastructure.exchange.calendars import calendar
from system.algo_trader.feeds.feed import History
from system.algo_trader.jobs.history import OF_ONE_SYMBOL, fetch_one
from system.algo_trader.jobs.plan import FetchRequest
from system.algo_trader.market.bars import Bars, Series
from system.algo_trader.market.source import Source
from system.algo_trader.market.stream_gap import GapState, StreamGap
from system.algo_trader.market.timeframe import Timeframe
from system.algo_trader.pipeline.backfill import Backfill, BackfillPolicy
from system.algo_trader.storage.archive import Archive
from system.algo_trader.storage.records import STREAM_GAPS
from system.algo_trader.storage.stream_gaps import StreamGaps, gap_table

S = 1_000_000_000
MINUTE = 60 * S
NYSE = calendar("XNYS")
TEN = parse_rfc3339("2024-03-11T14:00:00Z")
"""10:00 in New York on a Monday."""


def gap_of(*symbols: str, start_ns: int = TEN + 30 * S, end_ns: int = TEN + 200 * S) -> StreamGap:
    return StreamGap(
        *("LEVELONE_EQUITIES", "schwab", "r1", "disconnected", start_ns, end_ns, None, 3, symbols),
        *(GapState.OPEN, None, None, end_ns),
    )


class ScriptedHistory:
    """Have a bar of every minute that was traded and is old enough."""

    source = Source.SCHWAB

    def __init__(self) -> None:
        self.untraded: dict[str, list[int]] = {}
        self.known_until = 2**62
        self.failures: dict[str, list[StackError]] = {}
        self.asked: list[tuple[str, int, int]] = []

    def resolve(self, symbol: str) -> str:
        return symbol

    def series(self, symbol: str, timeframe: Timeframe) -> Series:
        return Series(symbol, timeframe)

    def history(self, symbol: str, timeframe: Timeframe, *, start_ns: int, end_ns: int) -> History:
        self.asked.append((symbol, start_ns, end_ns))
        if self.failures.get(symbol):
            raise self.failures[symbol].pop(0)
        starts = np.arange(start_ns, min(end_ns + 1, self.known_until), MINUTE, dtype=np.int64)
        starts = starts[~np.isin(starts, self.untraded.get(symbol, []))]
        if not len(starts):
            raise NoDataError("nothing there")
        price = np.full(len(starts), 100.0)
        bars = Bars.of(
            self.series(symbol, timeframe), start=starts, open=price, high=price, low=price,
            close=price, volume=[10] * len(starts), fetched_at=0, is_synthetic=False,
        )  # fmt: skip
        return History(bars)


class House:
    def __init__(self, folder: Path, gaps: Sequence[StreamGap]) -> None:
        self.archive = Archive(folder)
        self.archive.append_records(STREAM_GAPS, gap_table(gaps), "stream/r1/0-1")
        self.feed = ScriptedHistory()
        self.now = TEN + 240 * S
        self.told: list[Bars] = []

    def backfill(self, most_requests: int = 20) -> Backfill:
        """Return a new process's backfill of the same archive."""

        def fetch(series: Series, first: int, last: int, request_id: str) -> None:
            fetch_one(
                self.feed, self.archive, FetchRequest(series.symbol, Timeframe.M1, first, last),
                calendar=NYSE, now_ns=self.now, clock=VirtualClock(self.now),
                request_id=request_id,
            )  # fmt: skip

        return Backfill(
            self.archive, self.feed, fetch, calendar_of=lambda symbol: NYSE,
            market_now_ns=lambda: self.now, clock=VirtualClock(0), told=self.told.append,
            policy=BackfillPolicy(most_requests=most_requests), of_one_symbol=OF_ONE_SYMBOL,
        )  # fmt: skip

    def minutes(self, symbol: str) -> list[int]:
        bars = self.archive.winners(symbol, Timeframe.M1)
        return [int(start - TEN) // MINUTE for start in bars.start]

    def states(self) -> list[GapState]:
        return [each.state for each in StreamGaps(self.archive).all()]


def test_the_minutes_that_a_gap_touches_are_fetched_once_it_has_settled(tmp_path: Path) -> None:
    house = House(tmp_path, [gap_of("AAPL", "MSFT")])
    backfill = house.backfill()
    house.now = TEN + 240 * S + 119 * S
    assert backfill.step().requests == 0
    house.now += S
    done = backfill.step()
    assert (len(done.closed), done.requests) == (1, 2)
    assert house.minutes("AAPL") == house.minutes("MSFT") == [0, 1, 2, 3]
    (gap,) = StreamGaps(house.archive).all()
    assert (gap.state, gap.filled, gap.absent) == (GapState.BACKFILLED, 8, 0)
    assert gap.recorded_at == house.now
    bars = house.archive.winners("AAPL", Timeframe.M1)
    assert set(bars.table.column("source").to_pylist()) == {"schwab"}
    requests = [each.request_id for each in house.archive.commits()][1:]
    assert len(requests) == 3
    assert all(each.startswith("backfill/LEVELONE_EQUITIES/") for each in requests)
    assert sum(len(each) for each in house.told) == 8
    assert backfill.step().requests == 0


def test_a_failed_request_is_tried_again_later_and_a_new_process_goes_on(tmp_path: Path) -> None:
    house = House(tmp_path, [gap_of("AAPL", "MSFT")])
    house.now += 120 * S
    house.feed.failures["MSFT"] = [NetworkError("no answer"), NetworkError("no answer")]
    backfill = house.backfill()
    assert isinstance(backfill.step().error, NetworkError)
    assert backfill.step().requests == 0  # it waits
    house.now += 60 * S
    assert isinstance(backfill.step().error, NetworkError)
    house.now += 119 * S
    assert backfill.step().requests == 0  # twice as long
    assert house.states() == [GapState.OPEN]
    asked = len(house.feed.asked)
    assert len(house.backfill().step().closed) == 1
    # What the dead process had stored of AAPL is not asked for again.
    assert [each[0] for each in house.feed.asked[asked:]] == ["MSFT"]
    assert house.states() == [GapState.BACKFILLED]


def test_minutes_that_the_source_has_not_yet_keep_a_gap_open(tmp_path: Path) -> None:
    house = House(tmp_path, [gap_of("AAPL")])
    house.now += 120 * S
    house.feed.known_until = TEN + 2 * MINUTE
    backfill = house.backfill()
    assert backfill.step().closed == ()
    house.feed.known_until = 2**62
    house.now += 60 * S
    assert len(backfill.step().closed) == 1
    assert house.feed.asked[-1] == ("AAPL", TEN + 2 * MINUTE, TEN + 4 * MINUTE - 1)
    assert house.minutes("AAPL") == [0, 1, 2, 3]


def test_minutes_that_nobody_traded_are_counted_once_patience_ends(tmp_path: Path) -> None:
    house = House(tmp_path, [gap_of("AAPL", "QUIET")])
    house.feed.untraded["QUIET"] = [TEN + n * MINUTE for n in range(4)]
    house.now = TEN + 240 * S + 900 * S
    assert len(house.backfill().step().closed) == 1
    (gap,) = StreamGaps(house.archive).all()
    assert (gap.state, gap.filled, gap.absent) == (GapState.BACKFILLED, 4, 4)


def test_a_gap_outside_of_the_session_asks_for_nothing(tmp_path: Path) -> None:
    night = parse_rfc3339("2024-03-11T02:00:00Z")
    house = House(tmp_path, [gap_of("AAPL", start_ns=night, end_ns=night + 300 * S)])
    done = house.backfill().step()
    assert (len(done.closed), done.requests) == (1, 0)


def test_a_gap_over_a_night_is_one_request_a_day(tmp_path: Path) -> None:
    close = parse_rfc3339("2024-03-11T20:00:00Z")
    opened = parse_rfc3339("2024-03-12T13:30:00Z")
    gap = gap_of("AAPL", start_ns=close - 2 * MINUTE, end_ns=opened + MINUTE)
    house = House(tmp_path, [gap])
    house.now = opened + 10 * MINUTE
    house.backfill().step()
    assert house.feed.asked == [
        ("AAPL", close - 2 * MINUTE, close - 1),
        ("AAPL", opened, opened + 2 * MINUTE - 1),
    ]


def test_a_step_makes_no_more_requests_than_it_may(tmp_path: Path) -> None:
    symbols = [f"S{number}" for number in range(5)]
    house = House(tmp_path, [gap_of(*symbols)])
    house.now += 120 * S
    backfill = house.backfill(most_requests=2)
    assert [backfill.step().requests for _ in range(4)] == [2, 2, 1, 0]
    assert house.states() == [GapState.BACKFILLED]


@pytest.mark.parametrize("state", [GapState.SUSPECTED, GapState.LOST])
def test_what_is_suspected_or_cannot_be_fetched_is_left_alone(
    tmp_path: Path, state: GapState
) -> None:
    house = House(tmp_path, [replace(gap_of("AAPL"), state=state)])
    house.now += 1200 * S
    assert house.backfill().step().requests == 0
    assert house.states() == [state]


def test_another_sources_gap_is_not_filled_by_this_one(tmp_path: Path) -> None:
    house = House(tmp_path, [replace(gap_of("AAPL"), source="schwab-sim")])
    house.now += 1200 * S
    assert house.backfill().step().requests == 0


def test_two_services_gaps_over_the_same_minutes_fetch_them_once(tmp_path: Path) -> None:
    both = [gap_of("AAPL"), replace(gap_of("AAPL"), service="CHART_EQUITY", missing=2)]
    house = House(tmp_path, both)
    house.now += 120 * S
    done = house.backfill().step()
    assert (len(done.closed), done.requests) == (2, 1)
    assert house.backfill().states() == {
        "LEVELONE_EQUITIES": {"backfilled": 1},
        "CHART_EQUITY": {"backfilled": 1},
    }
