"""The HTTP API: statuses, bodies and headers of influxdb3.md sections 1, 2, 3 and 5."""

from __future__ import annotations

import base64
import gzip
import io
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import requests

from infrastructure.config import Secret
from infrastructure.errors import PortTaken
from infrastructure.influxdb.embedded.front import BODY_LIMIT_BYTES
from infrastructure.influxdb.embedded.identity import PRODUCT, ownership_key
from infrastructure.influxdb.embedded.server import EmbeddedInfluxDB

TOKEN = "apiv3_secret"


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    with EmbeddedInfluxDB(tmp_path / "data") as server:
        yield server.url


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[str]:
    with EmbeddedInfluxDB(tmp_path / "guarded", token=Secret(TOKEN)) as server:
        yield server.url


def write(url: str, body: str | bytes, path: str = "/api/v3/write_lp", **params: str) -> Any:
    return requests.post(url + path, params=params or {"db": "db"}, data=body, timeout=10)


def query(url: str, sql: str, **params: str) -> Any:
    everything = {"db": "db", "q": sql, **params}
    return requests.get(f"{url}/api/v3/query_sql", params=everything, timeout=10)


def rows(url: str, sql: str = "SELECT * FROM m ORDER BY time") -> Any:
    return query(url, sql).json()


def test_health_and_ping_answer_as_section_1_says(url: str, tmp_path: Path) -> None:
    for path in ("/health", "/api/v1/health"):
        health = requests.get(url + path, timeout=10)
        assert (health.status_code, health.text) == (200, "OK")
        assert health.headers["Content-Type"] == "text/plain; charset=utf-8"
    ping = requests.post(f"{url}/ping", timeout=10)
    body = ping.json()
    assert {"product_name", "version", "revision", "process_id"} <= body.keys()
    assert body["product_name"] == PRODUCT
    assert body["ownership_key"] == ownership_key(tmp_path / "data")
    assert ping.headers["X-Influxdb-Version"] == body["version"]
    assert ping.headers["X-Influxdb-Build"]
    assert ping.headers["Request-Id"] == ping.headers["X-Request-Id"]


def test_the_ownership_key_stays_and_the_process_id_does_not(tmp_path: Path) -> None:
    seen = []
    for _ in range(2):
        with EmbeddedInfluxDB(tmp_path) as server:
            seen.append(requests.get(f"{server.url}/ping", timeout=10).json())
    assert seen[0]["ownership_key"] == seen[1]["ownership_key"]
    assert seen[0]["process_id"] != seen[1]["process_id"]
    assert (tmp_path / "ownership.key").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "ownership.key").read_text() not in json.dumps(seen)


def test_options_and_unknown_paths_answer_as_section_1_says(url: str) -> None:
    answer = requests.options(f"{url}/anything", timeout=10)
    assert answer.status_code == 204
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    unknown = requests.get(f"{url}/nosuch", timeout=10)
    assert (unknown.status_code, unknown.text) == (404, "Not found")
    assert requests.head(f"{url}/health", timeout=10).status_code == 200


def test_metrics_end_as_prometheus_text_does(url: str) -> None:
    write(url, "m f=1 1")
    text = requests.get(f"{url}/metrics", timeout=10).text
    assert 'embedded_influxdb_rows_in_memory{database="db"} 1' in text
    assert text.endswith("# EOF\n")


def test_a_partial_write_answers_as_section_3_says(url: str) -> None:
    answer = write(url, "m f=1 1\nm,symbol=AAPL close=abc 2\nm f=2 3")
    assert answer.status_code == 400
    assert answer.json() == {
        "error": "partial write of line protocol occurred",
        "data": [
            {
                "error_message": "No fields were provided",
                "line_number": 2,
                "original_line": "m,symbol=AAPL close=",
            }
        ],
    }
    assert [row["f"] for row in rows(url)] == [1.0, 2.0]


