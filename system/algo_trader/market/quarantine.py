"""Bars that may not be stored, kept with the rule that they broke."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from system.algo_trader.market.bars import BAR_SCHEMA, Bars

QUARANTINE_SCHEMA: Final = pa.schema(
    [
        *BAR_SCHEMA,
        pa.field("rule", pa.string(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
    ]
)
"""A refused bar with the name of the rule that it broke and a sentence about it."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """Bars that may not be stored, each with its rule and reason.

    Args:
        table: Rows of `QUARANTINE_SCHEMA`.
    """

    table: pa.Table

    @classmethod
    def none(cls) -> Rejected:
        """Return no rejected bars."""
        return cls(QUARANTINE_SCHEMA.empty_table())

    @classmethod
    def of(cls, bars: Bars, rule: str, reasons: list[str]) -> Rejected:
        """Return bars as rejected by one rule.

        Args:
            bars: The bars.
            rule: The name of the rule that they broke.
            reasons: One sentence a bar.
        """
        table = bars.table.append_column("rule", pa.array([str(rule)] * len(bars), pa.string()))
        table = table.append_column("reason", pa.array(reasons, pa.string()))
        return cls(table.cast(QUARANTINE_SCHEMA))

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def __add__(self, other: Rejected) -> Rejected:
        return Rejected(pa.concat_tables([self.table, other.table]).combine_chunks())

    def by_rule(self) -> dict[str, int]:
        """Return how many bars each rule refused."""
        return dict(Counter(self.table.column("rule").to_pylist()))

    def reasons(self) -> list[str]:
        """Return the sentence of every bar."""
        reasons: list[str] = self.table.column("reason").to_pylist()
        return reasons
