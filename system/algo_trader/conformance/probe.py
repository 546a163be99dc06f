"""Ask Schwab one thing and note how the answer differs from its form."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from infrastructure.clock import Clock
from infrastructure.config import Secret
from infrastructure.schwab.answer import Answer
from infrastructure.schwab.budget import Budget
from infrastructure.schwab.oauth.client import TOKEN_PATH
from infrastructure.schwab.transport import Authorization, send
from system.algo_trader.conformance.comparison import Comparison
from system.algo_trader.conformance.difference import Difference, Kind
from system.algo_trader.conformance.read_only import ReadOnlySession
from system.algo_trader.conformance.safe_words import SafeWords
from system.algo_trader.conformance.schemas import Side

_TIMEOUT_S = 30.0


@dataclass(slots=True)
class Findings:
    """Gather what a run has seen.

    Attributes:
        words: What may be told.
        cases: Each case with the status or outcome that was seen.
        differences: Where answers are not as their forms say.
        unobserved: What could not be looked at, and why.
        facts: Harmless figures, such as a token's lifetime in seconds.
    """

    words: SafeWords = field(default_factory=SafeWords)
    cases: list[tuple[str, str]] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)
    unobserved: list[tuple[str, str]] = field(default_factory=list)
    facts: dict[str, object] = field(default_factory=dict)

    def check(self, case: str, side: Side, value: Any, form: str) -> None:
        """Compare a decoded answer with a form."""
        self.differences += Comparison(case, side, self.words).of(value, form)

    def differ(self, case: str, path: str, expected: object, observed: object) -> None:
        """Note that a status or a text is not as expected; both must be safe to tell."""
        kind: Kind = "status" if path == "status" else "text"
        self.differences.append(Difference(case, path, kind, str(expected), str(observed)))


class Probe:
    """Send the requests of a run.

    Args:
        session: A read-only session.
        base_url: Scheme and authority.
        clock: Waits for the budget.
        findings: Where what is seen goes.
        budget: How long each request waits for its turn; no waiting when None.
    """

    def __init__(
        self,
        session: ReadOnlySession,
        base_url: str,
        clock: Clock,
        findings: Findings,
        budget: Budget | None = None,
    ) -> None:
        self._session = session
        self._base_url = base_url
        self._clock = clock
        self._budget = budget
        self.findings = findings

    def get(
        self,
        case: str,
        path: str,
        params: Mapping[str, str],
        token: Secret | None,
        *,
        status: int,
        side: Side,
        form: str,
    ) -> Any:
        """Read one endpoint and compare; the decoded answer, None where it cannot be compared.

        Args:
            case: What the report calls it.
            path: The endpoint, with its values.
            params: The query.
            token: The access token; no Authorization header when None.
            status: The expected one.
            side: Whose forms apply.
            form: The expected form's name.
        """
        auth = _Nobody() if token is None else Authorization("Bearer", token.reveal())
        answer = self._send("GET", path, auth, params=params)
        return self._compared(case, answer, status, side, form)

    def post_token(
        self, case: str, form: Mapping[str, str], credentials: str, *, status: int, expected: str
    ) -> Any:
        """Ask for a token and compare the answer, as `get`."""
        answer = self._send("POST", TOKEN_PATH, Authorization("Basic", credentials), form=form)
        return self._compared(case, answer, status, "token", expected)

    def _send(
        self,
        method: str,
        path: str,
        auth: Authorization,
        *,
        params: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
    ) -> Answer:
        if self._budget is not None:
            self._clock.sleep(self._budget.take())
        return send(
            self._session,
            method,
            f"{self._base_url}{path}",
            what="a conformance case",
            auth=auth,
            timeout_s=_TIMEOUT_S,
            correlation_id=str(uuid.uuid4()),
            params=params,
            form=form,
        )

    def _compared(self, case: str, answer: Answer, status: int, side: Side, form: str) -> Any:
        findings = self.findings
        findings.cases.append((case, str(answer.status)))
        if answer.status != status:
            findings.differ(case, "status", status, answer.status)
            return None
        try:
            value = json.loads(answer.body)
        except ValueError:
            findings.differ(case, "body", "JSON", "something else")
            return None
        findings.words.learn(value)
        findings.check(case, side, value, form)
        return value


class _Nobody(Authorization):
    """Send no Authorization header, nor one out of a `.netrc`."""

    def __init__(self) -> None:
        super().__init__("", "")

    def __call__(self, request: Any) -> Any:
        """Leave the request as it is."""
        return request
