"""The engine's answers, with an SDK client that has the real one's errors."""

from types import SimpleNamespace
from typing import Any, cast

import docker
import pytest
from docker.context import ContextAPI
from docker.errors import APIError, DockerException, NotFound

from infrastructure.errors import MissingService, ServiceUnavailable
from infrastructure.grafana.engine import ContainerState, DockerEngine, connect


class FakeContainer:
    def __init__(self, attrs: dict[str, Any], *, exec_result: Any = None) -> None:
        self.name = "algo-trader-grafana-1"
        self.attrs = {"Config": {"Image": "grafana/grafana:1"}, **attrs}
        self.status = attrs["State"]["Status"]
        self.exec_result = exec_result
        self.reloads = 0
        self.gone = False
        self.broken = False

    def reload(self) -> None:
        self.reloads += 1
        if self.gone:
            raise NotFound("no such container")
        if self.broken:
            raise APIError("500 server error")

    def logs(self, tail: int) -> bytes:
        return b"one\ntwo\n"[-tail:]

    def remove(self, force: bool) -> None:
        if self.exec_result is NotFound:
            raise NotFound("no such container")

    def exec_run(self, command: list[str]) -> Any:
        if isinstance(self.exec_result, Exception):
            raise self.exec_result
        return self.exec_result


class FakeClient:
    def __init__(self, *found: FakeContainer, about: Any = None) -> None:
        self.found = list(found)
        self.about = about or {"ServerVersion": "28.5.2", "OperatingSystem": "Debian GNU/Linux"}
        self.filters: list[Any] = []
        self.containers = self
        self.closed = False

    def info(self) -> Any:
        if isinstance(self.about, Exception):
            raise self.about
        return self.about

    def list(self, all: bool, filters: Any) -> list[FakeContainer]:
        self.filters.append((all, filters))
        return self.found

    def close(self) -> None:
        self.closed = True


def engine(client: FakeClient) -> DockerEngine:
    return DockerEngine("mine", lambda: cast(docker.DockerClient, client))


RUNNING = {"State": {"Status": "running", "ExitCode": 0, "Health": {"Status": "healthy"}}}


def test_a_running_container_is_described() -> None:
    client = FakeClient(FakeContainer({**RUNNING, "RestartCount": 2}))
    assert engine(client).container("grafana") == ContainerState(
        "algo-trader-grafana-1", "grafana", "grafana/grafana:1", "running", "healthy", 2, 0
    )
    labels = ["com.docker.compose.project=mine", "com.docker.compose.service=grafana"]
    assert client.filters == [(True, {"label": labels})]
    assert client.found[0].reloads == 1


def test_a_container_without_a_health_check_has_no_health() -> None:
    state = engine(FakeClient(FakeContainer({"State": {"Status": "created", "ExitCode": 128}})))
    found = state.container("grafana")
    assert found is not None
    assert (found.health, found.restart_count, found.exit_code) == (None, 0, 128)


def test_an_absent_container_is_none_everywhere() -> None:
    nothing = engine(FakeClient())
    assert nothing.container("grafana") is None
    assert nothing.logs("grafana", 5) == ""
    assert nothing.remove("grafana") is False
    assert nothing.read_file("grafana", "/x") is None


def test_a_container_that_goes_away_meanwhile_is_none() -> None:
    going = FakeContainer(RUNNING)
    going.gone = True
    assert engine(FakeClient(going)).container("grafana") is None
    assert engine(FakeClient(FakeContainer(RUNNING, exec_result=NotFound))).remove("g") is False


def test_logs_and_files_are_read() -> None:
    there = SimpleNamespace(exit_code=0, output=b"secret\n")
    running = engine(FakeClient(FakeContainer(RUNNING, exec_result=there)))
    assert running.logs("grafana", 4) == "two\n"
    assert running.read_file("grafana", "/x") == "secret\n"
    assert running.remove("grafana") is True
    streamed = SimpleNamespace(exit_code=0, output=iter([b"se", b"cret"]))
    assert engine(FakeClient(FakeContainer(RUNNING, exec_result=streamed))).read_file(
        "grafana", "/x"
    ) == "secret"  # fmt: skip


def test_a_missing_file_is_none_and_a_stopped_container_an_error() -> None:
    missing = SimpleNamespace(exit_code=1, output=b"cat: no such file")
    assert (
        engine(FakeClient(FakeContainer(RUNNING, exec_result=missing))).read_file("g", "/x") is None
    )
    stopped = FakeContainer(RUNNING, exec_result=APIError("409 container is not running"))
    with pytest.raises(ServiceUnavailable, match="is not running"):
        engine(FakeClient(stopped)).read_file("grafana", "/x")


def test_docker_desktop_is_told_from_an_engine_on_this_host() -> None:
    assert engine(FakeClient()).info().desktop is False
    about = {"ServerVersion": "28", "OperatingSystem": "Docker Desktop"}
    assert engine(FakeClient(about=about)).info().desktop is True


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Error while fetching server API version: ('Connection aborted.', FileNotFoundError(2,"
         " 'No such file or directory'))", "docs.docker.com/engine/install"),
        ("('Connection aborted.', PermissionError(13, 'Permission denied'))", "usermod -aG docker"),
        ("timed out", "systemctl start docker"),
    ],
)  # fmt: skip
def test_the_constructor_of_the_sdk_raises_when_no_daemon_answers(text: str, said: str) -> None:
    def refuse() -> docker.DockerClient:
        raise DockerException(text)

    with pytest.raises(MissingService, match="Docker") as caught:
        DockerEngine("mine", refuse).info()
    assert said in str(caught.value)


def test_a_daemon_that_goes_away_later_is_missing_too() -> None:
    with pytest.raises(MissingService):
        engine(FakeClient(about=DockerException("connection refused"))).info()
    client = FakeClient()

    client.found = [FakeContainer(RUNNING)]
    client.found[0].broken = True
    with pytest.raises(MissingService):
        engine(client).container("grafana")


def test_the_connection_is_closed_once() -> None:
    client = FakeClient()
    used = engine(client)
    used.info()
    used.close()
    used.close()
    assert client.closed


def test_the_context_of_the_docker_command_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[dict[str, Any]] = []
    monkeypatch.setattr(docker, "DockerClient", lambda **words: made.append(words))
    monkeypatch.setattr(docker, "from_env", lambda **words: made.append(words))
    desktop = SimpleNamespace(Name="desktop-linux", Host="unix:///home/x/.docker/desktop.sock")
    monkeypatch.setattr(ContextAPI, "get_current_context", lambda: desktop)
    connect({})
    connect({"DOCKER_HOST": "unix:///y"})
    monkeypatch.setattr(
        ContextAPI, "get_current_context", lambda: SimpleNamespace(Name="default", Host="x")
    )
    connect({})
    assert [words.get("base_url") for words in made] == [desktop.Host, None, None]
    assert made[1]["environment"] == {"DOCKER_HOST": "unix:///y"}
