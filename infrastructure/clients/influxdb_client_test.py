"""The base client's failures, against answers that no healthy server gives."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any, cast

import pyarrow as pa
import pyarrow.flight as flight
import pytest
import requests
import requests_mock
from influxdb_client_3.exceptions.exceptions import InfluxDB3ClientQueryError, InfluxDBError
from influxdb_client_3.write_client.write_exceptions import ApiException
from urllib3.exceptions import ProtocolError, ReadTimeoutError

from infrastructure.clients.influxdb_client import BaseInfluxDBClient, WriteReport
from infrastructure.clock import VirtualClock
from infrastructure.config import Secret
from infrastructure.errors import (
    ConfigError,
    CredentialsRejected,
    DiskFull,
    FileLimitExceeded,
    ForeignService,
    InputError,
    LineError,
    QueryError,
    RateLimited,
    ServiceUnavailable,
    StackError,
    WriteRejected,
)
from infrastructure.influxdb.schema import Column, TableSchema
from infrastructure.logging import redact

URL = "http://influx.test:8181"
DATABASES = f"{URL}/api/v3/configure/database"
TICKS = TableSchema("ticks", (Column("symbol", "tag"),), (Column("price", "float"),))


class Answer:
    """An HTTP answer as influxdb3-python's errors carry it."""

    def __init__(self, status: int, data: str, retry_after: str | None = None) -> None:
        self.status = status
        self.reason = "reason"
        self.data = data
        self._headers = {} if retry_after is None else {"Retry-After": retry_after}

    def getheader(self, name: str, default: str | None = None) -> str | None:
        return self._headers.get(name, default)

    def getheaders(self) -> dict[str, str]:
        return self._headers


class Transport:
    """Stands where influxdb3-python stands; each call takes the next outcome."""

    def __init__(self, *outcomes: Any) -> None:
        self.outcomes = list(outcomes)
        self.calls: list[tuple[Any, dict[str, Any]]] = []
        self.closed = False

    def write(self, record: bytes, **options: Any) -> None:
        self._next(record, options)

    def query(self, sql: str, **options: Any) -> Any:
        return self._next(sql, options)

    def close(self) -> None:
        self.closed = True

    def _next(self, what: Any, options: dict[str, Any]) -> Any:
        self.calls.append((what, options))
        outcome = self.outcomes.pop(0) if self.outcomes else None
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome


def http_error(status: int, body: str = "", retry_after: str | None = None) -> Exception:
    error: Callable[..., Exception] = ApiException
    return error(http_resp=Answer(status, body, retry_after))


def no_v3_error() -> Exception:
    """Return what influxdb3-python makes of a 405."""
    make: Callable[..., Any] = ApiException
    error = make(status=0)
    error.message = "Server doesn't support the V3 API endpoint (/api/v3/write_lp)."
    return cast(Exception, error)


def query_error(cause: Exception) -> Exception:
    """Return what influxdb3-python raises for an error of Flight."""
    try:
        try:
            raise cause
        except type(cause):
            wrapped: Callable[..., Exception] = InfluxDB3ClientQueryError
            raise wrapped(f"Error while executing query: {cause}") from None
    except InfluxDB3ClientQueryError as error:
        return error


@pytest.fixture
def http() -> Iterator[requests_mock.Mocker]:
    with requests_mock.Mocker() as mocker:
        mocker.get(DATABASES, json=[{"iox::database": "db"}])
        yield mocker


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(0)


def client_with(clock: VirtualClock, *outcomes: Any, **options: Any) -> BaseInfluxDBClient:
    client = BaseInfluxDBClient(URL, "db", clock=clock, in_flight=1, **options)
    client._transport = Transport(*outcomes)
    return client


def waited_s(clock: VirtualClock) -> float:
    return clock.monotonic_ns() / 1e9


@pytest.mark.parametrize(
    ("outcome", "kind", "message"),
    [
        (http_error(401, '{"error": "no"}'), CredentialsRejected, "refuses the token: no"),
        (http_error(403, "x"), CredentialsRejected, "INFLUXDB3_AUTH_TOKEN"),
        (http_error(404, '{"error": "gone"}'), InputError, "refuses the request: gone"),
        (http_error(405, ""), ForeignService, "does not know this call: status 405"),
        (http_error(400, "plain"), WriteRejected, "plain"),
        (http_error(413, '{"error": "too large"}'), WriteRejected, "too large"),
        (http_error(422, '{"error": "column limit"}'), WriteRejected, "column limit"),
        (http_error(507, '{"error": "no space"}'), DiskFull, "no space left: no space"),
        (
            no_v3_error(),
            ForeignService,
            "has no /api/v3/write_lp",
        ),
    ],
)
def test_a_failure_that_stays_is_raised_at_once(
    http: requests_mock.Mocker,
    clock: VirtualClock,
    outcome: Exception,
    kind: type[StackError],
    message: str,
) -> None:
    client = client_with(clock, outcome)
    with pytest.raises(kind, match=message):
        client.write_lines(b"ticks price=1 1\n")
    assert len(client._transport.calls) == 1
    assert waited_s(clock) == 0


