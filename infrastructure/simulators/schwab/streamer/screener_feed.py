"""Stream screeners over the replayed market's few symbols."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from infrastructure.exchange.option_expiry import monthly_expiry
from infrastructure.exchange.symbols import Option
from infrastructure.exchange.timeframes import trading_date
from infrastructure.simulators.schwab.market import ReplayMarket
from infrastructure.simulators.schwab.streamer.derived_values import priced
from infrastructure.simulators.schwab.streamer.equity_feed import EquityFeed
from infrastructure.simulators.schwab.streamer.equity_line import EquityLine
from infrastructure.simulators.schwab.streamer.forms import service_forms
from infrastructure.simulators.schwab.streamer.sources import Publish

EQUITY: Final = "SCREENER_EQUITY"
OPTION: Final = "SCREENER_OPTION"
# Which prefixes and sort fields are known; AVERAGE_PERCENT_VOLUME delivers nothing. [O]
PREFIXES: Final = {
    EQUITY: ("$COMPX", "$DJI", "$SPX", "INDEX_ALL", "NYSE", "NASDAQ", "OTCBB", "EQUITY_ALL"),
    OPTION: ("OPTION_PUT", "OPTION_CALL", "OPTION_ALL"),
}
SORT_FIELDS: Final = ("VOLUME", "TRADES", "PERCENT_CHANGE_UP", "PERCENT_CHANGE_DOWN")
FREQUENCIES: Final = (0, 1, 5, 10, 30, 60)

_NS_PER_S: Final = 1_000_000_000
_NS_PER_MS: Final = 1_000_000
_STEP_S: Final = {EQUITY: 10, OPTION: 5}
_SHARES_OF_A_TRADE: Final = 100
_LONGEST: Final = 10


class ScreenerFeed:
    """Rank the market's symbols, and their options next to the money.

    Args:
        market: The replay.
        equities: Where its symbols stand.
    """

    def __init__(self, market: ReplayMarket, equities: EquityFeed) -> None:
        self._market = market
        self._equities = equities
        self._told: dict[tuple[str, str], int] = {}

    def open(self, service: str, key: str, now_ns: int, publish: Publish) -> bool:
        """Publish a screener; False for other services and for unknown keys, silently. [O]"""
        if service not in PREFIXES or parse_screener(service, key) is None:
            return False
        self._told[service, key] = now_ns // _NS_PER_S // _STEP_S[service]
        publish(service, key, self._values(service, key, now_ns))
        return True

    def advance(self, now_ns: int, publish: Publish) -> None:
        """Publish again every 10 s, for options every 5 s. [O]"""
        for (service, key), told in list(self._told.items()):
            step = now_ns // _NS_PER_S // _STEP_S[service]
            if step > told:
                self._told[service, key] = step
                publish(service, key, self._values(service, key, now_ns))

    def _values(self, service: str, key: str, now_ns: int) -> dict[str, Any]:
        prefix, sort_field, frequency = parse_screener(service, key) or ("", "", 0)
        lines = [
            line
            for symbol in self._market.symbols
            if (line := self._equities.line(symbol, now_ns)) is not None
        ]
        if service == EQUITY:
            items = [_equity_item(line) for line in lines if _belongs(line, prefix)]
        else:
            items = [item for line in lines for item in _option_items(line, prefix, now_ns)]
        total = sum(item["volume"] for item in items)
        for item in items:
            item["totalVolume"] = total
            item["marketShare"] = round(100 * item["volume"] / total, 2) if total else 0.0
        return service_forms()[service].numbered(
            {
                "timestamp": now_ns // _NS_PER_MS,
                "sortField": sort_field,
                "frequency": frequency,
                "items": _ranked(items, sort_field)[:_LONGEST],
            }
        )


def parse_screener(service: str, key: str) -> tuple[str, str, int] | None:
    """Split `PREFIX_SORTFIELD_FREQ`, None when it is none of the service's keys."""
    for prefix in PREFIXES[service]:
        sort_field, _, frequency = key.removeprefix(f"{prefix}_").rpartition("_")
        known = sort_field in SORT_FIELDS and frequency.isdigit()
        if key.startswith(f"{prefix}_") and known and int(frequency) in FREQUENCIES:
            return prefix, sort_field, int(frequency)
    return None


def _belongs(line: EquityLine, prefix: str) -> bool:
    exchange = {"NYSE": "N", "NASDAQ": "Q", "$COMPX": "Q"}.get(prefix)
    return exchange in (None, line.listing.exchange_code)


def _equity_item(line: EquityLine) -> dict[str, Any]:
    change, percent = line.net_change
    return {
        "symbol": line.listing.symbol,
        "description": line.listing.description,
        "lastPrice": line.last,
        "netChange": change,
        # A share here, percent in quotes. [O]
        "netPercentChange": round(percent / 100, 10),
        "volume": line.volume,
        "trades": line.volume // _SHARES_OF_A_TRADE,
    }


def _option_items(line: EquityLine, prefix: str, now_ns: int) -> list[dict[str, Any]]:
    today = trading_date(now_ns)
    later = today + timedelta(days=31)
    expiry = monthly_expiry(later.year, later.month)
    strike = max(1, round(line.last))
    items = []
    for right in ("C", "P"):
        if prefix == {"C": "OPTION_PUT", "P": "OPTION_CALL"}[right]:
            continue
        option = Option.of(line.listing.symbol, expiry, right, strike)
        last = max(0.01, round(priced(option, line.last, today).value, 2))
        before = max(0.01, round(priced(option, line.previous_close or line.last, today).value, 2))
        contracts = line.volume // 10_000
        items.append(
            {
                "symbol": option.to_schwab(),
                "description": f"{option.root} {expiry:%m/%d/%Y} {strike} {right}",
                "lastPrice": last,
                "netChange": round(last - before, 4),
                "netPercentChange": round(last / before - 1, 10),
                "volume": contracts,
                "trades": contracts // 10,
            }
        )
    return items


def _ranked(items: list[dict[str, Any]], sort_field: str) -> list[dict[str, Any]]:
    def rank(item: Mapping[str, Any]) -> tuple[float, str]:
        if sort_field == "VOLUME":
            return -item["volume"], item["symbol"]
        if sort_field == "TRADES":
            return -item["trades"], item["symbol"]
        sign = -1 if sort_field == "PERCENT_CHANGE_UP" else 1
        return sign * item["netPercentChange"], item["symbol"]

    return sorted(items, key=rank)