def test_a_write_that_may_not_be_partial_answers_as_section_3_says(url: str) -> None:
    answer = write(url, "m f=1 1\nm f=", db="db", accept_partial="false")
    assert answer.status_code == 400
    assert answer.json() == {
        "error": "line protocol parsing error",
        "data": {
            "error_message": "No fields were provided",
            "line_number": 2,
            "original_line": "m f=",
        },
    }
    assert query(url, "SELECT 1").status_code == 404


def test_a_v2_write_answers_as_section_3_says(url: str) -> None:
    assert write(url, "m f=1 1", "/api/v2/write", bucket="db", org="any").status_code == 204
    answer = write(url, "m f=1 1\nm f=1i 2", "/api/v2/write", bucket="db")
    assert answer.status_code == 400
    assert answer.json()["code"] == "invalid"
    assert "invalid column type for column 'f'" in answer.json()["message"]
    assert len(rows(url)) == 1
    assert write(url, "m f=1 1", "/api/v2/write", bucket="db", precision="auto").status_code == 400
    assert write(url, "", "/api/v2/write", bucket="db").json()["code"] == "invalid"


def test_a_v1_write_takes_a_retention_policy_into_the_name(url: str) -> None:
    assert write(url, "m f=1 1", "/write", db="db", rp="autogen", precision="s").status_code == 204
    answer = write(url, "m f=1 1\nm f=", "/write", db="db")
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("partial write: ")
    assert write(url, "", "/write", db="db").status_code == 400
    names = requests.get(f"{url}/api/v3/configure/database", timeout=10).json()
    assert names == [{"iox::database": "db"}, {"iox::database": "db/autogen"}]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("_db", "did not start with a number or letter"),
        ("d b", "invalid character in database name"),
        ("dä", "invalid character in database name"),
        ("a/b/c", "of form '<db_name>/<rp_name>'"),
        ("a/", "of form '<db_name>/<rp_name>'"),
    ],
)
def test_a_bad_database_name_is_refused_as_section_3_says(url: str, name: str, reason: str) -> None:
    answer = write(url, "m f=1 1", db=name)
    assert answer.status_code == 400
    assert reason in answer.json()["error"]
    made = requests.post(f"{url}/api/v3/configure/database", json={"db": name}, timeout=10)
    assert made.status_code == 400


@pytest.mark.parametrize("body", ["", "\n\n", "# only a comment\n"])
def test_an_empty_body_is_refused_in_plain_text(url: str, body: str) -> None:
    answer = write(url, body)
    assert answer.status_code == 400
    assert answer.headers["Content-Type"].startswith("text/plain")


def test_wrong_parameters_are_refused(url: str) -> None:
    assert write(url, "m f=1", precision="s").json() == {"error": "missing parameter 'db'"}
    assert write(url, "m f=1", db="db", precision="h").status_code == 400
    assert write(url, "m f=1", db="db", no_sync="maybe").status_code == 400
    assert write(url, b"m f=1 \xff").status_code == 400


def test_precisions_of_section_3_are_read(url: str) -> None:
    for number, precision in enumerate(("second", "ms", "us", "nanosecond", "auto")):
        assert write(url, f"m,p={number} f=1 1", db="db", precision=precision).status_code == 204
    times = [row["time"] for row in rows(url, "SELECT time FROM m ORDER BY p")]
    assert times == [
        "1970-01-01T00:00:01",
        "1970-01-01T00:00:00.001",
        "1970-01-01T00:00:00.000001",
        "1970-01-01T00:00:00.000000001",
        "1970-01-01T00:00:01",
    ]


def test_a_write_without_sync_is_stored_too(url: str, tmp_path: Path) -> None:
    assert write(url, "m f=1 1", db="db", no_sync="true").status_code == 204
    assert write(url, "m f=2 2").status_code == 204
    assert len(rows(url)) == 2


