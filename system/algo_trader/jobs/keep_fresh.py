"""Keep the sign-in at Schwab fresh, and warn a person before it ends.

Schwab's refresh token lives seven days and cannot be renewed without a person (schwab-api.md §1),
so what a program can do is to refresh the access token ahead of its end, and to say in time that
signing in is due.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from infrastructure.clock import Clock, utc_from_ns
from infrastructure.errors import RetryableError, SignInRequired, StackError
from infrastructure.logging import get_logger
from infrastructure.notification.notifier import Notifier
from system.algo_trader.sign_in import SignInStatus

_log = get_logger("keep_fresh")

ACCESS_INTERVAL_S = 25 * 60.0
REFRESH_INTERVAL_S = 6 * 86_400.0
WARNING_DAYS = (5.0, 6.0, 6.5)
RETRY_S = 60.0
_DAY_S = 86_400.0
JOB = "auth"


class SignIn(Protocol):
    """The part of the handler that this job needs."""

    def refresh_ahead(self, left_s: float) -> bool:
        """Refresh unless the access token lives longer than so many seconds."""

    def status(self) -> SignInStatus:
        """Return how the sign-in stands."""


@dataclass(frozen=True, slots=True)
class Round:
    """What one look at the sign-in did.

    Attributes:
        status: How the sign-in stands.
        refreshed: Whether the access token was refreshed.
        warned: The notice that was given, None without one.
        error: Why a refresh failed, None when none did.
        wait_s: Seconds until the next look.
    """

    status: SignInStatus
    refreshed: bool
    warned: str | None
    error: StackError | None
    wait_s: float


@dataclass(slots=True)
class KeepFresh:
    """Look at the sign-in again and again.

    Attributes:
        sign_in: Refreshes, and tells how it stands.
        clock: Tells the time and waits.
        notifiers: Whom to tell.
        write_metric: Takes one row of `pipeline_metrics`; its failure never stops the refreshing.
        access_interval_s: Seconds between refreshes; the token lives 30 minutes.
        refresh_interval_s: Age at which signing in counts as due, seconds.
    """

    sign_in: SignIn
    clock: Clock
    notifiers: Sequence[Notifier] = ()
    write_metric: Callable[[dict[str, Any]], None] | None = None
    access_interval_s: float = ACCESS_INTERVAL_S
    refresh_interval_s: float = REFRESH_INTERVAL_S
    _warned: set[tuple[int | None, str]] = field(default_factory=set)

    def run(self, on_round: Callable[[Round], None]) -> None:
        """Look until the process ends."""
        while True:
            done = self.once()
            on_round(done)
            self.clock.sleep(done.wait_s)

    def once(self) -> Round:
        """Refresh if it is time, warn if it is time, and say when to look again."""
        refreshed, error = False, None
        try:
            refreshed = self.sign_in.refresh_ahead(self.access_interval_s)
        except StackError as failure:
            error = failure
            _log.warning("the access token could not be refreshed: %s", failure)
        status = self.sign_in.status()
        warned = self._warn(status, error)
        self._measure(status, error)
        wait_s = self.access_interval_s
        if isinstance(error, RetryableError):
            wait_s = min(RETRY_S, wait_s)
        return Round(status, refreshed, warned, error, wait_s)

    def _warn(self, status: SignInStatus, error: StackError | None) -> str | None:
        mark, sentence = self._due(status, error)
        if mark is None or (status.signed_in_at_ns, mark) in self._warned:
            return None
        _log.warning("%s", sentence)
        failed = False
        for notifier in self.notifiers:
            try:
                notifier.send("Schwab sign-in", sentence)
            except StackError as failure:
                failed = True
                _log.warning("a notice could not be sent: %s", failure)
        if not failed:
            self._warned.add((status.signed_in_at_ns, mark))
        return sentence

    def _due(self, status: SignInStatus, error: StackError | None) -> tuple[str | None, str]:
        """Return a mark that changes with each new warning, and its sentence."""
        if isinstance(error, SignInRequired) or status.refresh_age_s is None:
            return "required", f"{error or 'Nobody is signed in at Schwab'}"
        days = status.refresh_age_s / _DAY_S
        limits = sorted({*WARNING_DAYS, self.refresh_interval_s / _DAY_S})
        passed = [limit for limit in limits if days >= limit]
        if not passed or status.refresh_expires_at_ns is None:
            return None, ""
        ends = utc_from_ns(status.refresh_expires_at_ns).astimezone()
        return f"day {passed[-1]:g}", (
            f"The sign-in at Schwab is {days:.1f} days old and ends at {ends:%Y-%m-%d %H:%M %Z}. "
            "Run `algo-trader auth login`."
        )

    def _measure(self, status: SignInStatus, error: StackError | None) -> None:
        if self.write_metric is None:
            return
        row = {
            "time": self.clock.now_ns(),
            "job": JOB,
            "failed": error is not None,
            "token_age_s": status.refresh_age_s,
        }
        try:
            self.write_metric(row)
        except StackError as failure:
            _log.warning("the token's age could not be written: %s", failure)
