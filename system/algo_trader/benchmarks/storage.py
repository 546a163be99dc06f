"""How fast line protocol is written and read, beside the peers that Python users have.

All figures of a run are measured one after the other on the same made-up candles: two tags, five
floats and an integer, a "point" of six fields. Peers that are no dependency of the program are
measured where they are installed (`pip install questdb line-protocol-parser`).
"""

from __future__ import annotations

import importlib
import importlib.util
import warnings
from collections.abc import Callable
from types import ModuleType
from typing import Any, Final

import numpy as np
import pyarrow as pa

from infrastructure.influxdb.encode import encode_lines
from infrastructure.influxdb.parse import parse_lines
from infrastructure.influxdb.schema import Column, TableSchema
from system.algo_trader.benchmarks.report import BenchRow, best_seconds

POINTS_PER_S: Final = 2e6
LINES_PER_S: Final = 2e6
OVER_POINTS: Final = 30.0
POINTS: Final = 200_000
SEED: Final = 20_231_225
_PEER_PART = 20

CANDLES: Final = TableSchema(
    "candles",
    (Column("symbol", "tag"), Column("timeframe", "tag")),
    (
        *(Column(name, "float", "USD") for name in ("open", "high", "low", "close", "vwap")),
        Column("volume", "integer", "shares"),
    ),
)


def seeded_candles(count: int) -> pa.Table:
    """Return made-up one-minute candles of 20 symbols, always the same.

    Args:
        count: How many; prices have two decimal places, the average price four.
    """
    rng = np.random.default_rng(SEED)
    symbols = np.array([f"SYM{number:02d}" for number in range(20)])
    middle = 100 + rng.standard_normal(count)
    prices = {name: np.round(middle + rng.random(count), 2) for name in _prices(4)}
    return pa.table(
        {
            "symbol": symbols[np.arange(count) % len(symbols)],
            "timeframe": pa.repeat(pa.scalar("1m"), count),
            **prices,
            "vwap": np.round(middle, 4),
            "volume": rng.integers(0, 1_000_000, count),
            "time": 1_700_000_000_000_000_000 + np.arange(count) // 20 * 60_000_000_000,
        }
    )


def run(count: int = POINTS) -> list[BenchRow]:
    """Measure the writing and the reading of lines.

    Args:
        count: How many points; the slow peers get a part of them.
    """
    return [*_writing(count), *_reading(count)]


def _writing(count: int) -> list[BenchRow]:
    candles = seeded_candles(count)
    part = candles.slice(0, max(count // _PEER_PART, 1))
    ours = _per_second(count, lambda: list(encode_lines(CANDLES, candles, compiled=True)))
    arrow = _per_second(count, lambda: list(encode_lines(CANDLES, candles, compiled=False)))
    points = _per_second(part.num_rows, lambda: point_lines(part))
    name = f"write {count:,} points of 2 tags and 6 fields as lines"
    unit = "points/s"
    return [
        BenchRow(
            name,
            unit,
            ours,
            "at least",
            POINTS_PER_S,
            "influxdb3-python's Point",
            points,
            OVER_POINTS,
        ),
        BenchRow(name, unit, ours, "at least", None, "joined by Arrow", arrow),
        _beside(name, unit, ours, "questdb", lambda wheel: _questdb_speed(wheel, candles)),
    ]


def _reading(count: int) -> list[BenchRow]:
    blocks = list(encode_lines(CANDLES, seeded_candles(count), compiled=True))
    part = blocks[0].splitlines(keepends=True)[: max(count // _PEER_PART, 1)]

    def read(bodies: list[bytes], compiled: bool) -> None:
        for body in bodies:
            parse_lines(body, precision="ns", now_ns=0, compiled=compiled)

    ours = _per_second(count, lambda: read(blocks, True))
    by_line = _per_second(len(part), lambda: read([b"".join(part)], False))
    name = f"read {count:,} uniform lines into columns"
    unit = "lines/s"
    return [
        BenchRow(name, unit, ours, "at least", LINES_PER_S, "a pattern a shape", by_line),
        _beside(name, unit, ours, "line_protocol_parser", lambda wheel: _parser_speed(wheel, part)),
    ]


def point_lines(candles: pa.Table) -> list[str]:
    """Return the lines of candles by influxdb3-python's `Point`, the documented way."""
    from influxdb_client_3 import Point

    new_point: Callable[[str], Any] = Point
    lines = []
    for row in candles.to_pylist():
        point = new_point(CANDLES.name)
        for tag in CANDLES.tags:
            point.tag(tag.name, row[tag.name])
        for field in CANDLES.fields:
            point.field(field.name, row[field.name])
        lines.append(point.time(row["time"]).to_line_protocol())
    return lines


def installed(wheel: str) -> ModuleType | None:
    """Return a peer's module, None where it is not installed."""
    return importlib.import_module(wheel) if importlib.util.find_spec(wheel) else None


def questdb_lines(wheel: ModuleType, candles: pa.Table) -> bytes:
    """Return the lines of candles by the questdb wheel's text protocol."""
    return _questdb_text(wheel, _questdb_frame(candles))


def _questdb_frame(candles: pa.Table) -> object:
    import pandas as pd

    frame = pd.DataFrame(candles.to_pandas())
    frame["time"] = frame["time"].astype("datetime64[ns, UTC]")
    return frame


def _questdb_text(wheel: ModuleType, frame: object) -> bytes:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        buffer = importlib.import_module(f"{wheel.__name__}.ingress").Buffer(protocol_version=1)
    tags = [tag.name for tag in CANDLES.tags]
    buffer.dataframe(frame, table_name=CANDLES.name, symbols=tags, at="time")
    return bytes(buffer)


def _questdb_speed(wheel: ModuleType, candles: pa.Table) -> float:
    frame = _questdb_frame(candles)
    return _per_second(candles.num_rows, lambda: _questdb_text(wheel, frame))


def _parser_speed(wheel: ModuleType, lines: list[bytes]) -> float:
    texts = [line.decode() for line in lines]
    return _per_second(len(texts), lambda: [wheel.parse_line(text) for text in texts])


def _beside(
    name: str, unit: str, ours: float, wheel: str, speed: Callable[[ModuleType], float]
) -> BenchRow:
    """Return our figure beside that of a wheel, which need not be installed."""
    module = installed(wheel)
    if module is None:
        return BenchRow(name, unit, ours, "at least", None, f"{wheel} (not installed)")
    return BenchRow(name, unit, ours, "at least", None, wheel, speed(module))


def _per_second(count: int, work: Callable[[], object]) -> float:
    return count / best_seconds(work, repeats=5)


def _prices(count: int) -> list[str]:
    return [field.name for field in CANDLES.fields[:count]]
