"""This system's Redis client: tokens as ciphertext, the watchlist, the last run."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from infrastructure.clients.redis_client import BaseRedisClient
from infrastructure.clock import Clock
from infrastructure.errors import CorruptStore, UsageError
from infrastructure.influxdb.spool_slots import open_slot
from infrastructure.redis.frame_bus import FrameBus, row_count
from infrastructure.redis.frames import FrameReader
from infrastructure.redis.hot_hashes import HotHashes
from system.algo_trader.realm import Realm
from system.algo_trader.storage.hot_keys import (
    ACCESS_TOKEN,
    GEX,
    LAST_RUN,
    NAMED_WATCHLIST,
    OPTIONS,
    REFRESH_TOKEN,
    WATCHLIST,
    Key,
)

FRAME_SPOOL_BYTES: Final = 256 * 1024 * 1024
DEFAULT_WATCHLIST: Final = ("AAPL", "MSFT", "GOOG")

_SYMBOL = re.compile(r"[A-Z0-9$/][A-Z0-9$/.^_ -]{0,31}")
_LIST_NAME = re.compile(r"[\w-]{1,40}")
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
        self.set(ACCESS_TOKEN.of(), _ciphertext(ciphertext), ttl_s)

    def load_access_token(self) -> bytes | None:
        """Return the encrypted access token; None when none is stored or it has expired."""
        return self.get_bytes(ACCESS_TOKEN.of())

    def save_refresh_token(self, ciphertext: bytes) -> None:
        """Keep the encrypted refresh token.

        Raises:
            UsageError: If it is no ciphertext.
        """
        self.set(REFRESH_TOKEN.of(), _ciphertext(ciphertext))

    def load_refresh_token(self) -> bytes | None:
        """Return the encrypted refresh token, None when none is stored."""
        return self.get_bytes(REFRESH_TOKEN.of())

    def delete_tokens(self) -> None:
        """Forget both tokens."""
        self.delete(ACCESS_TOKEN.of(), REFRESH_TOKEN.of())

    store_access_token = save_access_token
    get_access_token = load_access_token
    store_refresh_token = save_refresh_token
    get_refresh_token = load_refresh_token

    def watchlist(self, name: str | None = None) -> tuple[str, ...]:
        """Return the symbols in the order in which they were added.

        Args:
            name: Of another list than the main job's.
        """
        with self.asking(f"ZRANGE {WATCHLIST.pattern}") as server:
            members = server.zrange(self.key(_list_key(name)), 0, -1)
        if not members:
            return DEFAULT_WATCHLIST if name is None else ()
        return tuple(member.decode() for member in members if member != _EDITED)

    def watchlists(self) -> tuple[str, ...]:
        """Return the names of the lists beside the main job's that hold a symbol, in order."""
        prefix = _list_key("")
        with self.asking(f"SCAN {NAMED_WATCHLIST.pattern}") as server:
            keys = [self.name(key) for key in server.scan_iter(self.pattern(f"{prefix}*"))]
        names = sorted(key.removeprefix(prefix) for key in keys)
        return tuple(name for name in names if self.watchlist(name))

    def watchlist_add(self, symbols: Iterable[str], name: str | None = None) -> int:
        """Add symbols to a watchlist, and return how many are new.

        Raises:
            UsageError: If one of them cannot be a symbol; then none is added.
        """
        return self._edit_watchlist(_ADD, symbols, name)

    def watchlist_remove(self, symbols: Iterable[str], name: str | None = None) -> int:
        """Take symbols off a watchlist, and return how many were on it.

        Raises:
            UsageError: If one of them cannot be a symbol; then none is removed.
        """
        return self._edit_watchlist(_REMOVE, symbols, name)

    def save_last_run(self, facts: Mapping[str, Any]) -> None:
        """Keep what the last run of the main job did, as JSON."""
        self.set_json(LAST_RUN.of(), dict(facts))

    def load_last_run(self) -> dict[str, Any] | None:
        """Return what the last run of the main job did, None when there was none.

        Raises:
            CorruptStore: If what is stored is no JSON object.
        """
        return self._object(LAST_RUN.of())

    def save_gex(self, symbol: str, report: Mapping[str, Any]) -> None:
        """Keep a gamma exposure report as JSON for 30 seconds."""
        self.set_json(GEX.of(symbol=_symbol(symbol)), dict(report), ttl=GEX.ttl_s)

    def load_gex(self, symbol: str) -> dict[str, Any] | None:
        """Return the report of a symbol, None when there is no fresh one.

        Raises:
            CorruptStore: If what is stored is no JSON object.
        """
        return self._object(GEX.of(symbol=_symbol(symbol)))

    def save_options(self, symbol: str, expiry: str, quotes: Mapping[str, Any]) -> None:
        """Keep the quotes of one expiry, `YYYY-MM-DD`, as JSON for 60 seconds."""
        name = OPTIONS.of(symbol=_symbol(symbol), expiry=expiry)
        self.set_json(name, dict(quotes), ttl=OPTIONS.ttl_s)

    def load_options(self, symbol: str, expiry: str) -> dict[str, Any] | None:
        """Return the quotes of one expiry, None when there are no fresh ones.

        Raises:
            CorruptStore: If what is stored is no JSON object.
        """
        return self._object(OPTIONS.of(symbol=_symbol(symbol), expiry=expiry))

    @contextlib.contextmanager
    def frame_bus(self, stream: Key, channel: str | None) -> Iterator[FrameBus]:
        """Open the way of frames into a stream and to viewers for the length of a block.

        Args:
            stream: `TICKS` or `BOOKS`.
            channel: Where viewers listen, by default `TICK_CHANNEL` or `LEVEL2_CHANNEL`; None
                for nowhere.

        Raises:
            StackError: If the spool of frames cannot be opened.
        """
        folder = self.realm.root / "frames" / stream.pattern
        with (
            contextlib.closing(open_slot(folder, FRAME_SPOOL_BYTES, count=row_count)) as spool,
            contextlib.closing(
                FrameBus(self, stream.of(), stream.max_length or 0, spool, channel=channel)
            ) as bus,
        ):
            yield bus

    def frame_reader(self, stream: Key, group: str, consumer: str) -> FrameReader:
        """Return a reader of a stream's frames that acknowledges what has been written.

        Args:
            stream: `TICKS` or `BOOKS`.
            group: Whose frames: each group gets all of them.
            consumer: This reader, the same after a restart.
        """
        return FrameReader(self, stream.of(), group, consumer)

    def hot_quotes(self) -> HotHashes:
        """Return the last quotes, which are read and merged here while Redis is away."""
        return HotHashes(self)

    def _object(self, name: str) -> dict[str, Any] | None:
        value = self.get_json(name)
        if value is not None and not isinstance(value, dict):
            raise CorruptStore(f"the Redis value of {name!r} is no JSON object")
        return value

    def _edit_watchlist(self, script: str, symbols: Iterable[str], name: str | None) -> int:
        wanted = [_symbol(symbol) for symbol in symbols]
        if not wanted:
            return 0
        with self.asking(f"edit {WATCHLIST.pattern}") as server:
            edit = server.register_script(script)
            default = DEFAULT_WATCHLIST if name is None else ()
            return int(edit([self.key(_list_key(name))], [len(default), *default, *wanted]))


def _list_key(name: str | None) -> str:
    if name is None:
        return WATCHLIST.of()
    if name and not _LIST_NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot name a watchlist", next_step="Use letters, digits, - and _."
        )
    return NAMED_WATCHLIST.pattern.format(name=name)


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
