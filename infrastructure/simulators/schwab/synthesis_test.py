from datetime import date

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.simulators.schwab.synthesis import (
    NS_PER_MINUTE,
    Day,
    extended_minutes,
    generator,
    regular_minutes,
)

OPEN_NS = 1_362_148_200_000_000_000
DAY = date(2013, 3, 1)

prices = st.integers(min_value=1, max_value=10_000_000).map(lambda tenths: tenths / 10_000)


@st.composite
def days(draw: st.DrawFn) -> Day:
    four = sorted(draw(st.lists(prices, min_size=4, max_size=4)))
    inner = draw(st.permutations(four[1:3]))
    return Day(inner[0], four[3], four[0], inner[1], draw(st.integers(0, 2_000_000_000)))


def chance(seed: int = 0, part: int = 0) -> np.random.Generator:
    return generator(seed, "AAPL", DAY, part)


@given(day=days(), seed=st.integers(0, 2**32), count=st.sampled_from([3, 210, 390]))
def test_minutes_keep_the_days_five_numbers_exactly(day: Day, seed: int, count: int) -> None:
    bars = regular_minutes(day, OPEN_NS, OPEN_NS + count * NS_PER_MINUTE, chance(seed))
    assert len(bars) == count
    assert bars.open[0] == day.open
    assert bars.close[-1] == day.close
    assert bars.high.max() == day.high
    assert bars.low.min() == day.low
    assert bars.volume.sum() == day.volume
    assert bars.volume.min() >= 0
    assert np.all(bars.high >= np.maximum(bars.open, bars.close))
    assert np.all(bars.low <= np.minimum(bars.open, bars.close))
    assert np.all(bars.open[1:] == bars.close[:-1])
    assert np.all(np.diff(bars.start_ns) == NS_PER_MINUTE)


@given(day=days(), seed=st.integers(0, 2**32))
def test_extended_minutes_stay_inside_the_day_and_its_sessions(day: Day, seed: int) -> None:
    spans = ((OPEN_NS - 150 * NS_PER_MINUTE, OPEN_NS), (OPEN_NS, OPEN_NS + 240 * NS_PER_MINUTE))
    for bars, span in zip(extended_minutes(day, spans, chance(seed)), spans, strict=True):
        assert np.all((bars.start_ns >= span[0]) & (bars.start_ns < span[1]))
        assert np.all(np.diff(bars.start_ns) > 0)
        assert np.all((bars.low >= day.low) & (bars.high <= day.high))
        assert np.all(bars.high >= np.maximum(bars.open, bars.close))
        assert np.all(bars.volume >= 1)


def test_extended_hours_lead_to_the_open_and_away_from_the_close() -> None:
    day = Day(100.0, 110.0, 95.0, 108.0, 1_000_000)
    spans = ((0, 150 * NS_PER_MINUTE), (540 * NS_PER_MINUTE, 780 * NS_PER_MINUTE))
    before, after = extended_minutes(day, spans, chance())
    assert before.close[-1] == day.open
    assert after.open[0] == day.close


def test_day_without_volume_has_no_extended_minutes() -> None:
    before, after = extended_minutes(
        Day(1.0, 1.0, 1.0, 1.0, 0), ((0, 10**13), (10**13, 2 * 10**13)), chance()
    )
    assert len(before) == len(after) == 0


def test_row_that_contradicts_itself_gives_minutes_between_its_extremes() -> None:
    bars = regular_minutes(
        Day(10.0, 9.0, 8.0, 7.0, 100), OPEN_NS, OPEN_NS + 390 * NS_PER_MINUTE, chance()
    )
    assert (bars.high.max(), bars.low.min()) == (10.0, 7.0)


def test_same_seed_symbol_and_date_give_the_same_draws_and_others_do_not() -> None:
    def draw(seed: int, symbol: str, day: date, part: int) -> list[float]:
        drawn: list[float] = generator(seed, symbol, day, part).random(4).tolist()
        return drawn

    same = draw(1, "IBM", DAY, 0)
    assert same == draw(1, "IBM", DAY, 0)
    others = [
        draw(2, "IBM", DAY, 0),
        draw(1, "FB", DAY, 0),
        draw(1, "IBM", date(2013, 2, 28), 0),
        draw(1, "IBM", DAY, 1),
    ]
    assert same not in others
