"""Judge rolls by published expiries, and by another algorithm over the same figures."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.errors import InputError, UnknownSymbol
from infrastructure.exchange.continuous import (
    ContinuousFuture,
    Leg,
    RollRule,
    calendar_legs,
    figure_legs,
    parse_continuous,
)
from infrastructure.exchange.symbols import Future

ES_EXPIRIES = [
    "2024-03-15", "2024-06-21", "2024-09-20", "2024-12-20", "2025-03-21", "2025-06-20",
    "2025-09-19", "2025-12-19", "2026-03-20", "2026-06-18", "2026-09-18", "2026-12-18",
]  # fmt: skip
"""CME's expiration calendar of the E-mini S&P 500: third Fridays, but for 2026-06-19, a holiday."""
QUARTERS = (3, 6, 9, 12)


def es(year: int, month: int) -> Future:
    return Future("ES", year, month)


def leading(legs: list[Leg], day: date) -> Future | None:
    found = [leg.contract for leg in legs if leg.first <= day < leg.until]
    assert len(found) < 2
    return found[0] if found else None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ES.c.0", ContinuousFuture("ES", RollRule.CALENDAR, 0)),
        ("/es.V.1", ContinuousFuture("ES", RollRule.VOLUME, 1)),
        ("6E.n.2", ContinuousFuture("6E", RollRule.OPEN_INTEREST, 2)),
        ("/ESZ26", None),
        ("AAPL", None),
        ("BRK.B", None),
    ],
)
def test_symbols_are_told_apart(text: str, expected: ContinuousFuture | None) -> None:
    assert parse_continuous(text) == expected


@pytest.mark.parametrize("text", ["ES.x.0", "ES.c.99", "ES.front.0"])
def test_a_wrong_rule_or_rank_is_told_with_the_right_ones(text: str) -> None:
    with pytest.raises(InputError, match=r"ES\.c\.0 \(by calendar\)"):
        parse_continuous(text)


def test_an_unknown_root_is_named() -> None:
    with pytest.raises(UnknownSymbol, match="QQQQ"):
        parse_continuous("QQQQ.c.0")


@pytest.mark.parametrize("rank", [0, 1, 3])
def test_the_calendar_rolls_the_day_after_each_published_expiry(rank: int) -> None:
    first, last = date(2024, 1, 2), date(2026, 12, 31)
    legs = calendar_legs(ContinuousFuture("ES", RollRule.CALENDAR, rank), first, last)
    expected = [date.fromisoformat(each) + timedelta(days=1) for each in ES_EXPIRIES]
    assert [leg.until for leg in legs[:-1]] == expected
    assert [leg.first for leg in legs] == [first, *expected]
    months = [(2024 + place // 4, QUARTERS[place % 4]) for place in range(rank, rank + 13)]
    assert [(leg.contract.year, leg.contract.month) for leg in legs] == months


def test_an_expiry_day_still_belongs_to_the_contract_that_expires() -> None:
    front = ContinuousFuture("ES", RollRule.CALENDAR, 0)
    legs = calendar_legs(front, date(2024, 3, 15), date(2024, 3, 18))
    assert leading(legs, date(2024, 3, 15)) == es(2024, 3)
    assert leading(legs, date(2024, 3, 16)) == es(2024, 6)


def test_volume_rolls_on_the_day_after_the_next_contract_traded_more() -> None:
    days = np.arange("2024-03-11", "2024-03-16", dtype="datetime64[D]")
    figures = {
        es(2024, 3): np.array([9.0, 9, 4, 9, 9]),
        es(2024, 6): np.array([1.0, 2, 5, 3, 2]),
        es(2024, 9): np.array([0.0, 0, 0, 0, np.nan]),
    }
    front = ContinuousFuture("ES", RollRule.VOLUME, 0)
    legs = figure_legs(front, days, figures)
    # Of the 11th no day before is known. On the 13th June traded more; March's later lead brings
    # it back no more.
    assert legs == [
        Leg(es(2024, 3), date(2024, 3, 12), date(2024, 3, 14)),
        Leg(es(2024, 6), date(2024, 3, 14), date(2024, 3, 16)),
    ]
    after = figure_legs(ContinuousFuture("ES", RollRule.VOLUME, 1), days, figures)
    assert [leg.contract for leg in after] == [es(2024, 6), es(2024, 9)]


@given(
    st.lists(
        st.lists(st.one_of(st.integers(0, 9), st.none()), min_size=4, max_size=4),
        min_size=1,
        max_size=40,
    )
)
def test_no_day_is_decided_by_itself_or_later_and_nothing_rolls_back(
    table: list[list[int | None]],
) -> None:
    names = [es(2024, month) for month in QUARTERS]
    days = np.datetime64("2024-02-26") + np.arange(len(table))
    values = np.array([[np.nan if v is None else float(v) for v in row] for row in table])
    front = ContinuousFuture("ES", RollRule.VOLUME, 0)

    def held(rows: np.ndarray) -> list[Future | None]:
        figures = {name: rows[:, place] for place, name in enumerate(names)}
        legs = figure_legs(front, days[: len(rows)], figures)
        return [leading(legs, day) for day in days[: len(rows)].tolist()]

    every = held(values)
    led = [each for each in every if each is not None]
    assert led == sorted(led, key=lambda each: each.month)
    for count in range(1, len(values) + 1):
        changed = values[:count].copy()
        changed[-1] = [9, 0, 9, 0]
        assert held(changed)[:count] == every[:count]
    ends = [date.fromisoformat(each) for each in ES_EXPIRIES[:4]]
    lead, floor = None, 0
    for row, day in enumerate(days.tolist()):
        # Said plainly: of what has not expired and does not lie behind, the largest of yesterday
        # leads; if nothing is known of yesterday, the one that led, until it has expired.
        best = [v if ends[place] >= day and place >= floor and not np.isnan(v) else -1.0
                for place, v in enumerate(values[row - 1])] if row else [-1.0]  # fmt: skip
        if max(best) >= 0:
            lead = floor = best.index(max(best))
        elif lead is not None and ends[lead] < day:
            lead = None
        assert every[row] == (None if lead is None else names[lead])
