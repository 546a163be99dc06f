import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.errors import InputError
from system.algo_trader.tape.classify import Classified, classify
from system.algo_trader.tape.columns import Trades
from system.algo_trader.tape.profile import volume_profile


def tape(volumes: dict[float, float], *, tick_size: float = 1.0) -> Classified:
    trades = Trades.of(
        np.arange(len(volumes)),
        list(volumes),
        list(volumes.values()),
        tick_size=tick_size,
        sampled=False,
    )
    return classify(trades)


def test_the_value_area_grows_by_the_heavier_pair_of_rows() -> None:
    # Busiest 105 with 30 of 100. Above 106+107 = 15+5, below 104+103 = 20+10: below wins (60).
    # Then above 20 against 102+101 = 5+5: above wins (80 >= 70): 103 to 107.
    volumes = {101.0: 5.0, 102.0: 5.0, 103.0: 10.0, 104.0: 20.0, 105.0: 30.0, 106.0: 15.0}
    found = volume_profile(tape({**volumes, 107.0: 5.0, 108.0: 6.0, 109.0: 4.0}))
    assert found.point_of_control == 105.0
    assert (found.value_low, found.value_high) == (103.0, 107.0)


def test_of_equally_busy_rows_the_one_nearest_to_the_middle_controls() -> None:
    found = volume_profile(tape({100.0: 9.0, 103.0: 9.0, 110.0: 1.0}))
    assert found.point_of_control == 103.0
    lower = volume_profile(tape({100.0: 9.0, 101.0: 9.0}))
    assert lower.point_of_control == 100.0


def test_rows_have_no_holes_and_keep_the_delta() -> None:
    trades = Trades.of([1, 2, 3], [10.0, 10.5, 10.0], [1, 4, 2], tick_size=0.25, sampled=True)
    found = volume_profile(classify(trades))
    assert found.price.tolist() == [10.0, 10.25, 10.5]
    assert found.volume.tolist() == [3, 0, 4]
    assert found.delta.tolist() == [-2, 0, 4]
    assert found.sampled


def test_higher_rows_begin_at_multiples_of_their_height() -> None:
    found = volume_profile(tape({7.0: 1.0, 8.0: 2.0, 11.0: 3.0}), row_ticks=4)
    assert found.price.tolist() == [4.0, 8.0]
    assert found.volume.tolist() == [1, 5]


def test_no_volume_has_no_profile_and_says_why() -> None:
    for given_tape in (tape({}), tape({100.0: 0.0})):
        found = volume_profile(given_tape)
        assert (found.point_of_control, found.value_low, found.value_high) == (None, None, None)
        assert found.reason == "no volume"


def test_a_price_far_off_is_refused_instead_of_filling_the_memory() -> None:
    with pytest.raises(InputError, match="span 2000001 rows"):
        volume_profile(tape({0.0: 1.0, 2_000_000.0: 1.0}))


@pytest.mark.parametrize(("row_ticks", "part"), [(0, 0.7), (1, 0.0), (1, 1.1)])
def test_arguments_out_of_range_are_refused(row_ticks: int, part: float) -> None:
    with pytest.raises(InputError, match="rows have one tick or more"):
        volume_profile(tape({1.0: 1.0}), row_ticks=row_ticks, value_area=part)


@given(
    st.dictionaries(st.integers(90, 110), st.integers(1, 20), min_size=1),
    st.floats(0.05, 1.0),
)
def test_the_value_area_holds_the_control_and_enough_volume(
    volumes: dict[int, int], part: float
) -> None:
    found = volume_profile(
        tape({float(price): float(size) for price, size in volumes.items()}), value_area=part
    )
    assert found.value_low is not None
    assert found.point_of_control is not None
    assert found.value_high is not None
    assert found.value_low <= found.point_of_control <= found.value_high
    inside = (found.price >= found.value_low) & (found.price <= found.value_high)
    assert found.volume[inside].sum() >= part * sum(volumes.values()) - 1e-9
    assert found.volume.sum() == sum(volumes.values())
