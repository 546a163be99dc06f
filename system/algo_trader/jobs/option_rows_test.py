"""Judge the rows of a report by hand arithmetic and by the sums they must have."""

import math
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from system.algo_trader.jobs.option_rows import (
    at_close,
    exposure_rows,
    metric_rows,
    quote_rows,
    strike_text,
)
from system.algo_trader.options.chain import Chain
from system.algo_trader.options.gex import GexReport, gex_report
from system.algo_trader.options.iv_rank import IvStanding
from system.algo_trader.options.parity import RateCurve
from system.algo_trader.options.synthetic import NOW_NS, RATE, synthetic_chain
from system.algo_trader.storage.tables import OPTION_EXPOSURE, OPTION_METRICS, OPTION_QUOTES


def ns(day: int, hour: int, minute: int = 0) -> int:
    return int(datetime(2023, 12, day, hour, minute, tzinfo=UTC).timestamp()) * 1_000_000_000


MORNING, CLOSE, LATER = ns(15, 14, 30), ns(15, 21), ns(18, 21)
"""Two settlements of one Friday, in New York at 9:30 and 16:00, and one of the Monday after."""


def report(chain: Chain, rate: float = RATE) -> GexReport:
    return gex_report(chain, now_ns=chain.as_of_ns, curve=RateCurve.flat(rate))


def two_settlements() -> Chain:
    """One call and one put of each settlement at 4500; quotes of a 20 % volatility or none."""
    return Chain.of(
        "SPX", 4500, NOW_NS,
        [MORNING, MORNING, CLOSE, CLOSE, LATER, LATER],
        [4500, 4500, 4500, 4500, 4512.5, 4512.5],
        [True, False] * 3,
        bid=[100, 100, 110, 110, 0, 0], ask=[101, 101, 111, 111, 5, 0],
        open_interest=[10, 20, 30, 40, 7, 0], volume=[1, 2, 3, 4, 0, 5],
    )  # fmt: skip


