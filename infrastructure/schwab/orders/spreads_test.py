"""Golden forms: schwab-py's builder, told the legs by hand, writes the same JSON."""

from decimal import Decimal
from typing import Any

import pytest
from schwab.orders import common, generic

from infrastructure.schwab.orders import spreads, templates
from infrastructure.schwab.orders.checks import check_order, order_faults
from infrastructure.schwab.orders.notional import order_notional
from infrastructure.schwab.orders.order import Order

C190, C200, C210 = (f"AAPL  251219C00{strike}000" for strike in (190, 200, 210))
P170, P180, P190 = (f"AAPL  251219P00{strike}000" for strike in (170, 180, 190))
FAR = "AAPL  260116C00190000"
BTO, STO, BTC, STC = "BUY_TO_OPEN", "SELL_TO_OPEN", "BUY_TO_CLOSE", "SELL_TO_CLOSE"
Legs = list[tuple[str, str, int]]

GOLDEN: dict[str, tuple[Order, str, str, Legs]] = {
    "iron condor": (
        spreads.iron_condor_open(P170, P180, C200, C210, 2, "1.50"),
        "NET_CREDIT",
        "IRON_CONDOR",
        [(BTO, P170, 2), (BTO, C210, 2), (STO, P180, 2), (STO, C200, 2)],
    ),
    "iron condor, closed": (
        spreads.iron_condor_close(P170, P180, C200, C210, 2, "1.50"),
        "NET_DEBIT",
        "IRON_CONDOR",
        [(STC, P170, 2), (STC, C210, 2), (BTC, P180, 2), (BTC, C200, 2)],
    ),
    "condor": (
        spreads.condor_open(C190, C200, C210, FAR, 2, "1.50"),
        "NET_DEBIT",
        "CONDOR",
        [(BTO, C190, 2), (BTO, FAR, 2), (STO, C200, 2), (STO, C210, 2)],
    ),
    "condor, closed": (
        spreads.condor_close(C190, C200, C210, FAR, 2, "1.50"),
        "NET_CREDIT",
        "CONDOR",
        [(STC, C190, 2), (STC, FAR, 2), (BTC, C200, 2), (BTC, C210, 2)],
    ),
    "butterfly": (
        spreads.butterfly_open(C190, C200, C210, 2, "1.50"),
        "NET_DEBIT",
        "BUTTERFLY",
        [(BTO, C190, 2), (STO, C200, 4), (BTO, C210, 2)],
    ),
    "butterfly, closed": (
        spreads.butterfly_close(C190, C200, C210, 2, "1.50"),
        "NET_CREDIT",
        "BUTTERFLY",
        [(STC, C190, 2), (BTC, C200, 4), (STC, C210, 2)],
    ),
    "straddle, bought": (
        spreads.straddle_open(C190, P190, 2, "1.50", credit=False),
        "NET_DEBIT",
        "STRADDLE",
        [(BTO, C190, 2), (BTO, P190, 2)],
    ),
    "straddle, sold": (
        spreads.straddle_open(C190, P190, 2, "1.50", credit=True),
        "NET_CREDIT",
        "STRADDLE",
        [(STO, C190, 2), (STO, P190, 2)],
    ),
    "bought straddle, closed": (
        spreads.straddle_close(C190, P190, 2, "1.50", credit=True),
        "NET_CREDIT",
        "STRADDLE",
        [(STC, C190, 2), (STC, P190, 2)],
    ),
    "sold straddle, closed": (
        spreads.straddle_close(C190, P190, 2, "1.50", credit=False),
        "NET_DEBIT",
        "STRADDLE",
        [(BTC, C190, 2), (BTC, P190, 2)],
    ),
    "strangle, sold": (
        spreads.strangle_open(C210, P170, 2, "1.50", credit=True),
        "NET_CREDIT",
        "STRANGLE",
        [(STO, C210, 2), (STO, P170, 2)],
    ),
    "sold strangle, closed": (
        spreads.strangle_close(C210, P170, 2, "1.50", credit=False),
        "NET_DEBIT",
        "STRANGLE",
        [(BTC, C210, 2), (BTC, P170, 2)],
    ),
    "calendar": (
        spreads.calendar_open(C190, FAR, 2, "1.50"),
        "NET_DEBIT",
        "CALENDAR",
        [(BTO, FAR, 2), (STO, C190, 2)],
    ),
    "calendar, closed": (
        spreads.calendar_close(C190, FAR, 2, "1.50"),
        "NET_CREDIT",
        "CALENDAR",
        [(STC, FAR, 2), (BTC, C190, 2)],
    ),
    "collar": (
        spreads.collar_open(P180, C200, 2, "1.50", credit=True),
        "NET_CREDIT",
        "COLLAR_SYNTHETIC",
        [(BTO, P180, 2), (STO, C200, 2)],
    ),
    "collar with stock": (
        spreads.collar_with_stock("AAPL", P180, C200, 2, "1.50"),
        "NET_DEBIT",
        "COLLAR_WITH_STOCK",
        [("BUY", "AAPL", 200), (BTO, P180, 2), (STO, C200, 2)],
    ),
    "covered call": (
        spreads.covered_call("AAPL", C200, 2, "1.50"),
        "NET_DEBIT",
        "COVERED",
        [("BUY", "AAPL", 200), (STO, C200, 2)],
    ),
}


