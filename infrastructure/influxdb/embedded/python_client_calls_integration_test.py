"""Every documented call of influxdb3-python 0.21, unmodified, against each kind of server.

The embedded server in both modes; and a real InfluxDB 3 instead of them where INFLUXDB3_HOST_URL
names one (with INFLUXDB3_AUTH_TOKEN), in a database of this test's own that is dropped again.
"""

from __future__ import annotations

import asyncio
import os
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import influxdb_client_3
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import requests
from influxdb_client_3.exceptions.exceptions import (
    InfluxDB3ClientQueryError,
    InfluxDBError,
    InfluxDBPartialWriteError,
)

from infrastructure.influxdb.embedded.limits import Limits, StrictCore
from infrastructure.influxdb.embedded.server import EmbeddedInfluxDB

transport: Any = influxdb_client_3

REAL = os.environ.get("INFLUXDB3_HOST_URL")
TOKEN = os.environ.get("INFLUXDB3_AUTH_TOKEN", "any")
START = 1_700_000_000_000_000_000
SECOND = 1_000_000_000


@dataclass(frozen=True)
class Target:
    url: str
    database: str

    def connect(self, **options: Any) -> Any:
        return transport.InfluxDBClient3(
            host=self.url, token=TOKEN, database=self.database, **options
        )


