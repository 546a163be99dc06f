"""What may be done with data, by where they came from."""

from __future__ import annotations

from typing import Final

from system.algo_trader.market.source import Source

_OWN_USE: Final = (
    "Charles Schwab's market data: for your own use under your agreements with Schwab and the "
    "exchanges; passing it on needs their consent."
)
_SIMULATED: Final = "A local simulation, no market's data of today; not to be shown as real."
_OTHERS: Final = "Out of a file that was imported: the terms of whoever made that file apply."
_REPLAY: Final = "Played back: the terms of whoever recorded it apply."


def licence_of(source: str) -> str:
    """Return one sentence on the rights in a source's data.

    Args:
        source: As records name it; a name that we do not know has the strictest sentence.
    """
    try:
        known = Source(source)
    except ValueError:
        return f"Data of {source}: its terms are not known here; do not pass it on."
    if known.is_simulated:
        return _SIMULATED
    if known is Source.FILE:
        return _OTHERS
    return _REPLAY if known.value.startswith(Source.REPLAY.value) else _OWN_USE
