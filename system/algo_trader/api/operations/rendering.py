"""The forms of an answer: JSON by columns, NDJSON by rows, Arrow's stream."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Literal

import msgspec
import numpy as np
import pyarrow as pa

from system.algo_trader.api.operations.answer import Answer
from system.algo_trader.api.operations.problem import Problem

FACTS_KEY: Final = b"algo_trader"
"""The key of an Arrow schema's metadata under which the facts stand, as JSON."""
_AGE: Final = b'{"age_s":'
Unit = Literal["s", "ms", "us", "ns"]
_UNITS: Final[tuple[tuple[Unit, int], ...]] = (
    ("s", 10**9),
    ("ms", 10**6),
    ("us", 10**3),
    ("ns", 1),
)
_encode = msgspec.json.Encoder().encode


class Form(StrEnum):
    """Name a form of an answer by its media type."""

    JSON = "application/json"
    NDJSON = "application/x-ndjson"
    ARROW = "application/vnd.apache.arrow.stream"


def form_of(accept: str | None) -> Form:
    """Return the form that a client asks for; JSON where it does not care.

    Args:
        accept: The value of the header Accept.

    Raises:
        Problem: 406, if it takes none of ours.
    """
    if not accept:
        return Form.JSON
    best: tuple[float, int, Form] | None = None
    for place, part in enumerate(accept.split(",")[:32]):
        name, _, rest = part.strip().partition(";")
        weight = _weight(rest)
        found = _NAMES.get(name.strip().lower())
        if found is not None and weight > 0 and (best is None or weight > best[0]):
            best = (weight, place, found)
    if best is None:
        raise Problem(406, "no form of the answer is acceptable", "Accept", [*Form])
    return best[2]


_NAMES: Final = {
    **{str(form): form for form in Form},
    "*/*": Form.JSON,
    "application/*": Form.JSON,
    "application/ndjson": Form.NDJSON,
    "application/jsonl": Form.NDJSON,
    "application/vnd.apache.arrow.*": Form.ARROW,
}


def _weight(rest: str) -> float:
    for each in rest.split(";"):
        name, _, value = each.strip().partition("=")
        if name == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0


@dataclass(frozen=True, slots=True)
class Rendered:
    """Hold an answer as bytes, but for its age, which is told anew each time.

    Attributes:
        form: The form.
        body: What follows the age; all of it in the form that carries none.
        version: Of the answer.
        aged_from_ns: The instant from which its age counts, nanoseconds UTC; None without rows.
        rows: How many it has.
        is_stale: Whether it says that it may be older than it should be.
    """

    form: Form
    body: bytes
    version: str
    aged_from_ns: int | None
    rows: int
    is_stale: bool

    def content(self, now_ns: int) -> bytes:
        """Return the whole answer as of a moment, nanoseconds UTC."""
        if self.form is Form.ARROW:
            return self.body
        return age_text(self.aged_from_ns, now_ns) + self.body


def age_text(aged_from_ns: int | None, now_ns: int) -> bytes:
    """Return the beginning of a JSON answer: its age, seconds to the millisecond."""
    if aged_from_ns is None:
        return _AGE + b"null"
    return _AGE + b"%.3f" % max(0.0, (now_ns - aged_from_ns) / 1e9)


def render(answer: Answer, form: Form) -> Rendered:
    """Return an answer in a form."""
    match form:
        case Form.ARROW:
            body = arrow(answer)
        case Form.NDJSON:
            body = b"," + _inner(_head(answer)) + b"}\n" + b"".join(_lines(answer.table))
        case _:
            head = {**_head(answer), "columns": columns_of(answer.table)}
            body = b"," + _inner(head) + b"}"
    facts = answer.facts
    return Rendered(
        form,
        body,
        answer.version,
        facts.aged_from_ns,
        answer.table.num_rows,
        facts.stale_because is not None,
    )


def document_of(answer: Answer, now_ns: int) -> dict[str, Any]:
    """Return an answer as plain values, the same as its JSON."""
    age = answer.age_s(now_ns)
    return {
        "age_s": None if age is None else round(age, 3),
        **_head(answer),
        "columns": columns_of(answer.table),
    }


