"""Judge that all sides write and read the same points, and that every budget has its line."""

import line_protocol_parser
import questdb

from infrastructure.influxdb.encode import encode_lines
from infrastructure.influxdb.parse import parse_lines
from system.algo_trader.benchmarks.storage import (
    CANDLES,
    point_lines,
    questdb_lines,
    run,
    seeded_candles,
)


def test_every_budget_has_its_line_and_says_its_peer() -> None:
    rows = run(400)
    assert [row.budget for row in rows] == [2e6, None, None, 2e6, None]
    assert [row.ratio_budget for row in rows] == [30.0, None, None, None, None]
    assert all(row.ours > 0 and row.peer_name for row in rows)
    assert all(row.peer for row in rows)


def test_the_peers_write_the_points_that_we_write() -> None:
    candles = seeded_candles(100)
    ours = b"".join(encode_lines(CANDLES, candles, compiled=True)).decode().splitlines()
    expected = [line_protocol_parser.parse_line(line) for line in ours]
    others = [point_lines(candles), questdb_lines(questdb, candles).decode().splitlines()]
    for lines in others:
        assert [line_protocol_parser.parse_line(line) for line in lines] == expected


def test_the_lines_that_are_read_hold_the_candles() -> None:
    candles = seeded_candles(100)
    body = b"".join(encode_lines(CANDLES, candles, compiled=True))
    (table,) = parse_lines(body, precision="ns", now_ns=0, compiled=True).tables
    (block,) = table.blocks
    for field in CANDLES.fields:
        assert block.values[field.name].to_pylist() == candles[field.name].to_pylist()
    assert block.time.tolist() == candles["time"].to_pylist()
