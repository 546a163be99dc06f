from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from infrastructure.clients.influxdb_client import BaseInfluxDBClient, WriteReport
from infrastructure.clients.influxdb_client_durable import DurableInfluxDBClient
from infrastructure.errors import (
    CorruptStore,
    DiskFull,
    InputError,
    LineError,
    ServiceUnavailable,
    WriteRejected,
)
from infrastructure.influxdb.schema import Column, TableSchema

TABLE = TableSchema("m", (Column("k", "tag"),), (Column("v", "integer"),))
URL = "http://influx.test:8181"


class Server:
    """Stands where the base client sends: takes lines, or is down, or refuses a value."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.lines: list[bytes] = []
        self.is_down = False
        monkeypatch.setattr(BaseInfluxDBClient, "write_lines", self.write_lines)

    def write_lines(
        self, lines: bytes | Iterable[bytes], *, no_sync: bool = False, accept_partial: bool = True
    ) -> WriteReport:
        assert isinstance(lines, bytes)
        if self.is_down:
            raise ServiceUnavailable("no answer")
        each = lines.splitlines()
        bad = [
            LineError(at, "too big", "m") for at, line in enumerate(each, 1) if b"v=666i" in line
        ]
        self.lines += [line for line in each if b"v=666i" not in line]
        if bad:
            raise WriteRejected("partial write", line_errors=tuple(bad))
        return WriteReport(len(each), len(lines), 1)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    return Server(monkeypatch)


def rows(*values: int) -> pa.Table:
    return pa.table({"time": list(values), "k": ["a"] * len(values), "v": list(values)})


def client(folder: Path, **options: Any) -> DurableInfluxDBClient:
    return DurableInfluxDBClient(URL, "db", folder, room_wait_s=0.0, **options)


def test_a_write_reports_what_arrived_waits_and_is_refused(tmp_path: Path, server: Server) -> None:
    with client(tmp_path) as made:
        assert made.write_columns(TABLE, rows(1, 666, 3)) == WriteReport(2, 13 + 17 + 13, 1, 0, 1)
        assert made.refused() == 1
        assert "too big" in made.quarantine.read_text()
        server.is_down = True
        report = made.write_columns(TABLE, rows(4, 5))
        assert (report.rows, report.waiting) == (0, 2)
        assert made.waiting().points == 2
    with client(tmp_path) as made:
        assert made.deliver_waiting().points == 2
        server.is_down = False
        assert made.deliver_waiting().points == 0
    assert sorted(server.lines) == [b"m,k=a v=%di %d" % (number, number) for number in (1, 3, 4, 5)]


def test_nothing_is_opened_where_nothing_waits(tmp_path: Path, server: Server) -> None:
    with client(tmp_path / "spool") as made:
        assert made.deliver_waiting().points == made.waiting().points == made.refused() == 0
    assert not (tmp_path / "spool").exists()


def test_a_full_spool_a_damaged_one_and_wrong_columns_are_refused_in_a_sentence(
    tmp_path: Path, server: Server
) -> None:
    server.is_down = True
    with client(tmp_path, spool_limit_bytes=100) as made:
        made.write_columns(TABLE, rows(1, 2))
        with pytest.raises(DiskFull, match="is full"):
            made.write_columns(TABLE, rows(*range(10, 20)))
        with pytest.raises(InputError, match="nope"):
            made.write_columns(TABLE, rows(1).append_column("nope", pa.array([1])))
        assert made.waiting().points == 2
    [path] = tmp_path.glob("*/*.spool")
    path.write_bytes(path.read_bytes() + path.read_bytes()[:-1] + b"?" + path.read_bytes())
    with client(tmp_path) as made, pytest.raises(CorruptStore, match=r"damaged.*Move the file"):
        made.write_columns(TABLE, rows(3))
