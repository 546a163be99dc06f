"""`GET /marketdata/v1/quotes` and `/{symbol_id}/quotes`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from infrastructure.simulators.schwab.derived_quotes import DerivedQuotes
from infrastructure.simulators.schwab.error_bodies import market_error
from infrastructure.simulators.schwab.listings import Listing
from infrastructure.simulators.schwab.market import ReplayMarket
from infrastructure.simulators.schwab.messages import Request, Response, json_response
from infrastructure.simulators.schwab.parameters import Refused, boolean, comma_list
from infrastructure.simulators.schwab.router import Router
from infrastructure.simulators.schwab.snapshot import Snapshot, snapshot
from infrastructure.simulators.schwab.wire_forms import WireForm

PATH: Final = "/marketdata/v1/quotes"
SYMBOL_PATH: Final = "/marketdata/v1/{symbol_id}/quotes"
MOST_SYMBOLS: Final = 500
FIELDS: Final = ("quote", "fundamental", "extended", "reference", "regular")

_CENT: Final = 0.01
_LOT: Final = 100
_NS_PER_MS: Final = 1_000_000
_POINTERS: Final = (
    "/data/attributes/symbols",
    "/data/attributes/cusips",
    "/data/attributes/ssids",
)
_BAD_FIELDS: Final = (
    "valid fields should be any of all,fundamental,reference,extended,quote,regular or empty value"
)


class Quotes:
    """Answer quotes of the replayed shares, and of all that is invented beside them.

    Last prices, the day's range and volumes are the replay's; bid and ask are invented, a cent
    around the last price, so answers are marked synthetic. What is not known is left out.

    Args:
        market: Whose quotes.
        others: Quotes of everything that is no share.
    """

    def __init__(self, market: ReplayMarket, others: DerivedQuotes) -> None:
        self._market = market
        self._others = others
        self._entry = WireForm("EquityResponse")
        self._quote = WireForm(
            "QuoteEquity", observed=("postMarketChange", "postMarketPercentChange")
        )
        self._blocks = {
            "reference": WireForm("ReferenceEquity"),
            "regular": WireForm("RegularMarket"),
            "extended": WireForm("ExtendedMarket"),
            "fundamental": WireForm("Fundamental"),
        }

    def add_to(self, router: Router) -> None:
        """Add both endpoints."""
        router.add("GET", PATH, self._many, "market")
        router.add("GET", SYMBOL_PATH, self._one, "market")

    def _many(self, request: Request, _: Mapping[str, str]) -> Response:
        """Answer several symbols; unknown ones are collected in the same 200. [O]"""
        try:
            fields = _fields(request)
            boolean(request, "indicative", False)
        except Refused as refusal:
            return refusal.response
        symbols = comma_list(request.query.get("symbols", ""))
        if not symbols:
            return market_error(400, "Search combination should have min of 1.", pointer=_POINTERS)
        if len(symbols) > MOST_SYMBOLS:
            return market_error(
                400, f"Search combination should not exceed {MOST_SYMBOLS}.", pointer=_POINTERS
            )
        body: dict[str, Any] = {}
        invalid = []
        for symbol in symbols:
            entry = self._entry_of(symbol.upper(), fields)
            if entry is None:
                invalid.append(symbol)
            else:
                body[symbol.upper()] = entry
        if invalid:
            body["errors"] = {"invalidSymbols": invalid}
        return json_response(200, body)

    def _one(self, request: Request, values: Mapping[str, str]) -> Response:
        """Answer one symbol; an unknown one is 404. [O]"""
        try:
            fields = _fields(request)
        except Refused as refusal:
            return refusal.response
        symbol = values["symbol_id"].upper()
        entry = self._entry_of(symbol, fields)
        return market_error(404) if entry is None else json_response(200, {symbol: entry})

    def _entry_of(self, symbol: str, fields: tuple[str, ...]) -> dict[str, Any] | None:
        listing = self._market.listing(symbol)
        now = None if listing is None else snapshot(self._market, symbol)
        if listing is None or now is None:
            return self._others.entry(symbol, fields)
        entry: dict[str, Any] = {
            "assetMainType": "EQUITY",
            "assetSubType": "ETF" if listing.is_fund else "COE",
            "quoteType": "NBBO",
            "realtime": True,
            "ssid": listing.ssid,
            "symbol": symbol,
        }
        if "reference" in fields:
            entry["reference"] = self._blocks["reference"](_reference(listing))
        if "quote" in fields:
            entry["quote"] = self._quote(_quote(now))
        if "regular" in fields:
            entry["regular"] = self._blocks["regular"](_regular(now))
        if "fundamental" in fields:
            entry["fundamental"] = self._blocks["fundamental"](
                {
                    "avg10DaysVolume": now.average_volume(10),
                    "avg1YearVolume": now.average_volume(len(now.volumes)),
                }
            )
        if "extended" in fields and len(now.extended):
            entry["extended"] = self._blocks["extended"](_extended(now))
        return self._entry(entry)


def _fields(request: Request) -> tuple[str, ...]:
    asked = [field.lower() for field in comma_list(request.query.get("fields", ""))]
    if not asked or "all" in asked:
        return FIELDS
    if not set(asked) <= set(FIELDS):
        raise Refused(market_error(400, _BAD_FIELDS, parameter="fields"))
    return tuple(asked)


def _reference(listing: Listing) -> dict[str, Any]:
    return {
        "cusip": listing.cusip,
        "description": listing.description,
        "exchange": listing.exchange_code,
        "exchangeName": listing.exchange,
        "isHardToBorrow": False,
        "isShortable": True,
    }


def _quote(now: Snapshot) -> dict[str, Any]:
    last_ms = now.last_ns // _NS_PER_MS
    change, percent = _change(now.last, now.previous_close)
    quote: dict[str, Any] = {
        "52WeekHigh": now.year_high,
        "52WeekLow": now.year_low,
        "askPrice": round(now.last + _CENT, 4),
        "askSize": _LOT,
        "askTime": last_ms,
        "bidPrice": round(now.last - _CENT, 4),
        "bidSize": _LOT,
        "bidTime": last_ms,
        "closePrice": now.previous_close,
        "highPrice": now.high,
        "lastPrice": now.last,
        "lastSize": _LOT,
        "lowPrice": now.low,
        "mark": now.last,
        "markChange": change,
        "markPercentChange": percent,
        "netChange": change,
        "netPercentChange": percent,
        "openPrice": now.open,
        "quoteTime": last_ms,
        "securityStatus": "Normal",
        "totalVolume": now.volume,
        "tradeTime": last_ms,
    }
    quote |= _recorded(now)
    if len(now.extended):
        after, after_percent = _change(now.last, now.regular_last)
        quote |= {"postMarketChange": after, "postMarketPercentChange": after_percent}
    return quote


def _recorded(now: Snapshot) -> dict[str, Any]:
    """Return the recorded best bid and offer; nothing where a file has none."""
    tick = now.tick
    if tick is None or tick.bid is None or tick.ask is None:
        return {}
    time_ms = tick.ns // _NS_PER_MS
    return {
        "askPrice": tick.ask,
        "askSize": tick.ask_size,
        "askTime": time_ms,
        "bidPrice": tick.bid,
        "bidSize": tick.bid_size,
        "bidTime": time_ms,
        "quoteTime": time_ms,
    }


def _regular(now: Snapshot) -> dict[str, Any]:
    change, percent = _change(now.regular_last, now.previous_close)
    return {
        "regularMarketLastPrice": now.regular_last,
        "regularMarketLastSize": _LOT,
        "regularMarketNetChange": change,
        "regularMarketPercentChange": percent,
        "regularMarketTradeTime": now.regular_last_ns // _NS_PER_MS,
    }


def _extended(now: Snapshot) -> dict[str, Any]:
    last_ms = now.last_ns // _NS_PER_MS
    return {
        "askPrice": round(now.last + _CENT, 4),
        "askSize": _LOT,
        "bidPrice": round(now.last - _CENT, 4),
        "bidSize": _LOT,
        "lastPrice": now.last,
        "lastSize": _LOT,
        "mark": now.last,
        "quoteTime": last_ms,
        "totalVolume": int(now.extended.volume.sum()),
        "tradeTime": last_ms,
    }


def _change(price: float, base: float | None) -> tuple[float | None, float | None]:
    """Return the change in dollars and in percent (1.17 is 1.17 %). [O]"""
    if base is None:
        return None, None
    return round(price - base, 4), round((price / base - 1) * 100, 8)
