"""What all processes share through Redis: the budget of requests, and the count of orders."""

from __future__ import annotations

import uuid

from infrastructure.clock import Clock
from infrastructure.errors import StackError
from infrastructure.logging import get_logger
from infrastructure.redis.session import RedisSession
from infrastructure.schwab.budget import LocalBudget, Rate

KEY = "schwab_budget"
_TAKE = """
local now = redis.call('TIME')
local at = now[1] + now[2] / 1000000
local burst, per_s = tonumber(ARGV[1]), tonumber(ARGV[2])
local held = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens = tonumber(held[1]) or burst
local passed = math.max(0, at - (tonumber(held[2]) or at))
tokens = math.min(burst, tokens + passed * per_s) - 1
redis.call('HSET', KEYS[1], 'tokens', string.format('%.9f', tokens))
redis.call('HSET', KEYS[1], 'at', string.format('%.6f', at))
redis.call('EXPIRE', KEYS[1], 120)
return string.format('%.6f', math.max(0, -tokens / per_s))
"""
ORDERS_KEY = "schwab_orders_sent"
_ADMIT = """
local now = redis.call('TIME')
local at = now[1] * 1000000 + now[2]
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', at - 60000000)
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[1]) then return 0 end
redis.call('ZADD', KEYS[1], at, ARGV[2])
redis.call('EXPIRE', KEYS[1], 120)
return 1
"""
_log = get_logger(__name__)


class SharedOrderCount:
    """Count the orders that all processes sent in the last 60 seconds of Redis' clock.

    Args:
        redis: Where they are counted, in its namespace.
    """

    def __init__(self, redis: RedisSession) -> None:
        self._redis = redis

    def __call__(self, most: int) -> bool:
        """Count one more order unless so many were sent; return whether it was counted.

        Raises:
            StackError: If Redis does not answer: then nobody knows, and nothing may be sent.
        """
        with self._redis.asking("count of orders") as server:
            script = server.register_script(_ADMIT)
            order = uuid.uuid4().hex
            return bool(script([self._redis.key(ORDERS_KEY)], [most, order]))


class SharedBudget:
    """Share a budget among processes; without Redis each process keeps to it by itself.

    Args:
        redis: Where the bucket is, in its namespace.
        clock: Refills the bucket of this process.
        rate: The bounds.
        key: The bucket's name; another one is another budget.
    """

    def __init__(
        self, redis: RedisSession, clock: Clock, rate: Rate | None = None, key: str = KEY
    ) -> None:
        self._redis = redis
        self._local = LocalBudget(clock, rate)
        self._key = key

    def take(self) -> float:
        """Take one request and return the seconds to wait before it is sent."""
        alone_s = self._local.take()
        rate = self._local.rate
        try:
            with self._redis.asking("take of the request budget") as server:
                script = server.register_script(_TAKE)
                shared = script([self._redis.key(self._key)], [rate.burst, rate.per_s])
        except StackError as error:
            _log.warning("the request budget is this process's own for now: %s", error)
            return alone_s
        return max(alone_s, float(shared))
