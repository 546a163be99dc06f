"""This system's Redis client: tokens as ciphertext, the watchlist, the last run."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from infrastructure.clients.redis_client import BaseRedisClient
from infrastructure.clock import Clock
from infrastructure.errors import CorruptStore, UsageError
from system.algo_trader.realm import Realm

ACCESS_TOKEN: Final = "schwab_access_token"
REFRESH_TOKEN: Final = "schwab_refresh_token"
WATCHLIST: Final = "watchlist"
LAST_RUN: Final = "last_run"
GEX: Final = "gex"
GEX_TTL_S: Final = 30.0
OPTIONS: Final = "options"
OPTIONS_TTL_S: Final = 60.0
DEFAULT_WATCHLIST: Final = ("AAPL", "MSFT", "GOOG")

_SYMBOL = re.compile(r"[A-Z0-9$/][A-Z0-9$/.^_ -]{0,31}")
_EDITED = b""
"""A member that no symbol equals: a watchlist that was emptied on purpose stays empty."""

_ADD = """
if redis.call('exists', KEYS[1]) == 0 then
  redis.call('zadd', KEYS[1], 0, '')
  for place = 2, 1 + ARGV[1] do redis.call('zadd', KEYS[1], place - 1, ARGV[place]) end
end
local last = redis.call('zrange', KEYS[1], -1, -1, 'WITHSCORES')
local place, added = tonumber(last[2]), 0
for number = 2 + ARGV[1], #ARGV do
  place = place + 1
  added = added + redis.call('zadd', KEYS[1], 'NX', place, ARGV[number])
end
return added
"""
_REMOVE = """
if redis.call('exists', KEYS[1]) == 0 then
  redis.call('zadd', KEYS[1], 0, '')
  for place = 2, 1 + ARGV[1] do redis.call('zadd', KEYS[1], place - 1, ARGV[place]) end
end
local removed = 0
for number = 2 + ARGV[1], #ARGV do
  removed = removed + redis.call('zrem', KEYS[1], ARGV[number])
