from __future__ import annotations

from pathlib import Path

import pytest

from infrastructure.clock import VirtualClock
from infrastructure.errors import BugError, ServiceUnavailable, StoreLocked
from system.algo_trader.market.bars import Bars, Series
from system.algo_trader.market.timeframe import Timeframe
from system.algo_trader.storage.archive import Archive
from system.algo_trader.storage.memory_store import MemoryCandleStore
from system.algo_trader.storage.projection import project

DAY = 86_400_000_000_000
APPLE = Series("AAPL", Timeframe.D1)
MICROSOFT = Series("MSFT", Timeframe.W1)


def bars(closes: list[float], series: Series = APPLE, first: int = 0) -> Bars:
    return Bars.of(
        series,
        start=[(first + row) * DAY for row in range(len(closes))],
        open=closes,
        high=closes,
        low=closes,
        close=closes,
        volume=[1] * len(closes),
        fetched_at=0,
        is_synthetic=False,
    )


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    made = Archive(tmp_path)
    made.append(bars([10.0, 11.0]), "r1")
    made.append(bars([20.0], MICROSOFT), "r2")
    return made


def test_all_winners_are_written_and_counted(archive: Archive) -> None:
    store = MemoryCandleStore()
    done = project(archive, store)
    assert store.closes("AAPL") == [10.0, 11.0]
    assert store.closes("MSFT", "1w") == [20.0]
    assert done.written == 3
    assert not done.rewritten
    apple = done.of("AAPL", Timeframe.D1)
    assert apple is not None
    assert (apple.expected, apple.written, apple.read_back) == (2, 2, 2)
    assert done.of("AAPL", Timeframe.M1) is None


def test_a_second_projection_writes_nothing(archive: Archive) -> None:
    store = MemoryCandleStore()
    project(archive, store)
    again = project(archive, store)
    assert again.written == 0
    assert [each.read_back for each in again.series] == [2, 1]


def test_only_what_is_missing_is_written(archive: Archive) -> None:
    store = MemoryCandleStore()
    project(archive, store)
    archive.append(bars([12.0], first=2), "r3")
    assert project(archive, store).written == 1
    assert store.closes("AAPL") == [10.0, 11.0, 12.0]


def test_from_a_day_on_no_earlier_bar_is_written_or_counted(archive: Archive) -> None:
    archive.append(bars([12.0, 13.0], first=2), "r3")
    store = MemoryCandleStore()
    done = project(archive, store, since_ns=2 * DAY)
    assert store.closes("AAPL") == [12.0, 13.0]
    assert store.closes("MSFT", "1w") == []
    apple, microsoft = (done.of(*pair) for pair in (("AAPL", Timeframe.D1), ("MSFT", Timeframe.W1)))
    assert apple is not None
    assert microsoft is not None
    assert (apple.expected, apple.written, apple.read_back) == (2, 2, 2)
    assert (microsoft.expected, microsoft.written, microsoft.read_back) == (0, 0, 0)
    assert project(archive, store, since_ns=DAY).written == 1
    assert project(archive, store).written == 2


def test_a_corrected_bar_before_the_day_is_left_and_one_after_it_rewrites_all(
    archive: Archive,
) -> None:
    store = MemoryCandleStore()
    project(archive, store)
    archive.append(bars([10.5, 11.0]), "r3")
    assert not project(archive, store, since_ns=DAY).rewritten
    assert store.closes("AAPL") == [10.0, 11.0]
    done = project(archive, store, since_ns=0)
    assert done.rewritten
    assert store.closes("AAPL") == [10.5, 11.0]
    assert store.closes("MSFT", "1w") == [20.0]


def test_a_corrected_bar_makes_all_candles_be_written_anew(archive: Archive) -> None:
    store = MemoryCandleStore()
    project(archive, store)
    archive.append(bars([10.0, 11.5]), "r3")
    done = project(archive, store, [("AAPL", Timeframe.D1)])
    assert done.rewritten
    assert store.resets == 1
    assert store.closes("AAPL") == [10.0, 11.5]
    assert store.closes("MSFT", "1w") == [20.0]
    assert not project(archive, store).rewritten


def test_a_candle_that_the_archive_does_not_know_is_removed(archive: Archive) -> None:
    store = MemoryCandleStore()
    store.write_candles(bars([99.0], first=7))
    assert project(archive, store).rewritten
    assert store.closes("AAPL") == [10.0, 11.0]


@pytest.mark.parametrize("writes", [0, 1, 2])
def test_a_store_that_fails_in_the_middle_is_completed_by_the_next_projection(
    archive: Archive, writes: int
) -> None:
    store = MemoryCandleStore()
    store.writes_left = writes
    with pytest.raises(ServiceUnavailable, match="the archive has them all") as caught:
        project(archive, store)
    assert caught.value.next_step is not None
    assert "algo-trader update" in caught.value.next_step
    assert caught.value.exit_code == 3
    store.writes_left = None
    assert project(archive, store).written == 3 - writes
    assert len(store.rows) == 3


def test_a_rewriting_that_fails_in_the_middle_is_completed_by_the_next_projection(
    archive: Archive,
) -> None:
    store = MemoryCandleStore()
    project(archive, store)
    archive.append(bars([10.0, 11.5]), "r3")
    store.writes_left = 1
    with pytest.raises(ServiceUnavailable):
        project(archive, store)
    store.writes_left = None
    project(archive, store)
    assert store.closes("AAPL") == [10.0, 11.5]
    assert store.closes("MSFT", "1w") == [20.0]


def test_a_store_that_swallows_rows_is_found_out(archive: Archive) -> None:
    class Forgetful(MemoryCandleStore):
        def write_candles(self, bars: Bars) -> int:
            super().write_candles(bars.last(1))
            return len(bars)

    with pytest.raises(BugError, match=r"holds 1 1d bars of AAPL .* and the archive 2"):
        project(archive, Forgetful())


def test_a_second_projector_waits_and_then_says_so(tmp_path: Path) -> None:
    archive = Archive(tmp_path, clock=VirtualClock(0), lock_timeout_s=1)
    with archive.projecting(), pytest.raises(StoreLocked):
        project(archive, MemoryCandleStore())
    assert project(archive, MemoryCandleStore()).series == ()
