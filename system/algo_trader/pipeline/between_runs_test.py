"""Judge the time between two runs by the exchange's hours."""

from pathlib import Path

import pytest

from system.algo_trader.feeds.live import GapEvent, Instrument
from system.algo_trader.pipeline.between_runs import NOT_RUNNING, BetweenRuns

S = 1_000_000_000
NOON = 1_710_172_800 * S
"""2024-03-11T16:00Z, a Monday, noon in New York."""
DAY = 86_400 * S
AAPL = Instrument("AAPL", "AAPL", "LEVELONE_EQUITIES", "XNYS")
MSFT = Instrument("MSFT", "MSFT", "LEVELONE_EQUITIES", "XNYS")


def test_an_hour_of_the_session_without_a_run_is_a_gap_once(tmp_path: Path) -> None:
    runs = BetweenRuns(tmp_path, "schwab-live")
    assert runs.missed([AAPL], NOON) == []
    runs.ended([AAPL, MSFT], NOON)
    expected = [GapEvent("LEVELONE_EQUITIES", NOT_RUNNING, NOON, NOON + 3_600 * S, None)]
    assert runs.missed([AAPL], NOON + 3_600 * S) == expected
    runs.forget()
    assert runs.missed([AAPL], NOON + 7_200 * S) == []


def test_a_gap_that_its_run_did_not_store_is_told_to_the_next_one(tmp_path: Path) -> None:
    BetweenRuns(tmp_path, "schwab-live").ended([AAPL], NOON)
    for later in (3_600 * S, 7_200 * S):
        [gap] = BetweenRuns(tmp_path, "schwab-live").missed([AAPL], NOON + later)
        assert (gap.start_ns, gap.end_ns) == (NOON, NOON + later)


def test_an_end_that_came_later_is_not_forgotten(tmp_path: Path) -> None:
    runs = BetweenRuns(tmp_path, "schwab-live")
    runs.ended([AAPL], NOON)
    runs.missed([AAPL], NOON + 60 * S)
    runs.ended([AAPL], NOON + 120 * S)
    runs.forget()
    assert runs.missed([AAPL], NOON + 180 * S)[0].start_ns == NOON + 120 * S


@pytest.mark.parametrize(
    ("instruments", "ended", "begun"),
    [
        ([AAPL], NOON - 3 * DAY + 10 * 3_600 * S, NOON - 3 * DAY + 14 * 3_600 * S),
        ([MSFT], NOON, NOON + 3_600 * S),
        ([AAPL], NOON, NOON - 5 * DAY),
    ],
    ids=["Friday night", "another stock", "a market that went back"],
)
def test_what_is_no_gap(
    tmp_path: Path, instruments: list[Instrument], ended: int, begun: int
) -> None:
    BetweenRuns(tmp_path, "schwab-live").ended([AAPL], ended)
    assert BetweenRuns(tmp_path, "schwab-live").missed(instruments, begun) == []


def test_days_off_with_sessions_in_them_are_a_gap(tmp_path: Path) -> None:
    runs = BetweenRuns(tmp_path, "schwab-live")
    runs.ended([AAPL], NOON - 30 * DAY)
    assert len(runs.missed([AAPL], NOON)) == 1


def test_sources_do_not_know_of_each_other(tmp_path: Path) -> None:
    BetweenRuns(tmp_path, "schwab-live").ended([AAPL], NOON)
    assert BetweenRuns(tmp_path, "schwab-sim-live").missed([AAPL], NOON + 3_600 * S) == []
