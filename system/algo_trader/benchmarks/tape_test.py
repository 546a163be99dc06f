import numpy as np

from system.algo_trader.benchmarks.tape import run, seeded_tape
from system.algo_trader.tape import reference
from system.algo_trader.tape.classify import classify, prevailing_quotes
from system.algo_trader.tape.sides import Rule


def test_every_rule_and_the_whole_way_are_measured_beside_numpy() -> None:
    rows = run(2_000)
    assert len(rows) == len(Rule) + 1
    assert [row.budget for row in rows] == [50e6] * len(Rule) + [None]
    for row in rows:
        assert row.ours > 0
        assert row.ratio is not None


def test_what_is_measured_is_the_same_answer_on_both_sides() -> None:
    trades, quotes = seeded_tape(5_000)
    held = prevailing_quotes(trades, quotes)
    assert (trades.time_ns[1:] >= trades.time_ns[:-1]).all()
    assert (held.row >= 0).sum() > 4_900
    for rule in Rule:
        starts = np.zeros(len(trades), dtype=np.bool_)
        side, _ = reference.classify(rule, trades.price, held.bid, held.ask, starts)
        found = classify(trades, held, rule).side
        assert (found == side).all()
        assert {-1, 1} <= set(found.tolist())
