"""Our line protocol before two independent servers, over the wire: InfluxDB 1 and VictoriaMetrics.

Both are Debian packages (`influxdb` 1.6.7, `victoria-metrics`). InfluxDB 1 keeps every type to the
bit; VictoriaMetrics keeps numbers as floats at milliseconds, so it judges numbers and tags.
"""

from __future__ import annotations

import json
import random
import shutil
import socket
import subprocess
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import requests

from infrastructure.influxdb.embedded.server import EmbeddedInfluxDB
from infrastructure.influxdb.encode import encode_lines
from infrastructure.influxdb.parse import parse_lines
from infrastructure.influxdb.schema import Column, TableSchema

DEADLINE_S = 30.0
START = 1_700_000_000_000_000_000
MS = 1_000_000
TABLE = TableSchema(
    "judged, table",
    (Column("plain", "tag"), Column("odd tag,=", "tag")),
    (
        Column("price", "float"),
        Column("size", "integer"),
        Column("open", "boolean"),
        Column("said, =", "string"),
    ),
)
TAGS = ["AAPL", "a b", "a,b", "a=b", 'a"b', "é✓", "back\\slash", "BRK.B"]
TEXTS = ["", "plain", 'a "quoted" word', "back\\slash", "comma, equals = space", "é✓", "x" * 5000]
FLOATS = [0.1, -0.0, 1e-300, 1.7976931348623157e308, 5e-324, 123456789.123456789, 1 / 3, -2.5e10]
INTEGERS = [0, 1, -1, 2**63 - 1, -(2**63), 2**53 + 1]


class Judge:
    """A server process with an HTTP port."""

    def __init__(self, argv: list[str], port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.session = requests.Session()
        self.session.trust_env = False
        self.process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + DEADLINE_S
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"{argv[0]} did not start")
            threading.Event().wait(0.02)

    def _answers(self) -> bool:
        try:
            return self.session.get(f"{self.url}/ping", timeout=5).status_code < 500
        except requests.ConnectionError:
            return False

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        self.session.close()


def program(name: str, package: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.fail(f"this test asks {name} to judge: apt-get install {package}")
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def influxd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judge]:
    folder, port = tmp_path_factory.mktemp("influxd"), free_port()
    settings = folder / "influxd.conf"
    settings.write_text(
        f'reporting-disabled = true\nbind-address = "127.0.0.1:{free_port()}"\n'
        f'[meta]\n  dir = "{folder}/meta"\n'
        f'[data]\n  dir = "{folder}/data"\n  wal-dir = "{folder}/wal"\n'
        f'[http]\n  bind-address = "127.0.0.1:{port}"\n  log-enabled = false\n'
        "[monitor]\n  store-enabled = false\n"
    )
    judge = Judge([program("influxd", "influxdb"), "-config", str(settings)], port)
    yield judge
    judge.end()


@pytest.fixture(scope="module")
def victoria(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judge]:
    folder, port = tmp_path_factory.mktemp("victoria"), free_port()
    judge = Judge(
        [
            program("victoria-metrics", "victoria-metrics"),
            f"-httpListenAddr=127.0.0.1:{port}",
            f"-storageDataPath={folder}",
            "-retentionPeriod=100y",
        ],
        port,
    )
    yield judge
    judge.end()


def fresh_database(judge: Judge, name: str) -> str:
    made = judge.session.post(
        f"{judge.url}/query", params={"q": f'CREATE DATABASE "{name}"'}, timeout=10
    )
    assert made.ok, made.text
    return name


def write(judge: Judge, database: str, body: bytes) -> requests.Response:
    params = {"db": database, "precision": "ns"}
    return judge.session.post(f"{judge.url}/write", params=params, data=body, timeout=10)


def select(judge: Judge, database: str, statement: str) -> list[dict[str, Any]]:
    answer = judge.session.get(
        f"{judge.url}/query", params={"db": database, "q": statement, "epoch": "ns"}, timeout=10
    )
    (result,) = json.loads(answer.text)["results"]
    assert "error" not in result, result
    return [
        dict(zip(series["columns"], values, strict=True))
        for series in result.get("series", ())
        for values in series["values"]
    ]


def odd_rows(seed: int, count: int = 300) -> list[dict[str, Any]]:
    rng = random.Random(seed)
    rows = []
    for at in range(count):
        row: dict[str, Any] = {
            "plain": rng.choice(TAGS),
            "odd tag,=": rng.choice([None, *TAGS]),
            "price": rng.choice([None, *FLOATS, rng.uniform(-1e6, 1e6)]),
            "size": rng.choice([None, *INTEGERS]),
            "open": rng.choice([None, True, False]),
            "said, =": rng.choice([None, *TEXTS]),
            "time": START + at * MS,
        }
        if all(row[column.name] is None for column in TABLE.fields):
            row["size"] = at
        rows.append(row)
    return rows


