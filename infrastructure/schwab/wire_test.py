from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.schwab.wire import Record, WireFormError, build_record


class Leg(Record, frozen=True, kw_only=True, rename="camel"):
    leg_id: int
    note: str | None = None


class Order(Record, frozen=True, kw_only=True, rename="camel"):
    order_id: int
    price: float | None = None
    legs: tuple[Leg, ...] = ()
    by_name: dict[str, Leg] | None = None


def test_nested_records_are_built_with_their_own_extras() -> None:
    order = build_record(
        Order,
        {
            "orderId": 7,
            "legs": [{"legId": 1, "x": 2}],
            "byName": {"a": {"legId": 3, "note": None}},
            "later": True,
        },
    )
    assert order.legs == (Leg(leg_id=1, extra={"x": 2}),)
    assert order.by_name == {"a": Leg(leg_id=3)}
    assert order.extra == {"later": True}


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ([], r"\$: expected an object, got list"),
        ({}, r"\$: orderId is missing"),
        ({"orderId": "7"}, r"\$\.orderId"),
        ({"orderId": None}, r"\$\.orderId"),
        ({"orderId": 7.5}, r"\$\.orderId"),
    ],
)
def test_a_missing_or_mistyped_required_value_names_its_place(value: Any, place: str) -> None:
    with pytest.raises(WireFormError, match=place):
        build_record(Order, value)


@pytest.mark.parametrize(
    "entry",
    [
        {"legs": {"legId": 1}},
        {"legs": [{"note": "no id"}]},
        {"byName": []},
        {"price": "cheap"},
        {"price": True},
    ],
)
def test_an_optional_value_of_another_form_is_kept_as_it_came(entry: dict[str, Any]) -> None:
    order = build_record(Order, {"orderId": 7, **entry})
    assert order == Order(order_id=7, extra=entry)


def test_a_whole_number_is_a_price_and_a_whole_float_an_id() -> None:
    order = build_record(Order, {"orderId": 7.0, "price": 3})
    assert (order.order_id, type(order.order_id)) == (7, int)
    assert (order.price, type(order.price)) == (3.0, float)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=6), JSON))
def test_no_unknown_key_is_ever_lost(unknown: dict[str, Any]) -> None:
    known = {"orderId", "price", "legs", "byName"}
    expected = {key: value for key, value in unknown.items() if key not in known}
    assert build_record(Order, {**expected, "orderId": 1}).extra == expected