@pytest.fixture(params=["real"] if REAL else ["embedded", "strict"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Target]:
    database = f"calls_{uuid.uuid4().hex[:12]}"
    if REAL:
        yield Target(REAL, database)
        requests.delete(
            f"{REAL}/api/v3/configure/database",
            params={"db": database, "hard_delete_at": "now"},
            headers={"Authorization": f"Bearer {TOKEN}"},
            timeout=30,
        )
        return
    strict = StrictCore(7) if request.param == "strict" else None
    with EmbeddedInfluxDB(tmp_path / "data", limits=Limits(strict=strict)) as server:
        yield Target(server.url, database)


@pytest.fixture
def client(target: Target) -> Iterator[Any]:
    with target.connect(write_use_v2_api=False) as connected:
        yield connected


def count(client: Any) -> int:
    (row,) = client.query("SELECT count(*) AS n FROM m").to_pylist()
    return int(row["n"])


def wait_for_rows(client: Any, rows: int) -> None:
    """Without sync the answer comes before the rows, and before their table."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            if count(client) == rows:
                return
        except InfluxDB3ClientQueryError as error:
            if "not found" not in str(error):
                raise
    raise AssertionError(f"{rows} rows did not arrive in time")


# The client leaves out pandas columns whose name is a part of the timestamp column's, such as "i".
def pandas_frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "time": pd.to_datetime([START, START + SECOND], utc=True),
            "a": ["x", "y z"],
            "f": [1.5, 2.5],
            "count": [1, 2],
            "s": ["one", "two"],
        }
    )


def polars_frame() -> pl.DataFrame:
    times = pl.from_epoch(pl.Series("time", [START, START + SECOND]), time_unit="ns")
    return pl.DataFrame(
        {"a": ["x", "y z"], "f": [1.5, 2.5], "count": [1, 2], "s": ["one", "two"]}
    ).with_columns(times.alias("time"))


FRAMES: list[Callable[[Any], None]] = [
    lambda client: client.write_dataframe(
        pandas_frame(), measurement="m", timestamp_column="time", tags=["a"]
    ),
    lambda client: client.write_dataframe(
        polars_frame(), measurement="m", timestamp_column="time", tags=["a"]
    ),
    lambda client: client.write(
        pandas_frame().set_index("time"),
        data_frame_measurement_name="m",
        data_frame_tag_columns=["a"],
    ),
    lambda client: client.write(
        polars_frame(),
        data_frame_measurement_name="m",
        data_frame_tag_columns=["a"],
        data_frame_timestamp_column="time",
    ),
]


@pytest.mark.parametrize("write", FRAMES)
def test_frames_of_both_kinds_go_in(client: Any, write: Callable[[Any], None]) -> None:
    write(client)
    found = client.query("SELECT a, f, count, s, time FROM m ORDER BY time")
    assert found.select(["a", "f", "count", "s"]).to_pylist() == [
        {"a": "x", "f": 1.5, "count": 1, "s": "one"},
        {"a": "y z", "f": 2.5, "count": 2, "s": "two"},
    ]
    assert found["time"].cast(pa.int64()).to_pylist() == [START, START + SECOND]


def test_points_dictionaries_lines_and_bytes_go_in(client: Any) -> None:
    point = transport.Point
    client.write(point("m").tag("a", "x").field("f", 1.0).field("b", True).time(START))
    client.write([point("m").tag("a", "x").field("f", 2.0).time(START + 1)])
    client.write(point.from_dict({"measurement": "m", "fields": {"f": 3.0}, "time": START + 2}))
    client.write({"measurement": "m", "fields": {"f": 4.0}, "time": START + 3})
    client.write([{"measurement": "m", "fields": {"f": 5.0}, "time": START + 4}])
    client.write(f"m f=6 {START + 5}")
    client.write([f"m f=7 {START + 6}", f"m f=8 {START + 7}"])
    client.write(f"m f=9 {START + 8}\n".encode())
    client.write([f"m f=10 {START + 9}".encode()])
    client.write(f"m f=11 {START // SECOND + 1}", write_precision="s")
    found = client.query("SELECT f FROM m ORDER BY time")["f"].to_pylist()
    assert found == [float(number) for number in range(1, 12)]


def test_a_file_goes_in(client: Any, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("a,f,time\nx,1.5,2024-01-02T14:30:00Z\ny,2.5,2024-01-02T14:31:00Z\n")
    client.write_file(str(path), measurement_name="m", tag_columns=["a"], timestamp_column="time")
    assert client.query("SELECT a, f FROM m ORDER BY time").to_pylist() == [
        {"a": "x", "f": 1.5},
        {"a": "y", "f": 2.5},
    ]


@pytest.mark.parametrize(
    "options",
    [{}, {"write_use_v2_api": False}, {"write_use_v2_api": False, "write_no_sync": True},
     {"enable_gzip": True}],
)  # fmt: skip
def test_synchronous_writes_arrive_by_every_route(target: Target, options: Any) -> None:
    with target.connect(**options) as client:
        client.write([f"m f={number} {START + number}" for number in range(100)])
        client.flush()
        wait_for_rows(client, 100)


def test_batches_arrive_and_their_callbacks_are_called(target: Target) -> None:
    succeeded: list[int] = []
    failed: list[Exception] = []
    options = transport.write_client_options(
        write_options=transport.WriteOptions(batch_size=50, flush_interval=50),
        success_callback=lambda _, data: succeeded.append(len(data.splitlines())),
        error_callback=lambda _, __, error: failed.append(error),
        retry_callback=lambda _, __, error: failed.append(error),
    )
    with target.connect(write_client_options=options) as client:
        for number in range(120):
            client.write(f"m f={number} {START + number}")
        client.write(b"m f=\n")
    with target.connect() as client:
        # one batch holds the bad line, and the default route takes all of a batch or nothing
        assert count(client) == sum(succeeded) < 121
    assert failed
    assert all(isinstance(error, InfluxDBError) for error in failed)


def test_every_mode_returns_the_same_rows(client: Any) -> None:
    client.write([f"m,a=x f={number} {START + number}" for number in range(10)])
    sql = "SELECT a, f FROM m ORDER BY time"
    expected = [{"a": "x", "f": float(number)} for number in range(10)]
    assert client.query(sql).to_pylist() == expected
    assert client.query(sql, mode="all").to_pylist() == expected
    assert client.query(sql, mode="pandas").to_dict("records") == expected
    assert client.query(sql, mode="polars").to_dicts() == expected
    assert client.query(sql, mode="reader").read_all().to_pylist() == expected
    chunks = [chunk.data for chunk in client.query(sql, mode="chunk")]
    assert pa.Table.from_batches(chunks).to_pylist() == expected
    assert client.query(sql, mode="schema").names == ["a", "f"]
    assert client.query_dataframe(sql).to_dict("records") == expected
    assert client.query_dataframe(sql, frame_type="polars").to_dicts() == expected


def test_parameters_and_asynchronous_queries(client: Any) -> None:
    client.write([f"m,a=x f={number},b=t {START + number}" for number in range(10)])
    sql = "SELECT f FROM m WHERE a = $a AND f >= $least AND b = $b ORDER BY time"
    values = {"a": "x", "least": 7.5, "b": True}

    async def several() -> list[Any]:
        asked = [client.query_async(sql, query_parameters=values) for _ in range(4)]
        return await asyncio.gather(*asked)

    answers = [client.query(sql, query_parameters=values), *asyncio.run(several())]
    assert [answer["f"].to_pylist() for answer in answers] == [[8.0, 9.0]] * 5


def test_a_partial_write_names_its_lines(client: Any) -> None:
    with pytest.raises(InfluxDBPartialWriteError) as caught:
        client.write(f"m f=1 {START}\nm f=\nm f=3 {START + 1}".encode())
    (error,) = caught.value.line_errors
    assert (error.line_number, error.original_line) == (2, "m f=")
    assert count(client) == 2