def test_gzip_bodies_are_unpacked_within_the_limit(url: str) -> None:
    def send(data: bytes, encoding: str = "gzip") -> Any:
        return requests.post(
            f"{url}/api/v3/write_lp",
            params={"db": "db"},
            data=data,
            headers={"Content-Encoding": encoding},
            timeout=10,
        )

    assert send(gzip.compress(b"m f=1 1\n") + gzip.compress(b"m f=2 2")).status_code == 204
    assert len(rows(url)) == 2
    assert send(gzip.compress(b"#" * (BODY_LIMIT_BYTES + 1))).status_code == 413
    assert send(b"no gzip").status_code == 400
    assert send(gzip.compress(b"m f=3 3")[:-9]).status_code == 400
    assert send(b"m f=1 1", "br").status_code == 400


def test_a_body_beyond_10_mib_is_refused_with_413(url: str) -> None:
    answer = write(url, b"#" * (BODY_LIMIT_BYTES + 1))
    assert answer.status_code == 413
    assert "request too large" in answer.json()["error"]
    v2 = write(url, b"#" * (BODY_LIMIT_BYTES + 1), "/api/v2/write", bucket="db")
    assert (v2.status_code, v2.json()["code"]) == (413, "request too large")


def test_a_chunked_body_is_read(url: str) -> None:
    def send(parts: list[bytes]) -> Any:
        return requests.post(
            f"{url}/api/v3/write_lp", params={"db": "db"}, data=iter(parts), timeout=10
        )

    assert send([b"m f=1 1\nm f", b"=2 2\n"]).status_code == 204
    assert len(rows(url)) == 2
    assert send([b"#" * 1024 * 1024] * 11).status_code == 413


def test_malformed_http_is_refused_and_the_server_lives_on(url: str) -> None:
    host, _, port = url.removeprefix("http://").partition(":")
    for request in (
        b"GET /health HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"POST /api/v3/write_lp?db=d HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"NONSENSE\r\n\r\n",
        b"GE",
    ):
        with socket.create_connection((host, int(port)), timeout=10) as caller:
            caller.sendall(request)
            caller.shutdown(socket.SHUT_WR)
            answer = caller.recv(1000)
        assert not answer or b" 400 " in answer or answer.startswith(b"Bad request syntax")
    assert requests.get(f"{url}/health", timeout=10).text == "OK"


@pytest.mark.parametrize(
    ("options", "kind", "body"),
    [
        ({}, "application/json", b'[{"a":"x","f":1.5,"time":"1970-01-01T00:00:00.000000001"},'),
        ({"format": "jsonl"}, "application/jsonl", b'{"a":"x","f":1.5,"time":"1970'),
        ({"format": "csv"}, "text/csv", b"a,f,time\nx,1.5,1970-01-01T00:00:00.000000001\n,2.0,"),
        ({"format": "pretty"}, "text/plain; charset=utf-8", b"+---+-----+-----"),
    ],
)
def test_formats_answer_as_section_5_says(
    url: str, options: dict[str, str], kind: str, body: bytes
) -> None:
    write(url, "m,a=x f=1.5 1\nm f=2 2", db="db", precision="ns")
    answer = query(url, "SELECT * FROM m ORDER BY time", **options)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == kind
    assert answer.content.startswith(body)


def test_json_leaves_nulls_out_and_shows_no_rows_as_an_empty_list(url: str) -> None:
    write(url, "m,a=x f=1 1\nm g=2i 2")
    assert rows(url)[1].keys() == {"g", "time"}
    assert query(url, "SELECT * FROM m WHERE f > 9").text == "[]"
    assert query(url, "SELECT * FROM m WHERE f > 9", format="parquet").content == b""


def test_parquet_and_the_accept_header_are_served(url: str) -> None:
    write(url, "m f=1 1")
    answer = query(url, "SELECT f FROM m", format="parquet")
    assert pq.read_table(io.BytesIO(answer.content)).to_pylist() == [{"f": 1.0}]
    for accept, kind in {
        "text/csv": "text/csv",
        "application/vnd.apache.parquet": "application/vnd.apache.parquet",
        "text/plain": "text/plain; charset=utf-8",
        "*/*": "application/json",
    }.items():
        asked = requests.post(
            f"{url}/api/v3/query_sql",
            json={"db": "db", "q": "SELECT f FROM m"},
            headers={"Accept": accept},
            timeout=10,
        )
        assert asked.headers["Content-Type"] == kind
    refused = requests.get(
        f"{url}/api/v3/query_sql",
        params={"db": "db", "q": "SELECT 1"},
        headers={"Accept": "image/png"},
        timeout=10,
    )
    assert refused.status_code == 400
    assert query(url, "SELECT 1", format="xml").status_code == 400


