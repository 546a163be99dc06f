"""Judge flow by chains and series in which the unusual was planted, and by polars' windows."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from system.algo_trader.options.flow import (
    as_rows,
    large_premiums,
    mover_scores,
    outliers,
    unusual_contracts,
)
from system.algo_trader.options.synthetic import synthetic_chain


def test_contracts_of_twice_their_open_interest_are_found_by_premium() -> None:
    chain = synthetic_chain(expiries=2, strikes=5)
    volume, held = np.zeros(len(chain)), np.full(len(chain), 500.0)
    volume[[1, 4, 6, 7]] = 1_000, 999, 1_200, 99
    held[7] = 0
    made = replace(chain, volume=volume, open_interest=held)
    found = unusual_contracts(made)
    rows = {1, 6}
    middle = (made.bid + made.ask) / 2
    premiums = {row: volume[row] * middle[row] * made.multiplier for row in rows}
    by_premium = sorted(rows, key=lambda row: -premiums[row])
    assert [each.strike for each in found] == made.strike[by_premium].tolist()
    assert [each.premium for each in found] == pytest.approx([premiums[row] for row in by_premium])
    assert [each.ratio for each in found] == [volume[row] / 500 for row in by_premium]


def test_a_contract_that_nobody_held_is_found_and_has_no_ratio() -> None:
    chain = synthetic_chain(expiries=1, strikes=3)
    volume, held = np.zeros(len(chain)), np.zeros(len(chain))
    volume[2] = 100
    bid = chain.bid.copy()
    bid[2] = np.nan
    (found,) = unusual_contracts(replace(chain, volume=volume, open_interest=held, bid=bid))
    assert (found.ratio, found.premium, found.volume) == (None, None, 100)
    (row,) = as_rows([found])
    assert (row["volume"], row["ratio"], row["right"]) == (100, None, "C" if found.is_call else "P")


def test_an_empty_chain_and_one_without_volume_have_no_flow() -> None:
    chain = synthetic_chain(expiries=1, strikes=3)
    quiet = replace(chain, volume=np.full(len(chain), np.nan))
    assert unusual_contracts(quiet) == []


def test_outliers_are_those_of_polars_windows() -> None:
    values = np.random.default_rng(6).lognormal(0, 1, 400)
    past = pl.Series(values).shift(1)
    z = (pl.Series(values) - past.rolling_mean(20)) / past.rolling_std(20)
    expected = (z > 2).fill_null(False).to_list()
    assert outliers(values).tolist() == expected
    assert any(expected)


def test_a_still_past_marks_nothing_and_a_short_one_neither() -> None:
    assert not outliers(np.array([1.0] * 20 + [9.0])).any()
    assert not outliers(np.arange(20.0)).any()


def test_large_premiums_are_five_times_the_mean_of_fifty() -> None:
    premiums = np.full(60, 100.0)
    premiums[[50, 55]] = 500.0, 499.9
    assert np.flatnonzero(large_premiums(premiums)).tolist() == [50]


def test_movers_are_scored_by_rank_and_weight() -> None:
    scores = mover_scores(
        np.array([0.01, -0.05, 0.0]), np.array([1e9, -3e9, 2e9]), np.array([5.0, 1.0, 9.0])
    )
    assert scores.tolist() == [25.0 + 0.0 + 10.0, 50.0 + 30.0 + 0.0, 0.0 + 15.0 + 20.0]
    assert np.isnan(mover_scores(np.array([np.nan, 1.0]), np.ones(2), np.ones(2))[0])
