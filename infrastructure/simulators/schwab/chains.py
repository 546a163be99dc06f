"""`GET /marketdata/v1/chains` and `/expirationchain`, in the shapes that live accounts see."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, Final

from infrastructure.exchange.option_expiry import is_monthly_expiry, settlement_of
from infrastructure.simulators.schwab.analytical import assumptions
from infrastructure.simulators.schwab.contract_form import contract_form
from infrastructure.simulators.schwab.error_bodies import body_too_big, market_error
from infrastructure.simulators.schwab.market import ReplayMarket
from infrastructure.simulators.schwab.messages import Request, Response, json_response
from infrastructure.simulators.schwab.option_book import OptionBook
from infrastructure.simulators.schwab.option_surface import RATE, Contract
from infrastructure.simulators.schwab.parameters import (
    Refused,
    number,
    refused,
    required,
    whole_number,
)
from infrastructure.simulators.schwab.router import Router
from infrastructure.simulators.schwab.snapshot import snapshot
from infrastructure.simulators.schwab.wire_forms import WireForm

PATH: Final = "/marketdata/v1/chains"
EXPIRATIONS_PATH: Final = "/marketdata/v1/expirationchain"
GATEWAY_LIMIT: Final = 10_000_000
STRATEGIES: Final = [
    "SINGLE",
    "ANALYTICAL",
    "COVERED",
    "VERTICAL",
    "CALENDAR",
    "STRANGLE",
    "STRADDLE",
    "BUTTERFLY",
    "CONDOR",
    "DIAGONAL",
    "COLLAR",
    "ROLL",
]
RANGES: Final = ("ITM", "NTM", "OTM", "SAK", "SBK", "SNK", "ALL")
MONTHS: Final = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]

_NEAR: Final = 0.05
_Keep = Callable[[Contract], bool]


class Chains:
    """Answer option chains.

    Args:
        market: Whose shares.
        book: Their options.
    """

    def __init__(self, market: ReplayMarket, book: OptionBook) -> None:
        self._market = market
        self._book = book
        self._underlying = WireForm("Underlying")

    def add_to(self, router: Router) -> None:
        """Add both endpoints."""
        router.add("GET", PATH, self._chain, "market")
        router.add("GET", EXPIRATIONS_PATH, self._expirations, "market")

    def _chain(self, request: Request, _: Mapping[str, str]) -> Response:
        """Answer a chain; one above 10 MB dies in the gateway. [O]"""
        try:
            symbol = required(request, "symbol").upper()
            strategy = _choice(request, "strategy", STRATEGIES, "SINGLE")
            keep = _filters(request)
            count = whole_number(request, "strikeCount")
            window = _choice(request, "range", RANGES, "ALL")
            assumed = assumptions(request) if strategy == "ANALYTICAL" else None
            interval = number(request, "interval")
        except Refused as refusal:
            return refusal.response
        spot = self._book.spot(symbol) if self._book.knows(symbol) else None
        if spot is None:
            return market_error(404)
        chosen = [each for each in self._book.contracts(symbol) if keep(each)]
        if assumed is not None:
            now_ns = self._book.moment_ns(symbol)
            chosen = [assumed.valued(each, spot, now_ns) for each in chosen]
        chosen = _in_range(chosen, spot, window)
        if count is not None:
            chosen = _around(chosen, spot, count)
        body = self._body(request, symbol, spot, strategy, chosen)
        if assumed is not None:
            body |= assumed.shown()
        if interval is not None:
            body["interval"] = interval
        response = json_response(200, body)
        return body_too_big() if len(response.body) > GATEWAY_LIMIT else response

    def _body(
        self, request: Request, symbol: str, spot: float, strategy: str, chosen: list[Contract]
    ) -> dict[str, Any]:
        is_index = symbol.startswith("$")
        with_underlying = request.query.get("includeUnderlyingQuote", "").lower() == "true"
        body: dict[str, Any] = {
            "symbol": symbol,
            "status": "SUCCESS",
            "underlying": self._underlying_quote(symbol) if with_underlying else None,
            "strategy": strategy,
            "interval": 0.0,
            "isDelayed": False,
            "isIndex": is_index,
            "interestRate": RATE * 100,
            "underlyingPrice": spot,
            "volatility": 29.0,
            "daysToExpiration": 0.0,
            "dividendYield": 0.0,
            "numberOfContracts": len(chosen),
            "assetMainType": "INDEX" if is_index else "EQUITY",
            "assetSubType": "" if is_index else "COE",
            "isChainTruncated": False,
        }
        if strategy not in ("SINGLE", "ANALYTICAL"):
            # Strategy chains have these two instead; what stands in the list is not known. [?]
            return body | {"intervals": [], "monthlyStrategyList": []}
        return body | {
            "callExpDateMap": self._map(symbol, spot, chosen, "C"),
            "putExpDateMap": self._map(symbol, spot, chosen, "P"),
        }

    def _map(
        self, symbol: str, spot: float, chosen: list[Contract], right: str
    ) -> dict[str, dict[str, list[dict[str, Any]]]]:
        """Return `{"date:days": {"strike": [contract, ...]}}`. [O]"""
        now_ns = self._book.moment_ns(symbol)
        found: dict[str, dict[str, list[dict[str, Any]]]] = {}
        for each in chosen:
            if each.option.right != right:
                continue
            days = self._book.days(each.option)
            by_strike = found.setdefault(f"{each.option.expiry}:{days}", {})
            by_strike.setdefault(str(float(each.option.strike)), []).append(
                contract_form(each, spot, days, now_ns)
            )
        return found

    def _underlying_quote(self, symbol: str) -> dict[str, Any] | None:
        listing = self._market.listing(symbol)
        now = None if listing is None else snapshot(self._market, symbol)
        if listing is None or now is None:
            return None
        before = now.previous_close
        return self._underlying(
            {
                "symbol": symbol,
                "description": listing.description,
                "exchangeName": {"Q": "NAS", "N": "NYS"}.get(listing.exchange_code),
                "ask": round(now.last + 0.01, 4),
                "askSize": 100,
                "bid": round(now.last - 0.01, 4),
                "bidSize": 100,
                "last": now.last,
                "mark": now.last,
                "close": before,
                "change": None if before is None else round(now.last - before, 4),
                "percentChange": None if before is None else (now.last / before - 1) * 100,
                "delayed": False,
                "fiftyTwoWeekHigh": now.year_high,
                "fiftyTwoWeekLow": now.year_low,
                "highPrice": now.high,
                "lowPrice": now.low,
                "openPrice": now.open,
                "totalVolume": now.volume,
                "quoteTime": now.last_ns // 1_000_000,
                "tradeTime": now.last_ns // 1_000_000,
            }
        )

    def _expirations(self, request: Request, _: Mapping[str, str]) -> Response:
        """Answer the expirations; the item's key is `expirationDate`. [O]"""
        try:
            symbol = required(request, "symbol").upper()
        except Refused as refusal:
            return refusal.response
        if not self._book.knows(symbol):
            return market_error(404)
        found: dict[date, list[Contract]] = {}
        for each in self._book.contracts(symbol):
            found.setdefault(each.option.expiry, []).append(each)
        return json_response(
            200,
            {
                "expirationList": [
                    {
                        "expirationDate": day.isoformat(),
                        "daysToExpiration": self._book.days(some[0].option),
                        "expirationType": "S" if is_monthly_expiry(day) else "W",
                        "settlementType": settlement_of(some[0].option)[0],
                        "optionRoots": ",".join(sorted({c.option.root for c in some})),
                        "standard": not some[0].option.is_adjusted,
                    }
                    for day, some in sorted(found.items())
                ]
            },
        )


