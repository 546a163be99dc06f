"""The level-one state of one equity, moved by trades."""

from __future__ import annotations

from datetime import date
from typing import Any, Final

from infrastructure.exchange.timeframes import trading_date
from infrastructure.simulators.schwab.listings import Listing
from infrastructure.simulators.schwab.snapshot import Snapshot
from infrastructure.simulators.schwab.streamer.forms import service_forms
from infrastructure.simulators.schwab.ticks import Tick

LEVELONE_EQUITIES: Final = "LEVELONE_EQUITIES"

_CENT: Final = 0.01
_LOT: Final = 100
_NS_PER_MS: Final = 1_000_000
_MICS: Final = {"Q": "XNAS", "N": "XNYS"}


class EquityLine:
    """Keep what LEVELONE_EQUITIES shows of a symbol.

    Args:
        listing: What the symbol is.
        now: Where it stands at the start.
    """

    def __init__(self, listing: Listing, now: Snapshot) -> None:
        self._form = service_forms()[LEVELONE_EQUITIES]
        self.listing = listing
        self.last, self.volume = now.last, now.volume
        self.previous_close = now.previous_close
        self.year_high, self.year_low = now.year_high, now.year_low
        self.open, self.high, self.low = now.open, now.high, now.low
        self.last_size, self.last_ns = _LOT, now.last_ns
        self.regular_last, self.regular_ns = now.regular_last, now.regular_last_ns
        self.is_regular = False
        self.best: Tick | None = None if now.tick is None or now.tick.bid is None else now.tick
        self.day = self.volume_day = trading_date(now.regular_last_ns)

    def begin_day(self, day: date) -> None:
        """Forget yesterday: volume 0, no open, high and low, and its close as the base. [S]"""
        self.reset_prices(day)
        self.reset_volume(day)

    def reset_prices(self, day: date) -> bool:
        """Forget yesterday's open, high and low, as at 03:30 New York; say whether it did. [S]"""
        if day <= self.day:
            return False
        self.day = day
        self.previous_close = self.regular_last
        self.open = self.high = self.low = 0.0
        return True

    def reset_volume(self, day: date) -> bool:
        """Forget yesterday's volume, as at 07:28 New York; say whether it did. [S]"""
        if day <= self.volume_day:
            return False
        self.volume_day = day
        self.volume = 0
        return True

    def trade(self, price: float, size: int, moment_ns: int, regular: bool) -> None:
        """Take one trade in.

        Args:
            price: Dollars.
            size: Shares.
            moment_ns: Nanoseconds UTC.
            regular: Whether the regular session is on.
        """
        self.last, self.last_size, self.last_ns = price, size, moment_ns
        self.is_regular = regular
        self.volume += size
        if not regular:
            return
        self.open = self.open or price
        self.high = max(self.high, price)
        self.low = min(self.low, price) if self.low else price
        self.regular_last, self.regular_ns = price, moment_ns
        self.year_high, self.year_low = max(self.year_high, price), min(self.year_low, price)

    def quote(self, tick: Tick) -> None:
        """Take a recorded best bid and offer in."""
        if tick.bid is not None and tick.ask is not None:
            self.best = tick

    @property
    def net_change(self) -> tuple[float, float]:
        """Return the change since the previous close, in dollars and in percent."""
        return _change(self.last, self.previous_close)

    def values(self) -> dict[str, Any]:
        """Return every field by number."""
        change, percent = self.net_change
        regular_change, regular_percent = _change(self.regular_last, self.previous_close)
        after_change, after_percent = _change(self.last, self.regular_last)
        time_ms, venue = self.last_ns // _NS_PER_MS, self.listing.exchange_code
        mic = _MICS.get(venue, "XNAS")
        best = self.best
        bid, ask = (None, None) if best is None else (best.bid, best.ask)
        quoted_ms = time_ms if best is None else best.ns // _NS_PER_MS
        return self._form.filled(
            {
                "bidPrice": round(self.last - _CENT, 4) if bid is None else bid,
                "askPrice": round(self.last + _CENT, 4) if ask is None else ask,
                "lastPrice": self.last,
                "bidSize": _LOT if best is None else best.bid_size,
                "askSize": _LOT if best is None else best.ask_size,
                "askId": venue,
                "bidId": venue,
                "totalVolume": self.volume,
                "lastSize": self.last_size,
                "highPrice": self.high,
                "lowPrice": self.low,
                "closePrice": self.previous_close or 0.0,
                "exchangeId": venue,
                "marginable": True,
                "description": self.listing.description,
                "lastId": venue,
                "openPrice": self.open,
                "netChange": change,
                "high52Week": self.year_high,
                "low52Week": self.year_low,
                "exchangeName": self.listing.exchange,
                "regularMarketQuote": self.is_regular,
                "regularMarketTrade": self.is_regular,
                "regularMarketLastPrice": self.regular_last,
                "regularMarketLastSize": self.last_size if self.is_regular else _LOT,
                "regularMarketNetChange": regular_change,
                "securityStatus": "Normal",
                "mark": self.last,
                "quoteTime": quoted_ms,
                "tradeTime": time_ms,
                "regularMarketTradeTime": self.regular_ns // _NS_PER_MS,
                "bidTime": quoted_ms,
                "askTime": quoted_ms,
                "askMicId": mic,
                "bidMicId": mic,
                "lastMicId": mic,
                "netPercentChange": percent,
                "regularMarketPercentChange": regular_percent,
                "markNetChange": change,
                "markPercentChange": percent,
                "shortable": 1,
                "postMarketNetChange": 0.0 if self.is_regular else after_change,
                "postMarketPercentChange": 0.0 if self.is_regular else after_percent,
            }
        )

    def extras(self) -> dict[str, Any]:
        """Return what stands beside the fields of a full frame."""
        extras: dict[str, Any] = {
            "delayed": False,
            "assetMainType": "EQUITY",
            "assetSubType": "COE",
        }
        return extras | ({"cusip": self.listing.cusip} if self.listing.cusip else {})


def _change(price: float, base: float | None) -> tuple[float, float]:
    if not base:
        return 0.0, 0.0
    return round(price - base, 4), round((price / base - 1) * 100, 8)
