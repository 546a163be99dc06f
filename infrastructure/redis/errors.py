"""What redis-py raises, as errors of our tree."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Iterator

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
from infrastructure.logging import redact

LOGIN = (
    theirs.AuthenticationError,
    theirs.AuthenticationWrongNumberOfArgsError,
    theirs.AuthorizationError,
    theirs.NoPermissionError,
)
OUT_OF_SERVICE = (
    theirs.ClusterDownError,
    theirs.MasterDownError,
    theirs.SlotNotCoveredError,
    theirs.TryAgainError,
)


@contextlib.contextmanager
def in_our_tree(place: str, command: str) -> Iterator[None]:
    """Turn whatever redis-py raises in a block into an error of ours.

    Args:
        place: The server's URL without its password.
        command: What was asked, for the message.

    Raises:
        ServiceUnavailable: If it does not answer, or not now.
        CredentialsRejected: If it refuses the user or the password.
        InputError: If it refuses the command.
        OperatorError: If it is out of memory or, as DiskFull, out of disk; as ForeignService,
            if it is no Redis.
    """
    try:
        yield
    except (theirs.RedisError, theirs.RedisClusterException) as error:
        raise as_ours(error, place, command) from error
    except (UnicodeError, TypeError, OverflowError) as error:
        raise UsageError(f"Redis {command} was given a value it cannot store: {error}") from error


def as_ours(error: Exception, place: str, command: str) -> StackError:
    """Return the error of our tree that one of redis-py's means."""
    said = redact(str(error)).strip() or type(error).__name__
    upper = said.upper()
    if isinstance(error, LOGIN) or upper.startswith(("WRONGPASS", "NOAUTH", "NOPERM")):
        return CredentialsRejected(
            f"Redis at {place} refuses the user or password for {command}: {said}",
            next_step="Check the user and password in the Redis URL.",
        )
    certificate = _certificate_error(error)
    if certificate is not None:
        return ConfigError(
            f"the certificate of Redis at {place} is not trusted: {certificate.verify_message}",
            next_step="Name its authority with ?ssl_ca_certs=FILE in the Redis URL.",
        )
    if isinstance(error, theirs.BusyLoadingError):
        return ServiceUnavailable(f"Redis at {place} is still loading its data")
    if isinstance(error, theirs.TimeoutError):
        return ServiceUnavailable(f"Redis at {place} did not answer {command} in time: {said}")
    if isinstance(error, MasterNotFoundError):
        return ServiceUnavailable(f"the Sentinels at {place} know no such master: {said}")
    if isinstance(error, theirs.InvalidResponse) or "PROTOCOL ERROR" in upper:
        return ForeignService(
            f"what answers at {place} does not speak the Redis protocol",
            next_step="Check the host and port in the Redis URL.",
        )
    if isinstance(error, OUT_OF_SERVICE):
        return ServiceUnavailable(f"the Redis Cluster at {place} cannot serve {command}: {said}")
    if isinstance(error, theirs.ReadOnlyError):
        return ServiceUnavailable(
            f"Redis at {place} is a read-only replica and refused {command}",
            next_step="Point the Redis URL at the master, or at the Sentinels.",
        )
    if isinstance(error, theirs.OutOfMemoryError) or upper.startswith("OOM"):
        return OperatorError(
            f"Redis at {place} is out of memory and refused {command}",
            next_step="Raise its maxmemory, or remove data.",
        )
    if "MISCONF" in upper:
        return DiskFull(
            f"Redis at {place} cannot write its data to disk and refused {command}: {said}",
            next_step="Free space on its disk; it accepts writes again by itself.",
        )
    if isinstance(error, theirs.ConnectionError):
        return ServiceUnavailable(f"Redis at {place} cannot be reached for {command}: {said}")
    if "WRONGTYPE" in upper:
        return InputError(f"Redis {command} met a key that holds another kind of value")
    if isinstance(error, theirs.DataError):
        return UsageError(f"Redis {command} was given a value it cannot store: {said}")
    if "CROSSSLOT" in upper or isinstance(error, theirs.CrossSlotTransactionError):
        return UsageError(
            f"Redis {command} names keys on different nodes of the cluster",
            next_step="Give such keys the same {tag}.",
        )
    if isinstance(error, theirs.ResponseError):
        return InputError(f"Redis at {place} refused {command}: {said}")
    return ServiceUnavailable(f"Redis at {place} failed at {command}: {said}")


def _certificate_error(error: BaseException) -> ssl.SSLCertVerificationError | None:
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLCertVerificationError):
            return seen
        seen = seen.__cause__ or seen.__context__
    return None
