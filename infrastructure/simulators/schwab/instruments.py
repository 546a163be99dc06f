"""`GET /marketdata/v1/instruments` and `/instruments/{cusip_id}`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from infrastructure.simulators.schwab.error_bodies import market_error
from infrastructure.simulators.schwab.listings import Listing
from infrastructure.simulators.schwab.market import ReplayMarket
from infrastructure.simulators.schwab.messages import Request, Response, json_response
from infrastructure.simulators.schwab.parameters import Refused, comma_list, refused, required
from infrastructure.simulators.schwab.router import Router
from infrastructure.simulators.schwab.snapshot import snapshot
from infrastructure.simulators.schwab.wire_forms import WireForm

PATH: Final = "/marketdata/v1/instruments"
CUSIP_PATH: Final = "/marketdata/v1/instruments/{cusip_id}"
PROJECTIONS: Final = (
    "symbol-search",
    "symbol-regex",
    "desc-search",
    "desc-regex",
    "search",
    "fundamental",
)
CUSIP_LENGTH: Final = 9
SESSIONS_IN_3_MONTHS: Final = 63

_LONGEST_PATTERN: Final = 64


class Instruments:
    """Answer who is who.

    Args:
        market: Whose instruments.
    """

    def __init__(self, market: ReplayMarket) -> None:
        self._market = market
        self._form = WireForm("InstrumentResponse")
        self._fundamental = WireForm("FundamentalInst")

    def add_to(self, router: Router) -> None:
        """Add both endpoints."""
        router.add("GET", PATH, self._search, "market")
        router.add("GET", CUSIP_PATH, self._by_cusip, "market")

    def _search(self, request: Request, _: Mapping[str, str]) -> Response:
        """Answer a search; nothing found is an empty list. [?]"""
        try:
            text = required(request, "symbol")
            projection = required(request, "projection")
            chosen = self._chooser(text, projection)
        except Refused as refusal:
            return refusal.response
        found = [listing for listing in self._market.listings() if chosen(listing)]
        with_fundamental = projection == "fundamental"
        return json_response(
            200, {"instruments": [self._instrument(each, with_fundamental) for each in found]}
        )

    def _by_cusip(self, request: Request, values: Mapping[str, str]) -> Response:
        """Answer one CUSIP as a list of one. [O]"""
        cusip = values["cusip_id"].upper()
        if len(cusip) != CUSIP_LENGTH:
            detail = f"cusip_id must have {CUSIP_LENGTH} characters"
            return market_error(400, detail, parameter="cusip_id")
        found = [listing for listing in self._market.listings() if listing.cusip == cusip]
        if not found:
            return market_error(404)
        return json_response(200, {"instruments": [self._instrument(found[0], False)]})

    def _chooser(self, text: str, projection: str) -> Callable[[Listing], bool]:
        if projection not in PROJECTIONS:
            raise refused("projection", f"projection must be one of {', '.join(PROJECTIONS)}")
        if projection in ("symbol-search", "fundamental"):
            wanted = {symbol.upper() for symbol in comma_list(text)}
            return lambda listing: listing.symbol in wanted
        if projection == "desc-search":
            return lambda listing: text.upper() in listing.description.upper()
        if projection == "search":
            return lambda listing: (
                text.upper() in listing.symbol or text.upper() in listing.description.upper()
            )
        if len(text) > _LONGEST_PATTERN:
            raise refused("symbol", f"the pattern is longer than {_LONGEST_PATTERN} characters")
        try:
            pattern = re.compile(text, re.IGNORECASE)
        except re.error as error:
            raise refused("symbol", f"not a regular expression: {error}") from error
        if projection == "symbol-regex":
            return lambda listing: pattern.fullmatch(listing.symbol) is not None
        return lambda listing: pattern.fullmatch(listing.description) is not None

    def _instrument(self, listing: Listing, with_fundamental: bool) -> dict[str, Any]:
        values: dict[str, Any] = {
            "cusip": listing.cusip,
            "symbol": listing.symbol,
            "description": listing.description,
            "exchange": listing.exchange,
            "assetType": "EQUITY",
        }
        now = snapshot(self._market, listing.symbol) if with_fundamental else None
        if now is not None:
            ten = round(now.average_volume(10))
            three_months = round(now.average_volume(SESSIONS_IN_3_MONTHS))
            values["fundamental"] = self._fundamental(
                {
                    "symbol": listing.symbol,
                    "high52": now.year_high,
                    "low52": now.year_low,
                    "vol1DayAvg": float(now.volume),
                    "vol10DayAvg": float(ten),
                    "vol3MonthAvg": float(three_months),
                    "avg1DayVolume": now.volume,
                    "avg10DaysVolume": ten,
                    "avg3MonthVolume": three_months,
                }
            )
        return self._form(values)