def facts_text(answer: Answer, now_ns: int) -> bytes:
    """Return what an answer says beside its rows as of a moment, as JSON."""
    return age_text(answer.facts.aged_from_ns, now_ns) + b"," + _inner(_head(answer)) + b"}"


def arrow(answer: Answer) -> bytes:
    """Return rows as Arrow's stream, the facts in the metadata of its schema."""
    table = answer.table.replace_schema_metadata({FACTS_KEY: _encode(_head(answer))})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def columns_of(table: pa.Table) -> dict[str, list[Any]]:
    """Return columns as plain values: instants as RFC 3339, NaN as null."""
    return {name: _values(table.column(name)) for name in table.column_names}


def arrow_pages(pages: Iterator[Answer], now_ns: int) -> Iterator[bytes]:
    """Yield Arrow's stream of several pages: the facts of each go with its batch."""
    sink = _Chunks()
    writer: pa.RecordBatchStreamWriter | None = None
    for page in pages:
        facts = {"algo_trader": facts_text(page, now_ns).decode()}
        if writer is None:
            writer = pa.ipc.new_stream(sink, page.table.schema.remove_metadata())
        # A page without rows has facts too, and a stream of nothing else has a schema.
        none = pa.RecordBatch.from_pylist([], page.table.schema)
        for batch in page.table.combine_chunks().to_batches() or [none]:
            writer.write_batch(batch.replace_schema_metadata(None), custom_metadata=facts)
        yield sink.take()
    if writer is not None:
        writer.close()
        yield sink.take()


def ndjson_pages(pages: Iterator[Answer], now_ns: int) -> Iterator[bytes]:
    """Yield lines of several pages: a line of facts, then one a row, page by page."""
    for page in pages:
        head = age_text(page.facts.aged_from_ns, now_ns) + b"," + _inner(_head(page)) + b"}\n"
        yield head + b"".join(_lines(page.table))


class _Chunks:
    """Collect what a writer of Arrow writes."""

    closed = False

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, content: Any) -> int:
        part = bytes(content)
        self._parts.append(part)
        return len(part)

    def flush(self) -> None:
        """Do nothing: `take` is asked."""

    def take(self) -> bytes:
        found = b"".join(self._parts)
        self._parts.clear()
        return found


def _head(answer: Answer) -> dict[str, Any]:
    head = {
        **answer.facts.as_dict(),
        "rows": answer.table.num_rows,
        "next": None if answer.next is None else answer.next.text(),
    }
    if answer.summary is not None:
        head["summary"] = answer.summary
    return head


def _inner(document: dict[str, Any]) -> bytes:
    return _encode(document)[1:-1]


def _lines(table: pa.Table) -> Iterator[bytes]:
    columns = columns_of(table)
    names = tuple(columns)
    for row in zip(*columns.values(), strict=True):
        yield _encode(dict(zip(names, row, strict=True))) + b"\n"


def _values(column: pa.ChunkedArray) -> list[Any]:
    kind = column.type
    if pa.types.is_timestamp(kind):
        return _instants(column)
    if pa.types.is_floating(kind):
        values = column.to_numpy()
        found: list[Any] = values.tolist()
        if np.isfinite(values).all():
            return found
        return [each if np.isfinite(each) else None for each in found]
    return list(column.to_pylist())


def _instants(column: pa.ChunkedArray) -> list[str | None]:
    """Write instants as RFC 3339, no finer than they are."""
    values = column.cast(pa.timestamp("ns", "UTC")).to_numpy().astype("datetime64[ns]")
    nanoseconds = values.view(np.int64)
    missing = np.isnat(values)
    known = nanoseconds[~missing]
    unit: Unit = next(name for name, size in _UNITS if not (known % size).any())
    texts = np.char.add(np.datetime_as_string(values, unit=unit), "Z").tolist()
    return [None if gone else text for gone, text in zip(missing.tolist(), texts, strict=True)]
