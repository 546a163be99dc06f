"""What a person or a machine is shown: tables, lines, JSON, and one sentence an error."""

from __future__ import annotations

import io
import json
import math
import os
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from infrastructure.logging import redact

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from infrastructure.errors import StackError

WIDTH_WITHOUT_TERMINAL = 120
_WIDEST = 10_000
_BLOCKS = "▁▂▃▄▅▆▇█"
_ASCII_BLOCKS = "_.,-~=^#"


def tolerate_encodings() -> None:
    """Let standard output and error write a question mark for what their encoding lacks."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _writes_unicode() -> bool:
    return (sys.stdout.encoding or "").lower().replace("-", "").startswith("utf")


def console(*, stderr: bool = False) -> Console:
    """Return a console that writes to standard output, or to standard error.

    It reads no markup: colours come as `styled` text, so that a bracket in a name is a bracket.
    """
    from rich.console import Console

    target = sys.stderr if stderr else sys.stdout
    width = None if target.isatty() or os.environ.get("COLUMNS") else WIDTH_WITHOUT_TERMINAL
    return Console(stderr=stderr, highlight=False, markup=False, soft_wrap=True, width=width)


def print_table(made: Table) -> None:
    """Write a table to standard output whole: a cut price would be read as another price.

    Where it is wider than the terminal, its lines run over.
    """
    shown = console()
    needed = shown.measure(made, options=shown.options.update(width=_WIDEST)).maximum
    shown.width = max(shown.width, needed)
    shown.print(made)


def styled(text: str, style: str) -> Text:
    """Return text in a colour or style that rich knows."""
    from rich.text import Text

    return Text(text, style=style)


def print_json(document: object) -> None:
    """Write one JSON document and a line end to standard output."""
    text = json.dumps(document, ensure_ascii=not _writes_unicode(), default=_plain)
    sys.stdout.write(text + "\n")


def _plain(value: object) -> object:
    if hasattr(value, "as_dict"):
        return value.as_dict()
    return str(value)


def print_error(error: StackError, *, as_json: bool) -> None:
    """Write one line to standard error: the sentence, or the JSON object of the error."""
    if as_json:
        text = json.dumps(error.as_dict(), ensure_ascii=False, default=str)
    else:
        text = f"error: {error}"
    sys.stderr.write(redact(" ".join(text.splitlines())) + "\n")


def table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], *, numeric: str = ""
) -> Table:
    """Return a rich table.

    Args:
        title: Printed above it.
        columns: The headings.
        rows: One sequence of cells a row; None is shown as a dash, `styled` text in its colour.
        numeric: One letter a column, "r" where it is aligned to the right.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    heading = Text(title, style="bold")
    made = Table(title=heading, title_justify="left", box=box.SIMPLE_HEAD)
    dash = "–" if _writes_unicode() else "-"
    for index, name in enumerate(columns):
        right = numeric[index : index + 1] == "r"
        made.add_column(Text(name), justify="right" if right else "left", no_wrap=True)
    for row in rows:
        cells = (dash if cell is None else cell for cell in row)
        made.add_row(*(cell if isinstance(cell, Text) else Text(str(cell)) for cell in cells))
    return made


def pairs(rows: Mapping[str, Any]) -> str:
    """Return aligned `name  value` lines."""
    width = max((len(name) for name in rows), default=0)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in rows.items())


def sparkline(values: Sequence[float], width: int = 30) -> str:
    """Return the values as a line of block characters, the lowest at the bottom.

    Args:
        values: Numbers in time order; values that are not finite are left out.
        width: At most so many characters; longer series show each stretch's last value.
    """
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return ""
    if len(finite) > width:
        step = len(finite) / width
        finite = [finite[min(len(finite) - 1, int((i + 1) * step) - 1)] for i in range(width)]
    blocks = _BLOCKS if _writes_unicode() else _ASCII_BLOCKS
    low, high = min(finite), max(finite)
    if high == low:
        return blocks[3] * len(finite)
    scale = (len(blocks) - 1) / (high - low)
    return "".join(blocks[round((value - low) * scale)] for value in finite)


def change(first: float, last: float) -> Text:
    """Return the change between two prices in percent with a sign, coloured."""
    percent = (last / first - 1.0) * 100.0
    return styled(f"{percent:+.2f} %", "green" if percent > 0 else "red" if percent < 0 else "dim")
