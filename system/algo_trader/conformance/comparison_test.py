"""Each way in which an answer can differ is told, and no value of a person with it."""

from __future__ import annotations

from typing import Any

import pytest

from infrastructure.simulators.schwab.wire_forms import wire_schema
from system.algo_trader.conformance.comparison import Comparison
from system.algo_trader.conformance.difference import Difference
from system.algo_trader.conformance.safe_words import SafeWords
from system.algo_trader.conformance.schemas import Side, schemas

CANDLE = {"open": 1.0, "high": 2, "low": 1.0, "close": 1.5, "volume": 3, "datetime": 1}
CANDLES: dict[str, Any] = {"candles": [CANDLE], "symbol": "AAPL", "empty": False}


def compared(
    value: Any, form: str, side: Side = "market", words: SafeWords | None = None
) -> list[tuple[str, str, str]]:
    found = Comparison("case", side, words or SafeWords()).of(value, form)
    return [(each.path, each.kind, each.observed) for each in found]


def test_an_answer_like_its_form_has_no_difference() -> None:
    assert compared(CANDLES, "CandleList") == []


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"empty": "no"}, ("$.empty", "type", "string")),
        ({"empty": None}, ("$.empty", "type", "null")),
        ({"previousClose": True}, ("$.previousClose", "type", "boolean")),
        ({"previousCloseDate": 1.5}, ("$.previousCloseDate", "type", "number")),
        ({"novel": 1}, ("$.novel", "unknown key", "integer")),
        ({"candles": [CANDLE | {"volume": 1.5}]}, ("$.candles[].volume", "type", "number")),
        ({"candles": {}}, ("$.candles", "type", "object")),
    ],
)
def test_a_difference_is_told_with_its_place(
    change: dict[str, Any], found: tuple[str, str, str]
) -> None:
    assert compared(CANDLES | change, "CandleList") == [found]


def test_a_missing_key_and_how_often_it_is_missing() -> None:
    short = {key: value for key, value in CANDLE.items() if key != "close"}
    (found,) = Comparison("c", "market", SafeWords()).of(
        CANDLES | {"candles": [short, short, CANDLE]}, "CandleList"
    )
    assert found == Difference("c", "$.candles[].close", "missing key", "number", "nothing", 2)


def test_an_unknown_enumeration_value_is_told_when_it_reads_like_a_word() -> None:
    order = {"orderStrategyType": "SINGLE", "status": "HALF_FILLED"}
    assert compared(order, "Order", "trader") == [("$.status", "enum value", "HALF_FILLED")]
    odd = order | {"status": "12345678"}
    assert compared(odd, "Order", "trader") == [
        ("$.status", "enum value", "<a text of 8 characters>")
    ]


def test_an_unknown_kind_of_instrument_is_an_enumeration_value() -> None:
    held = {"assetType": "MOON_ROCK", "symbol": "X"}
    assert compared(held, "AccountsInstrument", "trader") == [
        ("$.assetType", "enum value", "MOON_ROCK")
    ]
    assert compared({"symbol": "X"}, "AccountsInstrument", "trader")[0][1] == "missing key"


def test_what_was_learnt_as_personal_is_never_told() -> None:
    words = SafeWords()
    words.learn({"symbol": "GAMESTOP", "accountNumber": 123, "nickName": "Rainy_Day"})
    order = {"orderStrategyType": "SINGLE", "status": "GAMESTOP", "Rainy_Day": 1, "x123456": 2}
    assert compared(order, "Order", "trader", words) == [
        ("$.status", "enum value", "<a text of 8 characters>"),
        ("$.<a key of 9 characters>", "unknown key", "integer"),
        ("$.<a key of 7 characters>", "unknown key", "integer"),
    ]


def test_every_form_of_the_published_schemas_is_kept() -> None:
    published = wire_schema()["schemas"]
    assert schemas("market").keys() >= published["market"].keys()
    assert schemas("trader").keys() >= published["trader"].keys()


@pytest.mark.parametrize("side", ["market", "trader", "token"])
def test_every_reference_and_every_required_key_is_there(side: Side) -> None:
    forms = schemas(side)

    def references(form: Any) -> list[str]:
        if isinstance(form, dict):
            own = [form["$ref"].rpartition("/")[2]] if "$ref" in form else []
            return own + [name for part in form.values() for name in references(part)]
        return (
            [name for part in form for name in references(part)] if isinstance(form, list) else []
        )

    for name, form in forms.items():
        assert all(reference in forms for reference in references(form)), name
        assert set(form.get("required", ())) <= set(form.get("properties", {})), name
        assert all(each in forms for each in form.get("variants", ("", {}))[1].values()), name