@pytest.mark.parametrize(
    ("outcome", "message"),
    [
        (http_error(500, '{"error": "broken"}'), "failed: broken"),
        (http_error(503, ""), "failed: status 503"),
        (ProtocolError("Connection aborted."), "does not answer"),
        (ReadTimeoutError(None, "/", "Read timed out."), r"does not answer \(timed out\)"),  # type: ignore[arg-type]
        (ConnectionRefusedError("Connection refused"), r"does not answer \(connection refused\)"),
        (InfluxDBError(message="no response"), "does not answer"),
    ],
)
def test_an_outage_is_waited_for_so_often_and_no_longer(
    http: requests_mock.Mocker, clock: VirtualClock, outcome: Exception, message: str
) -> None:
    client = client_with(clock, outcome, outcome, outcome, attempts=3)
    with pytest.raises(ServiceUnavailable, match=message):
        client.write_lines(b"ticks price=1 1\n")
    assert len(client._transport.calls) == 3
    assert waited_s(clock) == pytest.approx(0.2 + 0.4)


def test_a_write_goes_on_after_an_outage_and_counts_its_requests(
    http: requests_mock.Mocker, clock: VirtualClock
) -> None:
    client = client_with(clock, http_error(503), http_error(429, "", "3"), None)
    report = client.write_lines(b"ticks price=1 1\nticks price=2 2")
    assert report == WriteReport(rows=2, bytes=31, requests=3)
    assert waited_s(clock) == pytest.approx(0.2 + 3)


def test_too_many_requests_carry_the_servers_wait(
    http: requests_mock.Mocker, clock: VirtualClock
) -> None:
    for header, seconds in (("2.5", 2.5), ("later", None), (None, None)):
        client = client_with(clock, http_error(429, "slow", header), attempts=1)
        with pytest.raises(RateLimited, match="too many requests: slow") as caught:
            client.write_lines(b"ticks price=1 1\n")
        assert caught.value.retry_after_s == seconds


def partial(*numbers: int) -> Exception:
    entries = ",".join(
        f'{{"error_message": "bad", "line_number": {number}, "original_line": "x"}}'
        for number in numbers
    )
    text = f'{{"error": "partial write of line protocol occurred", "data": [{entries}]}}'
    return http_error(400, text)


def test_refused_lines_are_counted_over_all_blocks_and_the_rest_is_sent(
    http: requests_mock.Mocker, clock: VirtualClock
) -> None:
    client = client_with(clock, partial(2), None, partial(1))
    blocks = [b"a f=1 1\nbad\n", b"a f=2 2", b"bad\na f=3 3\n"]
    with pytest.raises(WriteRejected, match="refused 2 lines and stored 3") as caught:
        client.write_lines(blocks)
    assert caught.value.line_errors == (LineError(2, "bad", "x"), LineError(4, "bad", "x"))
    assert caught.value.context["stored"] == 3


def test_a_block_that_may_not_be_partial_stores_nothing_when_refused(
    http: requests_mock.Mocker, clock: VirtualClock
) -> None:
    body = '{"error": "line protocol parsing error", "data": {"error_message": "bad"}}'
    client = client_with(clock, http_error(400, body))
    with pytest.raises(WriteRejected, match="stored 0"):
        client.write_lines(b"a f=1 1\nbad", accept_partial=False)
    assert client._transport.calls[0][1] == {"no_sync": False, "accept_partial": False}


def test_a_failure_in_one_block_stops_the_ones_behind_it(
    http: requests_mock.Mocker, clock: VirtualClock
) -> None:
    client = client_with(clock, http_error(401))
    taken = []

    def blocks() -> Iterator[bytes]:
        for number in range(10):
            taken.append(number)
            yield b"a f=1 1\n"

    with pytest.raises(CredentialsRejected):
        client.write_lines(blocks())
    assert len(taken) == 2