def rows_of(table: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = table.to_pylist()
    return found


@pytest.mark.parametrize("name", ["SPX", "$SPX"])
def test_contracts_are_told_apart_by_root_where_two_settle_on_one_day(name: str) -> None:
    chain = replace(two_settlements(), underlying=name)
    rows = rows_of(quote_rows(report(chain), source="cboe", is_synthetic=False))
    keys = [(row["root"], row["expiry"], row["strike"], row["right"]) for row in rows]
    assert sorted(keys) == sorted(
        (root, day, strike, right)
        for root, day, strike in (
            ("SPX", "2023-12-15", "4500"),
            ("SPXW", "2023-12-15", "4500"),
            ("SPXW", "2023-12-18", "4512.5"),
        )
        for right in "CP"
    )
    last = {row["right"]: row for row in rows if row["expiry"] == "2023-12-18"}
    assert (last["C"]["bid"], last["C"]["ask"], last["P"]["ask"]) == (None, 5, None)
    assert (last["P"]["iv"], last["P"]["gamma"], last["P"]["last"]) == (None, None, None)
    assert (last["P"]["volume"], last["P"]["open_interest"]) == (5, 0)
    assert {row["spot"] for row in rows} == {4500.0}
    assert {row["time"] for row in rows} == {NOW_NS}
    assert {row["is_synthetic"] for row in rows} == {False}


def test_greeks_are_a_day_and_a_point_of_volatility() -> None:
    chain = synthetic_chain(expiries=3, strikes=21)
    made = report(chain)
    rows = rows_of(quote_rows(made, source="cboe", is_synthetic=True))
    sigma, years = made.surface.chain.vendor_volatility, made.surface.terms.years
    assert len(rows) == len(made.surface.chain)
    at = next(i for i, row in enumerate(rows) if row["iv"] is not None and abs(row["delta"]) > 0.45)
    assert rows[at]["iv"] == pytest.approx(sigma[at], abs=1e-6)
    # Hull's identity of gamma and vega: vega = gamma S^2 sigma t, here for 0.01.
    t = years[made.surface.expiry_index[at]]
    expected = rows[at]["gamma"] * chain.spot**2 * sigma[at] * t / 100
    assert rows[at]["vega"] == pytest.approx(expected, rel=1e-4)
    assert -chain.spot < rows[at]["theta"] < 0


def test_exposures_of_dates_sum_to_those_of_all_and_of_the_report() -> None:
    made = report(synthetic_chain(expiries=4, strikes=31))
    rows = rows_of(exposure_rows(made, source="cboe", is_synthetic=True))
    told = made.as_dict()
    by_strike: dict[str, float] = defaultdict(float)
    by_date: dict[str, float] = defaultdict(float)
    for row in rows:
        if row["expiry"] != "all":
            by_strike[row["strike"]] += row["gex"]
            by_date[row["expiry"]] += row["gex"]
        assert row["gex"] == pytest.approx(row["call_gex"] + row["put_gex"], abs=1e-3)
    every = {row["strike"]: row for row in rows if row["expiry"] == "all"}
    assert set(by_strike) == set(every)
    for strike, row in every.items():
        assert row["gex"] == pytest.approx(by_strike[strike], abs=1e-3)
    for entry in told["strikes"]:
        row = every[strike_text(entry["strike"])]
        assert row["call_gex"] == pytest.approx(entry["gex"]["call"])
        names = ("gex", "dex", "vex", "chex")
        for name, measure in zip(names, ("gex", "dex", "vanna", "charm"), strict=True):
            assert row[name] == pytest.approx(entry[measure]["net"], rel=1e-9, abs=1e-3)
    for entry in told["expiries"]:
        assert by_date[entry["date"]] == pytest.approx(entry["gex"]["net"], abs=1e-3)
    held = made.surface.chain.open_interest.sum()
    assert sum(row["open_interest"] for row in every.values()) == held


def test_two_settlements_of_a_day_are_one_row_of_their_sum() -> None:
    made = report(two_settlements())
    rows = {
        (row["expiry"], row["strike"]): row
        for row in rows_of(exposure_rows(made, source="cboe", is_synthetic=False))
    }
    assert set(rows) == {
        ("2023-12-15", "4500"), ("2023-12-18", "4512.5"), ("all", "4500"), ("all", "4512.5"),
    }  # fmt: skip
    both = rows["2023-12-15", "4500"]
    assert both["open_interest"] == 100
    gamma = made.surface.gamma[:4]
    held = [20, 10, 40, 30]  # puts come first in a chain
    signed = [sign * n * g for sign, n, g in zip((-1, 1, -1, 1), held, gamma, strict=True)]
    assert both["gex"] == pytest.approx(100 * 4500**2 * 0.01 * math.fsum(signed))
    assert rows["2023-12-18", "4512.5"]["open_interest"] == 7


def test_metrics_say_what_the_report_says() -> None:
    made = report(synthetic_chain(expiries=6, strikes=41))
    standing = IvStanding(61.0, 72.0, None, 252, 252, 0.1, 0.3)
    rows = rows_of(metric_rows(made, source="cboe", is_synthetic=True, standing=standing))
    told = made.as_dict()
    *dates, every = rows
    assert every["expiry"] == "all"
    for name in ("flip", "call_wall", "put_wall"):
        assert every[name] == told[name]["price"]
    assert every["gex"] == pytest.approx(told["total"]["gex"]["net"])
    assert every["put_call_ratio"] == told["put_call_volume"]["value"]
    assert (every["iv_rank"], every["iv_percentile"]) == (61.0, 72.0)
    assert (every["max_pain"], every["expected_move"]) == (None, None)
    assert 0.1 < every["atm_iv"] < 0.25
    assert [row["expiry"] for row in dates] == [entry["date"] for entry in told["expiries"]]
    for row, entry in zip(dates, told["expiries"], strict=True):
        assert row["atm_iv"] == entry["atm_volatility"]
        assert row["max_pain"] == entry["max_pain"]["price"]
        assert row["gex"] == pytest.approx(entry["gex"]["net"])
        assert (row["flip"], row["iv_rank"]) == (None, None)


def test_the_metrics_of_a_day_with_two_settlements_are_those_of_the_close() -> None:
    made = report(two_settlements())
    friday, monday, every = rows_of(metric_rows(made, source="cboe", is_synthetic=False))
    close = made.as_dict()["expiries"][1]
    assert close["settles"] == "2023-12-15T21:00:00Z"
    assert friday["atm_iv"] == close["atm_volatility"]
    assert friday["put_call_ratio"] == pytest.approx((2 + 4) / (1 + 3))
    assert (friday["call_wall"], friday["put_wall"]) == (4500, 4500)
    assert (monday["put_call_ratio"], monday["atm_iv"]) == (None, None)
    assert every["put_call_ratio"] == pytest.approx(11 / 4)
    assert (every["atm_iv"], every["iv_rank"]) == (None, None)


def test_every_column_is_declared_and_each_key_occurs_once() -> None:
    made = report(synthetic_chain(expiries=3, strikes=15))
    for schema, table in (
        (OPTION_QUOTES, quote_rows(made, source="s", is_synthetic=True)),
        (OPTION_EXPOSURE, exposure_rows(made, source="s", is_synthetic=True)),
        (OPTION_METRICS, metric_rows(made, source="s", is_synthetic=True)),
    ):
        assert table.column_names == [*(column.name for column in schema.columns), "time"]
        keys = [tuple(row[tag.name] for tag in schema.tags) for row in rows_of(table)]
        assert len(set(keys)) == len(keys)
        assert all(all(key) for key in keys)


def test_a_chain_without_contracts_has_no_quotes_and_says_nothing() -> None:
    made = report(two_settlements().where(two_settlements().settles_ns < 0))
    assert quote_rows(made, source="s", is_synthetic=False).num_rows == 0
    assert exposure_rows(made, source="s", is_synthetic=False).num_rows == 0
    [every] = rows_of(metric_rows(made, source="s", is_synthetic=False))
    assert (every["gex"], every["flip"], every["atm_iv"]) == (0.0, None, None)


def test_a_strike_is_written_as_people_write_it() -> None:
    assert [strike_text(each) for each in (4800.0, 12.5, 123456.5, 0.05, 1e6)] == [
        "4800", "12.5", "123456.5", "0.05", "1000000",
    ]  # fmt: skip


def test_half_past_nine_in_new_york_is_no_close() -> None:
    chain = two_settlements()
    assert at_close(chain.settles_ns).tolist() == [False, False, True, True, True, True]
