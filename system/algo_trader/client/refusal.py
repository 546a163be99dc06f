"""What the service's refusals mean here, and when asking again makes sense."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from infrastructure.errors import (
    CredentialsRejected,
    NoDataError,
    RateLimited,
    ServiceUnavailable,
    StackError,
    UsageError,
)

ATTEMPTS: Final = 3
LONGEST_WAIT_S: Final = 30.0


@dataclass(eq=False)
class Refused(Exception):
    """Carry a refusal from where it came in to where it is judged.

    Attributes:
        status: As of HTTP.
        problem: What the service says is wrong.
        retry_after_s: Seconds after which to ask again; None where it does not say.
    """

    status: int
    problem: Mapping[str, Any]
    retry_after_s: float | None = None

    def wait_s(self, attempt: int) -> float | None:
        """Return the seconds after which to ask again, None for not at all.

        Args:
            attempt: How often this was asked before.
        """
        if self.status not in (429, 503) or attempt + 1 >= ATTEMPTS:
            return None
        seconds = 2.0**attempt if self.retry_after_s is None else self.retry_after_s
        return seconds if seconds <= LONGEST_WAIT_S else None

    def error(self) -> StackError:
        """Return it as an error of our tree."""
        problem, step = self.problem, self.problem.get("next_step")
        said = str(problem.get("detail") or f"the service answered {self.status}")
        parameter, allowed = problem.get("parameter"), problem.get("allowed")
        if self.status in (401, 403):
            return CredentialsRejected(said, next_step=step)
        if self.status == 404:
            return NoDataError(said, next_step=step)
        if self.status == 429:
            return RateLimited(said, retry_after_s=self.retry_after_s, next_step=step)
        if self.status >= 500:
            return ServiceUnavailable(said, next_step=step)
        if parameter and parameter not in said:
            said = f"{parameter}: {said}"
        if allowed:
            said += f"; allowed: {allowed if isinstance(allowed, str) else ', '.join(allowed)}"
        return UsageError(said, next_step=step, parameter=parameter)
