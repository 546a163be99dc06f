"""The base client with a compose and an engine that only write down what they are asked."""

import socket
from collections.abc import Mapping, Sequence
from typing import Any, cast

import pytest
import requests
import requests_mock

from infrastructure.clients.grafana_client import BaseGrafanaClient
from infrastructure.clock import VirtualClock
from infrastructure.config import Secret
from infrastructure.errors import (
    CredentialsRejected,
    FileLimitExceeded,
    ForeignService,
    MissingService,
    NetworkError,
    PortTaken,
    QueryError,
    RequestRejected,
    ServiceUnavailable,
    StackError,
    UsageError,
)
from infrastructure.grafana.api import Outcome, content_hash, frame_rows
from infrastructure.grafana.compose import ComposeProject, ServiceState
from infrastructure.grafana.engine import ContainerState, DockerEngine, EngineInfo
from infrastructure.grafana.http import GrafanaHttp
from infrastructure.logging import redact

URL = "http://127.0.0.1:1"
HEALTHY = {"database": "ok", "version": "12.4.0", "commit": "abc"}


def state(service: str, status: str = "running", restarts: int = 0) -> ContainerState:
    return ContainerState(f"algo-{service}-1", service, "grafana:1", status, None, restarts, 1)


class FakeEngine:
    def __init__(self, *states: ContainerState) -> None:
        self.states = {state.service: state for state in states}
        self.removed: list[str] = []
        self.missing: StackError | None = None

    def info(self) -> EngineInfo:
        if self.missing is not None:
            raise self.missing
        return EngineInfo("28", "Debian", False)

    def container(self, service: str) -> ContainerState | None:
        return self.states.get(service)

    def remove(self, service: str) -> bool:
        self.removed.append(service)
        return self.states.pop(service, None) is not None

    def logs(self, service: str, tail: int) -> str:
        return "one\ntwo\n"


class FakeCompose:
    name = "algo-trader"

    def __init__(self, engine: FakeEngine) -> None:
        self.engine = engine
        self.calls: list[tuple[Any, ...]] = []
        self.failure: StackError | None = None
        self.left: list[ServiceState] = []

    def up(
        self,
        services: Sequence[str],
        environment: Mapping[str, str] | None = None,
        *,
        dependencies: bool = True,
    ) -> None:
        self.calls.append(("up", *services, environment, dependencies))
        status = "created" if self.failure else "running"
        for service in services:
            self.engine.states.setdefault(service, state(service, status))
        if self.failure is not None:
            raise self.failure

    def remove(self, services: Sequence[str]) -> None:
        self.calls.append(("remove", *services))
        for service in services:
            self.engine.states.pop(service, None)

    def restart(self, services: Sequence[str]) -> None:
        self.calls.append(("restart", *services))

    def down(self) -> None:
        self.calls.append(("down",))

    def services(self) -> list[ServiceState]:
        return self.left

    def logs(self, services: Sequence[str], tail: int, follow: bool = False) -> str:
        return f"{list(services)} {tail} {follow}"


class Client(BaseGrafanaClient):
    def get_datasources(self) -> list[dict[str, Any]]:
        return []

    def get_dashboards(self) -> list[dict[str, Any]]:
        return [{"uid": "d", "title": "D"}]


def make(
    engine: FakeEngine | None = None, url: str = URL, **words: Any
) -> tuple[Client, FakeCompose, FakeEngine]:
    engine = engine or FakeEngine()
    compose = FakeCompose(engine)
    client = Client(
        url,
        compose=cast(ComposeProject, compose),
        engine=cast(DockerEngine, engine),
        services=("grafana", "grafana-host"),
        clock=VirtualClock(0),
        **words,
    )
    return client, compose, engine


@pytest.fixture
def web() -> Any:
    with requests_mock.Mocker() as web:
        web.get(f"{URL}/api/health", json=HEALTHY)
        yield web


def test_start_passes_the_service_its_variables_and_waits(web: Any) -> None:
    client, compose, _ = make()
    health = client.start_via_compose("grafana-host", {"GRAFANA_PORT": "3000"}, dependencies=False)
    assert health.version == "12.4.0"
    assert compose.calls == [("up", "grafana-host", {"GRAFANA_PORT": "3000"}, False)]


