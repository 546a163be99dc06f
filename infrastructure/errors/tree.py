"""The error tree: each branch names what to do, each leaf what happened.

::

    StackError                      exit 1
    ├── RetryableError              exit 3   wait and try again
    │   ├── NetworkError                     no answer came over the network
    │   ├── ProviderUnavailable              the provider answered that it is down
    │   │   └── CircuitOpen                  it failed so often that we ask it no more for a while
    │   ├── RateLimited                      too many requests; retry_after_s says how long
    │   └── ServiceUnavailable               a store or service of ours does not answer
    ├── SignInRequired              exit 2   sign in again
    │   ├── RefreshTokenExpired              seven days are over
    │   ├── RefreshTokenRejected             the provider no longer accepts the token
    │   ├── SignInFailed                     the sign-in itself went wrong
    │   └── TokenKeyLost                     the stored token cannot be decrypted
    ├── InputError (ValueError)     exit 2   fix the input
    │   ├── ConfigError                      a setting is missing or wrong
    │   ├── UsageError                       a command was called wrongly
    │   ├── UnknownSymbol                    no such instrument
    │   ├── RequestRejected                  the provider refused the request's parameters
    │   │   └── AnswerTooLarge               its gateway does not let so large an answer through
    │   ├── InvalidOrder                     an order that cannot be meant; faults says why
    │   ├── TradingNotArmed                  live orders are off, and this would have been one
    │   ├── CredentialsRejected              wrong key, secret, token or password
    │   ├── AppNotApproved                   the provider has not approved the application
    │   ├── WriteRejected                    the store refused lines; line_errors says which
    │   └── QueryError                       the store refused the query
    │       └── FileLimitExceeded            the query spans too many files
    ├── NoDataError                 exit 4   nothing there for what was asked
    ├── OperatorError               exit 3   a person has to act on this machine
    │   ├── MissingService                   a needed program or service is not installed
    │   ├── PortTaken                        another program listens there
    │   ├── ForeignService                   a server is there, but it is not ours
    │   ├── DiskFull                         no space left
    │   ├── StoreLocked                      another process has the store open
    │   ├── StoreNewer                       a newer version wrote the store
    │   ├── CorruptStore                     stored bytes do not match their checksum
    │   └── OrderOutcomeUnknown              an order may be at the broker or not; look it up
    └── BugError                    exit 1   an invariant of ours does not hold
"""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple


