"""`GET /marketdata/v1/movers/{symbol_id}`: the ten with the largest share of the volume."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any, Final

from infrastructure.simulators.schwab.error_bodies import market_error
from infrastructure.simulators.schwab.market import ReplayMarket
from infrastructure.simulators.schwab.messages import Request, Response, json_response
from infrastructure.simulators.schwab.router import Router
from infrastructure.simulators.schwab.snapshot import Snapshot, snapshot

PATH: Final = "/marketdata/v1/movers/{symbol_id}"
INDICES: Final = [
    "$DJI",
    "$COMPX",
    "$SPX",
    "NYSE",
    "NASDAQ",
    "OTCBB",
    "INDEX_ALL",
    "EQUITY_ALL",
    "OPTION_ALL",
    "OPTION_PUT",
    "OPTION_CALL",
]
MOST: Final = 10

_VENUES: Final = {"NYSE": ("NYSE",), "NASDAQ": ("NASDAQ",), "$COMPX": ("NASDAQ",), "OTCBB": ()}


class Movers:
    """Answer movers of the replayed shares; `sort` and `frequency` change nothing. [O]

    Args:
        market: Whose shares. Options have no recorded volume: their lists are empty.
    """

    def __init__(self, market: ReplayMarket) -> None:
        self._market = market

    def add_to(self, router: Router) -> None:
        """Add the endpoint."""
        router.add("GET", PATH, self._answer, "market")

    def _answer(self, request: Request, values: Mapping[str, str]) -> Response:
        """Answer an index; any other name, such as $SPX.X, is 400. [O]"""
        index = values["symbol_id"].upper()
        if index not in INDICES:
            return market_error(400, f"symbol_id must be one of {', '.join(INDICES)}")
        rows: list[tuple[str, str, Snapshot]] = []
        for listing in self._market.listings():
            venues = _VENUES.get(index)
            now = snapshot(self._market, listing.symbol)
            outside = venues is not None and listing.exchange not in venues
            if now is None or outside or index.startswith("OPTION"):
                continue
            rows.append((listing.symbol, listing.description, now))
        total = sum(now.volume for _, _, now in rows)
        rows.sort(key=lambda row: -row[2].volume)
        return json_response(200, {"screeners": [_item(*row, total) for row in rows[:MOST]]})


def _item(symbol: str, description: str, now: Snapshot, total: int) -> dict[str, Any]:
    """Return one row: percent as a fraction, the index' total on every row. [O]"""
    before = now.previous_close
    return {
        "description": escape(description, quote=False),
        "volume": now.volume,
        "lastPrice": now.last,
        "netChange": None if before is None else round(now.last - before, 4),
        "marketShare": round(now.volume / total * 100, 2) if total else 0.0,
        "totalVolume": total,
        "trades": max(now.volume // 200, 1),
        "netPercentChange": None if before is None else round(now.last / before - 1, 6),
        "symbol": symbol,
    }
