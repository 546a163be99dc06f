"""A client of the service for Python: market data as Arrow, polars or pandas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from system.algo_trader.client.asynchronous import AsyncClient
    from system.algo_trader.client.synchronous import Client

__all__ = ["AsyncClient", "Client"]


def __getattr__(name: str) -> Any:
    # Late: what only starts a command needs no HTTP client.
    if name == "Client":
        from system.algo_trader.client.synchronous import Client

        return Client
    if name == "AsyncClient":
        from system.algo_trader.client.asynchronous import AsyncClient

        return AsyncClient
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
