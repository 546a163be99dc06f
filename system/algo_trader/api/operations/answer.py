"""An answer: columns, and what a reader has to know of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from infrastructure.clock import rfc3339
from system.algo_trader.api.operations.parameters import Position
from system.algo_trader.market.licence import licence_of
from system.algo_trader.market.source import Source

MOST_GAPS: Final = 100
SIMULATED: Final = frozenset(str(source) for source in Source if source.is_simulated)


@dataclass(frozen=True, slots=True)
class Missing:
    """Say what is known to be missing in the range of an answer.

    Attributes:
        start_ns: Where it begins, nanoseconds UTC.
        end_ns: Where it ends.
        what: "bars" or "updates".
        missing: How many; None where nobody knows.
        reason: In words.
    """

    start_ns: int
    end_ns: int
    what: str
    missing: int | None
    reason: str

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values for JSON."""
        return {
            "start": rfc3339(self.start_ns),
            "end": rfc3339(self.end_ns),
            "what": self.what,
            "missing": self.missing,
            "reason": self.reason,
        }


def _is_simulated(source: str) -> bool:
    return source in SIMULATED


@dataclass(frozen=True, slots=True)
class Facts:
    """Say where an answer comes from and how far to trust it.

    Attributes:
        sources: Names of the sources, none where there are no rows.
        is_synthetic: Whether any row was made up; None where there are no rows.
        is_sampled: Whether it rests on level one, which shows not every trade.
        as_of_ns: The instant of the newest thing in it, nanoseconds UTC; None without rows.
        gaps: What is known to be missing in its range.
        stale_because: Why it may be older than it should be; None when it is not.
        came_ns: When the newest thing in it came, by this machine's clock: what its age counts
            from. None where that is `as_of_ns`; a simulated market lives in another time.
    """

    sources: tuple[str, ...]
    is_synthetic: bool | None
    is_sampled: bool = False
    as_of_ns: int | None = None
    gaps: tuple[Missing, ...] = ()
    stale_because: str | None = None
    came_ns: int | None = None

    @property
    def aged_from_ns(self) -> int | None:
        """Return the instant from which its age counts, nanoseconds UTC; None without rows."""
        return self.as_of_ns if self.came_ns is None else self.came_ns

    def as_dict(self) -> dict[str, Any]:
        """Return all but the age as plain values for JSON."""
        return {
            "source": "+".join(self.sources) or None,
            "licence": " ".join(dict.fromkeys(map(licence_of, self.sources))) or None,
            "is_simulated": any(map(_is_simulated, self.sources)),
            "is_synthetic": self.is_synthetic,
            "is_sampled": self.is_sampled,
            "as_of": None if self.as_of_ns is None else rfc3339(self.as_of_ns),
            "stale_because": self.stale_because,
            "gaps": [each.as_dict() for each in self.gaps[:MOST_GAPS]],
            "gaps_in_all": len(self.gaps),
        }


@dataclass(frozen=True, slots=True)
class Answer:
    """Hold what an operation found.

    Attributes:
        table: Its rows; instants as timestamps of nanoseconds UTC.
        facts: About them.
        summary: What is no row, as plain values for JSON; None where there is nothing.
        next: Where the next page begins, None at the end.
        version: Changes whenever the same question would be answered otherwise; "" where
            nobody can say.
    """

    table: pa.Table
    facts: Facts
    summary: Mapping[str, Any] | None = None
    next: Position | None = None
    version: str = ""

    def age_s(self, now_ns: int) -> float | None:
        """Return the age of the newest thing in it, seconds; None without rows."""
        if self.facts.aged_from_ns is None:
            return None
        return max(0.0, (now_ns - self.facts.aged_from_ns) / 1e9)


def facts_of(
    table: pa.Table,
    *,
    as_of_ns: int | None = None,
    gaps: Sequence[Missing] = (),
    sampled: Iterable[str] = (),
    stale_because: str | None = None,
) -> Facts:
    """Return the facts of rows with the columns `source` and `is_synthetic`.

    Args:
        table: The rows.
        as_of_ns: As in `Facts`.
        gaps: As in `Facts`.
        sampled: Names of sources that rest on level one.
        stale_because: As in `Facts`.
    """
    # A bar that several sources made names them all.
    named = "+".join(each for each in table.column("source").unique().to_pylist() if each)
    sources = tuple(sorted(set(named.split("+")) - {""}))
    made_up = pc.any(table.column("is_synthetic")).as_py() if table.num_rows else None
    return Facts(
        sources,
        made_up,
        bool(set(sources) & set(sampled)),
        as_of_ns,
        tuple(gaps),
        stale_because,
    )


@dataclass(frozen=True, slots=True)
class Page:
    """Say which rows of a longer answer are asked for.

    Attributes:
        limit: The most rows.
        start_ns: The first instant; None for the last rows before `end_ns`.
        end_ns: The instant before which rows lie; None for the end.
        skip: How many rows of exactly `start_ns` were given out already.
    """

    limit: int
    start_ns: int | None = None
    end_ns: int | None = None
    skip: int = 0

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Page:
        """Return the page that parsed parameters ask for."""
        cursor: Position | None = values.get("cursor")
        start_ns = values.get("start_time") if cursor is None else cursor.at_ns
        skip = 0 if cursor is None else cursor.skip
        return cls(values["limit"], start_ns, values.get("end_time"), skip)
