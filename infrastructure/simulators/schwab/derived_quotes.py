"""Quotes of what the replayed market does not trade: options, indices, futures, forex, funds.

Futures, futures options and forex are the streamer's own invention, at the same moment; options are
those of the chains. Indices and funds are invented around a level of their own.
"""

from __future__ import annotations

from datetime import date
from typing import Any, Final
from zlib import crc32

from infrastructure.errors import InputError
from infrastructure.exchange.contracts import expiry
from infrastructure.exchange.symbology import parse_symbol
from infrastructure.exchange.symbols import (
    Forex,
    Future,
    FutureOption,
    FutureRoot,
    Index,
    MutualFund,
    Option,
)
from infrastructure.exchange.timeframes import trading_date
from infrastructure.exchange.zones import local_moment_ns
from infrastructure.simulators.schwab.contract_form import contract_form
from infrastructure.simulators.schwab.market import ReplayMarket
from infrastructure.simulators.schwab.option_book import OptionBook
from infrastructure.simulators.schwab.replay_rows import NEW_YORK
from infrastructure.simulators.schwab.streamer.derived_feed import DerivedFeed
from infrastructure.simulators.schwab.streamer.derived_values import (
    FOREX,
    FUTURES,
    FUTURES_OPTIONS,
)
from infrastructure.simulators.schwab.streamer.equity_feed import EquityFeed
from infrastructure.simulators.schwab.streamer.forms import service_forms
from infrastructure.simulators.schwab.streamer.waves import Wave
from infrastructure.simulators.schwab.wire_forms import WireForm, wire_schema

# Invented levels, of the size that the indices had in 2013.
INDICES: Final = {
    "$SPX": ("S&P 500 Index", 1_500.0),
    "$DJI": ("Dow Jones Industrial Average", 14_000.0),
    "$COMPX": ("Nasdaq Composite", 3_150.0),
    "$NDX": ("Nasdaq 100 Index", 2_750.0),
    "$RUT": ("Russell 2000 Index", 900.0),
    "$VIX": ("Cboe Volatility Index", 15.0),
}
FUNDS: Final = {"AAAHX": 12.0, "SWPPX": 23.0, "VFIAX": 138.0}
LISTED_YEARS: Final = 5

_NS_PER_MS: Final = 1_000_000
_CENT: Final = 0.01
# Names that the streamer and the quotes give to the same thing.
_OTHER_NAMES: Final = {
    "exchange": "exchangeId",
    "52WeekHigh": "high52Week",
    "52WeekLow": "low52Week",
    "netPercentChange": "percentChange",
    "settlemetPrice": "futureSettlementPrice",
    "expirationDate": "futureExpirationDate",
    "multiplier": "futureMultiplier",
    "underlying": "underlyingSymbol",
}
_OBSERVED: Final = {
    "ReferenceFuture": ("futureIsTradable",),
    "ReferenceFutureOption": ("futureMultiplier", "futureSettlementPrice"),
    "ReferenceOption": ("uvExpirationType",),
}
# What the streamer's fields have none of and which are left out instead of shown as zero.
_UNKNOWN: Final = (0, 0.0, "", " ", "?")
_Blocks = tuple[str, dict[str, Any], dict[str, Any]]


