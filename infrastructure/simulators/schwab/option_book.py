"""Every option that the local Schwab quotes: invented ones, and those of a recorded chain."""

from __future__ import annotations

import threading
from datetime import date
from decimal import Decimal

from infrastructure.exchange.option_expiry import days_to_expiry, settlement_ns
from infrastructure.exchange.symbols import Option
from infrastructure.exchange.timeframes import trading_date
from infrastructure.simulators.schwab.chain_file import FileChain
from infrastructure.simulators.schwab.market import ReplayMarket
from infrastructure.simulators.schwab.option_surface import (
    Contract,
    Surface,
    expirations,
    quoted,
    strikes,
)
from infrastructure.simulators.schwab.snapshot import snapshot


class OptionBook:
    """Quote options on the replayed shares.

    Args:
        market: Whose shares.
        recorded: A chain out of a file; it stands as it was recorded.
    """

    def __init__(self, market: ReplayMarket, recorded: FileChain | None = None) -> None:
        self._market = market
        self._recorded = recorded
        self._lock = threading.Lock()
        self._chains: dict[str, tuple[tuple[float, int], tuple[Contract, ...]]] = {}

    @property
    def recorded(self) -> FileChain | None:
        """Return the chain out of a file, None without one."""
        return self._recorded

    def knows(self, symbol: str) -> bool:
        """Say whether there are options on a symbol."""
        recorded = self._recorded is not None and self._recorded.symbol == symbol
        return recorded or self._market.listing(symbol) is not None

    def is_recorded(self, symbol: str) -> bool:
        """Say whether a symbol's options are those of the file."""
        return self._recorded is not None and self._recorded.symbol == symbol

    def moment_ns(self, symbol: str) -> int:
        """Return when a symbol's options are quoted, nanoseconds UTC."""
        if self._recorded is not None and self._recorded.symbol == symbol:
            return self._recorded.now_ns
        return self._market.now_ns

    def spot(self, symbol: str) -> float | None:
        """Return the underlying's price, None when it has none yet."""
        if self._recorded is not None and self._recorded.symbol == symbol:
            return self._recorded.spot
        now = snapshot(self._market, symbol)
        return None if now is None else now.last

    def contracts(self, symbol: str) -> tuple[Contract, ...]:
        """Return every option on a symbol, by expiration and strike."""
        if self._recorded is not None and self._recorded.symbol == symbol:
            return self._recorded.contracts
        spot = self.spot(symbol)
        if spot is None:
            return ()
        now = self._minute_ns()
        with self._lock:
            key, chain = self._chains.get(symbol, ((0.0, 0), ()))
            if key != (spot, now):
                chain = tuple(self._invented(symbol, spot, now))
                self._chains[symbol] = ((spot, now), chain)
        return chain

    def contract(self, option: Option) -> Contract | None:
        """Return one option's quote, None when it is not listed."""
        underlying = option.underlying.to_schwab()
        if not self.knows(underlying):
            return None
        if self.is_recorded(underlying):
            return next(
                (each for each in self.contracts(underlying) if each.option == option), None
            )
        spot = self.spot(underlying)
        if spot is None:
            return None
        now_ns = self._minute_ns()
        end_ns = settlement_ns(option)
        days = [day for day, _ in expirations(trading_date(now_ns))]
        if (
            end_ns <= now_ns
            or option.expiry not in days
            or float(option.strike) not in strikes(spot)
        ):
            return None
        # One of the chain's contracts by itself: orders look at it minute by minute.
        surface = Surface(underlying, self._market.seed)
        return quoted(option, surface, spot, now_ns, end_ns, self._market.seed)

    def days(self, option: Option) -> int:
        """Return the calendar days until an option expires."""
        return days_to_expiry(option, self.today(option.underlying.to_schwab()))

    def today(self, symbol: str) -> date:
        """Return the date on which a symbol's options are quoted."""
        return trading_date(self.moment_ns(symbol))

    def _minute_ns(self) -> int:
        """Return the market's minute: quotes change with it."""
        now_ns = self._market.now_ns
        return now_ns - now_ns % 60_000_000_000

    def _invented(self, symbol: str, spot: float, now_ns: int) -> list[Contract]:
        surface = Surface(symbol, self._market.seed)
        found = []
        for day, _ in expirations(trading_date(now_ns)):
            for strike in strikes(spot):
                for right in ("C", "P"):
                    option = Option.of(symbol, day, right, Decimal(str(strike)))
                    end_ns = settlement_ns(option)
                    if end_ns <= now_ns:
                        continue
                    found.append(quoted(option, surface, spot, now_ns, end_ns, self._market.seed))
        return found