def encoded(rows: list[dict[str, Any]], compiled: bool) -> bytes:
    types = {column.name: column.arrow_type for column in TABLE.columns}
    schema = pa.schema([*types.items(), ("time", pa.int64())])
    return b"".join(encode_lines(TABLE, pa.Table.from_pylist(rows, schema), compiled=compiled))


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("seed", [1, 2])
def test_influxdb_1_reads_back_every_value_that_we_encode(
    influxd: Judge, seed: int, compiled: bool
) -> None:
    rows = odd_rows(seed)
    database = fresh_database(influxd, f"encoder-{seed}-{compiled}")
    answer = write(influxd, database, encoded(rows, compiled))
    assert (answer.status_code, answer.text) == (204, "")
    found = select(influxd, database, 'SELECT * FROM "judged, table"')
    # a tag that is not there reads as null, and 1.x writes whole numbers of floats without a point
    assert sorted(found, key=lambda row: row["time"]) == rows


def test_victoria_metrics_reads_back_tags_and_numbers_that_we_encode(victoria: Judge) -> None:
    # it keeps a series' values as whole numbers of one power of ten: prices, not every float
    rows = [row for row in odd_rows(3) if 1e-3 < abs(row["price"] or 0) < 1e9]
    assert len(rows) > 100
    table = TableSchema("vm", TABLE.tags, TABLE.fields[:1])
    columns = {
        name: [row[name] for row in rows] for name in ("plain", "odd tag,=", "price", "time")
    }
    body = b"".join(encode_lines(table, pa.table(columns)))
    assert write(victoria, "any", body).status_code == 204
    found: dict[tuple[Any, Any, int], float] = {}

    def everything_is_there() -> bool:
        victoria.session.get(f"{victoria.url}/internal/force_flush", timeout=10)
        text = victoria.session.get(
            f"{victoria.url}/api/v1/export", params={"match[]": '{__name__="vm_price"}'}, timeout=10
        ).text
        for line in text.splitlines():
            series = json.loads(line)
            metric = series["metric"]
            for value, time_ms in zip(series["values"], series["timestamps"], strict=True):
                found[metric["plain"], metric.get("odd tag,="), time_ms * MS] = value
        return len(found) >= len(rows)

    deadline = time.monotonic() + DEADLINE_S
    while not everything_is_there():
        assert time.monotonic() < deadline, f"{len(found)} of {len(rows)} rows arrived"
        threading.Event().wait(0.05)
    wanted = {(row["plain"], row["odd tag,="], row["time"]): row["price"] for row in rows}
    assert found.keys() == wanted.keys()
    for key, value in wanted.items():
        assert found[key] == pytest.approx(value, rel=1e-9)


@pytest.mark.parametrize(
    ("line", "is_good"),
    [
        (r"m,a=x\ y f=1 1", True),
        (r"m\,n,a=x f=1 1", True),
        (r'm f="a \"b\" c" 1', True),
        (r'm f="a,b=c d" 1', True),
        ("m f=1i,g=t,h=F,i=true,j=1e3 1", True),
        ("m f=-9223372036854775808i 1", True),
        ("m,a=b  f=1 1", True),
        ("m", False),
        ("m,a=b", False),
        ("m f=", False),
        ("m f=1x 1", False),
        ("m f=9223372036854775808i 1", False),
        ("m,a= f=1 1", False),
        ("m,=b f=1 1", False),
        ('m f="open 1', False),
        ("m f=1 now", False),
        (",a=b f=1 1", False),
        ("m =1 1", False),
    ],
)
def test_influxdb_1_and_our_parser_take_the_same_lines(
    influxd: Judge, line: str, is_good: bool
) -> None:
    database = fresh_database(influxd, f"parser-{zlib.crc32(line.encode())}")
    ours = parse_lines(line.encode(), precision="ns", now_ns=0)
    theirs = write(influxd, database, line.encode())
    assert (not ours.errors, theirs.status_code == 204) == (is_good, is_good), theirs.text


def test_rewritten_rows_merge_field_by_field_as_in_influxdb_1(
    influxd: Judge, tmp_path: Path
) -> None:
    rng = random.Random(4)
    database = fresh_database(influxd, "upsert")
    fields = ["f=1", "f=2.5", "g=3i", 'h="s"', "k=t", 'f=4,h="u"']
    with EmbeddedInfluxDB(tmp_path / "data") as server:
        for _ in range(30):
            lines = "\n".join(
                f"m,a={rng.choice('xyz')} {rng.choice(fields)} {START + rng.randrange(10)}"
                for _ in range(rng.randint(1, 8))
            )
            assert write(influxd, database, lines.encode()).status_code == 204
            ours = requests.post(
                f"{server.url}/write",
                params={"db": "db", "precision": "ns"},
                data=lines,
                timeout=10,
            )
            assert ours.status_code == 204
        # InfluxDB 1 checks types a shard: the conflict has to lie near the other rows
        conflict = f'm,a=x f="text" {START}'.encode()
        theirs = write(influxd, database, conflict)
        ours = requests.post(f"{server.url}/write", params={"db": "db"}, data=conflict, timeout=10)
        assert (theirs.status_code, ours.status_code) == (400, 400)
        sql = "SELECT time::bigint AS t, a, f, g, h, k FROM m ORDER BY t, a"
        query = {"db": "db", "q": sql}
        mine = requests.get(f"{server.url}/api/v3/query_sql", params=query, timeout=10).json()
    found = select(influxd, database, "SELECT * FROM m")
    for row in found:
        row["t"] = row.pop("time")
    present = [{name: value for name, value in row.items() if value is not None} for row in found]
    assert mine == sorted(present, key=lambda row: (row["t"], row["a"]))