def test_start_removes_a_container_of_another_service_first(web: Any) -> None:
    client, compose, _ = make(FakeEngine(state("grafana")))
    client.start_via_compose("grafana-host")
    assert compose.calls[0] == ("remove", "grafana")


def test_start_without_docker_touches_nothing(web: Any) -> None:
    client, compose, engine = make()
    engine.missing = MissingService("there is none")
    with pytest.raises(MissingService):
        client.start_via_compose()
    assert compose.calls == []


def test_a_port_that_another_program_has_is_refused_before_anything_starts() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        client, compose, _ = make(url=f"http://127.0.0.1:{other.getsockname()[1]}")
        with pytest.raises(PortTaken, match=str(other.getsockname()[1])):
            client.start_via_compose()
    assert compose.calls == []


def test_a_port_conflict_leaves_no_created_container(web: Any) -> None:
    client, compose, engine = make()
    compose.failure = PortTaken("another program listens on 127.0.0.1:3000")
    with pytest.raises(PortTaken):
        client.start_via_compose()
    assert engine.removed == ["grafana"]
    assert engine.states == {}


@pytest.mark.parametrize("bad", [state("grafana", "exited"), state("grafana", "running", 2)])
def test_a_container_that_crashes_ends_the_wait_with_its_last_lines(
    web: Any, bad: ContainerState
) -> None:
    client, _, engine = make()
    engine.states["grafana"] = bad
    with pytest.raises(ServiceUnavailable, match=r"ended with code 1: one \| two"):
        client.start_via_compose()


def test_a_container_that_vanishes_ends_the_wait(web: Any) -> None:
    client, compose, _ = make()
    compose.up = lambda *_, **__: None  # type: ignore[method-assign]
    with pytest.raises(ServiceUnavailable, match="is gone"):
        client.start_via_compose()


def test_waiting_ends_with_the_reason_when_it_is_not_ready_in_time(web: Any) -> None:
    web.get(f"{URL}/api/health", status_code=503, json={"database": "failing"})
    client, _, _ = make()
    with pytest.raises(ServiceUnavailable, match="was not ready within 30 s"):
        client.wait_until_ready(30)
    assert client.clock.monotonic_ns() >= 30_000_000_000


def test_waiting_goes_on_until_it_is_ready(web: Any) -> None:
    web.get(
        f"{URL}/api/health",
        [
            {"exc": requests.ConnectionError},
            {"exc": requests.Timeout},
            {"status_code": 200, "json": {"database": "migrating"}},
            {"json": HEALTHY},
        ],
    )
    assert make()[0].wait_until_ready().commit == "abc"


def test_stop_removes_what_is_there_and_the_network_when_nothing_is_left(web: Any) -> None:
    client, compose, _ = make(FakeEngine(state("grafana-host")))
    assert client.stop_via_compose() == ["grafana-host"]
    assert compose.calls == [("remove", "grafana-host"), ("down",)]
    assert client.stop_via_compose() == []


def test_stop_leaves_the_network_to_the_other_services(web: Any) -> None:
    client, compose, _ = make(FakeEngine(state("grafana")))
    compose.left = [ServiceState("influxdb3", "algo-influxdb3-1", "running", "healthy")]
    client.stop_via_compose()
    assert compose.calls == [("remove", "grafana")]


def test_restart_and_logs_take_the_service_that_is_there(web: Any) -> None:
    client, compose, _ = make(FakeEngine(state("grafana-host")))
    client.restart()
    assert compose.calls == [("restart", "grafana-host")]
    assert client.logs(7) == "['grafana-host'] 7 False"


@pytest.mark.parametrize("verb", ["restart", "logs"])
def test_what_was_never_started_cannot_be_restarted_or_read(web: Any, verb: str) -> None:
    with pytest.raises(MissingService, match="was not started"):
        getattr(make()[0], verb)()


