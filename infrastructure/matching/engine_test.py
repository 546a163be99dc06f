from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.errors import InputError
from infrastructure.matching.engine import MatchingEngine
from infrastructure.matching.events import Event, Filled, StatusChanged
from infrastructure.matching.market_quote import MarketQuote
from infrastructure.matching.order import (
    Duration,
    Kind,
    Leg,
    Order,
    Side,
    Ticket,
    TradingSession,
    Trail,
    bracket,
    first_triggers,
    one_cancels_other,
)
from infrastructure.matching.policies import AtTouch, Slipped
from infrastructure.matching.status import EDGES, TERMINAL, Status

D = Decimal
S = 1_000_000_000


def quote(bid: str, ask: str, size: int = 100, symbol: str = "X") -> MarketQuote:
    return MarketQuote(symbol, D(bid), D(ask), size, size, D(bid))


def buy(quantity: int = 100, kind: Kind = Kind.MARKET, limit: str | None = None) -> Order:
    return Order((Leg("X", 1),), quantity, kind, None if limit is None else D(limit))


def sell(quantity: int, kind: Kind, limit: str | None = None, stop: str | None = None) -> Order:
    return Order(
        (Leg("X", -1),),
        quantity,
        kind,
        None if limit is None else -D(limit),
        None if stop is None else D(stop),
    )


def sent(engine: MatchingEngine, order: Order, ns: int = 0) -> int:
    placed, _ = engine.submit(Ticket(order), ns)
    return placed.order_id


def status(engine: MatchingEngine, order_id: int) -> Status:
    return engine.order(order_id).status


class DayHours:
    """Open from second 10 to 20 of each hundred."""

    def is_open(self, session: TradingSession, ns: int) -> bool:
        return 10 <= ns // S % 100 < 20

    def end_ns(self, duration: Duration, session: TradingSession, ns: int) -> int:
        return self.close_ns(ns) if duration is Duration.DAY else 1 << 62

    def close_ns(self, ns: int) -> int:
        start = ns // (100 * S) * 100 * S
        return start + (20 * S if ns < start + 20 * S else 120 * S)


class Refuse:
    def refusal(self, order: Order, quotes: object) -> str | None:
        return "not enough buying power"


def test_a_market_order_takes_the_displayed_size_and_waits_for_more() -> None:
    engine = MatchingEngine()
    engine.on_quote(quote("9.99", "10.01", 60), 0)
    order_id = sent(engine, buy(100))
    assert engine.order(order_id).filled == 60
    assert status(engine, order_id) is Status.WORKING
    events = engine.on_quote(quote("10.00", "10.02", 500), 1)
    assert events[0] == Filled(order_id, 40, (D("10.02"),), 0, 1)
    assert status(engine, order_id) is Status.FILLED


def test_displayed_size_is_used_once() -> None:
    engine = MatchingEngine()
    engine.on_quote(quote("9.99", "10.01", 100), 0)
    first, second = sent(engine, buy(80)), sent(engine, buy(80))
    assert (engine.order(first).filled, engine.order(second).filled) == (80, 20)


def test_a_limit_waits_until_the_market_comes_to_it() -> None:
    engine = MatchingEngine()
    engine.on_quote(quote("9.99", "10.01"), 0)
    order_id = sent(engine, buy(100, Kind.LIMIT, "10.00"))
    assert status(engine, order_id) is Status.WORKING
    engine.on_quote(quote("9.98", "10.00"), 1)
    assert engine.order(order_id).fills[0].prices == (D("10.00"),)


def test_a_sell_stop_wakes_at_its_price_and_sells_at_the_bid() -> None:
    engine = MatchingEngine()
    engine.on_quote(quote("10", "10.02"), 0)
    order_id = sent(engine, sell(100, Kind.STOP, stop="9.50"))
    engine.on_quote(quote("9.51", "9.53"), 1)
    assert status(engine, order_id) is Status.WORKING
    engine.on_quote(quote("9.40", "9.42"), 2)
    assert engine.order(order_id).fills[0].prices == (D("9.40"),)


def test_a_stop_limit_that_gaps_past_its_limit_does_not_trade() -> None:
    engine = MatchingEngine()
    order_id = sent(engine, sell(100, Kind.STOP_LIMIT, limit="9.45", stop="9.50"))
    engine.on_quote(quote("9.40", "9.42"), 1)
    assert engine.order(order_id).is_awake
    assert engine.order(order_id).filled == 0
    engine.on_quote(quote("9.46", "9.48"), 2)
    assert status(engine, order_id) is Status.FILLED


