from dataclasses import replace
from pathlib import Path

import pytest

from infrastructure.config import Secret
from infrastructure.errors import ServiceUnavailable
from infrastructure.schwab.oauth.tokens import TokenSet
from system.algo_trader.storage.key_ring import KeyRing
from system.algo_trader.storage.token_cache import TokenCache
from system.algo_trader.testing.redis_in_memory import RedisInMemory

S = 10**9


OLD = TokenSet(
    access_token=Secret("I0.old-access@"),
    refresh_token=Secret("old-refresh@"),
    expires_at_ns=1800 * S,
    signed_in_at_ns=0,
)
NEW = replace(
    OLD,
    access_token=Secret("I0.new-access@"),
    refresh_token=Secret("new-refresh@"),
    expires_at_ns=3600 * S,
)


@pytest.fixture
def redis() -> RedisInMemory:
    return RedisInMemory()


@pytest.fixture
def cache(redis: RedisInMemory, tmp_path: Path) -> TokenCache:
    return TokenCache(redis, KeyRing(tmp_path / "token.key"))


def test_a_later_refresh_of_the_same_sign_in_is_read_back(
    cache: TokenCache, redis: RedisInMemory
) -> None:
    cache.save(NEW, 1800 * S)
    assert redis.ttl_s == 1800
    assert cache.newer_than(OLD) == NEW


def test_what_is_kept_is_encrypted(cache: TokenCache, redis: RedisInMemory) -> None:
    cache.save(NEW, 0)
    assert redis.access is not None
    assert redis.refresh is not None
    assert b"new-access" not in redis.access
    assert b"new-refresh" not in redis.refresh


@pytest.mark.parametrize("stored", [NEW, replace(OLD, signed_in_at_ns=1)])
def test_the_same_refresh_or_another_sign_in_is_not_read_back(
    cache: TokenCache, stored: TokenSet
) -> None:
    cache.save(NEW, 0)
    assert cache.newer_than(stored) is None


def test_an_expired_token_is_not_copied(cache: TokenCache, redis: RedisInMemory) -> None:
    cache.save(OLD, 1800 * S)
    assert redis.access is None


def test_a_copy_by_another_key_or_half_a_copy_is_passed_over(
    cache: TokenCache, redis: RedisInMemory, tmp_path: Path
) -> None:
    TokenCache(redis, KeyRing(tmp_path / "other.key")).save(NEW, 0)
    assert cache.newer_than(OLD) is None
    cache.save(NEW, 0)
    redis.refresh = None
    assert cache.newer_than(OLD) is None
    redis.refresh = b"garbage"
    assert cache.newer_than(OLD) is None


def test_deleting_forgets_both(cache: TokenCache, redis: RedisInMemory) -> None:
    cache.save(NEW, 0)
    cache.delete()
    assert redis.access is None
    assert redis.refresh is None


def test_redis_being_down_is_one_warning_and_no_error(
    cache: TokenCache, redis: RedisInMemory, caplog: pytest.LogCaptureFixture
) -> None:
    redis.trouble = ServiceUnavailable("Redis does not answer")
    with caplog.at_level("WARNING"):
        cache.save(NEW, 0)
        assert cache.newer_than(OLD) is None
        cache.delete()
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_without_redis_nothing_happens(tmp_path: Path) -> None:
    cache = TokenCache(None, KeyRing(tmp_path / "token.key"))
    cache.save(NEW, 0)
    cache.delete()
    assert cache.newer_than(OLD) is None