def theirs(order_type: str, strategy: str, legs: Legs) -> Any:
    builder = generic.OrderBuilder()
    builder.set_session(common.Session.NORMAL).set_duration(common.Duration.DAY)
    builder.set_order_strategy_type(common.OrderStrategyType.SINGLE)
    builder.set_order_type(common.OrderType[order_type]).set_price("1.50").set_quantity(2)
    builder.set_complex_order_strategy_type(common.ComplexOrderStrategyType[strategy])
    for instruction, symbol, quantity in legs:
        if symbol == "AAPL":
            builder.add_equity_leg(common.EquityInstruction[instruction], symbol, quantity)
        else:
            builder.add_option_leg(common.OptionInstruction[instruction], symbol, quantity)
    return builder.build()


@pytest.mark.parametrize("name", GOLDEN)
def test_a_spread_is_what_schwab_pys_builder_makes_of_its_legs(name: str) -> None:
    order, order_type, strategy, legs = GOLDEN[name]
    assert order.to_wire() == theirs(order_type, strategy, legs)
    check_order(order)


def test_on_close_and_trailing_limit_orders_are_those_of_schwab_pys_builder() -> None:
    base = generic.OrderBuilder()
    base.set_session(common.Session.NORMAL).set_duration(common.Duration.DAY)
    base.set_order_strategy_type(common.OrderStrategyType.SINGLE)
    base.add_equity_leg(common.EquityInstruction.SELL, "AAPL", 5)
    base.set_order_type(common.OrderType.MARKET_ON_CLOSE)
    assert templates.equity_market_on_close("SELL", "AAPL", 5).to_wire() == base.build()
    base.set_order_type(common.OrderType.LIMIT_ON_CLOSE).set_price("9.50")
    assert templates.equity_limit_on_close("SELL", "AAPL", 5, "9.50").to_wire() == base.build()
    base.set_order_type(common.OrderType.TRAILING_STOP_LIMIT).set_stop_price_offset(2)
    base.set_stop_price_link_basis(common.StopPriceLinkBasis.LAST)
    base.set_stop_price_link_type(common.StopPriceLinkType.VALUE)
    base.set_stop_type(common.StopType.MARK)
    made = templates.equity_trailing_stop_limit("SELL", "AAPL", 5, 2, "9.50").with_stop_type("mark")
    assert made.to_wire() == base.build()
    check_order(made)
    option = templates.option_trailing_stop_limit("SELL_TO_CLOSE", C190, 5, 2, "9.50")
    check_order(option)
    assert option.to_wire()["stopPriceOffset"] == 2


def test_words_that_fit_no_order_of_its_type_are_named() -> None:
    on_close = templates.equity_market_on_close("SELL", "AAPL", 5)
    faults = list(order_faults(on_close.with_duration("GOOD_TILL_CANCEL").with_stop_type("BID")))
    assert "ends with its day" in faults[0] + faults[1]
    assert "no stop type" in faults[0] + faults[1]
    lots = templates.equity_limit("SELL", "AAPL", 5, "9.50").with_tax_lots("HIGH_COST")
    assert lots.to_wire()["taxLotMethod"] == "HIGH_COST"


def test_shares_beside_options_count_once() -> None:
    order = spreads.covered_call("AAPL", C200, 2, "185.00")
    # Two contracts: 200 shares at 185 net; the calls' strikes are more: 2 x 100 x 200.
    assert order_notional(order, lambda _: None) == Decimal(40_000)
    dear = spreads.covered_call("AAPL", C200, 2, "250.00")
    assert order_notional(dear, lambda _: None) == Decimal(50_000)
