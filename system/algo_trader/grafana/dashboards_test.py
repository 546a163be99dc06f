"""The dashboards by our linter, and the files beside them against what the code declares."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from infrastructure.grafana.lint import lint, panels_of
from infrastructure.influxdb.schema import TableSchema
from system.algo_trader.clients.grafana_client import (
    INFLUXDB_SERVICE,
    PASSWORD_FILE,
    SERVICES,
    AlgoTraderGrafanaClient,
)
from system.algo_trader.grafana.dashboards import FOLDER, load_dashboards
from system.algo_trader.storage.tables import TABLES

ROOT = FOLDER.parents[2]
COLUMNS = {
    table.name: frozenset(column.name for column in (*table.tags, *table.fields))
    for table in TABLES
}
CLI_TYPES = {"float": "float64", "integer": "int64", "string": "utf8", "boolean": "bool"}
DASHBOARDS = {model["uid"]: model for model in load_dashboards()}


def compose() -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8")))


def provisioned_datasources() -> list[dict[str, Any]]:
    text = (FOLDER / "provisioning" / "datasources" / "algo.yaml").read_text(encoding="utf-8")
    return list(yaml.safe_load(text)["datasources"])


def test_every_dashboard_passes_the_linter() -> None:
    uids = frozenset(source["uid"] for source in provisioned_datasources())
    assert [str(finding) for finding in lint(load_dashboards(), COLUMNS, uids)] == []


def test_a_files_name_is_its_dashboards_uid() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.json")) == sorted(DASHBOARDS)


def test_the_provisioning_file_says_what_the_client_declares() -> None:
    declared = AlgoTraderGrafanaClient("http://x").get_datasources()
    files = provisioned_datasources()
    for source in files:
        assert source.pop("url") == "$ALGO_TRADER_INFLUXDB_URL"
        assert source.pop("secureJsonData") == {"token": "$ALGO_TRADER_INFLUXDB_TOKEN"}
        assert source.pop("editable") is False
    for source in declared:
        del source["url"]
    assert files == declared


def test_a_variable_chooses_between_exactly_our_datasources() -> None:
    names = [source["name"] for source in provisioned_datasources()]
    for model in load_dashboards():
        chooser = model["templating"]["list"][0]
        assert (chooser["type"], chooser["query"]) == ("datasource", "influxdb")
        pattern = re.compile(chooser["regex"].strip("/"))
        assert all(pattern.search(name) for name in names)
        assert not pattern.search("InfluxDB of somebody else")


def test_the_candles_have_volume_and_come_from_the_variables() -> None:
    model = DASHBOARDS["algo-symbol"]
    names = [variable["name"] for variable in model["templating"]["list"]]
    assert names == ["ds", "symbol", "timeframe", "session", "source"]
    candles = next(panel for panel in panels_of(model) if panel["type"] == "candlestick")
    assert candles["options"]["mode"] == "candles+volume"
    sql = candles["targets"][0]["rawSql"]
    for name in names[1:]:
        assert f"{name} = ${{{name}:sqlstring}}" in sql


@pytest.mark.parametrize("uid", ["algo-gex", "algo-symbol", "algo-overview"])
def test_simulated_data_are_called_so_with_their_market_date(uid: str) -> None:
    said = [
        panel
        for panel in panels_of(DASHBOARDS[uid])
        if "is_synthetic" in panel["targets"][0]["rawSql"]
        and "max(time) AS last" in panel["targets"][0]["rawSql"]
        and panel["title"].startswith("${ds:text}")
    ]
    assert said
    assert "SIMULATED" in str(said[0]["fieldConfig"]["overrides"])


def test_every_empty_panel_says_what_to_run() -> None:
    for model in load_dashboards():
        for panel in panels_of(model):
            assert "//system/algo_trader:main" in panel["fieldConfig"]["defaults"]["noValue"]


def created_tables() -> dict[str, tuple[list[str], list[str]]]:
    text = (FOLDER / "tables.sh").read_text(encoding="utf-8").replace("\\\n", " ")
    found = re.findall(r"create table .*--tags (\S+)\s+--fields (\S+)\s+(\w+)", text)
    return {name: (tags.split(","), fields.split(",")) for tags, fields, name in found}


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_the_tables_of_an_empty_store_are_those_of_the_declaration(table: TableSchema) -> None:
    tags, fields = created_tables()[table.name]
    assert tags == [column.name for column in table.tags]
    assert fields == [f"{column.name}:{CLI_TYPES[column.kind]}" for column in table.fields]


def test_every_port_is_on_loopback_and_every_image_is_pinned() -> None:
    services = compose()["services"]
    assert set(SERVICES) | {INFLUXDB_SERVICE, "redis"} <= set(services)
    for name, service in services.items():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name
        assert re.search(r":\d+\.\d+", service["image"]), name
        assert "no-new-privileges:true" in service["security_opt"], name
        assert "/var/run/docker.sock" not in str(service), name
        assert "ulimits" not in service, name
        if service["restart"] != "no":
            assert service["healthcheck"]["test"], name


def test_grafana_on_the_hosts_network_listens_on_loopback() -> None:
    service = compose()["services"]["grafana-host"]
    assert service["network_mode"] == "host"
    assert service["environment"]["GF_SERVER_HTTP_ADDR"] == "127.0.0.1"


@pytest.mark.parametrize("name", SERVICES)
def test_everybody_may_look_and_nobody_signs_in_as_admin_admin(name: str) -> None:
    service = compose()["services"][name]
    environment = service["environment"]
    assert environment["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"
    assert environment["GF_USERS_ALLOW_SIGN_UP"] == "false"
    assert environment["GF_SECURITY_ADMIN_PASSWORD"] == "${GRAFANA_ADMIN_PASSWORD:-}"
    assert service["entrypoint"][-1] == "/etc/algo-trader/entrypoint.sh"
    assert f"file={PASSWORD_FILE}" in (FOLDER / "entrypoint.sh").read_text(encoding="utf-8")
    mounts = [volume for volume in service["volumes"] if volume.startswith("./")]
    assert all(volume.endswith(":ro") for volume in mounts)
    assert all((ROOT / volume.split(":")[0]).exists() for volume in mounts)


def test_the_home_dashboard_is_mounted() -> None:
    environment = compose()["services"]["grafana"]["environment"]
    home = environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert Path(home).name == "algo-overview.json"
    provider = yaml.safe_load(
        (FOLDER / "provisioning" / "dashboards" / "algo.yaml").read_text(encoding="utf-8")
    )["providers"][0]
    assert provider["options"]["path"] == str(Path(home).parent)
    assert (provider["folderUid"], provider["folder"]) == (
        AlgoTraderGrafanaClient.folder_uid,
        AlgoTraderGrafanaClient.folder_title,
    )


def test_the_file_limit_is_above_what_a_year_of_use_needs() -> None:
    blocks = {
        "1m": 252 * (20 - 4) * 6,  # 04:00 to 20:00 in blocks of ten minutes
        "1d": 20 * 252,
        "1w and 1mo": 5 * 52 + 20 * 12,
    }
    command = compose()["services"][INFLUXDB_SERVICE]["command"]
    limit = int(next(word for word in command if "file-limit" in word).partition("=")[2])
    assert sum(blocks.values()) < limit < 1.2 * sum(blocks.values())
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    assert f"{sum(blocks.values()):,}" in text