def test_no_more_blocks_are_taken_than_may_be_under_way(http: requests_mock.Mocker) -> None:
    gate, taken, sent = threading.Event(), [], []

    class Slow(Transport):
        def write(self, record: bytes, **options: Any) -> None:
            gate.wait(10)
            sent.append(record)

    def blocks() -> Iterator[bytes]:
        for number in range(6):
            taken.append(number)
            if number == 2:
                threading.Timer(0.05, gate.set).start()
            assert len(taken) <= len(sent) + 3
            yield b"a f=1 1\n"

    client = BaseInfluxDBClient(URL, "db", in_flight=2)
    client._transport = Slow()
    assert client.write_lines(blocks()).requests == 6


def test_empty_blocks_are_not_sent_and_huge_ones_are_refused(
    http: requests_mock.Mocker, clock: VirtualClock
) -> None:
    client = client_with(clock)
    assert client.write_lines([b"", b"\n\n"]) == WriteReport(0, 0, 0)
    with pytest.raises(InputError, match="a block has 10485761 bytes"):
        client.write_lines(b"x" * (10 * 1024 * 1024 + 1))
    assert client._transport.calls == []


def test_strings_with_newlines_count_as_one_line(
    http: requests_mock.Mocker, clock: VirtualClock
) -> None:
    assert client_with(clock).write_lines(b'a s="x\ny" 1\na f=1 2\n').rows == 2


def test_columns_are_checked_before_anything_is_sent(
    http: requests_mock.Mocker, clock: VirtualClock
) -> None:
    client = client_with(clock)
    with pytest.raises(InputError, match="no column 'size'"):
        client.write_columns(TICKS, pa.table({"symbol": ["A"], "size": [1], "time": [1]}))
    assert client._transport.calls == []


def test_a_write_never_makes_a_database(http: requests_mock.Mocker, clock: VirtualClock) -> None:
    client = client_with(clock)
    client.database = "typo"
    with pytest.raises(InputError, match="has no database 'typo'"):
        client.write_lines(b"a f=1 1")
    assert client._transport.calls == []
    http.get(DATABASES, status_code=403)
    assert client.write_lines(b"a f=1 1").rows == 1


@pytest.mark.parametrize(
    ("cause", "kind", "message"),
    [
        (flight.FlightUnauthenticatedError("no"), CredentialsRejected, "refuses the token: no"),
        (flight.FlightUnauthorizedError("no"), CredentialsRejected, "refuses the token"),
        (pa.ArrowKeyError("database not found: db"), QueryError, "has no database 'db'"),
        (flight.FlightServerError("Database Not Found: db"), QueryError, "has no database"),
        (pa.ArrowInvalid("SQL error: x. Detail: Python"), QueryError, "refuses the query: SQL err"),
        (
            pa.ArrowInvalid("Query would scan 512 Parquet files, exceeding the file limit"),
            FileLimitExceeded,
            "spans 512 Parquet files, .* Read this span from the Parquet archive",
        ),
    ],
)
def test_a_refused_query_says_why_and_is_not_sent_again(
    clock: VirtualClock, cause: Exception, kind: type[StackError], message: str
) -> None:
    client = client_with(clock, query_error(cause))
    with pytest.raises(kind, match=message) as caught:
        client.query("SELECT 1")
    assert len(client._transport.calls) == 1
    if isinstance(caught.value, FileLimitExceeded):
        assert caught.value.context["files"] == 512


@pytest.mark.parametrize(
    "cause",
    [
        flight.FlightUnavailableError("failed to connect: Connection refused"),
        flight.FlightTimedOutError("Deadline Exceeded"),
        flight.FlightCancelledError("stream cancelled"),
    ],
)
def test_a_query_waits_for_an_outage_too(clock: VirtualClock, cause: Exception) -> None:
    client = client_with(clock, query_error(cause), pa.table({"n": [1]}))
    assert client.query_rows("SELECT 1 AS n") == [{"n": 1}]
    failing = client_with(clock, query_error(cause), attempts=1)
    with pytest.raises(ServiceUnavailable, match="does not answer"):
        failing.query("SELECT 1")


def test_an_error_in_the_middle_of_a_stream_is_of_the_tree_too(clock: VirtualClock) -> None:
    client = client_with(clock, pa.ArrowInvalid("broken"))
    with pytest.raises(QueryError, match="broken"):
        client.query("SELECT 1")


