"""The stand-in's own manners: roles, provisioning files, refusals. Not Grafana's."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from infrastructure.simulators.grafana.provisioning import expand
from infrastructure.simulators.grafana.queries import instant_ns
from infrastructure.simulators.grafana.server import ServerSettings, StandInGrafana
from infrastructure.simulators.grafana.state import ApiError

ADMIN = ("admin", "secret")


@pytest.fixture
def provisioning(tmp_path: Path) -> Path:
    dashboards = tmp_path / "dashboards_json"
    dashboards.mkdir()
    (dashboards / "one.json").write_text(json.dumps({"uid": "one", "title": "One"}))
    root = tmp_path / "provisioning"
    for kind in ("datasources", "dashboards"):
        (root / kind).mkdir(parents=True)
    (root / "datasources" / "x.yaml").write_text(
        "datasources:\n"
        "  - {name: X, uid: x, type: influxdb, access: proxy, url: $STORE, jsonData: {a: $$b}}\n"
        "  - {name: Y, uid: y, type: influxdb, access: direct, url: http://y}\n"
    )
    (root / "dashboards" / "x.yaml").write_text(
        "providers:\n"
        f"  - {{name: p, folder: F, folderUid: f, options: {{path: {dashboards}}}}}\n"
        f"  - {{name: gone, options: {{path: {tmp_path}/gone}}}}\n"
    )
    return root


@pytest.fixture
def grafana(provisioning: Path) -> Iterator[StandInGrafana]:
    settings = ServerSettings(
        admin_password="secret", anonymous_role="Viewer", provisioning=provisioning
    )
    with StandInGrafana(settings, {"STORE": "http://store:8181"}) as server:
        yield server


def test_health_says_that_it_is_a_stand_in(grafana: StandInGrafana) -> None:
    body = requests.get(f"{grafana.url}/api/health", timeout=5).json()
    assert body["database"] == "ok"
    assert "not Grafana" in body["product"]
    assert "not Grafana" in requests.get(f"{grafana.url}/d/one", timeout=5).text


def test_provisioned_datasources_have_their_environment_and_are_read_only(
    grafana: StandInGrafana,
) -> None:
    source = requests.get(f"{grafana.url}/api/datasources/uid/x", auth=ADMIN, timeout=5).json()
    assert source["url"] == "http://store:8181"
    assert source["jsonData"] == {"a": "$b"}
    assert source["readOnly"] is True
    assert "y" not in grafana.state.datasources
    assert any("direct is refused" in line for line in grafana.log)


def test_provisioned_dashboards_cannot_be_changed(grafana: StandInGrafana) -> None:
    body = {"dashboard": {"uid": "one", "title": "One"}, "overwrite": True}
    answer = requests.post(f"{grafana.url}/api/dashboards/db", json=body, auth=ADMIN, timeout=5)
    assert (answer.status_code, answer.json()["message"]) == (
        400,
        "Cannot save provisioned dashboard",
    )
    gone = requests.delete(f"{grafana.url}/api/dashboards/uid/one", auth=ADMIN, timeout=5)
    assert gone.status_code == 400
    assert any("cannot read directory" in line for line in grafana.log)


def test_the_same_uid_in_two_files_stops_the_provider(provisioning: Path, tmp_path: Path) -> None:
    (tmp_path / "dashboards_json" / "two.json").write_text(
        json.dumps({"uid": "one", "title": "Two"})
    )
    (tmp_path / "dashboards_json" / "wrapped.json").write_text(json.dumps({"dashboard": {}}))
    server = StandInGrafana(ServerSettings(provisioning=provisioning))
    assert server.state.dashboards == {}
    assert any("same UID" in line for line in server.log)
    assert any("title cannot be empty" in line for line in server.log)


def test_files_are_read_again_on_demand(grafana: StandInGrafana, tmp_path: Path) -> None:
    (tmp_path / "dashboards_json" / "two.json").write_text(
        json.dumps({"uid": "two", "title": "Two"})
    )
    reload = f"{grafana.url}/api/admin/provisioning/dashboards/reload"
    assert requests.post(reload, timeout=5).status_code == 403
    assert requests.post(reload, auth=ADMIN, timeout=5).status_code == 200
    assert requests.get(f"{grafana.url}/api/dashboards/uid/two", timeout=5).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/org", 200),
        ("GET", "/api/datasources", 403),
        ("POST", "/api/folders", 403),
        ("POST", "/api/dashboards/db", 403),
        ("GET", "/api/search", 200),
        ("GET", "/api/nothing", 404),
        ("GET", "/api/datasources/uid/none/health", 404),
        ("PATCH", "/api/org", 501),
    ],
)
def test_an_anonymous_viewer_may_only_read(
    grafana: StandInGrafana, method: str, path: str, status: int
) -> None:
    assert requests.request(method, grafana.url + path, timeout=5).status_code == status


def test_a_service_accounts_token_has_its_role(grafana: StandInGrafana) -> None:
    url = grafana.url
    made = requests.post(
        f"{url}/api/serviceaccounts", json={"name": "x", "role": "Editor"}, auth=ADMIN, timeout=5
    ).json()
    tokens = f"{url}/api/serviceaccounts/{made['id']}/tokens"
    key = requests.post(tokens, json={"name": "t"}, auth=ADMIN, timeout=5).json()["key"]
    bearer = {"Authorization": f"Bearer {key}"}
    folder = {"uid": "a", "title": "A"}
    for status in (200, 409):
        answer = requests.post(f"{url}/api/folders", json=folder, headers=bearer, timeout=5)
        assert answer.status_code == status
    assert requests.get(f"{url}/api/datasources", headers=bearer, timeout=5).status_code == 403
    wrong = {"Authorization": "Bearer glsa_wrong"}
    assert requests.get(f"{url}/api/org", headers=wrong, timeout=5).status_code == 401


def test_without_anonymous_access_everybody_signs_in() -> None:
    with StandInGrafana() as server:
        assert requests.get(f"{server.url}/api/org", timeout=5).status_code == 401
        bad = requests.get(f"{server.url}/api/org", auth=("admin", "x"), timeout=5)
        assert bad.status_code == 401


def test_annotations_are_kept(grafana: StandInGrafana) -> None:
    url = f"{grafana.url}/api/annotations"
    assert requests.post(url, json={"text": "x"}, auth=ADMIN, timeout=5).status_code == 200
    assert [note["text"] for note in requests.get(url, timeout=5).json()] == ["x"]


def test_a_body_that_is_not_json_is_refused(grafana: StandInGrafana) -> None:
    answer = requests.post(f"{grafana.url}/api/ds/query", data=b"{", timeout=5)
    assert answer.status_code == 400
    empty = requests.post(f"{grafana.url}/api/ds/query", json={}, timeout=5)
    assert empty.json()["message"] == "no queries found"


def test_settings_come_from_gf_variables(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("from-file\n")
    settings = ServerSettings.from_environment(
        {
            "GF_SECURITY_ADMIN_PASSWORD__FILE": str(secret),
            "GF_AUTH_ANONYMOUS_ENABLED": "true",
            "GF_SERVER_HTTP_PORT": "3456",
        }
    )
    assert (settings.admin_password, settings.anonymous_role, settings.port) == (
        "from-file",
        "Viewer",
        3456,
    )
    with pytest.raises(ValueError, match="exclusive"):
        ServerSettings.from_environment(
            {
                "GF_SECURITY_ADMIN_PASSWORD": "x",
                "GF_SECURITY_ADMIN_PASSWORD__FILE": str(secret),
            }
        )


def test_expansion_reaches_into_lists_and_leaves_numbers() -> None:
    assert expand({"a": ["$X", "${X}y", 3]}, {"X": "1"}) == {"a": ["1", "1y", 3]}


def test_instants_are_relative_or_milliseconds() -> None:
    hour = 3600 * 10**9
    assert instant_ns("now", 5 * hour) == 5 * hour
    assert instant_ns("now-2h", 5 * hour) == 3 * hour
    assert instant_ns("1500", 0) == 1_500_000_000
    with pytest.raises(ApiError):
        instant_ns("yesterday", 0)
