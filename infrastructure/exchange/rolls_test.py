"""Judge roll rules by hand-made volumes and CME's table of roll dates."""

from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infrastructure.errors import InputError
from infrastructure.exchange.rolls import calendar_roll_date, equity_index_roll_date, roll_index

FRONT = np.array([90.0, 80.0, 40.0, 60.0, 30.0, 20.0])
NEXT = np.array([10.0, 20.0, 50.0, 50.0, 70.0, 90.0])


def test_the_roll_comes_once_the_next_contract_trades_more() -> None:
    assert roll_index(FRONT, NEXT) == 2


def test_the_roll_waits_for_as_many_days_running_as_asked() -> None:
    assert roll_index(FRONT, NEXT, confirm=2) == 5
    assert roll_index(FRONT, NEXT, confirm=3) is None


def test_days_without_a_figure_count_neither_way() -> None:
    following = NEXT.copy()
    following[2] = np.nan
    assert roll_index(FRONT, following) == 4
    front = FRONT.copy()
    front[5] = np.nan
    assert roll_index(front, NEXT, confirm=2) is None
    assert roll_index(np.full(3, np.nan), np.ones(3)) is None


def test_equal_volumes_do_not_roll() -> None:
    assert roll_index(np.array([5, 5]), np.array([5, 5])) is None
    assert roll_index(np.array([], dtype=np.int64), np.array([], dtype=np.int64)) is None


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=12), st.integers(1, 4))
def test_the_rule_equals_a_plain_walk_and_never_looks_ahead(
    rows: list[tuple[int, int]], confirm: int
) -> None:
    front = np.array([row[0] for row in rows], dtype=np.int64)
    following = np.array([row[1] for row in rows], dtype=np.int64)
    run, expected = 0, None
    for index, (held, coming) in enumerate(rows):
        run = run + 1 if coming > held else 0
        if run == confirm:
            expected = index
            break
    found = roll_index(front, following, confirm=confirm)
    assert found == expected
    if found is not None:
        assert roll_index(front[: found + 1], following[: found + 1], confirm=confirm) == found


def test_unequal_arrays_and_no_days_are_refused() -> None:
    with pytest.raises(InputError, match=r"shapes \(6,\) and \(5,\)"):
        roll_index(FRONT, NEXT[:5])
    with pytest.raises(InputError, match="confirm is 0, expected at least 1"):
        roll_index(FRONT, NEXT, confirm=0)


@pytest.mark.parametrize(
    ("expiry", "roll"),
    [
        # CME's page: expiration 9/19/2014 rolls 9/11/2014, 12/19/2014 rolls 12/11/2014.
        ("2014-09-19", "2014-09-11"),
        ("2014-12-19", "2014-12-11"),
        # Since June 2022 the Monday before the third Friday.
        ("2022-06-17", "2022-06-13"),
        ("2025-03-21", "2025-03-17"),
        ("2026-06-18", "2026-06-15"),
    ],
)
def test_equity_index_contracts_roll_on_cmes_dates(expiry: str, roll: str) -> None:
    assert equity_index_roll_date(date.fromisoformat(expiry)) == date.fromisoformat(roll)


def test_a_calendar_roll_counts_from_whichever_comes_first() -> None:
    last, notice = date(2025, 2, 26), date(2025, 1, 31)
    assert calendar_roll_date(last, notice, 5) == date(2025, 1, 26)
    assert calendar_roll_date(last, None, 5) == date(2025, 2, 21)
    assert calendar_roll_date(last, date(2025, 3, 5), 5) == date(2025, 2, 21)
