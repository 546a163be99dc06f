"""An answer sized for a model: few rows, rounded numbers, and how to get the rest."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import msgspec
import numpy as np
import pyarrow as pa

from system.algo_trader.api.model_tools.tool import LIMIT, ROWS, Cut, ModelTool
from system.algo_trader.api.operations.answer import Answer
from system.algo_trader.api.operations.rendering import columns_of

BYTES: Final = 20_000
"""About how long an answer is unless a model asks for more rows than it gets by itself."""
BYTES_ASKED: Final = 100_000
_DIGITS: Final = 7
_GAPS: Final = 5
_LISTED: Final = 15
_DRAWN: Final = ("profile",)
"""Parts of a summary that are curves to be drawn."""
_TRIES: Final = 4
_LEAST_ROWS_BYTES: Final = 4000
_encode = msgspec.json.Encoder().encode


def document_for_model(
    tool: ModelTool, values: Mapping[str, Any], now_ns: int
) -> tuple[dict[str, Any], int]:
    """Ask a tool and return a document of a size that a model can read, and its rows.

    Args:
        tool: What is asked.
        values: Its arguments, parsed.
        now_ns: Tells the age, nanoseconds UTC.

    Raises:
        StackError: As the operation.
        Problem: As the operation.
    """
    limit = int(values.get(LIMIT, ROWS))
    most_bytes = BYTES if limit <= ROWS else BYTES_ASKED
    found = tool.answer({**values, **tool.given})
    if not isinstance(found, Answer):
        return rounded(found, _LISTED), 0
    head = _head(found, now_ns)
    room = max(_LEAST_ROWS_BYTES, most_bytes - len(_encode(head)))
    for _ in range(_TRIES):
        table = _chosen(tool.cut, found, limit)
        rows, fits = _rows(table, room)
        if fits == table.num_rows:
            break
        limit = fits
        if tool.cut is Cut.PAGE:
            # For fewer, so that `next` names the first row that is not shown.
            again = tool.answer({**values, LIMIT: limit})
            assert isinstance(again, Answer)
            found = again
            head = _head(found, now_ns)
    left_out = found.table.num_rows - table.num_rows
    shown = table.num_rows
    document = {**head, **rows, "rows_shown": shown, **_rest(tool, found, left_out)}
    return document, shown


def _head(answer: Answer, now_ns: int) -> dict[str, Any]:
    facts = answer.facts.as_dict()
    facts["gaps"] = facts["gaps"][:_GAPS]
    age_s = answer.age_s(now_ns)
    head: dict[str, Any] = {"age_s": None if age_s is None else round(age_s, 1), **facts}
    if answer.summary is not None:
        summary = {name: each for name, each in answer.summary.items() if name not in _DRAWN}
        head["summary"] = rounded(summary, _LISTED)
    return head


def _rest(tool: ModelTool, answer: Answer, left_out: int) -> dict[str, Any]:
    cursor = None if answer.next is None else answer.next.text()
    is_cut = bool((answer.summary or {}).get("truncated"))
    said = None
    if cursor is not None:
        said = f"There is more: {tool.more}."
    elif left_out or is_cut:
        number = f"{left_out:,} rows are" if left_out else "More rows are"
        said = f"{number} left out: {tool.more}."
    return {"rows_left_out": left_out, "next": cursor, "more": said}


def _chosen(cut: Cut, answer: Answer, limit: int) -> pa.Table:
    table = answer.table
    if table.num_rows <= limit:
        return table
    match cut:
        case Cut.LAST:
            return table.slice(table.num_rows - limit)
        case Cut.SPOT:
            spot = (answer.summary or {}).get("spot")
            strikes = table.column("strike").to_numpy()
            middle = float(np.median(strikes)) if spot is None else float(spot)
            nearest = np.argsort(np.abs(strikes - middle), kind="stable")[:limit]
            return table.take(pa.array(np.sort(nearest)))
    return table.slice(0, limit)


def _rows(table: pa.Table, most_bytes: int) -> tuple[dict[str, Any], int]:
    """Return rows for a model, and how many of them fit: what is the same in all stands once."""
    columns = {
        name: [_short(each) for each in column] for name, column in columns_of(table).items()
    }
    same: dict[str, Any] = {}
    if table.num_rows > 1:
        same = {n: c[0] for n, c in columns.items() if all(each == c[0] for each in c)}
    names = [name for name in columns if name not in same]
    rows = [list(row) for row in zip(*(columns[name] for name in names), strict=True)]
    if not names and table.num_rows:
        names, rows = list(columns), [list(same.values())]
        same = {}
    size = len(_encode(same)) + len(_encode(names))
    fits = 0
    for row in rows:
        size += len(_encode(row)) + 1
        if size > most_bytes and fits:
            break
        fits += 1
    document = {"in_every_row": same, "columns": names, "rows": rows}
    return document, table.num_rows if fits == len(rows) else fits


def rounded(value: Any, most: int) -> Any:
    """Return plain values with numbers of seven digits and lists no longer than so many.

    Args:
        value: Anything of JSON.
        most: What a list may hold; a longer one keeps its first ones and says how many it had.
    """
    if isinstance(value, Mapping):
        return {name: rounded(each, most) for name, each in value.items()}
    if isinstance(value, list | tuple):
        kept = [rounded(each, most) for each in value[:most]]
        return kept if len(value) <= most else [*kept, f"... {len(value)} in all"]
    return _short(value)


def _short(value: Any) -> Any:
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        short = float(f"{value:.{_DIGITS}g}")
        return int(short) if short.is_integer() and abs(short) < 1e15 else short
    return value
