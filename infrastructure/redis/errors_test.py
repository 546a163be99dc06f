"""Each failure of redis-py has its place in our tree."""

import ssl

import pytest
from redis import exceptions as theirs
from redis.sentinel import MasterNotFoundError

from infrastructure.errors import (
    ConfigError,
    CredentialsRejected,
    DiskFull,
    ForeignService,
    InputError,
    OperatorError,
    ServiceUnavailable,
    StackError,
    UsageError,
)
from infrastructure.redis.errors import as_ours, in_our_tree


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (theirs.ConnectionError("refused"), ServiceUnavailable, "cannot be reached"),
        (theirs.TimeoutError("late"), ServiceUnavailable, "in time"),
        (theirs.BusyLoadingError("LOADING"), ServiceUnavailable, "loading its data"),
        (theirs.MaxConnectionsError("many"), ServiceUnavailable, "cannot be reached"),
        (MasterNotFoundError("No master"), ServiceUnavailable, "Sentinels"),
        (theirs.ClusterDownError("CLUSTERDOWN"), ServiceUnavailable, "Cluster"),
        (theirs.SlotNotCoveredError("slot 1"), ServiceUnavailable, "Cluster"),
        (theirs.TryAgainError("TRYAGAIN"), ServiceUnavailable, "Cluster"),
        (theirs.RedisClusterException("no nodes"), ServiceUnavailable, "failed at"),
        (theirs.ReadOnlyError("READONLY"), ServiceUnavailable, "read-only replica"),
        (theirs.AuthenticationError("WRONGPASS"), CredentialsRejected, "refuses the user"),
        (theirs.NoPermissionError("NOPERM"), CredentialsRejected, "refuses the user"),
        (theirs.ResponseError("NOAUTH needed"), CredentialsRejected, "refuses the user"),
        (theirs.InvalidResponse("HTTP/1.1"), ForeignService, "does not speak"),
        (theirs.OutOfMemoryError("command not allowed"), OperatorError, "out of memory"),
        (theirs.ResponseError("OOM command not allowed"), OperatorError, "out of memory"),
        (theirs.ResponseError("MISCONF Errors writing to the AOF file"), DiskFull, "to disk"),
        (theirs.ResponseError("WRONGTYPE Operation"), InputError, "another kind of value"),
        (theirs.DataError("Invalid input of type"), UsageError, "cannot store"),
        (theirs.ClusterCrossSlotError("CROSSSLOT Keys"), UsageError, "different nodes"),
        (theirs.CrossSlotTransactionError("All keys"), UsageError, "different nodes"),
        (theirs.ResponseError("ERR syntax error"), InputError, "refused GET a: ERR syntax"),
        (theirs.PubSubError("odd"), ServiceUnavailable, "failed at GET a"),
        (theirs.RedisError(), ServiceUnavailable, "RedisError"),
    ],
)
def test_an_error_of_redis_py_becomes_one_sentence_of_ours(
    error: theirs.RedisError, kind: type[StackError], words: str
) -> None:
    ours = as_ours(error, "redis://h:1/0", "GET a")
    assert type(ours) is kind
    assert words in str(ours)


def test_an_untrusted_certificate_is_a_matter_of_configuration() -> None:
    certificate = ssl.SSLCertVerificationError(1, "failed")
    certificate.verify_message = "self-signed certificate"
    error = theirs.ConnectionError("ssl")
    error.__cause__ = certificate
    ours = as_ours(error, "rediss://h:1/0", "PING")
    assert isinstance(ours, ConfigError)
    assert "self-signed certificate" in str(ours)
    assert "ssl_ca_certs" in str(ours)


def test_what_raised_it_stays_attached() -> None:
    reason = theirs.TimeoutError("late")
    with pytest.raises(ServiceUnavailable) as caught, in_our_tree("redis://h:1/0", "GET a"):
        raise reason
    assert caught.value.__cause__ is reason


def test_a_value_of_a_wrong_python_type_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="cannot store"), in_our_tree("redis://h:1/0", "SET a"):
        raise TypeError("not bytes")


def test_errors_of_ours_and_of_others_pass_through() -> None:
    with pytest.raises(KeyError), in_our_tree("redis://h:1/0", "GET a"):
        raise KeyError("a")
    with pytest.raises(ConfigError), in_our_tree("redis://h:1/0", "GET a"):
        raise ConfigError("wrong")
