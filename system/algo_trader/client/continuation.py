"""Ranges that are longer than one answer may be: where the next one goes on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from infrastructure.clock import rfc3339
from infrastructure.errors import UsageError
from system.algo_trader.client.question import ALL_ROWS, Question
from system.algo_trader.client.result import Result, result_of

_TIMES: Final = ("time", "ts_event")


def continued(asked: Question, found: Result) -> tuple[Result, Question | None]:
    """Return the rows of an answer that are complete, and what asks for the rest.

    An answer that is full may end amid rows of one instant: those are asked for again.

    Args:
        asked: What was asked.
        found: The answer.

    Raises:
        UsageError: If one instant fills an answer: it cannot be cut.
    """
    if not asked.is_whole or len(found) < ALL_ROWS:
        return found, None
    name = next(each for each in _TIMES if each in found.table.column_names)
    times = found.table.column(name).cast("int64").to_numpy()
    last_ns = int(times[-1])
    kept = int(np.searchsorted(times, last_ns))
    if kept == 0:
        raise UsageError(
            f"more than {ALL_ROWS} rows lie at {rfc3339(last_ns)}",
            next_step="Ask for fewer symbols at once.",
        )
    return found.first(kept), asked.but(start_time=rfc3339(last_ns))


def joined(parts: Sequence[Result]) -> Result:
    """Return several answers as one."""
    if len(parts) == 1:
        return parts[0]
    import pyarrow as pa

    return result_of(
        pa.concat_tables([each.table for each in parts]), [each.facts for each in parts]
    )
