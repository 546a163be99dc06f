"""Whether a listed option can be exercised before it expires."""

from __future__ import annotations

from typing import Final, Literal

from infrastructure.exchange.symbology import Option, parse_option

Exercise = Literal["american", "european"]

# Index classes that are exercised at expiration only. Cboe's specification pages of SPX, XSP, RUT,
# MRUT, DJX, XEO, MXEA, MXEF and VIX; Nasdaq's of NDX and XND. OEX is American, and so is every
# option on a stock or a fund (OCC, Characteristics and Risks of Standardized Options, chapter 1).
EUROPEAN_ROOTS: Final = frozenset(
    {
        "DJX", "MRUT", "MXEA", "MXEF", "NDX", "NDXP", "RUT", "RUTW", "SPX", "SPXW", "VIX", "VIXW",
        "XEO", "XND", "XSP",
    }
)  # fmt: skip


def exercise_of(option: Option | str) -> Exercise:
    """Return the exercise style of an option's class.

    Args:
        option: The option or its symbol.
    """
    parsed = parse_option(option) if isinstance(option, str) else option
    return exercise_on(parsed.root)


def exercise_on(underlying: str) -> Exercise:
    """Return the exercise style of a root's or an underlying's options.

    Args:
        underlying: SPX, $SPX, SPXW, SPY; digits at the end of a root mark an adjusted class.
    """
    root = underlying.lstrip("$").rstrip("0123456789")
    return "european" if root in EUROPEAN_ROOTS else "american"
