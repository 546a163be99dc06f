"""Judge what a budget line says."""

import pytest

from system.algo_trader.benchmarks.report import BenchRow, best_seconds


def test_less_time_than_budget_and_peer_is_kept_with_a_ratio_above_one() -> None:
    row = BenchRow("refresh", "ms", 10, "at most", 30, "NumPy", 40, 2.5)
    assert row.ratio == pytest.approx(4)
    assert row.kept
    assert row.as_dict()["kept"] is True


def test_more_a_second_than_the_peer_is_a_ratio_above_one() -> None:
    row = BenchRow("IV", "options/s", 3e6, "at least", 2e6, "loop", 1e6)
    assert row.ratio == pytest.approx(3)
    assert row.kept


@pytest.mark.parametrize(
    "row",
    [
        BenchRow("slow", "ms", 31, "at most", 30),
        BenchRow("few", "1/s", 1, "at least", 2),
        BenchRow("close", "ms", 10, "at most", 30, "peer", 20, 2.5),
        BenchRow("alone", "ms", 10, "at most", 30, ratio_budget=2),
    ],
)
def test_a_missed_budget_or_ratio_is_said(row: BenchRow) -> None:
    assert not row.kept


def test_without_a_peer_there_is_no_ratio() -> None:
    assert BenchRow("alone", "ms", 10, "at most", 30).ratio is None


def test_only_the_timed_runs_count() -> None:
    calls: list[int] = []
    assert best_seconds(lambda: calls.append(1), repeats=3, warm_up=2) >= 0
    assert len(calls) == 5
