"""Parse InfluxDB line protocol into columns, with the real server's error for each bad line.

Bodies are read line by line, or, once a process has read many lines, by compiled code that leaves
the unusual lines to the same reader: both give the same tables and the same errors.
"""

from __future__ import annotations

from infrastructure.errors import InputError
from infrastructure.influxdb.kernel_choice import KernelChoice
from infrastructure.influxdb.line_reader import LineReader
from infrastructure.influxdb.lines import split_lines
from infrastructure.influxdb.parsed import ARROW_TYPES, Block, ParsedBody, TableLines

__all__ = ["ARROW_TYPES", "PRECISIONS", "Block", "ParsedBody", "TableLines", "parse_lines"]

PRECISIONS: dict[str, int | None] = {
    "auto": None,
    **dict.fromkeys(("s", "second"), 1_000_000_000),
    **dict.fromkeys(("ms", "millisecond"), 1_000_000),
    **dict.fromkeys(("us", "u", "microsecond"), 1_000),
    **dict.fromkeys(("ns", "n", "nanosecond"), 1),
}

_TYPICAL_LINE_BYTES = 100
_CHOICE = KernelChoice()


def parse_lines(
    body: bytes, *, precision: str = "auto", now_ns: int, compiled: bool | None = None
) -> ParsedBody:
    """Parse a body of line protocol.

    Args:
        body: UTF-8 text.
        precision: Unit of the timestamps, a key of PRECISIONS; "auto" guesses each by its size.
        now_ns: Time of lines without a timestamp, cut to the precision.
        compiled: Whether compiled code reads the lines; None decides by how many were read.

    Raises:
        InputError: If the body is not UTF-8 or the precision is unknown.
    """
    if precision not in PRECISIONS:
        raise InputError(
            f"invalid precision {precision!r}, expected one of {', '.join(PRECISIONS)}"
        )
    unit = PRECISIONS[precision]
    now_ns -= now_ns % (unit or 1)
    wanted = _CHOICE.takes(len(body) // _TYPICAL_LINE_BYTES)
    try:
        if wanted if compiled is None else compiled:
            # Loading numba takes longer than a short command runs.
            from infrastructure.influxdb.parse_bulk import read_body

            parsed = read_body(body, unit, now_ns)
        else:
            reader = LineReader(lines := dict(split_lines(body.decode())), unit, now_ns)
            for number, line in lines.items():
                reader.read_line(number, line)
            parsed = reader.finish({})
    except UnicodeDecodeError as error:
        raise InputError(f"body content is not valid utf8: {error}") from error
    parsed.size = len(body)
    return parsed
