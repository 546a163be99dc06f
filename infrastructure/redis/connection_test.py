"""Clients of redis-py are built with the right arguments for each kind of address."""

from pathlib import Path
from typing import Any

import pytest
import redis
from redis.cluster import ClusterNode
from redis.connection import SSLConnection, UnixDomainSocketConnection
from redis.sentinel import SentinelConnectionPool

from infrastructure.redis import connection
from infrastructure.redis.address import parse_redis_url
from infrastructure.redis.connection import open_connection


def opened(url: str) -> redis.Redis:
    client = open_connection(parse_redis_url(url), 1.5)
    assert isinstance(client, redis.Redis)
    return client


def test_a_single_server_gets_login_database_and_time_outs() -> None:
    pool = opened("redis://me:pw@host:7000/3").connection_pool
    for name, value in {
        "host": "host",
        "port": 7000,
        "db": 3,
        "username": "me",
        "password": "pw",
        "socket_timeout": 1.5,
        "socket_connect_timeout": 1.5,
        "protocol": 2,
    }.items():
        assert pool.connection_kwargs[name] == value
    assert pool.connection_kwargs["retry"].get_retries() == 0


def test_a_tls_server_is_verified(tmp_path: Path) -> None:
    authority = tmp_path / "ca.pem"
    authority.touch()
    pool = opened(f"rediss://host?ssl_ca_certs={authority}").connection_pool
    assert pool.connection_class is SSLConnection
    assert pool.connection_kwargs["ssl_ca_certs"] == str(authority)
    assert pool.connection_kwargs["ssl_cert_reqs"] == "required"
    assert pool.connection_kwargs["ssl_check_hostname"] is True


def test_a_socket_is_used_by_its_path() -> None:
    pool = opened("unix://:pw@/run/redis.sock?db=2").connection_pool
    assert pool.connection_class is UnixDomainSocketConnection
    assert pool.connection_kwargs["path"] == "/run/redis.sock"
    assert (pool.connection_kwargs["db"], pool.connection_kwargs["password"]) == (2, "pw")


def test_sentinels_get_their_own_login_and_the_master_gets_the_other() -> None:
    pool = opened(
        "rediss+sentinel://me:pw@one:1,two:2/main/4?sentinel_password=watch"
    ).connection_pool
    assert isinstance(pool, SentinelConnectionPool)
    assert pool.service_name == "main"
    assert (pool.connection_kwargs["db"], pool.connection_kwargs["password"]) == (4, "pw")
    sentinels = pool.sentinel_manager.sentinels
    assert [s.connection_pool.connection_kwargs["host"] for s in sentinels] == ["one", "two"]
    for sentinel in sentinels:
        arguments = sentinel.connection_pool.connection_kwargs
        assert (arguments["username"], arguments["password"]) == (None, "watch")
        assert arguments["socket_timeout"] == 1.5
        assert sentinel.connection_pool.connection_class is SSLConnection


def test_a_cluster_gets_its_nodes_and_follows_redirects(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}

    class Observed:
        def __init__(self, **arguments: Any) -> None:
            seen.update(arguments)

    monkeypatch.setattr(connection, "RedisCluster", Observed)
    open_connection(parse_redis_url("redis+cluster://:pw@one:7000,two:7001"), 2.0)
    nodes: list[ClusterNode] = seen["startup_nodes"]
    assert [(node.host, node.port) for node in nodes] == [("one", 7000), ("two", 7001)]
    assert (seen["password"], seen["socket_timeout"]) == ("pw", 2.0)
    assert seen["retry"].get_retries() == connection.CLUSTER_REDIRECTS
    assert "db" not in seen
