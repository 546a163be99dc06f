"""The contract between our client and Grafana's HTTP API, over HTTP and Flight SQL.

Without further words it runs against the stand-in, which is our reading of that API, over the
embedded InfluxDB. Against a real Grafana it runs by

    GRAFANA_URL=http://localhost:3000 GRAFANA_TOKEN=glsa_... \\
    GRAFANA_STORE_URL=http://influxdb3:8181 pytest <this file>

with a token of the role Admin, and the URL of an empty InfluxDB 3 as Grafana reaches it. It
leaves nothing behind but an empty folder. Versions of Grafana that it was seen with: none yet.
"""

import os
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from infrastructure.clients.grafana_client import BaseGrafanaClient
from infrastructure.config import Secret
from infrastructure.errors import (
    CredentialsRejected,
    ForeignService,
    QueryError,
    RequestRejected,
    ServiceUnavailable,
)
from infrastructure.grafana.api import MANAGED_TAG, Outcome
from infrastructure.influxdb.embedded.server import EmbeddedInfluxDB
from infrastructure.simulators.grafana.server import ServerSettings, StandInGrafana

MARK = f"at-{secrets.token_hex(4)}"
DATABASE = "contract"
NS_PER_MINUTE = 60_000_000_000


@dataclass(frozen=True)
class Place:
    """A Grafana, its store as Grafana reaches it, and as this test reaches it."""

    url: str
    token: str
    store_url: str
    own_store_url: str


class Client(BaseGrafanaClient):
    """A client with one datasource and one dashboard."""

    folder_uid = MARK
    folder_title = f"Contract {MARK}"
    store_url = ""

    def get_datasources(self) -> list[dict[str, Any]]:
        return [datasource(self.store_url)]

    def get_dashboards(self) -> list[dict[str, Any]]:
        return [dashboard()]


def datasource(url: str) -> dict[str, Any]:
    return {
        "uid": MARK,
        "name": MARK,
        "type": "influxdb",
        "access": "proxy",
        "url": url,
        "jsonData": {
            "version": "SQL", "dbName": DATABASE, "httpMode": "POST", "insecureGrpc": True,
        },
    }  # fmt: skip


def dashboard(title: str = f"Contract {MARK}") -> dict[str, Any]:
    return {"uid": MARK, "title": title, "schemaVersion": 39, "tags": ["x"], "panels": []}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    url, token = os.environ.get("GRAFANA_URL"), os.environ.get("GRAFANA_TOKEN")
    with EmbeddedInfluxDB(tmp_path_factory.mktemp("store")) as store:
        if url and token:
            outside = os.environ.get("GRAFANA_STORE_URL", store.url)
            yield Place(url, token, outside, os.environ.get("GRAFANA_STORE_SEEN_URL", outside))
            return
        with StandInGrafana(ServerSettings(admin_password="contract")) as server:
            server.state.tokens["glsa_contract"] = "Admin"
            yield Place(server.url, "glsa_contract", store.url, store.url)


@pytest.fixture
def client(place: Place) -> Iterator[Client]:
    client = Client(place.url, token=Secret(place.token))
    client.store_url = place.store_url
    yield client
    client.delete_dashboard(MARK)
    client.http.send("DELETE", f"/api/datasources/uid/{MARK}", passed=(404,))


@pytest.fixture(scope="module")
def filled(place: Place) -> str:
    """Write three rows a minute apart and return the time of the last one, ns, as text."""
    end = time.time_ns() // NS_PER_MINUTE * NS_PER_MINUTE
    lines = [
        f'bars,symbol=A close={index},kind="k" {end - (2 - index) * NS_PER_MINUTE}'
        for index in range(3)
    ]
    requests.post(
        f"{place.own_store_url}/api/v3/write_lp",
        params={"db": DATABASE, "precision": "nanosecond"},
        data="\n".join(lines).encode(),
        timeout=30,
    ).raise_for_status()
    return str(end)


def test_the_server_is_ready_and_names_its_version(client: Client) -> None:
    assert client.wait_until_ready(10).version