class DerivedQuotes:
    """Make the entries of quotes.

    Args:
        market: Whose time and seed.
        options: The options of the chains.
    """

    def __init__(self, market: ReplayMarket, options: OptionBook) -> None:
        self._market = market
        self._options = options
        self._feed = DerivedFeed(EquityFeed(market), market.seed)

    def entry(self, key: str, fields: tuple[str, ...]) -> dict[str, Any] | None:
        """Return the entry of a symbol, None when there is no such instrument."""
        try:
            symbol = parse_symbol(key)
            found = self._blocks(key, symbol)
        except InputError:
            return None
        if found is None:
            return None
        kind, reference, quote = found
        entry: dict[str, Any] = {
            "assetMainType": kind,
            "assetSubType": "OEF" if kind == "MUTUAL_FUND" else None,
            "realtime": True,
            "ssid": 1 + crc32(key.encode()) % 1_000_000_000,
            "symbol": key,
        }
        name = "".join(word.capitalize() for word in kind.split("_"))
        if "reference" in fields:
            form = f"Reference{name}"
            entry["reference"] = WireForm(form, observed=_OBSERVED.get(form, ()))(reference)
        if "quote" in fields:
            entry["quote"] = WireForm(f"Quote{name}")(quote)
        return WireForm(f"{name}Response")(
            {word: value for word, value in entry.items() if value is not None}
        )

    def _blocks(self, key: str, symbol: object) -> _Blocks | None:
        """Return the asset class, the reference and the quote of a symbol."""
        if isinstance(symbol, Option):
            return self._option(symbol)
        if isinstance(symbol, Index):
            return self._index(key)
        if isinstance(symbol, MutualFund):
            return self._fund(key)
        if isinstance(symbol, Future) and not self._is_listed(symbol):
            return None
        if isinstance(symbol, Future | FutureRoot):
            return self._streamed(FUTURES, key, "FUTURE", "Future")
        if isinstance(symbol, FutureOption):
            return self._streamed(FUTURES_OPTIONS, key, "FUTURE_OPTION", "FutureOption")
        if isinstance(symbol, Forex):
            return self._streamed(FOREX, key, "FOREX", "Forex")
        return None

    def _streamed(self, service: str, key: str, kind: str, form: str) -> _Blocks | None:
        values = self._feed.values(service, key, self._market.now_ns)
        if values is None:
            return None
        names = service_forms()[service].names
        named = {names[number]: value for number, value in values.items()}
        blocks = []
        for block in ("Reference", "Quote"):
            wanted = wire_schema()["schemas"]["market"][f"{block}{form}"]["properties"]
            wanted = {*wanted, *_OBSERVED.get(f"{block}{form}", ())}
            found = {
                word: named.get(word, named.get(_OTHER_NAMES.get(word, ""))) for word in wanted
            }
            known = {word: v for word, v in found.items() if v not in _UNKNOWN or v is False}
            blocks.append(known | {w: found[w] for w in ("netChange",) if w in found})
        return kind, blocks[0], blocks[1]

    def _is_listed(self, future: Future) -> bool:
        today = self._market.market_date
        return today <= expiry(future.root, future.year, future.month) and (
            future.year <= today.year + LISTED_YEARS
        )

    def _option(self, option: Option) -> _Blocks | None:
        contract = self._options.contract(option)
        underlying = option.underlying.to_schwab()
        spot = self._options.spot(underlying)
        if contract is None or spot is None:
            return None
        days, now_ns = self._options.days(option), self._options.moment_ns(underlying)
        form = contract_form(contract, spot, days, now_ns)
        sign = 1 if option.right == "C" else -1
        reference = {
            "contractType": str(option.right),
            "daysToExpiration": days,
            "deliverables": form["deliverableNote"],
            "description": form["description"],
            "exchange": "o",
            "exchangeName": "OPR",
            "exerciseType": form["exerciseType"],
            "expirationDay": option.expiry.day,
            "expirationMonth": option.expiry.month,
            "expirationType": form["expirationType"],
            "expirationYear": option.expiry.year,
            "isPennyPilot": form["pennyPilot"],
            "lastTradingDay": form["lastTradingDay"],
            "multiplier": form["multiplier"],
            "settlementType": form["settlementType"],
            "strikePrice": form["strikePrice"],
            "underlying": underlying,
            "uvExpirationType": form["expirationType"],
        }
        greeks = ("delta", "gamma", "theta", "vega", "rho", "volatility", "theoreticalOptionValue")
        quote = {
            "askPrice": form["ask"],
            "askSize": form["askSize"],
            "bidPrice": form["bid"],
            "bidSize": form["bidSize"],
            "lastPrice": contract.last,
            "mark": form["mark"],
            "moneyIntrinsicValue": round(sign * (spot - float(option.strike)), 4),
            "openInterest": contract.open_interest,
            "quoteTime": form["quoteTimeInLong"],
            "securityStatus": "Normal",
            "timeValue": form["timeValue"],
            "totalVolume": contract.volume,
            "underlyingPrice": spot,
        } | {name: form[name] for name in greeks if contract.value is not None}
        return "OPTION", reference, quote

    def _index(self, key: str) -> _Blocks | None:
        recorded = self._options.spot(key) if self._options.is_recorded(key) else None
        if key not in INDICES and recorded is None:
            return None
        name, level = INDICES.get(key, (key, 0.0))
        reference = {"description": name, "exchange": "0", "exchangeName": "Index"}
        if recorded is not None:
            moment = self._options.moment_ns(key) // _NS_PER_MS
            quote = {"lastPrice": recorded, "securityStatus": "Normal", "tradeTime": moment}
            return "INDEX", reference, quote
        wave = Wave(key, level, _CENT, self._market.seed)
        now_ns = self._market.now_ns
        last, before = wave.price(now_ns), wave.price(_midnight_ns(trading_date(now_ns)))
        quote = {
            "closePrice": before,
            "highPrice": max(last, before),
            "lastPrice": last,
            "lowPrice": min(last, before),
            "netChange": round(last - before, 4),
            "netPercentChange": round((last / before - 1) * 100, 8),
            "openPrice": before,
            "securityStatus": "Normal",
            "totalVolume": 0,
            "tradeTime": now_ns // _NS_PER_MS,
        }
        return "INDEX", reference, quote

    def _fund(self, key: str) -> _Blocks | None:
        """Price a fund once a day, after the close of the session before."""
        if key not in FUNDS:
            return None
        wave = Wave(key, FUNDS[key], _CENT, self._market.seed)
        last_ns = self._market.close_ns(self._market.last_session)
        last, before = wave.price(last_ns), wave.price(last_ns - 86_400 * 1_000_000_000)
        reference = {
            "description": f"Simulated fund {key}",
            "exchange": "3",
            "exchangeName": "Mutual Fund",
        }
        quote = {
            "closePrice": before,
            "nAV": last,
            "netChange": round(last - before, 4),
            "netPercentChange": round((last / before - 1) * 100, 8),
            "securityStatus": "Normal",
            "totalVolume": 0,
            "tradeTime": last_ns // _NS_PER_MS,
        }
        return "MUTUAL_FUND", reference, quote


def _midnight_ns(day: date) -> int:
    return local_moment_ns(day, 0, NEW_YORK)
