"""Judge each rule with a row that breaks it alone, and rows that must pass."""

from dataclasses import fields, replace

import numpy as np
import pytest

from system.algo_trader.market.ticks import NO_TIME, Ticks
from system.algo_trader.quality.tick_checks import TickChecks, TickLimits
from system.algo_trader.quality.tick_rules import REFUSING, TickRule

S = 1_000_000_000
NOW = 1_700_000_000 * S


def tick(number: int = 0, /, **changes: object) -> Ticks:
    """One good update, some values changed."""
    row = {
        "symbol": 0, "order": number, "ts_recv": NOW + number * S, "ts_quote": NOW + number * S,
        "ts_trade": NOW + number * S, "bid": 99.9, "ask": 100.1, "bid_size": 3, "ask_size": 4,
        "last": 100.0, "last_size": 5, "volume": 5, "total": 1_000 + number, "is_quote": True,
        "is_trade": True, **changes,
    }  # fmt: skip
    return Ticks.of_rows([tuple(row[field.name] for field in fields(Ticks))])


BROKEN: dict[TickRule, dict[str, object]] = {
    TickRule.NO_PRICE: {"bid": np.nan, "ask": np.nan, "last": np.nan, "is_trade": False},
    TickRule.PRICE_RANGE: {"ask": 1e9},
    TickRule.SIZE_RANGE: {"ask_size": 2_000_000_000},
    TickRule.CROSSED: {"bid": 100.2},
    TickRule.LOCKED: {"bid": 100.1},
    TickRule.FUTURE_TIME: {"ts_trade": NOW + 6 * S},
    TickRule.STALE_TIME: {"ts_quote": NOW - 61 * S, "is_trade": False},
}


@pytest.mark.parametrize("rule", BROKEN)
def test_a_row_that_breaks_one_rule_is_counted_and_refused_by_it(rule: TickRule) -> None:
    checks = TickChecks(1)
    checked = checks.check(tick(**BROKEN[rule]))
    assert dict(checks.counts) == {rule: 1}
    assert checked.rules == ((rule,) if rule in REFUSING else ())
    assert len(checked.accepted) == (0 if rule in REFUSING else 1)


@pytest.mark.parametrize("rule", BROKEN)
def test_a_rule_can_be_switched_off(rule: TickRule) -> None:
    checks = TickChecks(1, off=[rule])
    assert len(checks.check(tick(**BROKEN[rule])).accepted) == 1
    assert not checks.counts


def test_a_good_row_passes_untouched() -> None:
    checks = TickChecks(1)
    good = tick()
    assert checks.check(good).accepted is good
    assert not checks.counts


@pytest.mark.parametrize("seconds", [0, 4])
def test_clocks_may_differ_by_a_little(seconds: int) -> None:
    assert len(TickChecks(1).check(tick(ts_trade=NOW + seconds * S)).accepted) == 1


def test_one_sided_quotes_and_unknown_times_pass() -> None:
    checks = TickChecks(1)
    checks.check(tick(bid=np.nan, ts_quote=NO_TIME, ts_trade=NO_TIME))
    assert not checks.counts


def test_a_repeated_update_is_refused_and_the_same_price_later_is_not() -> None:
    checks = TickChecks(1)
    checks.check(tick(1))
    again = checks.check(replace(tick(1), order=np.array([2])))
    assert again.rules == (TickRule.DUPLICATE,)
    assert len(checks.check(tick(2)).accepted) == 1


def test_an_update_of_other_fields_is_no_repetition() -> None:
    checks = TickChecks(1)
    checks.check(tick(1))
    assert len(checks.check(tick(1, is_quote=False, is_trade=False)).accepted) == 1


def trades(checks: TickChecks, *prices: float, first: int = 0) -> list[float]:
    """Send trades one by one and return the prices that were accepted."""
    kept = []
    for number, price in enumerate(prices, first):
        around = {"bid": price - 0.1, "ask": price + 0.1}
        kept += checks.check(tick(number, last=price, **around)).accepted.last.tolist()
    return kept


def test_a_lone_spike_is_refused_and_trading_goes_on() -> None:
    checks = TickChecks(1)
    usual = [100 + 0.01 * (number % 5) for number in range(20)]
    assert trades(checks, *usual, 150.0, *usual[:5]) == [*usual, *usual[:5]]
    assert checks.counts[TickRule.SPIKE] == 1


def test_a_market_that_really_moved_is_believed_after_some_trades() -> None:
    checks = TickChecks(1)
    usual = [100 + 0.01 * (number % 5) for number in range(20)]
    kept = trades(checks, *usual, *[48.0] * 12)
    assert kept == [*usual, *[48.0] * 10]
    assert checks.counts[TickRule.SPIKE] == 2


def test_no_band_is_drawn_from_too_few_trades() -> None:
    assert trades(TickChecks(1), 100.0, 100.0, 150.0) == [100.0, 100.0, 150.0]


def test_the_band_widens_with_a_wild_market() -> None:
    rng = np.random.default_rng(3)
    wild = (100 * np.exp(rng.normal(0, 0.02, 400))).round(2).tolist()
    checks = TickChecks(1)
    assert trades(checks, *wild) == wild


def test_a_price_that_never_changes_is_counted_once_and_kept() -> None:
    checks = TickChecks(1, TickLimits(constant=10))
    assert len(trades(checks, *[100.0] * 30)) == 30
    assert checks.counts[TickRule.CONSTANT] == 1


def test_symbols_do_not_judge_one_another() -> None:
    checks = TickChecks(2)
    trades(checks, *[100.0] * 20)
    assert len(checks.check(tick(30, symbol=1, last=5.0, bid=4.9, ask=5.1)).accepted) == 1
