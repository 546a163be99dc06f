"""Our datasources and dashboards go into Grafana by its API, and come out as they went in.

It runs against the stand-in, or against a real, throw-away Grafana by GRAFANA_URL and
GRAFANA_TOKEN (see docs/grafana.md). Versions of Grafana that it was seen with: none yet.
"""

import os
from collections.abc import Iterator

import pytest
import requests

from infrastructure.config import Secret
from infrastructure.grafana.api import Outcome
from infrastructure.influxdb.embedded.server import EmbeddedInfluxDB
from infrastructure.simulators.grafana.server import ServerSettings, StandInGrafana
from system.algo_trader.clients.grafana_client import AlgoTraderGrafanaClient, Store

UIDS = {
    *("algo-influxdb3", "algo-influxdb3-sim"),
    *("algo-gex", "algo-overview", "algo-pipeline", "algo-symbol"),
}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AlgoTraderGrafanaClient]:
    url, token = os.environ.get("GRAFANA_URL"), os.environ.get("GRAFANA_TOKEN")
    with EmbeddedInfluxDB(tmp_path_factory.mktemp("store")) as embedded:
        seen = os.environ.get("GRAFANA_STORE_SEEN_URL", embedded.url)
        store = Store(os.environ.get("GRAFANA_STORE_URL", embedded.url))
        for database in ("algo_trader", "algo_trader_sim"):
            answer = requests.post(
                f"{seen}/api/v3/configure/database", json={"db": database}, timeout=10
            )
            assert answer.status_code in (200, 409)
        if url and token:
            yield AlgoTraderGrafanaClient(url, store=store, token=Secret(token))
            return
        with StandInGrafana(ServerSettings(admin_password="contract")) as server:
            server.state.tokens["glsa_contract"] = "Admin"
            yield AlgoTraderGrafanaClient(server.url, store=store, token=Secret("glsa_contract"))


def test_everything_is_provisioned_once(client: AlgoTraderGrafanaClient) -> None:
    first = client.provision_all()
    assert set(first) == UIDS
    assert set(client.provision_all().values()) == {Outcome.UNCHANGED}


def test_each_dashboard_comes_back_with_its_panels_queries_and_variables(
    client: AlgoTraderGrafanaClient,
) -> None:
    client.provision_all()
    for wanted in client.get_dashboards():
        stored = client.get_dashboard(wanted["uid"])
        assert stored is not None
        model = stored["dashboard"]
        assert stored["meta"]["folderUid"] == "algo"
        assert [panel["title"] for panel in model["panels"]] == [
            panel["title"] for panel in wanted["panels"]
        ]
        assert [panel["targets"] for panel in model["panels"]] == [
            panel["targets"] for panel in wanted["panels"]
        ]
        assert [variable["name"] for variable in model["templating"]["list"]] == [
            variable["name"] for variable in wanted["templating"]["list"]
        ]


def test_both_datasources_are_healthy(client: AlgoTraderGrafanaClient) -> None:
    client.provision_all()
    assert client.check_datasources() == {"algo-influxdb3": "OK", "algo-influxdb3-sim": "OK"}


def test_a_database_without_tables_holds_nothing(client: AlgoTraderGrafanaClient) -> None:
    client.provision_all()
    assert client.stored("sim").bars == 0