def test_a_trailing_stop_follows_up_and_never_down() -> None:
    engine = MatchingEngine()
    order = Order((Leg("X", -1),), 100, Kind.TRAILING_STOP, trail=Trail(D(10), in_percent=True))
    order_id = sent(engine, order)
    stops = []
    for price in ("100", "110", "105", "99.01"):
        engine.on_quote(quote(price, price), 1)
        stops.append(engine.order(order_id).stop)
    assert stops == [D(90), D(99), D(99), D(99)]
    engine.on_quote(quote("99", "99"), 2)
    assert status(engine, order_id) is Status.FILLED


def test_a_vertical_trades_as_one_at_its_net_price() -> None:
    engine = MatchingEngine()
    legs = (Leg("LOW", 1), Leg("HIGH", -1))
    order_id = sent(engine, Order(legs, 3, Kind.LIMIT, D("1.00")))
    engine.on_quote(quote("2.90", "3.00", 10, "LOW"), 1)
    assert engine.order(order_id).filled == 0
    engine.on_quote(quote("1.95", "2.05", 10, "HIGH"), 2)
    assert engine.order(order_id).filled == 0
    engine.on_quote(quote("2.00", "2.10", 2, "HIGH"), 3)
    assert engine.order(order_id).fills[0].prices == (D("3.00"), D("2.00"))
    assert engine.order(order_id).filled == 2


def test_a_butterfly_needs_size_for_its_ratio() -> None:
    engine = MatchingEngine()
    legs = (Leg("A", 1), Leg("B", -1, 2), Leg("C", 1))
    for symbol in "ABC":
        engine.on_quote(quote("1", "1", 5, symbol), 0)
    assert engine.order(sent(engine, Order(legs, 4))).filled == 2


@pytest.mark.parametrize(
    ("duration", "filled"),
    [(Duration.IMMEDIATE_OR_CANCEL, 60), (Duration.FILL_OR_KILL, 0)],
)
def test_immediate_orders_take_what_is_there_or_nothing(duration: Duration, filled: int) -> None:
    engine = MatchingEngine()
    engine.on_quote(quote("9", "10", 60), 0)
    order = Order((Leg("X", 1),), 100, Kind.LIMIT, D(10), duration=duration)
    live = engine.order(sent(engine, order))
    assert (live.filled, live.dropped) == (filled, 100 - filled)
    assert live.status is Status.CANCELED


def test_one_that_fills_cancels_the_other_and_a_part_takes_its_part() -> None:
    engine = MatchingEngine()
    target, stop = sell(100, Kind.LIMIT, "11"), sell(100, Kind.STOP, stop="9")
    placed, _ = engine.submit(one_cancels_other(Ticket(target), Ticket(stop)), 0)
    first, second = (child.order_id for child in placed.children)
    engine.on_quote(quote("11", "11.01", 30), 1)
    assert engine.order(second).remaining == 70
    engine.on_quote(quote("11", "11.01", 300), 2)
    assert (status(engine, first), status(engine, second)) == (Status.FILLED, Status.CANCELED)


def test_a_bracket_waits_for_its_entry_and_ends_with_it() -> None:
    ticket = bracket(buy(), sell(100, Kind.LIMIT, "11"), sell(100, Kind.STOP, stop="9"))
    engine = MatchingEngine()
    placed, _ = engine.submit(ticket, 0)
    target, stop = (child.order_id for child in placed.children[0].children)
    assert status(engine, target) is Status.AWAITING_PARENT_ORDER
    engine.on_quote(quote("10", "10.01"), 1)
    assert status(engine, target) is Status.WORKING
    engine.on_quote(quote("8.9", "8.91"), 2)
    assert (status(engine, target), status(engine, stop)) == (Status.CANCELED, Status.FILLED)
    placed, _ = engine.submit(first_triggers(buy(1, Kind.LIMIT, "1"), ticket), 3)
    engine.cancel(placed.order_id, 4)
    assert {engine.order(i).status for i in placed.ids() if i in known(engine)} == {Status.CANCELED}


def known(engine: MatchingEngine) -> set[int]:
    return {live.order_id for live in engine.orders()}