def test_parameters_come_as_text_in_get_and_as_an_object_in_post(url: str) -> None:
    write(url, "m,a=x f=1 1\nm,a=y f=2 2")
    sql = "SELECT f FROM m WHERE a = $a"
    assert query(url, sql, params='{"a": "y"}').json() == [{"f": 2.0}]
    body = {"db": "db", "q": sql, "params": {"a": "x"}}
    assert requests.post(f"{url}/api/v3/query_sql", json=body, timeout=10).json() == [{"f": 1.0}]
    for bad in ("[]", "{", '{"a": [1]}'):
        assert query(url, sql, params=bad).status_code == 400


def test_query_errors_answer_as_section_5_says(url: str) -> None:
    write(url, "m f=1 1")
    wrong = query(url, "SELECT * FROM nosuch")
    assert wrong.status_code == 400
    assert wrong.headers["Content-Type"].startswith("text/plain")
    unknown = requests.get(
        f"{url}/api/v3/query_sql", params={"db": "nosuch", "q": "SELECT 1"}, timeout=10
    )
    assert (unknown.status_code, unknown.json()) == (404, {"error": "database not found: nosuch"})
    assert query(url, "SELECT 1/0").status_code == 500
    assert query(url, "SELECT 1; SELECT 2").status_code == 405
    assert requests.get(f"{url}/query", params={"q": "x"}, timeout=10).status_code == 405
    assert requests.post(f"{url}/api/v3/query_sql", data="{", timeout=10).status_code == 400
    assert requests.post(f"{url}/api/v3/query_sql", data="[]", timeout=10).status_code == 400


def test_a_token_is_asked_for_as_section_2_says(guarded: str) -> None:
    def ask(path: str, header: str | None = None, **params: str) -> Any:
        headers = {} if header is None else {"Authorization": header}
        return requests.get(guarded + path, headers=headers, params=params, timeout=10)

    databases = "/api/v3/configure/database"
    refused = ask(databases)
    assert refused.status_code == 401
    assert refused.json() == {"error": "the request was not authenticated"}
    assert ask(databases, "Bearer wrong").status_code == 401
    assert ask("/nosuch").status_code == 401
    for header in (
        f"Bearer {TOKEN}",
        f"Token {TOKEN}",
        "Basic " + base64.b64encode(f"any:{TOKEN}".encode()).decode(),
    ):
        assert ask(databases, header).status_code == 200
    for malformed in ("Bearer", "Digest x", "Basic !!!", "Basic YWJj"):
        assert ask(databases, malformed).status_code == 400
    assert ask("/health").status_code == 200
    assert ask("/ping").status_code == 200
    assert write(guarded, "m f=1 1", "/write", db="db", p=TOKEN).status_code == 204
    assert write(guarded, "m f=1 1", "/write", db="db", p="wrong").status_code == 401
    assert write(guarded, "m f=1 1", "/api/v3/write_lp", db="db", p=TOKEN).status_code == 401
    v2 = write(guarded, "m f=1 1", "/api/v2/write", bucket="db")
    assert (v2.status_code, v2.json()["code"]) == (401, "unauthorized")


def test_a_taken_port_is_named(url: str, tmp_path: Path) -> None:
    port = int(url.rpartition(":")[2])
    with pytest.raises(PortTaken, match=f"another program listens on 127.0.0.1:{port}"):
        EmbeddedInfluxDB(tmp_path / "second", port=port)
    EmbeddedInfluxDB(tmp_path / "second").stop()