def test_provisioning_twice_changes_nothing_the_second_time(client: Client) -> None:
    first = client.provision_all()
    assert first == {MARK: Outcome.CREATED}
    assert set(client.provision_all().values()) == {Outcome.UNCHANGED}
    stored = client.get_dashboard(MARK)
    assert stored is not None
    assert stored["meta"]["folderUid"] == MARK
    assert MANAGED_TAG in stored["dashboard"]["tags"]
    assert [found["uid"] for found in client.search_dashboards() if found["uid"] == MARK] == [MARK]


def test_a_changed_dashboard_and_a_changed_datasource_are_updated(client: Client) -> None:
    client.provision_all()
    assert client.upsert_dashboard(dashboard("Changed"), MARK) == Outcome.UPDATED
    stored = client.get_dashboard(MARK)
    assert stored is not None
    assert stored["dashboard"]["title"] == "Changed"
    changed = datasource(client.store_url)
    changed["jsonData"]["maxSeries"] = 5
    assert client.upsert_datasource(changed) == Outcome.UPDATED
    assert client.upsert_datasource(changed) == Outcome.UNCHANGED


def test_a_dashboard_of_somebody_else_is_neither_replaced_nor_deleted(client: Client) -> None:
    body = {"dashboard": {**dashboard(), "id": None}, "overwrite": True}
    client.http.send("POST", "/api/dashboards/db", body)
    with pytest.raises(ForeignService, match="did not make"):
        client.upsert_dashboard(dashboard("Ours"))
    with pytest.raises(ForeignService):
        client.delete_dashboard(MARK)
    client.http.send("DELETE", f"/api/dashboards/uid/{MARK}")


def test_an_absent_dashboard_is_none_and_deleting_it_says_so(client: Client) -> None:
    assert client.get_dashboard(f"{MARK}-none") is None
    assert client.delete_dashboard(f"{MARK}-none") is False


def test_a_dashboard_without_a_title_is_refused(client: Client) -> None:
    with pytest.raises(RequestRejected) as caught:
        client.upsert_dashboard({"uid": MARK, "title": "", "panels": []})
    assert caught.value.status == 400


def test_the_datasource_is_healthy_and_answers_queries(client: Client, filled: str) -> None:
    client.provision_datasources()
    assert client.datasource_health(MARK) == "OK"
    end = int(filled)
    rows = client.query_rows(
        "SELECT time, close, symbol FROM bars WHERE $__timeFilter(time) ORDER BY time",
        MARK,
        from_ns=end - NS_PER_MINUTE,
        to_ns=end,
    )
    assert rows == [
        {"time": end - NS_PER_MINUTE, "close": 1.0, "symbol": "A"},
        {"time": end, "close": 2.0, "symbol": "A"},
    ]
    binned = client.query_rows(
        "SELECT $__dateBin(time) AS time, count(*) AS n FROM bars WHERE $__timeFilter(time)"
        " GROUP BY 1 ORDER BY 1",
        MARK,
        from_ns=end - 2 * NS_PER_MINUTE,
        to_ns=end,
        interval_ms=60_000,
    )
    assert [row["n"] for row in binned] == [1, 1, 1]


def test_no_rows_are_an_empty_list(client: Client, filled: str) -> None:
    client.provision_datasources()
    assert client.query_rows("SELECT close FROM bars WHERE symbol = 'none'", MARK) == []


def test_a_refused_query_says_why(client: Client, filled: str) -> None:
    client.provision_datasources()
    with pytest.raises(QueryError, match="nowhere"):
        client.query_rows("SELECT * FROM nowhere", MARK)


def test_a_datasource_whose_store_is_down_is_unhealthy(client: Client) -> None:
    client.upsert_datasource(datasource("http://127.0.0.1:1"))
    with pytest.raises(ServiceUnavailable, match="cannot use the datasource"):
        client.datasource_health(MARK)


def test_an_unknown_datasource_is_unhealthy(client: Client) -> None:
    with pytest.raises(ServiceUnavailable, match=f"{MARK}-none"):
        client.datasource_health(f"{MARK}-none")


def test_a_wrong_token_is_rejected(place: Place) -> None:
    with pytest.raises(CredentialsRejected, match="refused the token"):
        Client(place.url, token=Secret("glsa_wrong")).search_dashboards()
