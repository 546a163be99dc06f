"""Services are named, found, embedded or refused: the choice, without a real server."""

import json
import socket
import socketserver
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from infrastructure.config import Secret
from infrastructure.errors import (
    CredentialsRejected,
    ForeignService,
    InputError,
    MissingService,
    ServiceUnavailable,
    StackError,
    UsageError,
)
from infrastructure.supervision import Endpoint
from system.algo_trader import identification, settings
from system.algo_trader.ownership import Adoption, Ownership
from system.algo_trader.services import Services

NOWHERE = {"redis": "redis://127.0.0.1:9/0", "influxdb": "http://127.0.0.1:9"}


def settings_of(home: Path, **environment: str) -> settings.AppSettings:
    return settings.load(
        environment={"ALGO_TRADER_HOME": str(home), **environment}, workspace=home / "none"
    )


@contextmanager
def ping_server(
    status: int = 200, body: bytes = b"", seen: list[dict[str, str]] | None = None
) -> Iterator[str]:
    """Answer every GET in the same way on a free port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if seen is not None:
                seen.append({"path": self.path, **dict(self.headers)})
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def ping(product: str = "InfluxDB 3 Core", **more: str) -> bytes:
    return json.dumps({"product_name": product, "version": "3.10.1", **more}).encode()


class EmbeddedStandIn:
    """Stands for the supervisor: gives endpoints and remembers what was asked."""

    def __init__(self, directory: Path) -> None:
        self.asked: list[tuple[str, bool]] = []
        self.closed: list[str] = []
        self.secret = directory / "secret"
        directory.mkdir(parents=True, exist_ok=True)
        self.secret.write_text("pass-word\n")

    def ensure(self, spec: Any, keep: bool = False) -> Any:
        self.asked.append((spec.name, keep))
        url = "unix:///run/redis.sock" if spec.name == "redis" else "http://127.0.0.1:5"
        stand_in = self

        class Handle:
            endpoint = Endpoint(url, 1, "t", "p", "1", kept=keep, secret_file=str(self.secret))

            def close(self) -> None:
                stand_in.closed.append(spec.name)

        return Handle()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def services_of(
    home: Path, default_urls: dict[str, str] | None = None, **environment: str
) -> tuple[Services, EmbeddedStandIn]:
    services = Services(
        settings_of(home, **environment), default_urls={**NOWHERE, **(default_urls or {})}
    )
    stand_in = EmbeddedStandIn(home / "stand-in")
    services.supervisor = stand_in  # type: ignore[assignment]
    return services, stand_in


def test_nothing_named_and_nothing_found_means_embedded_once(home: Path) -> None:
    services, stand_in = services_of(home)
    with services:
        assert services.redis_url() == "unix://:pass-word@/run/redis.sock"
        assert services.redis_url() == "unix://:pass-word@/run/redis.sock"
        assert services.influxdb_url() == "http://127.0.0.1:5"
        assert services.influxdb_token() == Secret("pass-word")
        assert services.origin("redis") == "embedded"
    assert stand_in.asked == [("redis", False), ("influxdb", False)]
    assert sorted(stand_in.closed) == ["influxdb", "redis"]


def test_starting_keeps_what_was_only_used(home: Path) -> None:
    services, stand_in = services_of(home)
    services.redis_url()
    services._resolve("redis", keep=True)
    assert stand_in.asked == [("redis", False), ("redis", True)]
    assert stand_in.closed == ["redis"]


def test_a_named_influxdb_is_used_with_its_token(home: Path) -> None:
    seen: list[dict[str, str]] = []
    with ping_server(body=ping(), seen=seen) as url:
        services, stand_in = services_of(
            home, INFLUXDB3_HOST_URL=url, INFLUXDB3_AUTH_TOKEN="apiv3_x"
        )
        assert services.influxdb_url() == url
        assert services.influxdb_token() == Secret("apiv3_x")
        assert services.origin("influxdb") == "named"
        assert [row.state for row in services.status(["influxdb"])] == ["running"]
    assert stand_in.asked == []
    assert seen[0]["path"] == "/ping"
    assert seen[0]["Authorization"] == "Bearer apiv3_x"


@pytest.mark.parametrize(
    ("variable", "url"),
    [
        ("REDIS_URL", "redis://:hunter2@127.0.0.1:9/0"),
        ("INFLUXDB3_HOST_URL", "http://127.0.0.1:9"),
    ],
)
def test_a_named_service_that_is_down_is_refused_by_its_variable_and_not_replaced(
    home: Path, variable: str, url: str
) -> None:
    services, stand_in = services_of(home, None, **{variable: url})
    name = "redis" if variable == "REDIS_URL" else "influxdb"
    with pytest.raises(ServiceUnavailable, match=f"{variable} is set, but") as caught:
        services.redis_url() if name == "redis" else services.influxdb_url()
    assert f"unset {variable}" in str(caught.value)
    (row,) = services.status([name])
    assert (row.origin, row.state) == ("named", "unreachable")
    assert variable in row.note
    assert "hunter2" not in str(caught.value) + str(row)
    assert stand_in.asked == []


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, b"{}", CredentialsRejected),
        (200, b"<html>", ForeignService),
        (200, ping("Prometheus"), ForeignService),
        (200, b"[]", ForeignService),
        (500, ping(), ForeignService),
        (302, b"", ForeignService),
    ],
)
def test_what_is_no_influxdb_is_told(status: int, body: bytes, kind: type[StackError]) -> None:
    with ping_server(status, body) as url, pytest.raises(kind):
        identification.identify_influxdb(url)


def test_why_an_influxdb_does_not_answer_is_said_in_two_words() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(ServiceUnavailable) as silent:
            identification.identify_influxdb(url, timeout_s=0.05)
    assert silent.value.message == f"InfluxDB at {url} does not answer (timed out)"
    with pytest.raises(ServiceUnavailable) as gone:
        identification.identify_influxdb(url)
    assert gone.value.message == f"InfluxDB at {url} does not answer (connection refused)"


def test_a_url_that_is_none_is_an_input_error() -> None:
    with pytest.raises(InputError, match="no URL"):
        identification.identify_influxdb("http://")


def test_an_influxdb_at_the_default_port_is_left_alone_until_it_is_adopted(home: Path) -> None:
    seen: list[dict[str, str]] = []
    with ping_server(body=ping(), seen=seen) as url:
        services, stand_in = services_of(
            home, {"influxdb": url}, INFLUXDB3_AUTH_TOKEN="apiv3_secret"
        )
        assert services.origin("influxdb") == "embedded"
        assert len(services.notices) == 1
        assert "`services start --adopt influxdb` takes it" in services.notices[0]
        assert services.adopt("influxdb").product == "InfluxDB 3 Core"
        assert stand_in.closed == ["influxdb"]
        assert services.influxdb_url() == url
        again, _ = services_of(home, {"influxdb": url})
        assert again.origin("influxdb") == "found"
        assert again.notices == []
    assert all("Authorization" not in request for request in seen)


def test_an_adopted_place_where_another_product_answers_now_is_left_alone(home: Path) -> None:
    with ping_server(body=ping("InfluxDB 3 Enterprise")) as url:
        services, _ = services_of(home, {"influxdb": url})
        services.ownership.adopt("influxdb", Adoption(url, "InfluxDB 3 Core"))
        assert services.origin("influxdb") == "embedded"


def test_our_own_influxdb_at_the_default_port_is_known_by_its_key(home: Path) -> None:
    from infrastructure.influxdb.embedded.identity import ownership_key

    ours = ownership_key(home / "services" / "influxdb")
    for key, origin in ((ours, "found"), ("another", "embedded")):
        with ping_server(body=ping(ownership_key=key)) as url:
            services, _ = services_of(home, {"influxdb": url})
            assert services.origin("influxdb") == origin


def test_something_else_at_the_default_port_is_left_alone_with_one_line(home: Path) -> None:
    with ping_server(404, b"Not found") as url:
        services, stand_in = services_of(home, {"influxdb": url})
        assert services.origin("influxdb") == "embedded"
        assert services.notices == [
            f"something at {url} is left alone, an embedded influxdb is used: what answers at"
            f" {url} is no InfluxDB 3"
        ]
        with pytest.raises(ForeignService):
            services.adopt("influxdb")
    assert stand_in.asked == [("influxdb", False)]


def test_a_port_that_accepts_and_is_silent_is_left_alone(home: Path) -> None:
    with socketserver.TCPServer(("127.0.0.1", 0), socketserver.BaseRequestHandler) as silent:
        port = silent.server_address[1]
        services, _ = services_of(home, {"redis": f"redis://127.0.0.1:{port}/0"})
        assert services.origin("redis") == "embedded"
        assert "is left alone" in services.notices[0]


def test_default_ports_are_not_looked_at_when_switched_off(home: Path) -> None:
    seen: list[dict[str, str]] = []
    with ping_server(body=ping(), seen=seen) as url:
        services, _ = services_of(home, {"influxdb": url}, ALGO_TRADER_PROBE_DEFAULT_PORTS="0")
        assert services.origin("influxdb") == "embedded"
    assert seen == []


def test_nothing_can_be_adopted_where_nothing_listens(home: Path) -> None:
    services, _ = services_of(home)
    with pytest.raises(MissingService, match=r"no redis at redis://127\.0\.0\.1:9/0"):
        services.adopt("redis")


def test_an_unknown_service_is_refused(home: Path) -> None:
    services, _ = services_of(home)
    for call in (services.start, services.stop, services.status):
        with pytest.raises(UsageError, match="no service 'mysql', expected redis or influxdb"):
            call(["mysql"])
    with pytest.raises(UsageError):
        services.adopt("mysql")


def test_the_owner_id_is_made_once_and_private(home: Path) -> None:
    ownership = Ownership(home / "services")
    first = ownership.owner_id()
    assert len(first) == 32
    assert Ownership(home / "services").owner_id() == first
    assert stat.S_IMODE((home / "services" / "owner.id").stat().st_mode) == 0o600
    assert Ownership(home / "other").owner_id() != first


def test_an_adoption_can_be_taken_back(home: Path) -> None:
    ownership = Ownership(home)
    assert not ownership.forget("redis")
    ownership.adopt("redis", Adoption("redis://h", "m"))
    ownership.adopt("influxdb", Adoption("http://h", "n"))
    assert ownership.adoption("redis") == Adoption("redis://h", "m")
    assert ownership.forget("redis")
    assert ownership.adoption("redis") is None
    assert ownership.adoption("influxdb") == Adoption("http://h", "n")
    (home / "adopted.json").write_text('{"redis": 1}')
    assert ownership.adoption("redis") is None
