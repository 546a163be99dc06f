"""A local Schwab: sign-in, tokens and market data over HTTP(S), on replayed prices.

Its behaviours carry a tag in their docstrings: S is Schwab's own specification, O observed by
users on live accounts, C the habit of a client library, D derived from published samples, ? not
established (a constructor's argument chooses where it matters).

Nothing is loaded here until a name is asked for. Code of this project imports the modules
themselves, `market` and `simulator`: the streamer's folder stands below this package and above
them, and Bazel's targets make no circle over folders.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from infrastructure.simulators.schwab.market import ReplayMarket
    from infrastructure.simulators.schwab.simulator import SchwabSimulator

__all__ = ["ReplayMarket", "SchwabSimulator"]


def __getattr__(name: str) -> Any:
    modules = {"ReplayMarket": "market", "SchwabSimulator": "simulator"}
    if name not in modules:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{modules[name]}"), name)