def test_a_day_order_waits_for_the_open_and_expires_at_the_close() -> None:
    engine = MatchingEngine(hours=DayHours())
    engine.on_quote(quote("9", "10"), 0)
    order_id = sent(engine, buy(100, Kind.LIMIT, "8"), 1 * S)
    assert status(engine, order_id) is Status.PENDING_ACTIVATION
    engine.advance(10 * S)
    assert status(engine, order_id) is Status.WORKING
    engine.advance(25 * S)
    assert status(engine, order_id) is Status.EXPIRED
    assert engine.order(order_id).close_time_ns == 20 * S


def test_orders_for_the_close_trade_at_the_last_price_within_their_limit() -> None:
    engine = MatchingEngine(hours=DayHours())
    on_close = sent(engine, buy(100, Kind.MARKET_ON_CLOSE), 11 * S)
    near = sent(engine, buy(100, Kind.LIMIT_ON_CLOSE, "9"), 11 * S)
    far = sent(engine, buy(100, Kind.LIMIT_ON_CLOSE, "8.99"), 11 * S)
    engine.on_quote(quote("9", "10", 1), 12 * S)
    assert engine.order(on_close).filled == 0
    engine.advance(20 * S)
    assert engine.order(on_close).fills == [Filled(on_close, 100, (D(9),), 0, 20 * S)]
    assert (status(engine, near), status(engine, far)) == (Status.FILLED, Status.EXPIRED)


def test_a_refused_order_is_new_until_it_is_rejected_with_the_reason() -> None:
    engine = MatchingEngine(admission=Refuse(), reject_after_ns=S)
    engine.on_quote(quote("9", "10"), 0)
    order_id = sent(engine, buy())
    assert status(engine, order_id) is Status.NEW
    events = engine.advance(2 * S)
    assert events == [
        StatusChanged(order_id, Status.NEW, Status.REJECTED, S, "not enough buying power")
    ]


@pytest.mark.parametrize("fills_first", [True, False])
def test_a_cancel_on_its_way_races_with_a_fill(fills_first: bool) -> None:
    engine = MatchingEngine()
    order_id = sent(engine, buy(100, Kind.LIMIT, "10"))
    engine.cancel(order_id, 0, after_ns=10)
    assert status(engine, order_id) is Status.PENDING_CANCEL
    engine.on_quote(quote("9", "10"), 9 if fills_first else 10)
    assert status(engine, order_id) is (Status.FILLED if fills_first else Status.CANCELED)
    with pytest.raises(InputError):
        engine.cancel(order_id, 11)


@pytest.mark.parametrize("fills_first", [True, False])
def test_a_replacement_on_its_way_races_with_a_fill(fills_first: bool) -> None:
    engine = MatchingEngine()
    old = sent(engine, buy(100, Kind.LIMIT, "10"))
    new, _ = engine.replace(old, buy(50, Kind.LIMIT, "11"), 0, after_ns=10)
    assert (status(engine, old), status(engine, new)) == (Status.PENDING_REPLACE, Status.NEW)
    engine.on_quote(quote("9", "10"), 9 if fills_first else 10)
    expected = (Status.FILLED, Status.REJECTED) if fills_first else (Status.REPLACED, Status.FILLED)
    assert (status(engine, old), status(engine, new)) == expected


def test_slippage_never_takes_a_limit_order_through_its_limit() -> None:
    engine = MatchingEngine(fills=Slipped(AtTouch(), D(10)))
    engine.on_quote(quote("9.99", "10.00"), 0)
    market, limit = sent(engine, buy(1)), sent(engine, buy(1, Kind.LIMIT, "10.00"))
    assert engine.order(market).fills[0].prices == (D("10.01"),)
    assert engine.order(limit).filled == 0


def test_orders_that_make_no_sense_are_refused_by_name() -> None:
    with pytest.raises(InputError, match="limit price"):
        buy(1, Kind.LIMIT)
    with pytest.raises(InputError, match="at least 1"):
        buy(0)
    with pytest.raises(InputError, match="at least two"):
        Ticket(None, (Ticket(buy()),))
    with pytest.raises(InputError, match="no order 7"):
        MatchingEngine().order(7)


PRICES = st.integers(90, 110).map(lambda cents: D(cents) / 10)
SIDES: st.SearchStrategy[Side] = st.sampled_from([1, -1])


@st.composite
def orders(draw: st.DrawFn) -> Order:
    side = draw(SIDES)
    kind = draw(st.sampled_from(list(Kind)))
    several = kind in (Kind.MARKET, Kind.LIMIT) and draw(st.booleans())
    other: Side = -1 if side > 0 else 1
    return Order(
        (Leg("X", side), Leg("Y", other, draw(st.integers(1, 3))))
        if several
        else (Leg("X", side),),
        draw(st.integers(1, 200)),
        kind,
        side * draw(PRICES),
        draw(PRICES),
        Trail(draw(PRICES) / 10, draw(st.booleans())),
        draw(st.sampled_from(list(Duration))),
        all_or_none=draw(st.booleans()),
    )


