"""The base client of Redis: everything that any system of ours does with it."""

from __future__ import annotations

from typing import NamedTuple

from infrastructure.redis.channels import Channels, Message, Subscription
from infrastructure.redis.locks import HeldLock, Locks
from infrastructure.redis.pipelines import Pipeline, Pipelines
from infrastructure.redis.streams import StreamEntry, Streams
from infrastructure.redis.values import Values

__all__ = [
    "BaseRedisClient",
    "HeldLock",
    "Message",
    "Pipeline",
    "RedisIdentity",
    "StreamEntry",
    "Subscription",
]


class RedisIdentity(NamedTuple):
    """What a server says it is.

    Attributes:
        product: "valkey" or "redis".
        version: The product's own version.
        process_id: The server's process on its machine.
        mode: "standalone", "sentinel" or "cluster".
    """

    product: str
    version: str
    process_id: int
    mode: str


class BaseRedisClient(Values, Streams, Locks, Pipelines, Channels):
    """Talk to one Redis under one namespace; a system's client extends it.

    Built as `BaseRedisClient(url, namespace)`; the arguments are those of `RedisSession`. The
    URL takes a password, TLS, a Unix socket, Sentinels or a Cluster. Connections are made when
    they are needed, so building a client fails only for a wrong URL. Every failure is raised,
    as an error of `infrastructure.errors`; None always means that there is no such value.
    No command is sent twice: a failure that passes is a `RetryableError`, and whether a retry
    is safe is known to the caller.
    """

    def ping(self) -> bool:
        """Return True when the server answers.

        Raises:
            ServiceUnavailable: If it does not.
            CredentialsRejected: If it refuses the user or the password.
        """
        with self.asking("PING") as server:
            return bool(server.ping())

    def identity(self) -> RedisIdentity:
        """Return what the server says it is.

        Raises:
            ServiceUnavailable: If it does not answer.
            ForeignService: If it does not speak the Redis protocol.
        """
        with self.asking("INFO server") as server:
            facts = server.info("server")
        if "redis_version" not in facts:
            facts = next(iter(facts.values()))
        version = facts.get("valkey_version", facts["redis_version"])
        return RedisIdentity(
            product=str(facts.get("server_name", "redis")),
            version=str(version),
            process_id=int(facts.get("process_id", 0)),
            mode=str(facts.get("server_mode", facts.get("redis_mode", "standalone"))),
        )
