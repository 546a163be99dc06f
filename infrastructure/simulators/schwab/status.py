"""`GET /simulator/status`: what a probe asks to know that this is the simulator."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

from infrastructure.clock import rfc3339
from infrastructure.simulators.schwab.market import ReplayMarket
from infrastructure.simulators.schwab.messages import Request, Response, json_response
from infrastructure.simulators.schwab.router import Router

PATH: Final = "/simulator/status"
PRODUCT: Final = "schwab-simulator"
VERSION: Final = "1"


class Status:
    """Tell what is running and what it replays. Schwab has no such endpoint.

    Args:
        market: What it replays.
    """

    def __init__(self, market: ReplayMarket) -> None:
        self._market = market

    def add_to(self, router: Router) -> None:
        """Add the endpoint."""
        router.add("GET", PATH, self._answer, "open")

    def _answer(self, request: Request, _: Mapping[str, str]) -> Response:
        return json_response(
            200,
            {
                "product": PRODUCT,
                "version": VERSION,
                "pid": os.getpid(),
                "source": self._market.source,
                "symbols": list(self._market.symbols),
                "market_date": self._market.market_date.isoformat(),
                "now": rfc3339(self._market.now_ns),
                "is_simulated": True,
            },
        )