TICKETS = st.recursive(
    orders().map(Ticket),
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=3).map(lambda t: one_cancels_other(*t)),
        st.tuples(orders(), inner).map(lambda pair: first_triggers(pair[0], pair[1])),
    ),
    max_leaves=4,
)
ACTIONS = st.one_of(
    st.tuples(st.just("submit"), TICKETS),
    st.tuples(st.just("cancel"), st.tuples(st.integers(1, 12), st.sampled_from([0, 3 * S]))),
    st.tuples(
        st.just("replace"), st.tuples(st.integers(1, 12), orders(), st.sampled_from([0, 3 * S]))
    ),
    st.tuples(
        st.just("quote"), st.tuples(st.sampled_from("XY"), PRICES, PRICES, st.integers(0, 150))
    ),
)


def play(engine: MatchingEngine, actions: list[tuple[str, Any]]) -> list[tuple[Event, int]]:
    told: list[tuple[Event, int]] = []
    ns = 5 * S
    for number, (name, what) in enumerate(actions):
        ns += 2 * S
        try:
            if name == "submit":
                events = engine.submit(what, ns)[1]
            elif name == "cancel":
                events = engine.cancel(what[0], ns, what[1])
            elif name == "replace":
                events = engine.replace(what[0], what[1], ns, what[2])[1]
            else:
                symbol, one, two, size = what
                low, high = min(one, two), max(one, two)
                seen = MarketQuote(symbol, low, high, size, size, low)
                events = engine.on_quote(seen, ns)
        except InputError:
            continue
        told += [(event, number) for event in events]
    return told


@given(st.lists(ACTIONS, max_size=12))
def test_whatever_happens_quantity_is_kept_and_lives_take_allowed_steps(
    actions: list[tuple[str, Any]],
) -> None:
    engine = MatchingEngine(hours=DayHours())
    told = play(engine, actions)
    at: dict[int, Status | None] = {}
    filled: dict[int, int] = {}
    for event, _ in told:
        if isinstance(event, Filled):
            filled[event.order_id] = filled.get(event.order_id, 0) + event.quantity
            assert at[event.order_id] not in TERMINAL
            continue
        before = at.get(event.order_id)
        assert before == event.before
        assert before is None or event.after in EDGES[before]
        at[event.order_id] = event.after
    for live in engine.orders():
        assert live.filled + live.remaining + live.dropped == live.order.quantity
        assert live.filled == filled.get(live.order_id, 0)
        assert min(live.filled, live.remaining, live.dropped) >= 0
        assert at[live.order_id] is live.status
        assert (live.status is Status.FILLED) == (live.filled == live.order.quantity)


@given(st.lists(ACTIONS, max_size=12))
def test_no_fill_goes_through_its_limit(actions: list[tuple[str, Any]]) -> None:
    engine = MatchingEngine()
    play(engine, actions)
    for live in engine.orders():
        if live.order.kind in (Kind.MARKET, Kind.STOP, Kind.TRAILING_STOP, Kind.MARKET_ON_CLOSE):
            continue
        assert live.order.most_paid is not None
        for fill in live.fills:
            pairs = zip(live.order.legs, fill.prices, strict=True)
            assert sum(leg.side * leg.ratio * price for leg, price in pairs) <= live.order.most_paid


@given(st.lists(ACTIONS, max_size=12))
def test_no_quote_gives_more_than_its_size(actions: list[tuple[str, Any]]) -> None:
    engine = MatchingEngine()
    taken: dict[tuple[str, int], int] = {}
    for event, number in play(engine, actions):
        if not isinstance(event, Filled):
            continue
        shown = {"X": 0, "Y": 0}
        since = {"X": -1, "Y": -1}
        for place, (name, what) in enumerate(actions[: number + 1]):
            if name == "quote":
                symbol, _, _, size = what
                shown[symbol], since[symbol] = size, place
        for leg in engine.order(event.order_id).order.legs:
            key = (leg.symbol, leg.side * (since[leg.symbol] + 2))
            taken[key] = taken.get(key, 0) + event.quantity * leg.ratio
            assert taken[key] <= shown[leg.symbol]
