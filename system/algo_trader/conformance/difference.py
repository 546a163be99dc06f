"""One place where an answer is not as its form says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

Kind = Literal["status", "missing key", "unknown key", "type", "enum value", "text"]


@dataclass(frozen=True, slots=True)
class Difference:
    """Say where and how an answer differs; it holds words of forms, never values of a person.

    Attributes:
        case: What was asked, such as "GET /trader/v1/accounts".
        path: Where in the answer, such as "[].securitiesAccount.type".
        kind: How it differs.
        expected: What the form says.
        observed: What was there, as its kind or as a safe word.
        count: How often in this answer.
    """

    case: str
    path: str
    kind: Kind
    expected: str
    observed: str
    count: int = 1

    def as_dict(self) -> dict[str, object]:
        """Return it for JSON."""
        return {
            "case": self.case,
            "path": self.path,
            "kind": self.kind,
            "expected": self.expected,
            "observed": self.observed,
            "count": self.count,
        }


def merged(found: Iterable[Difference]) -> list[Difference]:
    """Return each difference once, with how often it was found, in the order of the first."""
    counts: Counter[Difference] = Counter()
    for each in found:
        counts[replace(each, count=1)] += each.count
    return [replace(each, count=count) for each, count in counts.items()]
