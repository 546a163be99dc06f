"""Judge a tape's report by hand arithmetic on five trades against one quote of 100 to 101."""

import json

import numpy as np
import pytest

from system.algo_trader.jobs.tape_report import RULES, TapeTerms, tape_report
from system.algo_trader.jobs.tape_source import TapeData
from system.algo_trader.tape.columns import Quotes, Trades
from system.algo_trader.tape.sides import Rule

PRICES = [101.0, 100.0, 100.5, 101.0, float("nan")]
SIZES = [10.0, 20.0, 5.0, 12_000.0, 1.0]
FLAG = np.array([1, -1, 1, -1, 0], dtype=np.int8)


def data(*, sampled: bool = False, quoted: bool = True, flag: bool = True) -> TapeData:
    trades = Trades.of(np.arange(10, 15), PRICES, SIZES, tick_size=0.5, sampled=sampled)
    quotes = Quotes.of([0], [100.0], [101.0], tick_size=0.5) if quoted else None
    return TapeData("/ESH24", trades, quotes, FLAG if flag else None, "file", False)


ONE_SESSION = np.zeros(5, dtype=np.int64)


def test_sides_shares_and_agreement_are_those_of_the_arithmetic() -> None:
    told = tape_report(data(), TapeTerms(), ONE_SESSION).as_dict()
    json.dumps(told, allow_nan=False)
    # At the ask, at the bid, at the midpoint after a rise by tick, at the ask, without a price.
    assert (told["bought"], told["sold"], told["unknown"]) == (12_015, 20, 1)
    assert told["delta"] == 11_995
    assert (told["delta_high"], told["delta_low"]) == (11_995, -10)
    where = told["at_quote"]
    assert where["bid"] == pytest.approx(20 / 12_035)
    assert where["mid"] == pytest.approx(5 / 12_035)
    assert where["ask"] == pytest.approx(12_010 / 12_035)
    assert where["unquoted"] == pytest.approx(1 / 12_036)
    assert told["confidence"] == {
        **{"none": 1, "carried": 0, "tick": 1, "outside": 0, "inside": 0},
        "touch": 3,
    }
    assert told["agreement"] == {"flagged": 4, "judged": 4, "right": 3, "share": 0.75}
    assert told["vwap"] == pytest.approx((101 * 12_010 + 100 * 20 + 100.5 * 5) / 12_035)
    assert told["bands"]["vwap"] == pytest.approx(told["vwap"])
    assert (told["blocks"], told["profile"]["point_of_control"]) == (1, 101.0)
    assert told["sampled"] is False


def test_without_quotes_the_tick_rule_tells_and_the_shares_say_why_not() -> None:
    told = tape_report(data(quoted=False, flag=False), TapeTerms(), ONE_SESSION).as_dict()
    assert told["basis"] == "tick"
    assert told["at_quote"]["reason"] == "no usable quote"
    assert told["agreement"] is None
    assert told["quotes"] == 0


def test_a_window_and_a_lag_keep_quotes_away() -> None:
    for terms in (TapeTerms(window_ns=9), TapeTerms(lag_ns=14)):
        told = tape_report(data(), terms, ONE_SESSION).as_dict()
        assert told["at_quote"]["bid"] is None, terms
    inside = tape_report(data(), TapeTerms(window_ns=20), ONE_SESSION).as_dict()
    assert inside["at_quote"]["bid"] is not None


def test_each_session_begins_anew_in_every_column() -> None:
    report = tape_report(data(), TapeTerms(), np.array([7, 7, 8, 8, 8]))
    rows = report.by_trade().to_pylist()
    # The rise from 100 is another session's: the midpoint trade has no side.
    assert [row["side"] for row in rows] == ["buy", "sell", "unknown", "buy", "unknown"]
    assert [row["cumulative_delta"] for row in rows] == [10, -10, 0, 12_000, 12_000]
    assert rows[2]["vwap"] == 100.5
    assert report.as_dict()["sessions"] == 2


def test_every_trade_has_its_side_confidence_quote_and_marks() -> None:
    rows = tape_report(data(sampled=True), TapeTerms(), ONE_SESSION).by_trade().to_pylist()
    assert [row["confidence"] for row in rows] == ["touch", "touch", "tick", "touch", "none"]
    assert {(row["bid"], row["ask"]) for row in rows} == {(100.0, 101.0)}
    assert [row["block"] for row in rows] == [False, False, False, True, False]
    assert [row["price"] for row in rows] == [101.0, 100.0, 100.5, 101.0, None]
    assert all(row["sampled"] for row in rows)


def test_a_sample_says_so() -> None:
    assert tape_report(data(sampled=True), TapeTerms(), ONE_SESSION).as_dict()["sampled"] is True


def test_every_rule_has_a_name() -> None:
    assert set(RULES.values()) == set(Rule)
    for name in RULES:
        told = tape_report(data(), TapeTerms(rule=name), ONE_SESSION).as_dict()
        assert told["terms"]["rule"] == name
