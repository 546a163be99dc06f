"""Judge price notations by the exchanges' own examples."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infrastructure.errors import InputError
from infrastructure.exchange.contracts import spec
from infrastructure.exchange.price_formats import Decimals, Eighths, ThirtySeconds


@pytest.mark.parametrize(
    ("root", "text", "price"),
    [
        ("ZB", "118'16", 118.5),
        ("ZB", "118'31", 118.96875),
        ("ZN", "110'165", 110.515625),
        ("ZN", "110'160", 110.5),
        # CBOT's page of the 2-Year Note: 109-162 is 16.25, 109-165 is 16.5, 109-167 is 16.75.
        ("ZF", "109'162", 109 + 16.25 / 32),
        ("ZF", "109'165", 109 + 16.5 / 32),
        ("ZF", "109'167", 109 + 16.75 / 32),
        ("ZT", "103'201", 103 + 20.125 / 32),
        ("ZT", "103'208", 103 + 20.875 / 32),
        ("ZC", "455'2", 455.25),
        ("ZC", "455'6", 455.75),
        ("ES", "6000.25", 6000.25),
        ("6J", "0.0067125", 0.0067125),
    ],
)
def test_prices_are_written_and_read_as_the_exchange_does(
    root: str, text: str, price: float
) -> None:
    form = spec(root).price_format
    assert form.format(price) == text
    assert form.parse(text) == price
    assert form.parse(text.replace("'", "-")) == price


@settings(deadline=None)
@given(st.sampled_from([1, 2, 4, 8]), st.integers(-50_000, 50_000))
def test_every_thirty_second_price_is_read_back(parts: int, units: int) -> None:
    form, price = ThirtySeconds(parts), units / (32 * parts)
    assert form.parse(form.format(price)) == price


@settings(deadline=None)
@given(st.integers(-20_000, 20_000))
def test_every_eighth_is_read_back(units: int) -> None:
    assert Eighths().parse(Eighths().format(units / 8)) == units / 8


def test_decimal_prices_are_taken_in_every_format() -> None:
    assert ThirtySeconds(2).parse("110.515625") == 110.515625
    assert Eighths().parse("455.25") == 455.25
    assert Decimals(2).parse("-37.63") == -37.63


@pytest.mark.parametrize("text", ["110'32", "110'161", "110'164", "110'1", "abc", "1e5", ""])
def test_malformed_treasury_prices_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="is not a price"):
        ThirtySeconds(2).parse(text)


@pytest.mark.parametrize("text", ["455'8", "455'22", "nan"])
def test_malformed_grain_prices_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="is not a price"):
        Eighths().parse(text)


def test_prices_off_the_grid_are_refused_with_the_nearest() -> None:
    with pytest.raises(InputError, match=r"110\.51 does not lie on the grid.*110\.515625"):
        ThirtySeconds(2).format(110.51)
    with pytest.raises(InputError, match=r"455\.3 does not lie on the grid.*455\.25"):
        Eighths().format(455.3)
