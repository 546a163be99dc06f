"""Redis URLs are read exactly, and refused without showing a password."""

from pathlib import Path

import pytest

from infrastructure.config import Secret
from infrastructure.errors import ConfigError
from infrastructure.redis.address import RedisAddress, parse_redis_url


def test_a_plain_url_has_defaults() -> None:
    address = parse_redis_url("redis://host")
    assert (address.kind, address.hosts, address.database) == ("single", (("host", 6379),), 0)
    assert (address.username, address.password, address.tls) == (None, None, False)


def test_login_and_database_are_decoded() -> None:
    address = parse_redis_url("redis://me:p%40ss%3A@host:7000/3")
    assert (address.username, address.password) == ("me", Secret("p@ss:"))
    assert (address.hosts, address.database) == ((("host", 7000),), 3)


def test_a_tls_url_verifies_by_default_and_takes_files(tmp_path: Path) -> None:
    authority = tmp_path / "ca.pem"
    authority.touch()
    strict = parse_redis_url(f"rediss://host:6380/1?ssl_ca_certs={authority}")
    assert strict.tls
    assert strict.tls_options == {
        "ssl_ca_certs": str(authority),
        "ssl_cert_reqs": "required",
        "ssl_check_hostname": True,
    }
    lax = parse_redis_url("rediss://host?ssl_cert_reqs=none")
    assert lax.tls_options == {"ssl_cert_reqs": "none", "ssl_check_hostname": False}


def test_a_socket_url_has_a_path_a_password_and_a_database() -> None:
    address = parse_redis_url("unix://:pw@/run/a%20b/redis.sock?db=2")
    assert (address.kind, address.path, address.database) == ("unix", "/run/a b/redis.sock", 2)
    assert address.password == Secret("pw")


def test_a_sentinel_url_names_hosts_service_and_both_logins() -> None:
    address = parse_redis_url(
        "redis+sentinel://me:pw@one,two:26380,[::1]:5/main/4"
        "?sentinel_username=watcher&sentinel_password=other"
    )
    assert address.kind == "sentinel"
    assert address.hosts == (("one", 26379), ("two", 26380), ("::1", 5))
    assert (address.service, address.database) == ("main", 4)
    assert (address.username, address.password) == ("me", Secret("pw"))
    assert (address.sentinel_username, address.sentinel_password) == ("watcher", Secret("other"))


def test_a_cluster_url_names_its_nodes() -> None:
    address = parse_redis_url("rediss+cluster://:pw@one:7000,two:7001")
    assert (address.kind, address.tls) == ("cluster", True)
    assert address.hosts == (("one", 7000), ("two", 7001))


@pytest.mark.parametrize(
    "url",
    [
        "redis://host:6379/0",
        "rediss://host:1/3",
        "unix:///run/a%20b.sock?db=2",
        "redis+sentinel://one:1,[::1]:2/main/1",
        "redis+cluster://one:1,two:2",
    ],
)
def test_an_address_without_password_is_shown_as_its_url(url: str) -> None:
    assert str(parse_redis_url(url)) == url


@pytest.mark.parametrize(
    "url",
    [
        "redis://me:hunter2@host",
        "unix://:hunter2@/a.sock",
        "redis+sentinel://:hunter2@h/main?sentinel_password=hunter2",
    ],
)
def test_no_password_is_shown(url: str) -> None:
    address = parse_redis_url(url)
    assert "hunter2" not in str(address) + repr(address)
    assert ":***@" in str(address)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "no scheme at all"),
        ("host:6379", "no scheme at all"),
        ("http://:hunter2@host", "has http"),
        ("redis://:hunter2@", "names no host"),
        ("redis://:hunter2@host:99999", "a port"),
        ("redis://:hunter2@host:port", "a port"),
        ("redis://:hunter2@host/x", "'x', which is no number"),
        ("redis://:hunter2@host/1/2", "too many path segments"),
        ("redis://:hunter2@one,two", "names 2 hosts"),
        ("redis://:hunter2@host?a", "cannot be taken apart"),
        ("redis://:hunter2@host?colour=red", "unknown parameter colour"),
        ("redis://:hunter2@[::1", "cannot be taken apart"),
        ("unix://redis.sock", "not absolute"),
        ("unix:///a.sock?db=x", "no number"),
        ("unix:///a.sock?x=1", "unknown parameter x"),
        ("redis+sentinel://:hunter2@one,two", "names no service"),
        ("redis+cluster://:hunter2@one/3", "database 0 only"),
        ("rediss://host?ssl_ca_certs=/no/such/file", "no file"),
        ("rediss://host?ssl_cert_reqs=perhaps", "'perhaps'"),
        ("rediss://host?ssl_check_hostname=perhaps", "expected true or false"),
        ("redis://host?ssl_cert_reqs=none", "unknown parameter ssl_cert_reqs"),
    ],
)
def test_a_wrong_url_is_refused_in_words_without_its_password(url: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_redis_url(url)
    assert words in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_an_address_is_a_value() -> None:
    assert parse_redis_url("redis://h:1/2") == RedisAddress("single", hosts=(("h", 1),), database=2)
