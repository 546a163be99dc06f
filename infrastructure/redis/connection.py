"""Open a redis-py client for an address."""

from __future__ import annotations

from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode, RedisCluster
from redis.retry import Retry
from redis.sentinel import Sentinel

from infrastructure.redis.address import RedisAddress

Connection = redis.Redis | RedisCluster
HEALTH_CHECK_S = 30
CLUSTER_REDIRECTS = 3


def connection_arguments(address: RedisAddress, timeout_s: float) -> dict[str, Any]:
    """Return what every redis-py client is built with.

    RESP2 is pinned so that answers have one shape at every server. Nothing is retried: redis-py
    cannot know whether a command that got no answer was carried out, and an XADD or INCR sent
    twice would count twice. A pooled connection that went stale is replaced before it is used.
    """
    arguments: dict[str, Any] = {
        "username": address.username,
        "password": None if address.password is None else address.password.reveal(),
        "socket_timeout": timeout_s,
        "socket_connect_timeout": timeout_s,
        "health_check_interval": HEALTH_CHECK_S,
        "protocol": 2,
        "decode_responses": False,
    }
    if address.tls:
        arguments |= {"ssl": True, **address.tls_options}
    return arguments


def open_connection(address: RedisAddress, timeout_s: float) -> Connection:
    """Return a client; only a Cluster's is connected already.

    Args:
        address: Where to connect.
        timeout_s: Seconds for connecting and for each answer.

    Raises:
        redis.RedisError: If a Cluster's nodes cannot be reached.
    """
    arguments = connection_arguments(address, timeout_s)
    if address.kind == "cluster":
        nodes = [ClusterNode(host, port) for host, port in address.hosts]  # type: ignore[no-untyped-call]
        return RedisCluster(
            startup_nodes=nodes,
            retry=Retry(NoBackoff(), CLUSTER_REDIRECTS),
            **arguments,
        )
    arguments |= {"db": address.database, "retry": Retry(NoBackoff(), 0)}
    if address.kind == "sentinel":
        secret = address.sentinel_password
        login = {
            "username": address.sentinel_username,
            "password": None if secret is None else secret.reveal(),
        }
        shared = {
            name: value
            for name, value in arguments.items()
            if name.startswith(("socket_", "ssl")) or name == "retry"
        }
        sentinel = Sentinel(  # type: ignore[no-untyped-call]
            list(address.hosts), sentinel_kwargs={**shared, **login, "protocol": 2}, **arguments
        )
        master: redis.Redis = sentinel.master_for(address.service)  # type: ignore[no-untyped-call]
        return master
    if address.kind == "unix":
        return redis.Redis(unix_socket_path=address.path, **arguments)
    host, port = address.hosts[0]
    return redis.Redis(host=host, port=port, **arguments)
