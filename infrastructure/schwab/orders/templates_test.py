"""Golden forms: schwab-py's builders write the same JSON."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from schwab.orders import common, equities, generic, options

from infrastructure.errors import InvalidOrder, UsageError
from infrastructure.schwab.orders import spreads
from infrastructure.schwab.orders import templates as ours
from infrastructure.schwab.orders.checks import check_order, order_faults
from infrastructure.schwab.orders.order import Order
from infrastructure.schwab.orders.prices import truncated, wire_price

CALL_190, CALL_200 = "AAPL  251219C00190000", "AAPL  251219C00200000"
PUT_170, PUT_180 = "AAPL  251219P00170000", "AAPL  251219P00180000"
QUANTITIES = st.integers(1, 10_000)
PRICES = st.decimals("0.01", "9999.99", places=2)


def plain(builder: Any) -> Any:
    return builder.build()


@given(QUANTITIES, PRICES)
def test_equity_orders_are_those_of_schwab_py(quantity: int, price: Decimal) -> None:
    text = wire_price(price)
    words = {
        "BUY": "buy",
        "SELL": "sell",
        "SELL_SHORT": "sell_short",
        "BUY_TO_COVER": "buy_to_cover",
    }
    for word, name in words.items():
        market = getattr(equities, f"equity_{name}_market")("AAPL", quantity)
        limit = getattr(equities, f"equity_{name}_limit")("AAPL", quantity, text)
        assert ours.equity_market(word, "aapl", quantity).to_wire() == plain(market)
        assert ours.equity_limit(word, "AAPL", quantity, price).to_wire() == plain(limit)


@pytest.mark.parametrize("word", ["BUY_TO_OPEN", "SELL_TO_OPEN", "BUY_TO_CLOSE", "SELL_TO_CLOSE"])
def test_option_orders_are_those_of_schwab_py(word: str) -> None:
    market = getattr(options, f"option_{word.lower()}_market")(CALL_200, 3)
    limit = getattr(options, f"option_{word.lower()}_limit")(CALL_200, 3, "1.25")
    assert ours.option_market(word, CALL_200, 3).to_wire() == plain(market)
    assert ours.option_limit(word, CALL_200, 3, "1.25").to_wire() == plain(limit)


def test_verticals_are_those_of_schwab_py() -> None:
    pairs = [
        ("bull_call", CALL_190, CALL_200, False),
        ("bear_call", CALL_200, CALL_190, True),
        ("bull_put", PUT_170, PUT_180, True),
        ("bear_put", PUT_180, PUT_170, False),
    ]
    for name, long, short, credit in pairs:
        theirs = getattr(options, f"{name}_vertical_open")
        # schwab-py names its arguments by position: bear calls and bull puts put the short first.
        keywords = {
            key: (long if key.startswith("long") else short)
            for key in theirs.__code__.co_varnames[: theirs.__code__.co_argcount]
            if key.endswith("_symbol")
        }
        price = {"net_credit" if credit else "net_debit": "1.50"}
        golden = plain(theirs(quantity=2, **keywords, **price))
        made = spreads.vertical_open(long, short, 2, "1.50", credit=credit)
        assert _by_symbol(made.to_wire()) == _by_symbol(golden)
        check_order(made)
        closing = getattr(options, f"{name}_vertical_close")
        price = {"net_debit" if credit else "net_credit": "1.50"}
        golden = plain(closing(quantity=2, **keywords, **price))
        made = spreads.vertical_close(long, short, 2, "1.50", credit=not credit)
        assert _by_symbol(made.to_wire()) == _by_symbol(golden)


def _by_symbol(wire: dict[str, Any]) -> dict[str, Any]:
    legs = sorted(wire["orderLegCollection"], key=lambda leg: str(leg["instrument"]["symbol"]))
    return {**wire, "orderLegCollection": legs}


def test_combined_orders_are_those_of_schwab_py() -> None:
    def their_limit(price: str) -> Any:
        return equities.equity_sell_limit("AAPL", 1, price)

    golden = plain(common.one_cancels_other(their_limit("11.00"), their_limit("9.00")))
    target, stop = (ours.equity_limit("SELL", "AAPL", 1, price) for price in ("11.00", "9.00"))
    assert ours.one_cancels_other(target, stop).to_wire() == golden
    entry = equities.equity_buy_limit("AAPL", 1, "10.00")
    golden = plain(common.first_triggers_second(entry, their_limit("11.00")))
    mine = ours.equity_limit("BUY", "AAPL", 1, "10.00")
    assert ours.first_triggers(mine, target).to_wire() == golden
    bracket = ours.bracket(mine, target, ours.equity_stop("SELL", "AAPL", 1, "9.00"))
    check_order(bracket)
    assert [child["orderStrategyType"] for child in bracket.to_wire()["childOrderStrategies"]] == [
        "OCO"
    ]
    assert mine.children == ()


def test_stops_and_trails_are_those_of_schwab_pys_builder() -> None:
    base = (
        generic.OrderBuilder()
        .set_session(common.Session.NORMAL)
        .set_duration(common.Duration.DAY)
        .set_order_strategy_type(common.OrderStrategyType.SINGLE)
        .add_equity_leg(common.EquityInstruction.SELL, "AAPL", 5)
    )
    base.set_order_type(common.OrderType.STOP_LIMIT).set_price("9.50").set_stop_price("9.60")
    assert ours.equity_stop_limit("SELL", "AAPL", 5, "9.60", "9.50").to_wire() == plain(base)
    base.clear_price().clear_stop_price().set_order_type(common.OrderType.TRAILING_STOP)
    base.set_stop_price_link_basis(common.StopPriceLinkBasis.LAST)
    base.set_stop_price_link_type(common.StopPriceLinkType.PERCENT).set_stop_price_offset(2)
    made = ours.equity_trailing_stop("SELL", "AAPL", 5, 2, "PERCENT")
    assert made.to_wire() == plain(base)
    check_order(made)


@pytest.mark.filterwarnings("ignore:passing floats")
@given(st.integers(1, 99_999_999))
def test_cutting_a_price_is_schwab_pys_rule(eighths: int) -> None:
    price = Decimal(eighths) / 1024  # exact as a float, so that both see the same number
    assert wire_price(price) == generic.truncate_float(float(price))
    assert abs(truncated(price)) <= price


@pytest.mark.parametrize(
    ("order", "fault"),
    [
        (ours.equity_limit("BUY", "AAPL", 1, "10.005"), "too fine"),
        (ours.equity_limit("BUY", "AAPL", 1, "0.12345"), "four decimals"),
        (ours.equity_limit("BUY", "AAPL", 1, "-1"), "not positive"),
        (ours.equity_limit("BUY_TO_OPEN", "AAPL", 1, "1"), "no instruction"),
        (ours.equity_market("BUY", "AAPL", 0), "positive whole"),
        (ours.equity_market("BUY", "AAPL", 1).with_price("1"), "takes no price"),
        (ours.equity_market("BUY", "AAPL", 1).with_session("PM"), "only LIMIT"),
        (ours.equity_market("BUY", "AAPL", 1).with_duration("END_OF_WEEK"), "refuses"),
        (ours.equity_market("BUY", "AAPL", 1).add_equity("BUY", "AAPL", 1), "two legs"),
        (ours.option_market("BUY", CALL_200, 1), "no instruction"),
        (Order(), "type is missing"),
    ],
)
def test_an_order_that_cannot_be_meant_is_refused_with_the_reason(order: Order, fault: str) -> None:
    assert fault in "; ".join(order_faults(order))
    with pytest.raises(InvalidOrder, match=fault):
        check_order(order)


def test_a_float_price_and_a_misspelt_word_are_refused() -> None:
    with pytest.raises(InvalidOrder, match="is a float"):
        ours.equity_limit("BUY", "AAPL", 1, 10.05)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="SELL_SHORT"):
        ours.equity_market("SELL_SHRT", "AAPL", 1)