def test_status_shows_container_and_health(web: Any) -> None:
    status = make(FakeEngine(state("grafana")))[0].status()
    assert status.running
    assert status.container == state("grafana")


def test_status_says_why_it_does_not_answer(web: Any) -> None:
    web.get(f"{URL}/api/health", text="<html>a router</html>")
    status = make()[0].status()
    assert not status.running
    assert status.container is None
    assert status.problem == f"the server at {URL} is not Grafana"


def test_a_server_of_somebody_else_has_no_compose() -> None:
    client = Client(URL)
    with pytest.raises(UsageError, match="not run by this project"):
        client.stop_via_compose()
    compose = cast(ComposeProject, FakeCompose(FakeEngine()))
    assert Client(URL, compose=compose).engine.project == "algo-trader"


@pytest.mark.parametrize("body", [{"status": "up"}, ["x"]])
def test_json_that_is_not_grafanas_is_a_foreign_service(web: Any, body: Any) -> None:
    web.get(f"{URL}/api/health", json=body)
    with pytest.raises(ForeignService):
        make()[0].health()


@pytest.mark.parametrize(
    ("status", "kind", "said"),
    [
        (401, CredentialsRejected, "refused an anonymous request for GET /api/search: no"),
        (403, CredentialsRejected, "GRAFANA_TOKEN"),
        (404, RequestRejected, "with 404: no"),
        (412, RequestRejected, "with 412: no"),
        (500, ServiceUnavailable, "with 500: no"),
        (503, ServiceUnavailable, "grafana logs"),
    ],
)
def test_each_status_becomes_its_error(
    web: Any, status: int, kind: type[StackError], said: str
) -> None:
    web.get(f"{URL}/api/search", status_code=status, json={"message": "no"})
    with pytest.raises(kind) as caught:
        make()[0].search_dashboards()
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        (requests.Timeout, NetworkError),
        (requests.ConnectionError, ServiceUnavailable),
        (requests.exceptions.ChunkedEncodingError, NetworkError),
    ],
)
def test_each_broken_connection_becomes_its_error(
    web: Any, raised: type[Exception], kind: type[StackError]
) -> None:
    web.get(f"{URL}/api/search", exc=raised)
    with pytest.raises(kind):
        make()[0].search_dashboards()


def test_an_answer_that_is_not_json_is_refused(web: Any) -> None:
    web.get(f"{URL}/api/search", text="hello")
    with pytest.raises(RequestRejected, match="not JSON"):
        make()[0].search_dashboards()
    web.get(f"{URL}/api/search", text="bad gateway", status_code=502)
    with pytest.raises(ServiceUnavailable, match="with 502"):
        make()[0].search_dashboards()


def test_a_token_goes_before_a_password_and_neither_is_shown(web: Any) -> None:
    web.get(f"{URL}/api/search", json=[])
    client, _, _ = make(token=Secret("glsa_x"), password=Secret("pw"))
    client.search_dashboards()
    assert web.last_request.headers["Authorization"] == "Bearer glsa_x"
    only_password, _, _ = make(password=Secret("pw"))
    only_password.search_dashboards()
    assert web.last_request.headers["Authorization"].startswith("Basic ")
    assert "glsa_x" not in repr(client.http)
    web.get(f"{URL}/api/search", status_code=401, json={})
    with pytest.raises(CredentialsRejected, match="the user admin"):
        only_password.search_dashboards()


def test_a_folder_that_appears_meanwhile_is_left_alone(web: Any) -> None:
    web.get(f"{URL}/api/folders/algo", status_code=404, json={})
    web.post(f"{URL}/api/folders", status_code=412, json={"message": "exists"})
    assert make()[0].upsert_folder("algo", "Algo") == Outcome.UNCHANGED


def test_another_datasource_of_the_same_name_is_not_taken_over(web: Any) -> None:
    web.get(f"{URL}/api/datasources/uid/x", status_code=404, json={})
    web.post(f"{URL}/api/datasources", status_code=409, json={"message": "exists"})
    with pytest.raises(ForeignService, match="another datasource named 'X'"):
        make()[0].upsert_datasource({"uid": "x", "name": "X"})


