"""What the service answered: rows, and what has to be known of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from infrastructure.errors import ServiceUnavailable, UsageError

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

FACTS_KEY: Final = b"algo_trader"
_NO_ROWS: Final = pa.table({})


@dataclass(frozen=True, slots=True)
class Result:
    """Hold an answer.

    Attributes:
        table: Its rows; instants are timestamps of nanoseconds UTC.
        facts: `source`, `licence`, `is_simulated`, `is_synthetic`, `is_sampled`, `as_of`, `gaps`,
            `stale_because` and, where one page was asked for, `next`.
        summary: What is no row; empty where there is nothing.
    """

    table: pa.Table
    facts: Mapping[str, Any]
    summary: Mapping[str, Any]

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def arrow(self) -> pa.Table:
        """Return the rows as an Arrow table."""
        return self.table

    def pandas(self) -> pd.DataFrame:
        """Return the rows as a pandas frame."""
        return self.table.to_pandas()

    def polars(self) -> pl.DataFrame:
        """Return the rows as a polars frame.

        Raises:
            UsageError: If polars is not installed.
        """
        try:
            import polars
        except ImportError:
            raise UsageError("polars is not installed", next_step="pip install polars") from None
        frame = polars.from_arrow(self.table)
        assert isinstance(frame, polars.DataFrame)
        return frame

    def rows(self) -> list[dict[str, Any]]:
        """Return the rows as plain values."""
        found: list[dict[str, Any]] = self.table.to_pylist()
        return found


def result_of_stream(content: bytes) -> Result:
    """Return the answer that an Arrow stream holds.

    Raises:
        ServiceUnavailable: If the stream was cut off.
    """
    try:
        with pa.ipc.open_stream(pa.py_buffer(content)) as reader:
            facts = _json((reader.schema.metadata or {}).get(FACTS_KEY))
            batches, told = [], [facts] if facts else []
            while True:
                try:
                    batch, metadata = reader.read_next_batch_with_custom_metadata()
                except StopIteration:
                    break
                batches.append(batch)
                if metadata is not None and FACTS_KEY in metadata:
                    told.append(_json(metadata[FACTS_KEY]))
            table = pa.Table.from_batches(batches, reader.schema.remove_metadata())
    except (pa.ArrowException, OSError) as error:
        raise ServiceUnavailable(f"the service's answer was cut off: {error}") from error
    return result_of(table, told)


def result_of(table: pa.Table, told: Iterable[Mapping[str, Any]]) -> Result:
    """Return rows with the facts of all pages that they came in."""
    pages = [dict(each) for each in told]
    facts = pages[0] if pages else {}
    for page in pages[1:]:
        facts = _both(facts, page)
    facts["rows"] = table.num_rows
    summary = facts.pop("summary", None) or {}
    return Result(table.replace_schema_metadata(None), facts, summary)


def _both(facts: dict[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts of two pages: what holds for a part must be said of the whole."""
    sources = {s for page in (facts, more) for s in (page.get("source") or "").split("+") if s}
    flags = ("is_simulated", "is_synthetic", "is_sampled")
    licences = [each for page in (facts, more) if (each := page.get("licence"))]
    gaps = [*facts.get("gaps", []), *more.get("gaps", [])]
    unique = {json.dumps(gap, sort_keys=True): gap for gap in gaps}
    return {
        **facts,
        "source": "+".join(sorted(sources)) or None,
        "licence": " ".join(dict.fromkeys(licences)) or None,
        **{flag: bool(facts.get(flag)) or bool(more.get(flag)) for flag in flags},
        "as_of": max(filter(None, (facts.get("as_of"), more.get("as_of"))), default=None),
        "stale_because": facts.get("stale_because") or more.get("stale_because"),
        "gaps": list(unique.values()),
        "gaps_in_all": len(unique),
        "next": more.get("next"),
    }


def _json(content: bytes | None) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(content) if content else {}
    return found
