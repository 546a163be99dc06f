"""The status in few words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_WHOLE: Final = (
    *("version", "realm", "is_synthetic", "now", "market_now", "market", "stream", "sign_in"),
    "coverage",
)


def status_in_short(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a model has to know of how everything is.

    Args:
        document: Of the status board.
    """
    health, gaps, errors = document["health"], document["gaps"], document["errors"]
    return {
        **{name: document[name] for name in _WHOLE},
        "health": {
            "state": health["state"],
            "not_ok": [
                each for each in health.get("checks", ()) if each.get("state", "ok") != "ok"
            ],
        },
        "gaps": {name: value for name, value in gaps.items() if name != "recent"},
        "errors": {name: value for name, value in errors.items() if name != "recent"},
        "services": [
            {name: each[name] for name in ("name", "state", "health", "reasons")}
            for each in document["services"]
        ],
    }
