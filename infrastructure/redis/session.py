"""One namespace at one Redis: keys get their prefix, errors their place in our tree."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, Self

from infrastructure.clock import Clock, SystemClock
from infrastructure.errors import ConfigError, InputError, UsageError
from infrastructure.logging import register_secret
from infrastructure.redis.address import RedisAddress, parse_redis_url
from infrastructure.redis.connection import Connection, open_connection
from infrastructure.redis.errors import in_our_tree

Value = str | bytes | int | float
SCAN_COUNT = 1000
GLOB_LETTERS = "\\*?[]^-"


class RedisSession:
    """Hold the connection and the namespace that all commands share.

    Args:
        url: Where Redis is; forms in `infrastructure.redis.address`.
        namespace: Every key is `namespace:key`; channels of pub/sub are not prefixed.
        clock: Waits for locks.
        timeout_s: Seconds for connecting and for each answer.
        connect: Opens the connection; stands for the network in tests.

    Raises:
        ConfigError: If the URL or the namespace is wrong.
    """

    def __init__(
        self,
        url: str,
        namespace: str,
        *,
        clock: Clock | None = None,
        timeout_s: float = 5.0,
        connect: Callable[[RedisAddress, float], Connection] = open_connection,
    ) -> None:
        if not namespace or namespace != namespace.strip() or namespace.endswith(":"):
            raise ConfigError(f"the Redis namespace is {namespace!r}, expected a word")
        self.address = parse_redis_url(url)
        for secret in (self.address.password, self.address.sentinel_password):
            if secret is not None:
                register_secret(secret.reveal())
        self.namespace = namespace
        self.timeout_s = timeout_s
        self.clock: Clock = SystemClock() if clock is None else clock
        self._connect = connect
        self._opened: Any = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.address)!r}, namespace={self.namespace!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back; a later command opens new ones."""
        opened, self._opened = self._opened, None
        if opened is not None:
            opened.close()

    def key(self, name: str) -> str:
        """Return the full key of a name.

        Raises:
            UsageError: If the name is empty.
        """
        if not name:
            raise UsageError("a Redis key is empty, expected a name")
        return f"{self.namespace}:{name}"

    def name(self, key: bytes | str) -> str:
        """Return the name of a full key."""
        text = key.decode("utf-8", errors="surrogateescape") if isinstance(key, bytes) else key
        return text.removeprefix(f"{self.namespace}:")

    def pattern(self, names: str) -> str:
        """Return the SCAN pattern of names in this namespace and in no other."""
        exact = "".join(
            f"\\{letter}" if letter in GLOB_LETTERS else letter for letter in self.namespace
        )
        return f"{exact}:{names}"

    @contextlib.contextmanager
    def asking(self, command: str) -> Iterator[Any]:
        """Yield the redis-py client; what it raises in the block becomes an error of our tree.

        Args:
            command: What is asked, for the message.
        """
        with in_our_tree(str(self.address), command):
            if self._opened is None:
                self._opened = self._connect(self.address, self.timeout_s)
            yield self._opened


def as_text(value: bytes | None, name: str) -> str | None:
    """Return a stored value as text, None when there is none.

    Raises:
        InputError: If it is no UTF-8.
    """
    if value is None:
        return None
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(
            f"the Redis value of {name!r} is no UTF-8 text", next_step="Read it as bytes."
        ) from error


def milliseconds(seconds: float | None, what: str) -> int | None:
    """Return a time to live in whole milliseconds, None for none.

    Raises:
        UsageError: If it is not positive.
    """
    if seconds is None:
        return None
    if not seconds > 0:
        raise UsageError(f"{what} is {seconds}, expected more than 0 s")
    return max(1, round(seconds * 1000))
