"""`GET /marketdata/v1/markets` and `/markets/{market_id}`, from the exchange calendars."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from infrastructure.exchange.calendars import calendar
from infrastructure.exchange.session import Span
from infrastructure.exchange.zones import local_moment_ns
from infrastructure.simulators.schwab.error_bodies import market_error
from infrastructure.simulators.schwab.market import ReplayMarket, extended_spans
from infrastructure.simulators.schwab.messages import Request, Response, json_response
from infrastructure.simulators.schwab.parameters import Refused, comma_list, refused, required
from infrastructure.simulators.schwab.replay_rows import NEW_YORK
from infrastructure.simulators.schwab.router import Router
from infrastructure.simulators.schwab.wire_forms import WireForm

PATH: Final = "/marketdata/v1/markets"
MARKET_PATH: Final = "/marketdata/v1/markets/{market_id}"
MARKETS: Final = ("equity", "option", "bond", "future", "forex")
FARTHEST: Final = timedelta(days=365)

_NS_PER_S: Final = 1_000_000_000
_INDEX_OPTIONS_LATER_S: Final = 15 * 60
_BOND_HOURS_S: Final = (8 * 3_600, 17 * 3_600)
_FOREX_HOURS_S: Final = (-7 * 3_600, 17 * 3_600)


@dataclass(frozen=True, slots=True)
class _Product:
    """One product's trading day."""

    code: str
    name: str
    hours: dict[str, list[Span]]


class MarketHours:
    """Answer when markets are open.

    Equity and option hours are Schwab's [S]; the codes and hours of bonds, futures (one product,
    the E-mini S&P's Globex session) and forex are not established. [?]

    Args:
        market: Whose date is today.
    """

    def __init__(self, market: ReplayMarket) -> None:
        self._market = market
        self._form = WireForm("Hours")
        self._interval = WireForm("Interval")

    def add_to(self, router: Router) -> None:
        """Add both endpoints."""
        router.add("GET", PATH, self._many, "market")
        router.add("GET", MARKET_PATH, self._one, "market")

    def _many(self, request: Request, _: Mapping[str, str]) -> Response:
        try:
            markets = comma_list(required(request, "markets").lower())
            if not set(markets) <= set(MARKETS):
                raise refused("markets", f"markets must be any of {', '.join(MARKETS)}")
            return self._answer(markets, self._date(request))
        except Refused as refusal:
            return refusal.response

    def _one(self, request: Request, values: Mapping[str, str]) -> Response:
        market = values["market_id"].lower()
        if market not in MARKETS:
            return market_error(404)
        try:
            return self._answer([market], self._date(request))
        except Refused as refusal:
            return refusal.response

    def _date(self, request: Request) -> date:
        """Read the date: today (the replay's) to a year ahead. [S]"""
        today = self._market.market_date
        text = request.query.get("date", "").strip()
        if not text:
            return today
        try:
            day = datetime.strptime(text, "%Y-%m-%d").date()
        except ValueError as error:
            raise refused("date", "date must be like yyyy-MM-dd") from error
        if not today <= day <= today + FARTHEST:
            raise refused("date", f"date must be from {today} to {today + FARTHEST}")
        return day

    def _answer(self, markets: list[str], day: date) -> Response:
        response = json_response(200, {market: self._hours(market, day) for market in markets})
        response.headers["X-Simulated"] = "replay"
        return response

    def _hours(self, market: str, day: date) -> dict[str, Any]:
        products = _products(market, day)
        common = {"date": day.isoformat(), "marketType": market.upper()}
        if not products:
            # The key of a closed day is the market's own name. [?]
            closed = {"product": market, "isOpen": False}
            return {market: self._form(common | closed)}
        return {
            product.code: self._form(
                common
                | {
                    "product": product.code,
                    "productName": product.name,
                    "isOpen": True,
                    "sessionHours": {
                        name: [self._interval(_moments(span)) for span in spans]
                        for name, spans in product.hours.items()
                    },
                }
            )
            for product in products
        }


def _products(market: str, day: date) -> list[_Product]:
    """Return the products that trade on a date, none on a closed one."""
    if market == "forex":
        if day.weekday() >= 5:
            return []
        return [_Product("forex", "forex", {"regularMarket": [_wall(day, _FOREX_HOURS_S)]})]
    if market == "future":
        globex = calendar("CME_EQUITY")
        if not globex.is_session(day):
            return []
        hours = {"regularMarket": list(globex.session(day).all)}
        return [_Product("/ES", "E-mini S&P 500", hours)]
    nyse = calendar("XNYS")
    if not nyse.is_session(day):
        return []
    session = nyse.session(day)
    regular = (session.open_ns, session.close_ns)
    if market == "bond":
        return [_Product("BON", "bond", {"regularMarket": [_wall(day, _BOND_HOURS_S)]})]
    if market == "option":
        later = (session.open_ns, session.close_ns + _INDEX_OPTIONS_LATER_S * _NS_PER_S)
        return [
            _Product("EQO", "equity option", {"regularMarket": [regular]}),
            _Product("IND", "index option", {"regularMarket": [later]}),
        ]
    before, after = extended_spans(day)
    return [
        _Product(
            "EQ",
            "equity",
            {"preMarket": [before], "regularMarket": [regular], "postMarket": [after]},
        )
    ]


def _wall(day: date, seconds: tuple[int, int]) -> Span:
    return (
        local_moment_ns(day, seconds[0], NEW_YORK),
        local_moment_ns(day, seconds[1], NEW_YORK),
    )


def _moments(span: Span) -> dict[str, str]:
    start, end = (
        datetime.fromtimestamp(ns // _NS_PER_S, UTC).astimezone(ZoneInfo(NEW_YORK)) for ns in span
    )
    return {"start": start.isoformat(), "end": end.isoformat()}