def _choice(request: Request, name: str, allowed: tuple[str, ...] | list[str], default: str) -> str:
    text = request.query.get(name, "").strip().upper() or default
    if text not in allowed:
        raise refused(name, f"{name} must be one of {', '.join(allowed)}")
    return text


def _filters(request: Request) -> _Keep:
    kind = _choice(request, "contractType", ["CALL", "PUT", "ALL"], "ALL")
    month = _choice(request, "expMonth", [*MONTHS, "ALL"], "ALL")
    standard = _choice(request, "optionType", ["S", "NS", "ALL"], "ALL")
    first, last = _day(request, "fromDate"), _day(request, "toDate")
    if first is not None and last is not None and first > last:
        raise refused("toDate", "toDate must not be before fromDate")
    strike = number(request, "strike")

    def keep(contract: Contract) -> bool:
        option = contract.option
        return (
            (kind == "ALL" or kind[0] == option.right)
            and (standard == "ALL" or (standard == "NS") == option.is_adjusted)
            and (month == "ALL" or MONTHS[option.expiry.month - 1] == month)
            and (first is None or option.expiry >= first)
            and (last is None or option.expiry <= last)
            and (strike is None or float(option.strike) == strike)
        )

    return keep


def _day(request: Request, name: str) -> date | None:
    text = request.query.get(name, "").strip()
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise refused(name, f"{name} must be like yyyy-MM-dd") from error


def _in_range(chosen: list[Contract], spot: float, window: str) -> list[Contract]:
    if window in ("ITM", "OTM"):
        return [
            each
            for each in chosen
            if ((float(each.option.strike) < spot) == (each.option.right == "C"))
            == (window == "ITM")
        ]
    if window in ("SAK", "SBK"):
        # Strikes above, or below, the market. [S]
        return [each for each in chosen if (float(each.option.strike) > spot) == (window == "SAK")]
    if window in ("NTM", "SNK"):
        return [each for each in chosen if abs(float(each.option.strike) / spot - 1) <= _NEAR]
    return chosen


def _around(chosen: list[Contract], spot: float, count: int) -> list[Contract]:
    """Keep so many strikes of each expiration: those nearest to the money. [S]"""
    by_day: dict[date, set[float]] = {}
    for each in chosen:
        by_day.setdefault(each.option.expiry, set()).add(float(each.option.strike))
    kept = {
        day: set(sorted(all_of_it, key=lambda strike: (abs(strike - spot), strike))[:count])
        for day, all_of_it in by_day.items()
    }
    return [each for each in chosen if float(each.option.strike) in kept[each.option.expiry]]
