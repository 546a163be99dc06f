"""Orders of the simulated accounts, matched with the replayed market; knows no HTTP."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from infrastructure.errors import InputError
from infrastructure.exchange.symbology import parse_option
from infrastructure.exchange.timeframes import trading_date
from infrastructure.matching.engine import MatchingEngine
from infrastructure.matching.events import Event, Filled
from infrastructure.matching.live_order import LiveOrder
from infrastructure.matching.market_quote import MarketQuote
from infrastructure.matching.order import Ticket
from infrastructure.matching.placed import Placed
from infrastructure.simulators.schwab.account import Account
from infrastructure.simulators.schwab.account_store import AccountStore, SavedDesk
from infrastructure.simulators.schwab.activity import (
    ActivityEvent,
    ActivityListener,
    data_of,
    messages_of,
)
from infrastructure.simulators.schwab.desk_quotes import recorded_quote, share_quote, symbols_of
from infrastructure.simulators.schwab.desk_state import restored, saved_desk
from infrastructure.simulators.schwab.market import ReplayMarket
from infrastructure.simulators.schwab.option_book import OptionBook
from infrastructure.simulators.schwab.order_reading import (
    OrderRefused,
    read_ticket,
    tickets_with_bodies,
)
from infrastructure.simulators.schwab.order_record import OrderRecord
from infrastructure.simulators.schwab.snapshot import snapshot
from infrastructure.simulators.schwab.synthesis import NS_PER_MINUTE
from infrastructure.simulators.schwab.trading_hours import TradingHours

FIRST_ORDER_ID: Final = 1_000_000_000_001
ORDERS_AN_ACCOUNT: Final = 1_000_000_000
NS_PER_S: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class OrderPace:
    """How long things take, in seconds of the market's clock.

    Attributes:
        reject_s: From the 201 to the rejection of an order that fails the risk check. [O]
        cancel_s: Until a cancel takes effect; above 0 an order can fill before. [?]
        replace_s: The same of a replacement. [?]
    """

    reject_s: float = 1.0
    cancel_s: float = 0.0
    replace_s: float = 0.0


class OrderDesk:
    """Take orders and let them meet the replayed minutes. Safe to share between threads.

    Time passes when it is looked at: `catch_up` plays every minute since the last look, its open,
    its extremes and its close, each with a displayed size of a tenth of the minute's volume. A
    streamer that wants events as they happen calls it from time to time.

    Args:
        market: The replay.
        options: Quotes of options.
        accounts: Whose orders.
        pace: How long things take; may be replaced while running.
        store: Keeps all of it between runs; nothing is kept when None.
    """

    def __init__(
        self,
        market: ReplayMarket,
        options: OptionBook,
        accounts: Iterable[Account],
        pace: OrderPace | None = None,
        store: AccountStore | None = None,
    ) -> None:
        self._store = store
        self._is_kept = self._has_changed = False
        self.accounts = {account.number: account for account in accounts}
        self.pace = pace or OrderPace()
        self._market = market
        self._options = options
        self._lock = threading.RLock()
        self._engines: dict[str, MatchingEngine] = {}
        self._records: dict[int, OrderRecord] = {}
        self._quotes: dict[str, MarketQuote] = {}
        self._listeners: list[ActivityListener] = []
        self._seen_ns = market.now_ns
        self._activities = 0
        for place, account in enumerate(self.accounts.values()):
            self._engines[account.number] = self._new_engine(place, account)

    def listen(self, on_activity: ActivityListener) -> Callable[[], None]:
        """Tell somebody of every activity from now on; the returned call ends it."""
        with self._lock:
            self._listeners.append(on_activity)

        def leave() -> None:
            with self._lock:
                if on_activity in self._listeners:
                    self._listeners.remove(on_activity)

        return leave

    def quote(self, symbol: str) -> MarketQuote | None:
        """Return the present quote of a share or an option, None when there is none."""
        if self._market.listing(symbol) is not None:
            now = snapshot(self._market, symbol)
            if now is None:
                return None
            best = recorded_quote(symbol, now.tick)
            if best is not None:
                return best
            today = self._market.market_date
            volumes = self._market.minutes(symbol, today, today, True).volume
            size = int(volumes[-1]) if volumes.size else 0
            return share_quote(symbol, Decimal(str(round(now.last, 4))), size)
        try:
            contract = self._options.contract(parse_option(symbol))
        except InputError:
            return None
        if contract is None:
            return None
        return MarketQuote(
            symbol,
            Decimal(str(contract.bid)) if contract.bid > 0 else None,
            Decimal(str(contract.ask)),
            contract.bid_size,
            contract.ask_size,
            None if contract.last is None else Decimal(str(contract.last)),
        )

    def quotes(self) -> Mapping[str, MarketQuote]:
        """Return the last quote of every symbol that was looked at."""
        return self._quotes

    def check(self, body: Any) -> Ticket:
        """Read an order and refuse what no market has.

        Raises:
            OrderRefused: With the text of the 400 answer.
        """
        ticket = read_ticket(body)
        for symbol in symbols_of(ticket):
            if self.quote(symbol) is None:
                raise OrderRefused(f"the instrument {symbol} was not found")
        return ticket

    def place(self, account: Account, body: Any) -> int:
        """Send an order and return its number.

        Raises:
            OrderRefused: If it cannot be read.
        """
        ticket = self.check(body)
        with self._newest():
            now = self.catch_up()
            engine = self._engines[account.number]
            self._look(account, symbols_of(ticket), now)
            placed, events = engine.submit(ticket, now)
            bodies = iter(tickets_with_bodies(ticket, body))
            self._remember(placed, bodies, account, now, True)
            self._take(account, events)
            return placed.order_id

    def cancel(self, account: Account, order_id: int) -> None:
        """Cancel an order, or every order of a group.

        Raises:
            InputError: If nothing of it can be canceled.
        """
        with self._newest():
            now = self.catch_up()
            engine = self._engines[account.number]
            if self.live(account, order_id) is None:
                open_children = [
                    child
                    for child in self._records[order_id].children
                    if (live := self.live(account, child)) is not None and not live.is_over
                ]
                if not open_children:
                    raise InputError(f"order {order_id} is over")
                for child in open_children:
                    self.cancel(account, child)
                return
            after = round(self.pace.cancel_s * NS_PER_S)
            self._take(account, engine.cancel(order_id, now, after))

    def replace(self, account: Account, order_id: int, body: Any) -> int:
        """Put another order in an order's place and return the new number.

        Raises:
            OrderRefused: If the new order cannot be read or is a group.
            InputError: If the old one is over or a group.
        """
        ticket = self.check(body)
        if ticket.order is None or ticket.children:
            raise OrderRefused("an order is replaced by one order without children")
        with self._newest():
            now = self.catch_up()
            self._look(account, symbols_of(ticket), now)
            after = round(self.pace.replace_s * NS_PER_S)
            new, events = self._engines[account.number].replace(order_id, ticket.order, now, after)
            children = self._records[order_id].children
            self._records[new] = OrderRecord(new, account, body, now, children, True)
            self._take(account, events)
            return new

    def live(self, account: Account, order_id: int) -> LiveOrder | None:
        """Return the engine's order, None for a group's own number."""
        try:
            return self._engines[account.number].order(order_id)
        except InputError:
            return None

    def record(self, account: Account, order_id: int) -> OrderRecord | None:
        """Return a sent order, None when the account has none of this number."""
        with self._newest():
            self.catch_up()
            found = self._records.get(order_id)
            return found if found is not None and found.account is account else None

    def records(self, account: Account) -> list[OrderRecord]:
        """Return what the account sent, newest first, without what stands below others."""
        with self._newest():
            self.catch_up()
            mine = [r for r in self._records.values() if r.account is account and r.is_top]
            return sorted(mine, key=lambda record: -record.order_id)

    def catch_up(self) -> int:
        """Let the replay's minutes since the last look meet the orders; return the time."""
        with self._newest():
            # Another run of this replay may have seen more of it; time never runs back.
            now = max(self._market.now_ns, self._seen_ns)
            before, self._seen_ns = self._seen_ns, now
            for account in self.accounts.values():
                engine = self._engines[account.number]
                wanted = {leg.symbol for live in engine.open_orders() for leg in live.order.legs}
                for moment, quote, is_new in self._between(sorted(wanted), before, now):
                    self._quotes[quote.symbol] = quote
                    self._take(account, engine.on_quote(quote, moment, is_new))
                self._take(account, engine.advance(now))
            for symbol in {s for a in self.accounts.values() for s in a.positions}:
                quote_now = self.quote(symbol)
                if quote_now is not None:
                    self._quotes[symbol] = quote_now
            return now

    def keep(self) -> None:
        """Keep the time that has passed, where there is something to keep."""
        with self._newest():
            self.catch_up()
            self._has_changed = bool(self._records)

    @contextlib.contextmanager
    def _newest(self) -> Iterator[None]:
        """Act on the newest state, and keep what a block makes of it before its answer goes out."""
        with self._lock:
            if self._store is None or self._is_kept:
                yield
                return
            with self._store.holding():
                if self._store.has_news():
                    self._restore(self._store.read())
                self._is_kept, self._has_changed = True, False
                try:
                    yield
                finally:
                    self._is_kept = False
                    if self._has_changed:
                        self._store.write(self._saved())

    def _saved(self) -> SavedDesk:
        assert self._store is not None
        engines = {number: engine.saved() for number, engine in self._engines.items()}
        return saved_desk(
            self._store.market,
            self._seen_ns,
            self._activities,
            self.accounts,
            engines,
            self._records.values(),
        )

    def _restore(self, saved: SavedDesk | None) -> None:
        engines, records = restored(saved, self.accounts)
        for place, account in enumerate(self.accounts.values()):
            self._engines[account.number] = self._new_engine(place, account)
            if account.number in engines:
                self._engines[account.number].restore(engines[account.number])
        self._records = {record.order_id: record for record in records}
        self._activities = 0 if saved is None else saved.activities
        self._seen_ns = max(self._seen_ns, 0 if saved is None else saved.now_ns)

    def _new_engine(self, place: int, account: Account) -> MatchingEngine:
        return MatchingEngine(
            hours=TradingHours(),
            admission=account,
            reject_after_ns=round(self.pace.reject_s * NS_PER_S),
            first_id=FIRST_ORDER_ID + place * ORDERS_AN_ACCOUNT,
        )

    def _between(
        self, symbols: list[str], before: int, now: int
    ) -> Iterable[tuple[int, MarketQuote, bool]]:
        found: list[tuple[int, MarketQuote, bool]] = []
        for symbol in symbols:
            if self._market.listing(symbol) is None:
                quote = self.quote(symbol)
                if quote is not None and now > before:
                    found.append((now, quote, True))
                continue
            ticks = self._market.ticks(symbol)
            if ticks is not None and ticks.has_quotes:
                for tick in ticks.between(before, now):
                    quote = recorded_quote(symbol, tick)
                    if quote is not None:
                        found.append((tick.ns, quote, not tick.size))
                continue
            first, last = trading_date(before), trading_date(now)
            bars = self._market.minutes(symbol, first, last, True)
            bars = bars.between(before - NS_PER_MINUTE + 1, now - NS_PER_MINUTE)
            for row in range(len(bars)):
                start = int(bars.start_ns[row])
                size = int(bars.volume[row])
                path = (bars.open[row], bars.low[row], bars.high[row], bars.close[row])
                for part, price in enumerate(path):
                    moment = start + (part + 1) * NS_PER_MINUTE // 4 - 1
                    if moment > before:
                        price_now = Decimal(str(round(float(price), 4)))
                        found.append((moment, share_quote(symbol, price_now, size), True))
        return sorted(found, key=lambda each: each[0])

    def _look(self, account: Account, symbols: Iterable[str], now: int) -> None:
        for symbol in symbols:
            quote = self.quote(symbol)
            engine = self._engines[account.number]
            # Shown again, a quote would bring its size again.
            if quote is not None and quote != engine.quote(symbol):
                self._quotes[symbol] = quote
                self._take(account, engine.on_quote(quote, now))

    def _remember(
        self, placed: Placed, bodies: Any, account: Account, now: int, is_top: bool
    ) -> None:
        body = next(bodies)
        children = tuple(child.order_id for child in placed.children)
        self._records[placed.order_id] = OrderRecord(
            placed.order_id, account, body, now, children, is_top
        )
        for child in placed.children:
            self._remember(child, bodies, account, now, False)

    def _take(self, account: Account, events: list[Event]) -> None:
        self._has_changed = self._has_changed or bool(events)
        for event in events:
            live = self._engines[account.number].order(event.order_id)
            if isinstance(event, Filled):
                trades = account.book(live.order, event, self._activities + 1)
                self._activities += len(trades)
                self._tell(account, live, ("OrderFillCompleted",), event.ns, event)
            else:
                self._tell(account, live, messages_of(event, live), event.ns, None)

    def _tell(
        self,
        account: Account,
        live: LiveOrder,
        kinds: tuple[str, ...],
        ns: int,
        fill: Filled | None,
    ) -> None:
        for kind in kinds:
            data = data_of(kind, live, account.number, ns, fill)
            event = ActivityEvent(account.number, kind, data, ns)
            for listener in tuple(self._listeners):
                listener(event)
