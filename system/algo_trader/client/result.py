"""What the service answered: rows, and what has to be known of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from infrastructure.errors import NoDataError, ServiceUnavailable, UsageError

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
            `age_s` (of the newest row when it was sent), `stale_because` and, where one page was
            asked for, `next`.
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

    def one(self) -> dict[str, Any]:
        """Return the only row as plain values.

        Raises:
            NoDataError: If there is none, or more than one.
        """
        if len(self) != 1:
            raise NoDataError(f"there are {len(self)} rows where one was expected")
        return self.rows()[0]

    def first(self, count: int) -> Result:
        """Return the first rows."""
        return Result(self.table.slice(0, count), {**self.facts, "rows": count}, self.summary)

    def where(self, mask: pa.Array) -> Result:
        """Return the rows that a mask chooses."""
        table = self.table.filter(mask)
        return Result(table, {**self.facts, "rows": table.num_rows}, self.summary)


def result_of_stream(content: bytes, *, age_s: float | None = None) -> Result:
    """Return the answer that an Arrow stream holds.

    Args:
        content: The stream.
        age_s: Of its newest row; None where the stream says it itself.

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
    if age_s is not None:
        told = [{**each, "age_s": age_s} for each in told]
    return result_of(table, told)


def result_of(table: pa.Table, told: Iterable[Mapping[str, Any]]) -> Result:
    """Return rows with the facts of all pages that they came in."""
    pages = [dict(each) for each in told]
    facts = pages[0] if pages else {}
    for page in pages[1:]:
        facts = _both(facts, page)
    facts["rows"] = table.num_rows
    facts.setdefault("age_s", None)
    summary = facts.pop("summary", None) or {}
    return Result(table.replace_schema_metadata(None), facts, summary)


def _both(facts: dict[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts of two pages: what holds for a part must be said of the whole."""
    sources = {s for page in (facts, more) for s in (page.get("source") or "").split("+") if s}
    flags = ("is_simulated", "is_synthetic", "is_sampled")
    licences = [each for page in (facts, more) if (each := page.get("licence"))]
    gaps = [*facts.get("gaps", []), *more.get("gaps", [])]
    ages = [facts.get("age_s"), more.get("age_s")]
    unique = {json.dumps(gap, sort_keys=True): gap for gap in gaps}
    return {
        **facts,
        "source": "+".join(sorted(sources)) or None,
        "licence": " ".join(dict.fromkeys(licences)) or None,
        **{flag: bool(facts.get(flag)) or bool(more.get(flag)) for flag in flags},
        "as_of": max(filter(None, (facts.get("as_of"), more.get("as_of"))), default=None),
        "age_s": min((a for a in ages if a is not None), default=None),
        "stale_because": facts.get("stale_because") or more.get("stale_because"),
        "gaps": list(unique.values()),
        "gaps_in_all": len(unique),
        "next": more.get("next"),
    }


def _json(content: bytes | None) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(content) if content else {}
    return found
