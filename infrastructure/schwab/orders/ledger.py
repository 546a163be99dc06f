"""What was placed under which key, so that the same key never places twice.

The caller chooses who keeps it: `MemoryLedger` for one process, a durable file or Redis for many.
A claim holds no account and no order, only the digest of both: it may be kept in plain.
"""

from __future__ import annotations

import hashlib
import threading
from typing import Literal, Protocol

import msgspec

from infrastructure.errors import UsageError
from infrastructure.schwab.orders.order import Order

LONGEST_KEY = 128


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """One key's order.

    Attributes:
        key: The caller's.
        fingerprint: Digest of account and order.
        sent_ns: When it was about to be sent, nanoseconds UTC.
        state: `sending` until something is known; `unknown` after a lost answer; `placed`.
        order_id: Schwab's id where it is known.
    """

    key: str
    fingerprint: str
    sent_ns: int
    state: Literal["sending", "unknown", "placed"] = "sending"
    order_id: int | None = None


class OrderLedger(Protocol):
    """Keep claims; each method is atomic among all who share the ledger, and durable on return."""

    def claim(self, claim: Claim) -> Claim | None:
        """Keep a new key's claim and return None, or return the one that the key has already."""

    def settle(self, claim: Claim) -> None:
        """Replace a key's claim by what is known now."""

    def release(self, key: str) -> None:
        """Forget a key: its order was surely not placed."""

    def order_ids(self) -> frozenset[int]:
        """Return the ids of all orders that keys placed."""


class MemoryLedger:
    """Keep claims for the threads of one process; they end with it."""

    def __init__(self) -> None:
        self._claims: dict[str, Claim] = {}
        self._lock = threading.Lock()

    def claim(self, claim: Claim) -> Claim | None:
        """Keep a new key's claim and return None, or return the one that the key has already."""
        with self._lock:
            held = self._claims.setdefault(claim.key, claim)
            return None if held is claim else held

    def settle(self, claim: Claim) -> None:
        """Replace a key's claim by what is known now."""
        with self._lock:
            self._claims[claim.key] = claim

    def release(self, key: str) -> None:
        """Forget a key: its order was surely not placed."""
        with self._lock:
            self._claims.pop(key, None)

    def order_ids(self) -> frozenset[int]:
        """Return the ids of all orders that keys placed."""
        with self._lock:
            return frozenset(each.order_id for each in self._claims.values() if each.order_id)


def checked_key(key: str) -> str:
    """Return a key.

    Raises:
        UsageError: If it is empty, too long or not printable.
    """
    if not key or len(key) > LONGEST_KEY or not key.isprintable() or key != key.strip():
        raise UsageError(
            f"key={key!r} is no key of an order: 1 to {LONGEST_KEY} printable characters",
            next_step="Give one such as the strategy's name and the signal's time.",
        )
    return key


def fingerprint(account_hash: str, order: Order) -> str:
    """Return the digest of an account and an order."""
    written = msgspec.json.encode([account_hash, order.to_wire()], order="deterministic")
    return hashlib.sha256(written).hexdigest()
