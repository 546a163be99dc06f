"""Every Redis key and channel of this system, once: names, types and how long they live."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from infrastructure.errors import UsageError

KeyKind = Literal["string", "hash", "stream", "zset"]


@dataclass(frozen=True, slots=True)
class Key:
    """Describe a key; its full name is `namespace:name`.

    Attributes:
        pattern: The name, with `{...}` where values go.
        kind: Redis's type of it.
        ttl_s: Seconds that it lives; None for ever, or as long as the caller says.
        max_length: Entries that a stream keeps, about; None for all other kinds.
        description: One sentence.
    """

    pattern: str
    kind: KeyKind
    ttl_s: float | None
    description: str
    max_length: int | None = None

    def of(self, **values: str) -> str:
        """Return the name for some values.

        Raises:
            UsageError: If a value is missing, too many or empty.
        """
        wanted = {part.partition("}")[0] for part in self.pattern.split("{")[1:]}
        if set(values) != wanted or not all(values.values()):
            raise UsageError(f"the key {self.pattern} needs {sorted(wanted)}, got {values}")
        return self.pattern.format(**values)


ACCESS_TOKEN: Final = Key(
    "schwab_access_token", "string", None, "Encrypted; lives as long as the token is valid."
)
REFRESH_TOKEN: Final = Key(
    "schwab_refresh_token", "string", None, "Encrypted; the encrypted file is the truth."
)
WATCHLIST: Final = Key("watchlist", "zset", None, "Symbols in the order of their adding.")
NAMED_WATCHLIST: Final = Key(
    "watchlist:{name}", "zset", None, "Symbols of another list, in the order of their adding."
)
LAST_RUN: Final = Key("last_run", "string", None, "What the last run did, as JSON.")
QUOTE: Final = Key("quote:{symbol}", "hash", None, "The last quote of a symbol.")
TICKS: Final = Key("ticks", "stream", None, "Frames of ticks, one entry a frame.", 30_000)
"""At 10 000 updates a second in 100 frames this is five minutes, and 375 MB of memory at 12.5 KB a
frame of 100 updates: what a killed stream had not committed yet is read back from here."""
BOOKS: Final = Key("books", "stream", None, "Frames of order books.", 10_000)
BARS: Final = Key("bars", "stream", None, "Frames of closed bars, as they are given out.", 10_000)
GEX: Final = Key("gex:{symbol}", "string", 30.0, "Exposure of a chain, as JSON.")
OPTIONS: Final = Key("options:{symbol}:{expiry}", "string", 60.0, "An expiry's quotes, as JSON.")
OPTIONS_REFRESH: Final = Key(
    "options_refresh", "string", None, "How `options refresh` does, as JSON; lives for some turns."
)
ERRORS: Final = Key("errors", "hash", None, "Errors of all processes by id, as JSON; 1000 at most.")

KEYS: Final = (
    *(ACCESS_TOKEN, REFRESH_TOKEN, WATCHLIST, NAMED_WATCHLIST, LAST_RUN),
    *(QUOTE, TICKS, BOOKS, BARS, GEX, OPTIONS, OPTIONS_REFRESH, ERRORS),
)

TICK_CHANNEL: Final = "market_data:ticks"
LEVEL2_CHANNEL: Final = "market_data:level2"
"""Channels carry no namespace."""
