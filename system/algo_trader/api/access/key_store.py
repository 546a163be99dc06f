"""The keys of a realm in a file that all its processes read, and their verification."""

from __future__ import annotations

import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from infrastructure.clock import Clock, SystemClock
from infrastructure.errors import CorruptStore, UsageError
from infrastructure.supervision.files import make_private_folder
from infrastructure.supervision.locks import FileLock
from system.algo_trader.api.access.api_key import (
    LATEST_NS,
    MOST_PER_MINUTE,
    RATE_PER_MINUTE,
    ApiKey,
    KeyScope,
    make_key,
    parts_of,
)
from system.algo_trader.realm import Realm
from system.algo_trader.storage.durable_file import ignore_step, replace_durably

KEYS_FILE: Final = "api_keys.json"
LOOK_S: Final = 0.2
"""How often the file is looked at: a revocation counts in every process well within a second."""
_LONGEST: Final = 128
_REMEMBERED: Final = 4096
_LOCK_S: Final = 10.0
_NO_SALT: Final = b"\0" * 16
OF_A_KEY: Final = frozenset({"wrong secret", "revoked", "expired"})
"""Reasons of a refusal that are about a key of ours: its id may be written down with them."""

Stamp = tuple[int, int, int]


class KeyStore:
    """Make, revoke and verify the keys of one realm.

    Args:
        path: The file, made by the first key.
        clock: Tells the time.
        on_step: Called with each step of a write; tests put a crash in its place.
    """

    def __init__(
        self,
        path: Path,
        clock: Clock | None = None,
        *,
        on_step: Callable[[str], None] = ignore_step,
    ) -> None:
        self._path = path
        self._clock = clock if clock is not None else SystemClock()
        self._on_step = on_step
        self._keys: dict[str, ApiKey] = {}
        self._stamp: Stamp | None = None
        self._looked_ns: int | None = None
        self._verified: OrderedDict[bytes, str] = OrderedDict()
        self._lock = threading.Lock()

    @classmethod
    def of(cls, realm: Realm, clock: Clock | None = None) -> KeyStore:
        """Return the keys of a realm."""
        return cls(realm.root / KEYS_FILE, clock)

    def create(
        self,
        name: str,
        scopes: frozenset[KeyScope],
        *,
        expires_in_s: float | None = None,
        rate_per_minute: int = RATE_PER_MINUTE,
    ) -> tuple[ApiKey, str]:
        """Make a key; return what is kept of it, and its text, which nobody can show again.

        Raises:
            UsageError: If it may do nothing, has no name or one that is taken by a valid key, or
                ends at no time that can be.
            CorruptStore: If the file cannot be understood.
            OperatorError: If it cannot be written.
        """
        if not name.strip() or len(name) > 64 or not name.isprintable():
            raise UsageError("a key has a name of 1 to 64 letters that can be printed")
        if not scopes:
            raise UsageError(
                "a key without a scope may do nothing",
                next_step=f"Name one or more of {', '.join(KeyScope)}.",
            )
        if not 1 <= rate_per_minute <= MOST_PER_MINUTE:
            raise UsageError(f"a key may ask 1 to {MOST_PER_MINUTE:,} times a minute")
        now_ns = self._clock.now_ns()
        if expires_in_s is not None and not 0 < expires_in_s <= (LATEST_NS - now_ns) / 1e9:
            raise UsageError(
                "a key ends in the future, and before the year 2255",
                next_step="Say --expires 30d, or leave it out for a key that does not end.",
            )
        ends_ns = None if expires_in_s is None else now_ns + int(expires_in_s * 1e9)
        key, text = make_key(
            name, scopes, now_ns, expires_at_ns=ends_ns, rate_per_minute=rate_per_minute
        )

        def add(keys: dict[str, ApiKey]) -> None:
            if any(k.name == name and k.state(now_ns) == "valid" for k in keys.values()):
                raise UsageError(
                    f"there is a key named {name!r}",
                    next_step="Choose another name, or revoke that one.",
                )
            keys[key.key_id] = key

        self._change(add)
        return key, text

    def list(self) -> list[ApiKey]:
        """Return every key, the oldest first.

        Raises:
            CorruptStore: If the file cannot be understood.
        """
        with self._lock:
            self._look(at_once=True)
            return sorted(self._keys.values(), key=lambda key: key.created_at_ns)

    def revoke(self, key_id: str) -> ApiKey:
        """End a key now; one that was revoked stays as it is.

        Raises:
            UsageError: If there is no such key.
            CorruptStore: If the file cannot be understood.
        """

        ended: list[ApiKey] = []

        def end(keys: dict[str, ApiKey]) -> None:
            if key_id not in keys:
                raise UsageError(
                    f"there is no key {key_id[:40]!r}",
                    next_step="`algo-trader keys list` shows all.",
                )
            if keys[key_id].revoked_at_ns is None:
                keys[key_id] = replace(keys[key_id], revoked_at_ns=self._clock.now_ns())
            ended.append(keys[key_id])

        self._change(end)
        return ended[0]

    def has_valid(self) -> bool:
        """Return whether anybody could sign in by a key; errors as in `list`."""
        now_ns = self._clock.now_ns()
        return any(key.state(now_ns) == "valid" for key in self.list())

    def find(self, text: str) -> ApiKey | str:
        """Return the key of a text, else the reason for the audit why there is none.

        It never raises for what a stranger sends. The outside is not told the reason.

        Raises:
            CorruptStore: If the file cannot be understood: then nobody gets in.
        """
        if len(text) > _LONGEST:
            return "malformed"
        with self._lock:
            self._look()
            try:
                seen = hashlib.sha256(text.encode()).digest()
            except UnicodeEncodeError:
                return "malformed"
            key_id = self._verified.get(seen)
            key = None if key_id is None else self._keys.get(key_id)
            if key is None:
                parts = parts_of(text)
                if parts is None:
                    return "malformed"
                key = self._keys.get(parts[0])
                if key is None:
                    # As long as for a key that there is: guessing ids tells nothing.
                    hashlib.sha256(_NO_SALT + parts[1].encode()).digest()
                    return "unknown"
                if not key.matches(parts[1]):
                    return "wrong secret"
                self._verified[seen] = key.key_id
                if len(self._verified) > _REMEMBERED:
                    self._verified.popitem(last=False)
        state = key.state(self._clock.now_ns())
        return key if state == "valid" else state

    def _change(self, change: Callable[[dict[str, ApiKey]], None]) -> None:
        make_private_folder(self._path.parent)
        lock = FileLock(self._path.with_suffix(".lock"))
        with lock.holding(timeout_s=_LOCK_S, clock=self._clock), self._lock:
            self._look(at_once=True)
            keys = dict(self._keys)
            change(keys)
            content = json.dumps({"keys": [key.as_stored() for key in keys.values()]}, indent=1)
            replace_durably(self._path, content.encode(), on_step=self._on_step)
            self._look(at_once=True)

    def _look(self, *, at_once: bool = False) -> None:
        """Read the file if it has changed; the lock is held."""
        now_ns = self._clock.monotonic_ns()
        if (
            not at_once
            and self._looked_ns is not None
            and 0 <= now_ns - self._looked_ns < LOOK_S * 1e9
        ):
            return
        stamp = self._stamp_now()
        if self._looked_ns is None or stamp != self._stamp:
            # Nobody gets in by what was remembered, should the new file be unreadable.
            self._verified.clear()
            self._keys = {}
            self._looked_ns = None
            self._keys = self._read()
            self._stamp = stamp
        self._looked_ns = now_ns

    def _stamp_now(self) -> Stamp | None:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise CorruptStore(f"{self._path.name} cannot be read: {error.strerror}") from error
        return found.st_mtime_ns, found.st_size, found.st_ino

    def _read(self) -> dict[str, ApiKey]:
        try:
            content = self._path.read_bytes()
            keys = [ApiKey.of_stored(each) for each in json.loads(content)["keys"]]
            if len({key.key_id for key in keys}) != len(keys):
                # A revoked key must not come back by a second entry of its name.
                raise ValueError("two keys have the same id")
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError,
                RecursionError) as error:  # fmt: skip
            raise CorruptStore(
                f"{self._path.name} holds no keys that can be understood ({type(error).__name__})",
                next_step="Restore it, or move it away and make new keys.",
            ) from error
        return {key.key_id: key for key in keys}
