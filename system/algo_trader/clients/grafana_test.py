"""The command line, against the stand-in Grafana and without Docker."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infrastructure.errors import MissingService
from infrastructure.grafana.api import ServerHealth
from infrastructure.grafana.engine import ContainerState
from infrastructure.simulators.grafana.server import ServerSettings, StandInGrafana
from system.algo_trader.clients import grafana
from system.algo_trader.clients.grafana_client import (
    AlgoTraderGrafanaClient,
    Placement,
    Store,
)
from system.algo_trader.settings import load

DASHBOARDS = ["algo-gex", "algo-overview", "algo-pipeline", "algo-symbol"]
STORE = Store("http://127.0.0.1:1")


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "docker-compose.yml").touch()
    return {"ALGO_TRADER_HOME": str(tmp_path), "BUILD_WORKSPACE_DIRECTORY": str(tmp_path)}


@pytest.fixture
def server() -> Iterator[StandInGrafana]:
    with StandInGrafana(ServerSettings(admin_password="pw")) as server:
        server.state.tokens["glsa_x"] = "Admin"
        yield server


@pytest.fixture
def named(server: StandInGrafana, environment: dict[str, str]) -> dict[str, str]:
    return {**environment, "GRAFANA_URL": server.url, "GRAFANA_TOKEN": "glsa_x"}


@pytest.fixture(autouse=True)
def store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "system.algo_trader.clients.grafana_store.keep_store", lambda settings: STORE
    )


def test_a_verb_that_does_not_exist_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert grafana.main(["begin"], {}) == 2
    assert "One of: start, stop, restart, status, logs, provision." in capsys.readouterr().err


def test_help_names_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        grafana.main(["--help"], {})
    assert caught.value.code == 0
    out = capsys.readouterr().out
    assert all(verb in out for verb in grafana.VERBS)


def test_start_of_a_named_grafana_provisions_it(
    named: dict[str, str], server: StandInGrafana, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr(AlgoTraderGrafanaClient, "access_info", lambda self: {"candles": "here"})
    assert grafana.main(["start", "--json"], named) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["grafana"] == f"{server.url} (named by GRAFANA_URL, not run by this project)"
    assert "cannot use" in printed["datasource algo-influxdb3"]
    assert sorted(server.state.dashboards) == DASHBOARDS
    assert sorted(server.state.datasources) == ["algo-influxdb3", "algo-influxdb3-sim"]
    assert server.state.folders["algo"]["title"] == "Algo Trader"


def test_provision_of_a_named_grafana_says_what_it_did(
    named: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert grafana.main(["provision"], named) == 0
    assert capsys.readouterr().out.count("created") == len(DASHBOARDS) + 2
    assert grafana.main(["provision"], named) == 0
    assert capsys.readouterr().out.count("unchanged") == len(DASHBOARDS) + 2


@pytest.mark.parametrize("verb", ["stop", "restart", "logs"])
def test_a_named_grafana_is_not_stopped_or_restarted(
    named: dict[str, str], verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert grafana.main([verb], named) == 2
    assert "is not run by this project" in capsys.readouterr().err


def test_status_of_a_named_grafana_whose_store_is_down(
    named: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    grafana.main(["provision"], named)
    capsys.readouterr()
    assert grafana.main(["status"], named) == 3
    out = capsys.readouterr().out
    assert "running, version" in out
    assert "cannot use the datasource algo-influxdb3" in out


def test_a_wrong_token_is_one_line_as_json(
    named: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert grafana.main(["provision", "--json"], {**named, "GRAFANA_TOKEN": "glsa_no"}) == 2
    error = json.loads(capsys.readouterr().err)
    assert error["error"] == "CredentialsRejected"


def ours(monkeypatch: pytest.MonkeyPatch, **methods: Any) -> None:
    for name, result in methods.items():

        def method(self: Any, *_: Any, result: Any = result, **__: Any) -> Any:
            if isinstance(result, BaseException):
                raise result
            return result

        monkeypatch.setattr(AlgoTraderGrafanaClient, name, method)


def test_start_of_our_own_prints_address_range_and_health(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    ours(
        monkeypatch,
        start=Placement("grafana-host", STORE.url, False),
        check_datasources={"algo-influxdb3": "OK"},
        access_info={"grafana": "x", "candles": "http://localhost:3000/d/algo-symbol"},
    )
    assert grafana.main([], environment) == 0
    lines = dict(line.split("  ", 1) for line in capsys.readouterr().out.splitlines())
    values = {name.strip(): value.strip() for name, value in lines.items()}
    assert values == {
        "grafana": "http://localhost:3000 (service grafana-host of docker-compose.yml)",
        "candles": "http://localhost:3000/d/algo-symbol",
        "datasource algo-influxdb3": "OK",
    }


def test_without_docker_start_ends_with_three(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    ours(monkeypatch, start=MissingService("there is no Docker", next_step="Install it."))
    assert grafana.main(["start"], environment) == 3
    assert capsys.readouterr().err == "error: there is no Docker. Install it.\n"


def test_stop_restart_and_logs_of_our_own(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    ours(
        monkeypatch,
        stop_via_compose=["grafana"],
        restart=ServerHealth("12.4.0", "ok", ""),
        logs="line\n",
    )
    for verb in ("stop", "restart", "logs"):
        assert grafana.main([verb], environment) == 0
    out = capsys.readouterr().out
    assert out == (
        "grafana  stopped\ngrafana  http://localhost:3000 is ready again (12.4.0)\nline\n"
    )
    ours(monkeypatch, stop_via_compose=[])
    grafana.main(["stop"], environment)
    assert "was not running" in capsys.readouterr().out


def test_ctrl_c_while_logs_are_followed_is_no_error(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours(monkeypatch, logs=KeyboardInterrupt())
    assert grafana.main(["logs", "--follow"], environment) == 130


def test_status_of_our_own_shows_the_container(
    server: StandInGrafana, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    container = ContainerState("algo-1", "grafana", "grafana:1", "running", "healthy", 0, 0)

    class Engine:
        def container(self, service: str) -> ContainerState | None:
            return container if service == "grafana" else None

    monkeypatch.setattr(AlgoTraderGrafanaClient, "engine", Engine())
    port = server.url.rpartition(":")[2]
    ours(monkeypatch, check_datasources={"algo-influxdb3": "OK"})
    assert grafana.main(["status"], {**environment, "GRAFANA_PORT": port}) == 0
    out = capsys.readouterr().out
    assert "algo-1: running, healthy (grafana:1)" in out
    assert grafana.main(["status"], {**environment, "GRAFANA_PORT": "1"}) == 3
    assert "not running: Grafana does not answer" in capsys.readouterr().out


def test_provision_of_our_own_reads_the_files_again_as_admin(
    server: StandInGrafana, environment: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    port = server.url.rpartition(":")[2]
    known = {**environment, "GRAFANA_PORT": port, "GRAFANA_ADMIN_PASSWORD": "pw"}
    assert grafana.main(["provision", "--json"], known) == 0
    assert json.loads(capsys.readouterr().out) == {}
    asked = [path for _, path in server.requests if "provisioning" in path]
    assert asked == [
        "/api/admin/provisioning/datasources/reload",
        "/api/admin/provisioning/dashboards/reload",
    ]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, False),
        ({"GRAFANA_URL": "http://localhost:3001"}, False),
        ({"GRAFANA_URL": "http://localhost:3001", "GRAFANA_TOKEN": "glsa_x"}, True),
        ({"GRAFANA_URL": "https://grafana.example.org"}, True),
    ],
)
def test_a_grafana_is_named_by_another_machines_address_or_a_token(
    environment: dict[str, str], changes: dict[str, str], expected: bool
) -> None:
    settings = load({}, environment={**environment, **changes})
    assert grafana.is_named(settings) is expected


def test_the_port_is_that_of_grafana_url_or_of_grafana_port(environment: dict[str, str]) -> None:
    def url(**changes: str) -> str:
        known = {**environment, **changes}
        return grafana.make_client(load({}, environment=known), known).url

    assert url() == "http://localhost:3000"
    assert url(GRAFANA_PORT="3002") == "http://localhost:3002"
    assert url(GRAFANA_URL="http://127.0.0.1:3001", GRAFANA_PORT="3002") == "http://127.0.0.1:3001"
