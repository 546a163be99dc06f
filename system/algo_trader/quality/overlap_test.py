from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from system.algo_trader.market.bars import Bars, Series
from system.algo_trader.market.timeframe import Timeframe
from system.algo_trader.quality.overlap import Compared, compare, restate

SERIES = Series("AAPL", Timeframe.D1)
LONG_AGO = 0
DAY = 86_400_000_000_000


def bars(closes: Any, *, first: int = 0, fetched_at: int = 100 * DAY, volume: int = 400) -> Bars:
    close = np.asarray(closes, dtype=np.float64)
    return Bars.of(
        SERIES,
        start=[(first + row) * DAY for row in range(len(close))],
        open=close,
        high=close + 1,
        low=close - 1,
        close=close,
        volume=[volume] * len(close),
        fetched_at=fetched_at,
        is_synthetic=False,
    )


def compared(stored: Bars, fetched: Bars, **more: Any) -> Compared:
    return compare(stored, fetched, stored_ends=stored.start + DAY, **more)


PRICES = [400.0 + row for row in range(30)]


def test_equal_bars_and_new_ones_pass() -> None:
    result = compared(bars(PRICES), bars([*PRICES[25:], 431.0], first=25))
    assert len(result.accepted) == 6
    assert result.split is None
    assert result.overlap == 5
    assert len(result.rejected) == len(result.restated) == 0


def test_bars_that_do_not_meet_are_new() -> None:
    result = compared(bars(PRICES), bars([1.0], first=50))
    assert (len(result.accepted), result.overlap) == (1, 0)


def test_a_split_restates_the_bars_that_were_not_fetched_again() -> None:
    adjusted = restate(bars(PRICES), Fraction(4)).take(np.arange(10, 30))
    result = compared(bars(PRICES), Bars.concat([adjusted, bars([107.5], first=30)]))
    assert result.split == Fraction(4)
    assert len(result.rejected) == 0
    assert len(result.accepted) == 21
    assert result.restated.start.tolist() == [row * DAY for row in range(10)]
    assert result.restated.floats("close").tolist() == [price / 4 for price in PRICES[:10]]
    assert result.restated.integers("volume").tolist() == [1600] * 10


def test_a_reverse_split_restates_too() -> None:
    result = compared(bars(PRICES), restate(bars(PRICES), Fraction(1, 8)).take(np.arange(10, 30)))
    assert result.split == Fraction(1, 8)
    assert result.restated.floats("close")[0] == 3200.0
    assert result.restated.integers("volume")[0] == 50


def test_a_differing_bar_is_refused_and_the_others_pass() -> None:
    later = [*PRICES[25:], 431.0]
    later[2] = 500.0
    result = compared(bars(PRICES), bars(later, first=25))
    assert result.split is None
    assert result.rejected.by_rule() == {"differs_from_stored": 1}
    assert result.rejected.reasons() == [
        "stored as 427.0/428.0/426.0/427.0/400, now 500.0/501.0/499.0/500.0/400 "
        "for 1970-01-28T00:00:00Z"
    ]
    assert len(result.accepted) == 5


def test_a_differing_volume_is_refused() -> None:
    result = compared(bars(PRICES), bars(PRICES, volume=401))
    assert result.rejected.by_rule() == {"differs_from_stored": 30}


def test_a_bar_that_contradicts_a_split_is_refused_and_its_stored_one_restated() -> None:
    adjusted = restate(bars(PRICES), Fraction(4))
    closes = adjusted.floats("close").copy()
    closes[3] *= 1.2
    odd = adjusted.replace(close=closes, high=np.maximum(adjusted.floats("high"), closes))
    result = compared(bars(PRICES), odd)
    assert result.split == Fraction(4)
    assert result.rejected.by_rule() == {"differs_from_stored": 1}
    assert "the split 4:1 does not explain it" in result.rejected.reasons()[0]
    assert result.restated.start.tolist() == [3 * DAY]


def test_new_bars_do_not_continue_a_series_that_nothing_agrees_with() -> None:
    noise = np.array(PRICES) * np.linspace(1.3, 1.7, 30)
    result = compared(bars(PRICES), bars([*noise, 700.0]))
    assert len(result.accepted) == 0
    assert result.rejected.by_rule() == {"differs_from_stored": 30, "of_another_scale": 1}


def test_one_stored_bar_is_too_few_to_refuse_the_new_ones() -> None:
    result = compared(bars([400.0]), bars([500.0, 501.0]))
    assert result.accepted.start.tolist() == [DAY]


def test_a_split_seen_in_the_last_twenty_bars_counts_even_if_older_prices_are_tiny() -> None:
    prices = [0.02] * 5 + [400.0 + row for row in range(25)]
    result = compared(
        bars(np.array(prices) + 1.01), restate(bars(np.array(prices) + 1.01), Fraction(4))
    )
    assert result.split == Fraction(4)


@pytest.mark.parametrize(
    ("hours", "change", "passes"), [(1, 1.001, True), (13, 1.001, False), (1, 1.1, False)]
)
def test_a_bar_stored_just_after_its_end_may_still_settle(
    hours: int, change: float, passes: bool
) -> None:
    stored = bars([400.0, 401.0], fetched_at=2 * DAY + hours * 3_600_000_000_000)
    fetched = bars([400.0, 401.0 * change])
    result = compared(stored, fetched)
    assert (len(result.rejected) == 0) is passes


def test_a_restated_bar_may_differ_from_the_source_by_rounding_only() -> None:
    stored = bars([100.333333, 101.666667, 102.0])
    rounded = bars([100.33, 101.67, 102.0])
    assert len(compared(stored, rounded, restated_before_ns=3 * DAY).rejected) == 0
    assert len(compared(stored, rounded).rejected) == 2
    off = bars([100.35, 101.67, 102.0])
    assert len(compared(stored, off, restated_before_ns=3 * DAY).rejected) == 1


def test_bars_without_volume_are_equal_to_themselves() -> None:
    given = bars(PRICES).replace(volume=[None] * 30)
    assert len(compared(given, given).rejected) == 0
    assert restate(given, Fraction(2)).table.column("volume").null_count == 30
