"""What a run of the suite has found, for people, machines and the public."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from infrastructure.clock import rfc3339
from infrastructure.errors import UsageError
from system.algo_trader.conformance.difference import Difference, merged
from system.algo_trader.conformance.probe import Findings

FORMAT: Final = "schwab-conformance"
VERSION: Final = 1
Source = Literal["simulator", "schwab"]


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that a run may tell: no account, token, symbol held, balance or text of Schwab's.

    Attributes:
        source: What was asked: the local simulator, or the real Schwab.
        made_at_ns: When, nanoseconds UTC.
        cases: Each case with the status or code that was seen.
        differences: Where answers were not as their forms say.
        unobserved: What could not be looked at, and why.
        facts: Harmless figures.
    """

    source: Source
    made_at_ns: int
    cases: tuple[tuple[str, str], ...]
    differences: tuple[Difference, ...]
    unobserved: tuple[tuple[str, str], ...]
    facts: tuple[tuple[str, object], ...]

    @classmethod
    def of(cls, source: Source, made_at_ns: int, findings: Findings) -> Report:
        """Return the report of a run."""
        return cls(
            source,
            made_at_ns,
            tuple(findings.cases),
            tuple(merged(findings.words.again(each) for each in findings.differences)),
            tuple(findings.unobserved),
            tuple(findings.facts.items()),
        )

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "format": FORMAT,
            "version": VERSION,
            "source": self.source,
            "is_simulated": self.source == "simulator",
            "made_at": rfc3339(self.made_at_ns),
            "cases": [{"case": case, "observed": observed} for case, observed in self.cases],
            "differences": [each.as_dict() for each in self.differences],
            "unobserved": [{"case": case, "why": why} for case, why in self.unobserved],
            "facts": dict(self.facts),
        }


def check_report_file(path: Path) -> None:
    """See that a report can be written, before Schwab is asked anything.

    Raises:
        UsageError: If the file exists, or its folder is not there or cannot be written.
    """
    if path.exists():
        raise UsageError(f"{path} exists", next_step="Name another file, or remove it.")
    try:
        with path.open("x"):
            pass
        path.unlink()
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written: {error.strerror}",
            next_step="Name a file in a folder that is there and yours.",
        ) from error


def write_report(report: Report, path: Path) -> None:
    """Write the report as JSON.

    Raises:
        UsageError: If the file exists or cannot be written.
    """
    check_report_file(path)
    path.write_text(json.dumps(report.as_dict(), indent=2) + "\n", encoding="utf-8")