def test_results_come_in_plain_types(clock: VirtualClock) -> None:
    table = pa.table(
        {
            "tag": pa.array(["x"]).dictionary_encode(),
            "text": pa.array(["y"], pa.large_string()),
            "time": pa.array([1_700_000_000], pa.timestamp("s", "UTC")),
        }
    )
    client = client_with(clock, table, table, table)
    plain = client.query("SELECT 1").schema
    assert [column.type for column in plain] == [pa.string(), pa.string(), pa.timestamp("ns")]
    (row,) = client.query_rows("SELECT 1")
    assert row == {"tag": "x", "text": "y", "time": 1_700_000_000_000_000_000}
    assert client.query_pandas("SELECT 1")["tag"].tolist() == ["x"]


def test_parameters_must_be_plain_values(clock: VirtualClock) -> None:
    client = client_with(clock)
    with pytest.raises(InputError, match="the parameter days is a list"):
        client.query("SELECT $days", {"days": [1]})  # type: ignore[dict-item]


def test_a_server_that_is_no_influxdb_is_foreign(
    http: requests_mock.Mocker, clock: VirtualClock
) -> None:
    client = client_with(clock)
    for body in ("<html>", "[]", '{"product_name": "x"}'):
        http.get(f"{URL}/ping", text=body)
        with pytest.raises(ForeignService, match="is no InfluxDB 3"):
            client.ping()
    http.get(DATABASES, text="[1]")
    with pytest.raises(ForeignService, match="not InfluxDB 3's"):
        client.list_databases()


def test_health_is_a_question_with_one_answer(
    http: requests_mock.Mocker, clock: VirtualClock
) -> None:
    client = client_with(clock)
    http.get(f"{URL}/health", [{"text": "OK"}, {"status_code": 500}, {"exc": requests.Timeout}])
    assert [client.health() for _ in range(3)] == [True, False, False]
    assert waited_s(clock) == 0


def test_http_failures_are_of_the_tree_and_outages_are_waited_for(
    http: requests_mock.Mocker, clock: VirtualClock
) -> None:
    client = client_with(clock)
    http.post(DATABASES, [{"exc": requests.ConnectionError}, {"status_code": 200}])
    assert client.create_database()
    assert waited_s(clock) == pytest.approx(0.2)
    http.post(DATABASES, status_code=409)
    assert not client.create_database("other")
    http.post(DATABASES, status_code=400, json={"error": "bad name"})
    with pytest.raises(InputError, match="bad name"):
        client.create_database("b d")
    http.delete(DATABASES, status_code=401)
    with pytest.raises(CredentialsRejected):
        client.drop_database("db")


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("influx:8181", "expected http://host:port"),
        ("ftp://influx", "expected http://host:port"),
        ("http://", "expected http://host:port"),
        ("http://influx/path", "expected http://host:port"),
        ("http://influx:port", "malformed"),
        ("http://name:pass@influx:8181", "holds a name or password"),
    ],
)
def test_a_url_of_no_server_is_refused(url: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        BaseInfluxDBClient(url, "db")


@pytest.mark.parametrize(
    ("url", "full"),
    [
        ("http://influx", "http://influx:80"),
        ("https://influx/", "https://influx:443"),
        ("http://[::1]:8181", "http://[::1]:8181"),
        ("http://localhost:8181", "http://localhost:8181"),
    ],
)
def test_a_url_always_names_its_port(url: str, full: str) -> None:
    with BaseInfluxDBClient(url, "db") as client:
        assert client.url == full


def test_no_secret_is_shown_and_closing_closes_all(clock: VirtualClock) -> None:
    client = client_with(clock, token=Secret("a-token"))
    transport = client._transport
    assert "a-token" not in repr(client)
    assert repr(client) == "BaseInfluxDBClient('http://influx.test:8181', 'db')"
    client.close()
    client.close()
    assert transport.closed


def test_the_token_is_masked_in_every_text_once_a_client_has_it() -> None:
    BaseInfluxDBClient(URL, "d", token=Secret("apiv3_neverShown")).close()
    assert "neverShown" not in redact("the header was apiv3_neverShown")


def test_lines_refused_before_a_failure_are_told_with_it(
    http: requests_mock.Mocker, clock: VirtualClock, caplog: pytest.LogCaptureFixture
) -> None:
    refused = (
        '{"error":"partial write of line protocol occurred","data":'
        '[{"error_message":"bad type","line_number":2,"original_line":"b"}]}'
    )
    client = client_with(clock, http_error(400, refused), http_error(503), attempts=1)
    with caplog.at_level("WARNING", "algo_trader"), pytest.raises(ServiceUnavailable) as caught:
        client.write_lines([b"t a=1 1\nb\nt a=2 2\n", b"t a=3 3\n"])
    assert caught.value.context == {"stored_at_least": 2, "refused": 1}
    assert "InfluxDB refused line 2: bad type" in caplog.text