class StackError(Exception):
    """Carry one sentence about what happened and, if known, the next step.

    Args:
        message: What happened, with the offending value and what was expected.
        next_step: What the reader should do now, as an imperative sentence.
        correlation_id: The provider's or our own id of the failed request.
        **context: Values for machines (JSON output, logs). Never secrets.
    """

    exit_code: ClassVar[int] = 1

    def __init__(
        self,
        message: str,
        *,
        next_step: str | None = None,
        correlation_id: str | None = None,
        **context: Any,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step
        self.correlation_id = correlation_id
        self.context = context

    def __str__(self) -> str:
        text = self.message if self.next_step is None else f"{_stop(self.message)} {self.next_step}"
        if self.correlation_id is not None:
            text = f"{_stop(text)} (correlation id {self.correlation_id})"
        return text

    def as_dict(self) -> dict[str, Any]:
        """Return the error as plain values for JSON output."""
        return {
            "error": type(self).__name__,
            "message": self.message,
            "next_step": self.next_step,
            "correlation_id": self.correlation_id,
            "exit_code": self.exit_code,
            **({"context": self.context} if self.context else {}),
        }


def _stop(text: str) -> str:
    return text if text.endswith((".", "!", "?", ":")) else f"{text}."


class RetryableError(StackError):
    """Report a failure that passes by itself: wait and try again."""

    exit_code = 3


class NetworkError(RetryableError):
    """Report that no answer came over the network."""


class ProviderUnavailable(RetryableError):
    """Report that the provider answered, and said that it cannot serve now."""


class CircuitOpen(ProviderUnavailable):
    """Report that nothing was asked, since the provider failed many times in a row."""


class RateLimited(RetryableError):
    """Report that the provider refuses more requests for now.

    Args:
        message: What happened.
        retry_after_s: Seconds to wait as the provider said, None when it did not.
        **rest: As in `StackError`.
    """

    def __init__(self, message: str, *, retry_after_s: float | None = None, **rest: Any) -> None:
        super().__init__(message, **rest)
        self.retry_after_s = retry_after_s


class ServiceUnavailable(RetryableError):
    """Report that a store or service of ours is down or timed out."""


class SignInRequired(StackError):
    """Report that a person has to sign in again."""

    exit_code = 2


class RefreshTokenExpired(SignInRequired):
    """Report that the refresh token's seven days are over."""


class RefreshTokenRejected(SignInRequired):
    """Report that the provider no longer accepts the refresh token."""


class SignInFailed(SignInRequired):
    """Report that a sign-in did not come to its end."""


class TokenKeyLost(SignInRequired):
    """Report that the stored token cannot be decrypted with any key at hand."""


class InputError(StackError, ValueError):
    """Report a value that its sender has to fix."""

    exit_code = 2


class ConfigError(InputError):
    """Report a setting that is missing, malformed or contradictory."""


class UsageError(InputError):
    """Report a command or function that was called wrongly."""


class UnknownSymbol(InputError):
    """Report a symbol that the provider or exchange does not know."""


class RequestRejected(InputError):
    """Report a request whose parameters the provider refused.

    Args:
        message: What happened.
        status: The HTTP status of the answer, None when it was refused before the wire.
        **rest: As in `StackError`.
    """

    def __init__(self, message: str, *, status: int | None = None, **rest: Any) -> None:
        super().__init__(message, **rest)
        self.status = status


class AnswerTooLarge(RequestRejected):
    """Report an answer that the provider's gateway does not let through; ask in parts."""


class InvalidOrder(InputError):
    """Report an order that was refused before it was sent.

    Args:
        message: What is wrong, in one sentence.
        faults: One sentence for each thing that is wrong.
        **rest: As in `StackError`.
    """

    def __init__(self, message: str, *, faults: tuple[str, ...] = (), **rest: Any) -> None:
        super().__init__(message, **rest)
        self.faults = faults


class TradingNotArmed(InputError):
    """Report an order to a real broker that nobody allowed; nothing was sent."""


class CredentialsRejected(InputError):
    """Report a key, secret, token or password that was not accepted."""


class AppNotApproved(InputError):
    """Report an application that the provider has not made ready for use."""


class LineError(NamedTuple):
    """One refused line of a write.

    Attributes:
        line_number: Its number in the request, from 1.
        message: The store's reason.
        original_line: Its beginning, as the store echoes it.
    """

    line_number: int
    message: str
    original_line: str


class WriteRejected(InputError):
    """Report lines that the store refused.

    Args:
        message: What happened.
        line_errors: One entry a refused line, empty when the store named none.
        **rest: As in `StackError`.
    """

    def __init__(
        self, message: str, *, line_errors: tuple[LineError, ...] = (), **rest: Any
    ) -> None:
        super().__init__(message, **rest)
        self.line_errors = line_errors


class QueryError(InputError):
    """Report a query that the store refused."""


class FileLimitExceeded(QueryError):
    """Report a query that spans more Parquet files than the server allows."""


class NoDataError(StackError):
    """Report that there is nothing for what was asked."""

    exit_code = 4


class OperatorError(StackError):
    """Report something that a person has to mend on this machine."""

    exit_code = 3


class MissingService(OperatorError):
    """Report a needed program or service that is not installed or not running."""


class PortTaken(OperatorError):
    """Report a port on which another program listens."""


class ForeignService(OperatorError):
    """Report a server that answers, but is not ours to use."""


class DiskFull(OperatorError):
    """Report that a file could not be written for want of space."""


class StoreLocked(OperatorError):
    """Report a store that another process has open."""


class StoreNewer(OperatorError):
    """Report a store that a newer version of this software wrote."""


class CorruptStore(OperatorError):
    """Report stored bytes that do not match their checksum or form."""


class OrderOutcomeUnknown(OperatorError):
    """Report an order that may or may not have reached the broker; it is never sent again blindly.

    Args:
        message: What happened.
        key: The submission's key, by which it is looked up.
        **rest: As in `StackError`.
    """

    def __init__(self, message: str, *, key: str | None = None, **rest: Any) -> None:
        super().__init__(message, **rest)
        self.key = key


class BugError(StackError):
    """Report an invariant of ours that does not hold."""