end
return removed
"""


class AlgoTraderRedisClient(BaseRedisClient):
    """Keep what this system shares through Redis, in the namespace of its realm.

    Args:
        url: Where Redis is.
        realm: Names the namespace.
        clock: Waits for locks.
        timeout_s: Seconds for connecting and for each answer.
        **options: As `BaseRedisClient` takes them.
    """

    def __init__(
        self,
        url: str,
        realm: Realm,
        *,
        clock: Clock | None = None,
        timeout_s: float = 5.0,
        **options: Any,
    ) -> None:
        super().__init__(url, realm.redis_namespace, clock=clock, timeout_s=timeout_s, **options)
        self.realm = realm

    def save_access_token(self, ciphertext: bytes, ttl_s: float) -> None:
        """Keep the encrypted access token.

        Args:
            ciphertext: The token, encrypted; plain text is refused.
            ttl_s: Seconds that it is valid.

        Raises:
            UsageError: If it is no ciphertext or lives no time.
        """
        self.set(ACCESS_TOKEN, _ciphertext(ciphertext), ttl_s)

    def load_access_token(self) -> bytes | None:
        """Return the encrypted access token; None when none is stored or it has expired."""
        return self.get_bytes(ACCESS_TOKEN)

    def save_refresh_token(self, ciphertext: bytes) -> None:
        """Keep the encrypted refresh token.

        Raises:
            UsageError: If it is no ciphertext.
        """
        self.set(REFRESH_TOKEN, _ciphertext(ciphertext))

    def load_refresh_token(self) -> bytes | None:
        """Return the encrypted refresh token, None when none is stored."""
        return self.get_bytes(REFRESH_TOKEN)

    def delete_tokens(self) -> None:
        """Forget both tokens."""
        self.delete(ACCESS_TOKEN, REFRESH_TOKEN)

    store_access_token = save_access_token
    get_access_token = load_access_token
    store_refresh_token = save_refresh_token
    get_refresh_token = load_refresh_token

    def watchlist(self) -> tuple[str, ...]:
        """Return the symbols in the order in which they were added."""
        with self.asking(f"ZRANGE {WATCHLIST}") as server:
            members = server.zrange(self.key(WATCHLIST), 0, -1)
        if not members:
            return DEFAULT_WATCHLIST
        return tuple(member.decode() for member in members if member != _EDITED)

    def watchlist_add(self, symbols: Iterable[str]) -> int:
        """Add symbols to the watchlist, and return how many are new.

        Raises:
            UsageError: If one of them cannot be a symbol; then none is added.
        """
        return self._edit_watchlist(_ADD, symbols)

    def watchlist_remove(self, symbols: Iterable[str]) -> int:
        """Take symbols off the watchlist, and return how many were on it.

        Raises:
            UsageError: If one of them cannot be a symbol; then none is removed.
        """
        return self._edit_watchlist(_REMOVE, symbols)

    def save_last_run(self, facts: Mapping[str, Any]) -> None:
        """Keep what the last run of the main job did, as JSON."""
        self.set_json(LAST_RUN, dict(facts))

    def load_last_run(self) -> dict[str, Any] | None:
        """Return what the last run of the main job did, None when there was none.

        Raises:
            CorruptStore: If what is stored is no JSON object.
        """
        return self._object(LAST_RUN)

    def save_gex(self, symbol: str, report: Mapping[str, Any]) -> None:
        """Keep a gamma exposure report as JSON for 30 seconds."""
        self.set_json(f"{GEX}:{_symbol(symbol)}", dict(report), ttl=GEX_TTL_S)

    def load_gex(self, symbol: str) -> dict[str, Any] | None:
        """Return the report of a symbol, None when there is no fresh one.

        Raises:
            CorruptStore: If what is stored is no JSON object.
        """
        return self._object(f"{GEX}:{_symbol(symbol)}")

    def save_options(self, symbol: str, expiry: str, quotes: Mapping[str, Any]) -> None:
        """Keep the quotes of one expiry, `YYYY-MM-DD`, as JSON for 60 seconds."""
        self.set_json(f"{OPTIONS}:{_symbol(symbol)}:{expiry}", dict(quotes), ttl=OPTIONS_TTL_S)

    def load_options(self, symbol: str, expiry: str) -> dict[str, Any] | None:
        """Return the quotes of one expiry, None when there are no fresh ones.

        Raises:
            CorruptStore: If what is stored is no JSON object.
        """
        return self._object(f"{OPTIONS}:{_symbol(symbol)}:{expiry}")

    def _object(self, name: str) -> dict[str, Any] | None:
        value = self.get_json(name)
        if value is not None and not isinstance(value, dict):
            raise CorruptStore(f"the Redis value of {name!r} is no JSON object")
        return value

    def _edit_watchlist(self, script: str, symbols: Iterable[str]) -> int:
        wanted = [_symbol(symbol) for symbol in symbols]
        if not wanted:
            return 0
        with self.asking(f"edit {WATCHLIST}") as server:
            edit = server.register_script(script)
            arguments = [len(DEFAULT_WATCHLIST), *DEFAULT_WATCHLIST, *wanted]
            return int(edit([self.key(WATCHLIST)], arguments))


def _symbol(text: str) -> str:
    symbol = text.strip().upper()
    if not _SYMBOL.fullmatch(symbol):
        raise UsageError(
            f"{text!r} cannot be a symbol",
            next_step="Write symbols as Schwab does: AAPL, BRK/B, $SPX, /ESZ26.",
        )
    return symbol


def _ciphertext(value: bytes) -> bytes:
    if not isinstance(value, bytes) or not value:
        raise UsageError("a token goes to Redis as ciphertext only, expected non-empty bytes")
    return value
