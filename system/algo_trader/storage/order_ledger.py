"""Where order keys are kept for all processes: a small durable file, or Redis."""

from __future__ import annotations

from pathlib import Path

import msgspec

from infrastructure.clock import Clock
from infrastructure.errors import CorruptStore
from infrastructure.redis.session import RedisSession
from infrastructure.schwab.orders.ledger import Claim
from infrastructure.supervision.files import told_in_a_sentence
from system.algo_trader.storage.durable_file import ignore_step, replace_durably
from system.algo_trader.storage.store_lock import LONGEST_WAIT_S, StoreLock

KEPT_NS = 366 * 86_400 * 10**9
"""A year: Schwab lists orders no longer, so that an older key could not be looked up anyway."""
REDIS_NAME = "order_claims"
_Claims = dict[str, Claim]


class FileOrderLedger:
    """Keep claims in one file of mode 0600, for all threads and processes of a machine.

    Args:
        path: The file.
        clock: Waits for the lock.
    """

    def __init__(self, path: Path, clock: Clock | None = None) -> None:
        self.path = path
        self._lock = StoreLock(
            path.with_name(path.name + ".lock"), longest_wait_s=LONGEST_WAIT_S, clock=clock
        )

    def claim(self, claim: Claim) -> Claim | None:
        """Keep a new key's claim and return None, or return the one that the key has already.

        Raises:
            CorruptStore: If the file is damaged: then nobody knows, and nothing may be sent.
            StackError: If it cannot be read or written.
        """
        with self._lock.held():
            claims = self._read()
            held = claims.get(claim.key)
            if held is not None:
                return held
            oldest = claim.sent_ns - KEPT_NS
            kept = {key: each for key, each in claims.items() if each.sent_ns >= oldest}
            self._write({**kept, claim.key: claim})
            return None

    def settle(self, claim: Claim) -> None:
        """Replace a key's claim by what is known now. Raises as `claim`."""
        with self._lock.held():
            self._write({**self._read(), claim.key: claim})

    def release(self, key: str) -> None:
        """Forget a key: its order was surely not placed. Raises as `claim`."""
        with self._lock.held():
            claims = self._read()
            if claims.pop(key, None) is not None:
                self._write(claims)

    def order_ids(self) -> frozenset[int]:
        """Return the ids of all orders that keys placed. Raises as `claim`."""
        with self._lock.held():
            return _ids(self._read())

    def _read(self) -> _Claims:
        with told_in_a_sentence(self.path, "read"):
            try:
                content = self.path.read_bytes()
            except FileNotFoundError:
                return {}
        try:
            return msgspec.json.decode(content, type=_Claims)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise CorruptStore(
                f"The keys of orders in {self.path} are damaged: nobody knows what was placed",
                next_step="Compare with `algo-trader orders list`, then move the file away.",
            ) from error

    def _write(self, claims: _Claims) -> None:
        replace_durably(self.path, msgspec.json.encode(claims), on_step=ignore_step)


class RedisOrderLedger:
    """Keep claims in Redis, for processes of many machines; as durable as that Redis is.

    Args:
        redis: Where, in its namespace.
    """

    def __init__(self, redis: RedisSession) -> None:
        self._redis = redis

    def claim(self, claim: Claim) -> Claim | None:
        """Keep a new key's claim and return None, or return the one that the key has already.

        Raises:
            StackError: If Redis does not answer: then nobody knows, and nothing may be sent.
        """
        name = self._redis.key(REDIS_NAME)
        written = msgspec.json.encode(claim)
        with self._redis.asking("claim of an order's key") as server:
            while not server.hsetnx(name, claim.key, written):
                held = server.hget(name, claim.key)
                if held is not None:  # else it was released in between
                    return _claim(held)
        return None

    def settle(self, claim: Claim) -> None:
        """Replace a key's claim by what is known now. Raises as `claim`."""
        with self._redis.asking("settling of an order's key") as server:
            server.hset(self._redis.key(REDIS_NAME), claim.key, msgspec.json.encode(claim))

    def release(self, key: str) -> None:
        """Forget a key: its order was surely not placed. Raises as `claim`."""
        with self._redis.asking("release of an order's key") as server:
            server.hdel(self._redis.key(REDIS_NAME), key)

    def order_ids(self) -> frozenset[int]:
        """Return the ids of all orders that keys placed. Raises as `claim`."""
        with self._redis.asking("list of orders' keys") as server:
            held = server.hvals(self._redis.key(REDIS_NAME))
        return _ids({str(i): _claim(each) for i, each in enumerate(held)})


def _claim(content: bytes) -> Claim:
    try:
        return msgspec.json.decode(content, type=Claim)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CorruptStore(
            "A key of an order in Redis is damaged, so it is not known what was placed",
            next_step="Compare with `algo-trader orders list`, then delete its hash.",
        ) from error


def _ids(claims: _Claims) -> frozenset[int]:
    return frozenset(each.order_id for each in claims.values() if each.order_id is not None)
