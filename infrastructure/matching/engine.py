"""Match orders with quotes. No input or output, no clock: every call brings its own time."""

from __future__ import annotations

from decimal import Decimal

from infrastructure.errors import InputError
from infrastructure.matching.engine_state import EngineState
from infrastructure.matching.events import Event, Filled, StatusChanged
from infrastructure.matching.live_order import LiveOrder
from infrastructure.matching.market_quote import MarketQuote
from infrastructure.matching.order import (
    IMMEDIATE,
    LIMITED,
    ON_CLOSE,
    STOPS,
    Duration,
    Order,
    Side,
    Ticket,
)
from infrastructure.matching.placed import Placed
from infrastructure.matching.policies import (
    Admission,
    AdmitAll,
    AlwaysOpen,
    AtTouch,
    FillPolicy,
    Hours,
)
from infrastructure.matching.status import TERMINAL, Status


class MatchingEngine:
    """Keep orders, let them trade against quotes, and tell what happened.

    Each quote's size can be used once. Orders trade in the order of their numbers. Prices are
    dollars as Decimal, quantities whole units, times nanoseconds UTC that never run backwards.

    Args:
        fills: At which price and in which size the market takes the other side.
        hours: When sessions run.
        admission: Who may send what; a refused order is NEW until it is rejected.
        reject_after_ns: How long that takes.
        first_id: Number of the first order.
    """

    def __init__(
        self,
        *,
        fills: FillPolicy | None = None,
        hours: Hours | None = None,
        admission: Admission | None = None,
        reject_after_ns: int = 0,
        first_id: int = 1,
    ) -> None:
        self._fills = fills or AtTouch()
        self._hours = hours or AlwaysOpen()
        self._admission = admission or AdmitAll()
        self._reject_after_ns = reject_after_ns
        self._next_id = first_id
        self._orders: dict[int, LiveOrder] = {}
        self._open: dict[int, LiveOrder] = {}
        self._quotes: dict[str, MarketQuote] = {}
        self._used: dict[tuple[str, Side], int] = {}
        self._events: list[Event] = []

    def order(self, order_id: int) -> LiveOrder:
        """Return an order.

        Raises:
            InputError: If there is none of this number.
        """
        if order_id not in self._orders:
            raise InputError(f"there is no order {order_id}")
        return self._orders[order_id]

    def orders(self) -> tuple[LiveOrder, ...]:
        """Return every order, oldest first."""
        return tuple(self._orders.values())

    def open_orders(self) -> tuple[LiveOrder, ...]:
        """Return the orders that can still change, oldest first."""
        return tuple(self._open.values())

    def quote(self, symbol: str) -> MarketQuote | None:
        """Return the last quote seen of a symbol, None before the first."""
        return self._quotes.get(symbol)

    def saved(self) -> EngineState:
        """Return all that it knows, to be kept."""
        used = tuple((symbol, side, units) for (symbol, side), units in self._used.items())
        return EngineState(self._next_id, self.orders(), tuple(self._quotes.values()), used)

    def restore(self, state: EngineState) -> None:
        """Know what another engine knew, and nothing else."""
        self._next_id = state.next_id
        self._orders = {live.order_id: live for live in state.orders}
        self._open = {number: live for number, live in self._orders.items() if not live.is_over}
        self._quotes = {quote.symbol: quote for quote in state.quotes}
        self._used = {(symbol, side): units for symbol, side, units in state.used}

    def submit(self, ticket: Ticket, ns: int) -> tuple[Placed, list[Event]]:
        """Take a ticket in and trade what can trade at once."""
        placed, entered = self._enter(ticket, ns, None, ())
        for live in entered:
            self._start(live, ns)
        return placed, self._told()

    def cancel(self, order_id: int, ns: int, after_ns: int = 0) -> list[Event]:
        """Cancel what is left of an order.

        Args:
            order_id: Which.
            ns: Now.
            after_ns: How long the cancel is on its way; until then the order can fill.

        Raises:
            InputError: If the order is over, or a cancel or replacement is on its way already.
        """
        live = self._changeable(order_id)
        if after_ns > 0:
            if live.status is Status.NEW:
                raise InputError(f"order {order_id} is not accepted yet")
            self._step(live, Status.PENDING_CANCEL, ns)
            live.land_ns = ns + after_ns
        else:
            self._step(live, Status.CANCELED, ns, "canceled by the client")
        return self._told()

    def replace(
        self, order_id: int, order: Order, ns: int, after_ns: int = 0
    ) -> tuple[int, list[Event]]:
        """Put another order in an order's place, and return its number.

        Args:
            order_id: The order to be replaced.
            order: The new one; its quantity is what it will trade itself.
            ns: Now.
            after_ns: How long that takes; if the old order fills before, the new one is rejected.

        Raises:
            InputError: If the order is over, or a cancel or replacement is on its way already.
        """
        old = self._changeable(order_id)
        if old.status is Status.NEW:
            raise InputError(f"order {order_id} is not accepted yet")
        new = self._add(order, ns, old.parent_id, old.group)
        new.replaces_id = order_id
        if after_ns > 0:
            self._step(old, Status.PENDING_REPLACE, ns)
            old.land_ns = ns + after_ns
        else:
            self._take_over(old, new, ns)
        return new.order_id, self._told()

    def on_quote(self, quote: MarketQuote, ns: int, is_new: bool = True) -> list[Event]:
        """See the market for one symbol, and trade what can trade.

        Args:
            quote: The best prices and what stands there.
            ns: Now.
            is_new: Whether its sizes stand there anew; after a trade alone they do not.
        """
        self._pass_time(ns)
        self._quotes[quote.symbol] = quote
        if is_new:
            self._used.pop((quote.symbol, 1), None)
            self._used.pop((quote.symbol, -1), None)
        for live in self.open_orders():
            if any(leg.symbol == quote.symbol for leg in live.order.legs):
                self._try(live, ns)
        return self._told()

    def advance(self, ns: int) -> list[Event]:
        """Let time pass: sessions open and close, cancels arrive, orders expire."""
        self._pass_time(ns)
        return self._told()

    def _told(self) -> list[Event]:
        events, self._events = self._events, []
        return events

    def _changeable(self, order_id: int) -> LiveOrder:
        live = self.order(order_id)
        if live.is_over or live.status in (Status.PENDING_CANCEL, Status.PENDING_REPLACE):
            raise InputError(f"order {order_id} is {live.status} and cannot be changed")
        return live

    def _enter(
        self, ticket: Ticket, ns: int, parent: int | None, group: tuple[tuple[int, int], ...]
    ) -> tuple[Placed, list[LiveOrder]]:
        """Add a ticket's orders; return their numbers and those without a parent."""
        if ticket.order is None:
            number = self._number()
            inner = [(*group, (number, branch)) for branch in range(len(ticket.children))]
            below = parent
        else:
            live = self._add(ticket.order, ns, parent, group)
            number = below = live.order_id
            inner = [()] * len(ticket.children)
        placed, free = [], []
        for child, its_group in zip(ticket.children, inner, strict=True):
            tree, entered = self._enter(child, ns, below, its_group)
            placed.append(tree)
            free.extend(entered)
        if ticket.order is not None:
            free = [live] if parent is None else []
        return Placed(number, tuple(placed)), free

    def _add(
        self, order: Order, ns: int, parent: int | None, group: tuple[tuple[int, int], ...]
    ) -> LiveOrder:
        live = LiveOrder(
            self._number(),
            order,
            ns,
            remaining=order.quantity,
            stop=order.stop,
            is_awake=order.kind not in STOPS,
            end_ns=self._hours.end_ns(order.duration, order.session, ns),
            parent_id=parent,
            group=group,
        )
        self._orders[live.order_id] = self._open[live.order_id] = live
        self._events.append(StatusChanged(live.order_id, None, Status.NEW, ns))
        if parent is not None:
            self._step(live, Status.AWAITING_PARENT_ORDER, ns)
        return live

    def _number(self) -> int:
        self._next_id += 1
        return self._next_id - 1

    def _start(self, live: LiveOrder, ns: int) -> None:
        if live.is_over:
            return
        refusal = self._admission.refusal(live.order, self._quotes)
        if refusal is not None:
            live.reason = refusal
            live.land_ns = ns + self._reject_after_ns
            self._land_due(live, ns)
        elif self._hours.is_open(live.order.session, ns):
            self._work(live, ns)
        else:
            self._step(live, Status.PENDING_ACTIVATION, ns)

    def _work(self, live: LiveOrder, ns: int) -> None:
        self._step(live, Status.WORKING, ns)
        if live.order.kind in ON_CLOSE:
            live.close_ns = self._hours.close_ns(ns)
            return
        self._try(live, ns)
        if live.order.duration in IMMEDIATE and not live.is_over:
            self._step(live, Status.CANCELED, ns, f"{live.order.duration}: nothing more to trade")

    def _pass_time(self, ns: int) -> None:
        for live in self.open_orders():
            self._land_due(live, ns)
        for live in self.open_orders():
            if live.close_ns <= ns and not live.is_over:
                self._trade_on_close(live)
            waits = live.status in (Status.NEW, Status.AWAITING_PARENT_ORDER)
            if live.end_ns <= ns and not live.is_over and not waits:
                self._step(live, Status.EXPIRED, live.end_ns)
        for live in self.open_orders():
            pending = live.status is Status.PENDING_ACTIVATION
            if pending and self._hours.is_open(live.order.session, ns):
                self._work(live, ns)

    def _land_due(self, live: LiveOrder, ns: int) -> None:
        if live.land_ns is None or live.land_ns > ns or live.is_over:
            return
        landed, live.land_ns = live.land_ns, None
        if live.status is Status.PENDING_CANCEL:
            self._step(live, Status.CANCELED, landed, "canceled by the client")
        elif live.status is Status.PENDING_REPLACE:
            new = next(each for each in self._open.values() if each.replaces_id == live.order_id)
            self._take_over(live, new, landed)
        else:
            self._step(live, Status.REJECTED, landed, live.reason)

    def _take_over(self, old: LiveOrder, new: LiveOrder, ns: int) -> None:
        waits = old.filled == 0 and new.status is Status.AWAITING_PARENT_ORDER
        for each in self._open.values():
            if each.parent_id == old.order_id:
                each.parent_id = new.order_id
        self._step(old, Status.REPLACED, ns)
        if new.status in (Status.PENDING_CANCEL, Status.PENDING_REPLACE):
            # What is on its way for the new order keeps it asleep until it lands.
            return
        parent = self._orders.get(new.parent_id) if new.parent_id is not None else None
        if not waits or parent is None or parent.status is Status.FILLED:
            self._start(new, ns)

    def _trade_on_close(self, live: LiveOrder) -> None:
        leg = live.order.legs[0]
        quote = self._quotes.get(leg.symbol)
        price = None if quote is None else quote.last
        limit = live.order.most_paid
        if price is None or (limit is not None and leg.side * price > limit):
            self._step(live, Status.EXPIRED, live.close_ns, "no price at the close")
            return
        self._fill(live, live.remaining, (price,), live.close_ns)

    def _try(self, live: LiveOrder, ns: int) -> None:
        """Trade an order against the present quotes as far as it goes."""
        workable = (Status.WORKING, Status.PENDING_CANCEL, Status.PENDING_REPLACE)
        order = live.order
        if live.status not in workable or order.kind in ON_CLOSE:
            return
        if not self._hours.is_open(order.session, ns):
            return
        quotes = [self._quotes.get(leg.symbol) for leg in order.legs]
        if quotes[0] is not None:
            live.watch(quotes[0])
        if not live.is_awake:
            return
        prices: list[Decimal] = []
        units = live.remaining
        for leg, quote in zip(order.legs, quotes, strict=True):
            price = None if quote is None else self._fills.price(leg.side, quote)
            if quote is None or price is None:
                return
            prices.append(price)
            used = self._used.get((leg.symbol, leg.side), 0)
            units = min(units, (self._fills.available(leg.side, quote) - used) // leg.ratio)
        if order.kind in LIMITED and order.most_paid is not None:
            cost = sum(
                (
                    leg.side * leg.ratio * price
                    for leg, price in zip(order.legs, prices, strict=True)
                ),
                Decimal(0),
            )
            if cost > order.most_paid:
                return
        whole = order.all_or_none or order.duration is Duration.FILL_OR_KILL
        if units < 1 or (whole and units < live.remaining):
            return
        for leg in order.legs:
            key = (leg.symbol, leg.side)
            self._used[key] = self._used.get(key, 0) + units * leg.ratio
        self._fill(live, units, tuple(prices), ns)

    def _fill(self, live: LiveOrder, units: int, prices: tuple[Decimal, ...], ns: int) -> None:
        live.remaining -= units
        live.filled += units
        fill = Filled(live.order_id, units, prices, live.remaining, ns)
        live.fills.append(fill)
        self._events.append(fill)
        if live.remaining == 0:
            self._step(live, Status.FILLED, ns)
        self._cut_others(live, units, ns)

    def _cut_others(self, live: LiveOrder, units: int, ns: int) -> None:
        """Take a fill off the other branches of its groups; a complete one ends them."""
        for group, branch in live.group:
            for other in self.open_orders():
                if not any(g == group and b != branch for g, b in other.group):
                    continue
                cut = min(units, other.remaining)
                if live.remaining == 0 or cut == other.remaining:
                    if not other.is_over:
                        self._step(other, Status.CANCELED, ns, f"order {live.order_id} has filled")
                else:
                    other.remaining -= cut
                    other.dropped += cut

    def _step(self, live: LiveOrder, after: Status, ns: int, reason: str = "") -> None:
        before = live.status
        live.step(after)
        self._events.append(StatusChanged(live.order_id, before, after, ns, reason))
        if after not in TERMINAL:
            return
        live.close_time_ns = ns
        live.reason = reason or live.reason
        self._open.pop(live.order_id, None)
        for each in self.open_orders():
            if each.is_over:
                continue
            if each.replaces_id == live.order_id and after is not Status.REPLACED:
                self._step(each, Status.REJECTED, ns, f"order {live.order_id} is {after}")
            elif each.parent_id == live.order_id and after is Status.FILLED:
                # A cancel or a replacement on its way keeps a child asleep until it lands.
                old = self._orders.get(each.replaces_id or 0)
                if each.status is Status.AWAITING_PARENT_ORDER and (old is None or old.is_over):
                    self._start(each, ns)
            elif each.parent_id == live.order_id and after is not Status.REPLACED:
                self._step(each, Status.CANCELED, ns, f"order {live.order_id} is {after}")
