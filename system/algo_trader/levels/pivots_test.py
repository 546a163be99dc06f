import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.errors import InputError
from system.algo_trader.levels.pivots import PivotKind, pivots

# A session from 100 to 110 that closes at 108: pivot 318 / 3 = 106, range 10. All by hand.


def test_classic_levels_are_those_of_hand_arithmetic() -> None:
    found = pivots(PivotKind.CLASSIC, 110.0, 100.0, 108.0)
    assert found.pivot == 106.0
    # 2 * 106 - 100, 106 + 10, 110 + 2 * 6
    assert found.resistances == (112.0, 116.0, 122.0)
    # 2 * 106 - 110, 106 - 10, 100 - 2 * 4
    assert found.supports == (102.0, 96.0, 92.0)


def test_fibonacci_levels_lie_at_parts_of_the_range_beside_the_pivot() -> None:
    found = pivots(PivotKind.FIBONACCI, 110.0, 100.0, 108.0)
    assert found.pivot == 106.0
    assert found.resistances == pytest.approx((109.82, 112.18, 116.0))
    assert found.supports == pytest.approx((102.18, 99.82, 96.0))


def test_camarilla_levels_lie_at_parts_of_the_range_beside_the_close() -> None:
    found = pivots(PivotKind.CAMARILLA, 110.0, 100.0, 108.0)
    assert found.pivot == 106.0
    # 11 / 12, 11 / 6, 11 / 4 and 11 / 2 above and below 108
    assert found.resistances == pytest.approx((108.9166667, 109.8333333, 110.75, 113.5))
    assert found.supports == pytest.approx((107.0833333, 106.1666667, 105.25, 102.5))


@pytest.mark.parametrize(
    ("high", "low", "close"),
    [(100.0, 110.0, 105.0), (110.0, 100.0, 111.0), (110.0, 100.0, 99.0), (math.nan, 1.0, 1.0)],
)
def test_prices_that_no_session_has_are_refused(high: float, low: float, close: float) -> None:
    with pytest.raises(InputError, match="no session has the high"):
        pivots(PivotKind.CLASSIC, high, low, close)


SESSIONS = st.tuples(*[st.integers(1, 100_000) for _ in range(3)]).map(sorted)


@given(SESSIONS, st.sampled_from(list(PivotKind)))
def test_levels_rise_from_the_lowest_support_to_the_highest_resistance(
    prices: list[int], kind: PivotKind
) -> None:
    low, close, high = (price / 100 for price in prices)
    found = pivots(kind, high, low, close)
    ladder = [*found.supports[::-1], *found.resistances]
    assert all(b >= a - 1e-9 for a, b in pairwise(ladder))
    assert low - 1e-9 <= found.pivot <= high + 1e-9


@given(SESSIONS, st.sampled_from(list(PivotKind)), st.floats(0.5, 4.0))
def test_levels_scale_with_prices(prices: list[int], kind: PivotKind, factor: float) -> None:
    low, close, high = (price / 100 for price in prices)
    one = pivots(kind, high, low, close)
    scaled = pivots(kind, high * factor, low * factor, close * factor)
    assert scaled.resistances == pytest.approx([price * factor for price in one.resistances])
    assert scaled.supports == pytest.approx([price * factor for price in one.supports])
