"""One order: an immutable value, built step by step, checked, and written as Schwab's JSON."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Literal, Self

from infrastructure.exchange.symbology import parse_option
from infrastructure.schwab.enums import member
from infrastructure.schwab.orders.prices import exact, wire_price
from infrastructure.schwab.orders.words import (
    ComplexStrategy,
    Duration,
    Instruction,
    LinkBasis,
    LinkType,
    OrderType,
    SpecialInstruction,
    StopType,
    StrategyType,
    TaxLotMethod,
    TradingSession,
)
from infrastructure.schwab.symbols import checked_symbol

Price = Decimal | int | str


@dataclass(frozen=True, slots=True)
class Leg:
    """One instrument of an order.

    Attributes:
        instruction: What is done.
        symbol: As Schwab spells it.
        quantity: Whole shares or contracts.
        asset: EQUITY or OPTION.
    """

    instruction: Instruction
    symbol: str
    quantity: int
    asset: Literal["EQUITY", "OPTION"]

    def to_wire(self) -> dict[str, Any]:
        """Return the leg's JSON."""
        return {
            "instruction": self.instruction.value,
            "instrument": {"assetType": self.asset, "symbol": self.symbol},
            "quantity": self.quantity,
        }


@dataclass(frozen=True, slots=True)
class Order:
    """Hold an order to be sent; every `with_*` and `add_*` returns a new one.

    Attributes:
        order_type: How the price is set; None for an OCO container.
        session: When it may trade.
        duration: How long it stands.
        price: Limit or net price, in dollars a share or contract unit.
        stop_price: Where a stop is triggered.
        stop_offset: Distance of a trailing stop, in the unit of `link_type`.
        link_basis: Which price a trailing stop follows.
        link_type: The unit of the offset.
        complex_strategy: What several option legs make together.
        quantity: Spreads of a complex order.
        special: Conditions on the fill.
        stop_type: Which price triggers a stop.
        tax_lots: Which lots a sale takes.
        strategy_type: SINGLE, OCO or TRIGGER.
        legs: What is traded.
        children: Orders that this one contains or triggers.
    """

    order_type: OrderType | None = None
    session: TradingSession | None = None
    duration: Duration | None = None
    price: Decimal | None = None
    stop_price: Decimal | None = None
    stop_offset: Decimal | None = None
    link_basis: LinkBasis | None = None
    link_type: LinkType | None = None
    complex_strategy: ComplexStrategy | None = None
    quantity: int | None = None
    special: SpecialInstruction | None = None
    stop_type: StopType | None = None
    tax_lots: TaxLotMethod | None = None
    strategy_type: StrategyType = StrategyType.SINGLE
    legs: tuple[Leg, ...] = ()
    children: tuple[Order, ...] = ()

    def with_type(self, order_type: OrderType | str) -> Self:
        """Return the order with another type."""
        return replace(self, order_type=member(OrderType, order_type, "order_type"))

    def with_session(self, session: TradingSession | str) -> Self:
        """Return the order for another session."""
        return replace(self, session=member(TradingSession, session, "session"))

    def with_duration(self, duration: Duration | str) -> Self:
        """Return the order with another duration."""
        return replace(self, duration=member(Duration, duration, "duration"))

    def with_price(self, price: Price) -> Self:
        """Return the order with a limit or net price."""
        return replace(self, price=exact(price, "price"))

    def with_stop(self, price: Price) -> Self:
        """Return the order with a stop price."""
        return replace(self, stop_price=exact(price, "stop price"))

    def with_trail(
        self,
        offset: Price,
        link_type: LinkType | str = LinkType.VALUE,
        basis: LinkBasis | str = LinkBasis.LAST,
    ) -> Self:
        """Return the order with a trailing stop's offset, its unit, and the price it follows."""
        return replace(
            self,
            stop_offset=exact(offset, "stop offset"),
            link_type=member(LinkType, link_type, "link_type"),
            link_basis=member(LinkBasis, basis, "basis"),
        )

    def with_complex(self, strategy: ComplexStrategy | str, quantity: int) -> Self:
        """Return the order as so many spreads of a strategy."""
        kind = member(ComplexStrategy, strategy, "strategy")
        return replace(self, complex_strategy=kind, quantity=quantity)

    def with_special(self, special: SpecialInstruction | str) -> Self:
        """Return the order with a condition on its fill."""
        return replace(self, special=member(SpecialInstruction, special, "special"))

    def with_stop_type(self, stop_type: StopType | str) -> Self:
        """Return the order whose stop another price triggers."""
        return replace(self, stop_type=member(StopType, stop_type, "stop_type"))

    def with_tax_lots(self, method: TaxLotMethod | str) -> Self:
        """Return the order with a method of choosing the lots that are sold."""
        return replace(self, tax_lots=member(TaxLotMethod, method, "method"))

    def add_equity(self, instruction: Instruction | str, symbol: str, quantity: int) -> Self:
        """Return the order with one more equity leg."""
        kind = member(Instruction, instruction, "instruction")
        return replace(
            self, legs=(*self.legs, Leg(kind, checked_symbol(symbol), quantity, "EQUITY"))
        )

    def add_option(self, instruction: Instruction | str, symbol: str, quantity: int) -> Self:
        """Return the order with one more option leg.

        Raises:
            UnknownSymbol: If it is no option symbol.
        """
        kind = member(Instruction, instruction, "instruction")
        return replace(
            self, legs=(*self.legs, Leg(kind, parse_option(symbol).to_osi(), quantity, "OPTION"))
        )

    def triggering(self, *children: Order) -> Self:
        """Return the order that, once filled, places the children."""
        return replace(
            self, strategy_type=StrategyType.TRIGGER, children=(*self.children, *children)
        )

    def to_wire(self) -> dict[str, Any]:
        """Return the order's JSON; what is not set is left out."""
        values: dict[str, Any] = {
            "orderType": self.order_type,
            "session": self.session,
            "duration": self.duration,
            "price": None if self.price is None else wire_price(self.price),
            "stopPrice": None if self.stop_price is None else wire_price(self.stop_price),
            "stopPriceLinkBasis": self.link_basis,
            "stopPriceLinkType": self.link_type,
            "stopPriceOffset": None if self.stop_offset is None else _number(self.stop_offset),
            "complexOrderStrategyType": self.complex_strategy,
            "quantity": self.quantity,
            "specialInstruction": self.special,
            "stopType": self.stop_type,
            "taxLotMethod": self.tax_lots,
            "orderStrategyType": self.strategy_type,
            "orderLegCollection": [leg.to_wire() for leg in self.legs] or None,
            "childOrderStrategies": [child.to_wire() for child in self.children] or None,
        }
        return {name: _plain(value) for name, value in values.items() if value is not None}


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, str) else value


def _number(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)
