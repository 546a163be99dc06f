"""Judge means by polars, and thresholds at their edges."""

import math

import numpy as np
import polars as pl
import pytest

from system.algo_trader.options.sentiment import (
    Direction,
    Regime,
    day_direction,
    ema,
    has_shifted,
    put_call_regime,
    volatility_alert,
)


def test_the_mean_is_polars_exponential_mean_of_five_sessions() -> None:
    values = np.random.default_rng(4).uniform(0.5, 1.5, 60)
    expected = pl.Series(values).ewm_mean(span=5, adjust=False)[-1]
    assert ema(values) == pytest.approx(expected, rel=1e-12)


def test_sessions_without_a_ratio_change_nothing() -> None:
    assert ema([1.0, math.nan, 0.4]) == ema([1.0, 0.4]) == pytest.approx(0.8)
    assert ema([]) is None
    assert ema([math.nan]) is None


@pytest.mark.parametrize(
    ("ratio", "regime"),
    [
        (0.7999, Regime.CALLS), (0.80, Regime.BALANCED), (1.00, Regime.BALANCED),
        (1.0001, Regime.PUTS), (None, None), (math.nan, None),
    ],
)  # fmt: skip
def test_regimes_begin_beyond_their_limits(ratio: float | None, regime: Regime | None) -> None:
    assert put_call_regime(ratio) is regime


@pytest.mark.parametrize(
    ("before", "now", "shifted"),
    [
        (1.0, 1.15, True), (1.0, 1.149, False), (1.0, 0.84, True), (0.0, 1.0, None),
        (None, 1.0, None), (1.0, None, None), (1.0, math.nan, None),
    ],
)  # fmt: skip
def test_a_shift_is_fifteen_percent(
    before: float | None, now: float | None, shifted: bool | None
) -> None:
    assert has_shifted(before, now) is shifted


@pytest.mark.parametrize(
    ("rank", "alert"),
    [(80.0, "high"), (79.9, None), (20.0, "low"), (20.1, None), (None, None), (math.nan, None)],
)
def test_alerts_stand_at_eighty_and_twenty(rank: float | None, alert: str | None) -> None:
    assert volatility_alert(rank) == alert


@pytest.mark.parametrize(
    ("move", "gamma", "regime", "direction"),
    [
        (0.003, -1.0, Regime.CALLS, Direction.UP),
        (0.003, -1.0, Regime.BALANCED, Direction.UP),
        (-0.004, -1.0, None, Direction.DOWN),
        (0.0029, -1.0, Regime.CALLS, Direction.NEUTRAL),
        (0.01, 1.0, Regime.CALLS, Direction.NEUTRAL),
        (0.01, -1.0, Regime.PUTS, Direction.NEUTRAL),
        (-0.01, -1.0, Regime.CALLS, Direction.NEUTRAL),
        (None, -1.0, Regime.CALLS, None),
        (0.01, None, Regime.CALLS, None),
    ],
)
def test_a_day_has_a_direction_when_dealers_and_options_agree(
    move: float | None, gamma: float | None, regime: Regime | None, direction: Direction | None
) -> None:
    assert day_direction(move, gamma, regime) is direction