def test_a_datasource_that_appears_meanwhile_is_compared(web: Any) -> None:
    source = {"uid": "x", "name": "X"}
    web.get(f"{URL}/api/datasources/uid/x", [{"status_code": 404, "json": {}}, {"json": source}])
    web.post(f"{URL}/api/datasources", status_code=409, json={"message": "exists"})
    assert make()[0].upsert_datasource(source) == Outcome.UNCHANGED


def test_a_datasource_of_a_file_is_left_alone_and_one_with_a_secret_written_again(
    web: Any,
) -> None:
    source = {"uid": "x", "name": "X", "secureJsonData": {"token": "t"}}
    web.put(f"{URL}/api/datasources/uid/x", json={})
    web.get(f"{URL}/api/datasources/uid/x", json={"uid": "x", "name": "X", "readOnly": True})
    assert make()[0].upsert_datasource(source) == Outcome.UNCHANGED
    web.get(f"{URL}/api/datasources/uid/x", json={"uid": "x", "name": "X"})
    assert make()[0].upsert_datasource(source) == Outcome.UPDATED


def test_a_dashboard_of_a_file_is_left_alone(web: Any) -> None:
    body = {"dashboard": {"uid": "d", "tags": []}, "meta": {"provisioned": True}}
    web.get(f"{URL}/api/dashboards/uid/d", json=body)
    assert make()[0].provision_all() == {"d": Outcome.UNCHANGED}


def test_the_hash_of_a_dashboard_forgets_what_the_server_adds() -> None:
    model = {"uid": "d", "title": "D", "tags": ["a"]}
    stored = {**model, "id": 7, "version": 3, "tags": ["a", "content:123"]}
    assert content_hash(model) == content_hash(stored)
    assert content_hash(model) != content_hash({**model, "title": "E"})


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        ({"results": {"A": {"error": "would scan 500 Parquet files, exceeding the file limit"}}},
         FileLimitExceeded, "--query-file-limit"),
        ({"results": {"A": {"error": "flightsql: no"}}}, QueryError, "flightsql: no"),
        ({"message": "no queries found"}, QueryError, "no queries found"),
        (["x"], QueryError, "refused the query with 400"),
    ],
)  # fmt: skip
def test_each_refusal_of_a_query_becomes_its_error(
    web: Any, answer: Any, kind: type[StackError], said: str
) -> None:
    web.post(f"{URL}/api/ds/query", json=answer, status_code=400)
    with pytest.raises(kind) as caught:
        make()[0].query_rows("SELECT 1", "x")
    assert said in str(caught.value)


def test_a_query_asks_for_whole_milliseconds_around_the_range(web: Any) -> None:
    web.post(f"{URL}/api/ds/query", json={"results": {"A": {"frames": []}}})
    assert make()[0].query_rows("SELECT 1", "x", from_ns=1_999_999, to_ns=2_000_001) == []
    sent = web.last_request.json()
    assert (sent["from"], sent["to"]) == ("1", "3")


def test_times_of_frames_are_exact_nanoseconds() -> None:
    frame = {
        "schema": {"fields": [{"name": "time", "type": "time"}, {"name": "n", "type": "number"}]},
        "data": {"values": [[1_700_000_000_001, None], [1, 2]], "nanos": [[5, 0], None]},
    }
    assert frame_rows(frame) == [
        {"time": 1_700_000_000_001_000_005, "n": 1},
        {"time": None, "n": 2},
    ]


def test_a_datasource_without_an_answer_of_its_own_is_unhealthy(web: Any) -> None:
    web.get(f"{URL}/api/datasources/uid/x/health", status_code=502, text="bad gateway")
    with pytest.raises(ServiceUnavailable, match="the datasource x: 502"):
        make()[0].datasource_health("x")


@pytest.mark.parametrize("name", ["token", "password"])
def test_token_and_password_are_masked_in_every_text_once_a_client_has_them(name: str) -> None:
    GrafanaHttp(URL, **cast(Any, {name: Secret(f"glsa_neverShown_{name}")}))
    assert "neverShown" not in redact(f"the header was glsa_neverShown_{name}")
