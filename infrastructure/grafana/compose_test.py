"""The compose runner, with a command that only writes down how it was called."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from infrastructure.errors import (
    ConfigError,
    DiskFull,
    MissingService,
    NetworkError,
    PortTaken,
    ServiceUnavailable,
    StackError,
)
from infrastructure.grafana.compose import (
    Completed,
    ComposeProject,
    ServiceState,
    classify_failure,
    find_project_root,
    run_command,
)

OK = Completed(0, "", "")


class Recorder:
    """Answer each command by its words, and keep how it was called."""

    def __init__(self, answers: Mapping[str, Completed] | None = None) -> None:
        self.answers = dict(answers or {})
        self.calls: list[tuple[list[str], dict[str, str], float | None, bool]] = []

    def __call__(
        self,
        argv: Sequence[str],
        environment: Mapping[str, str],
        directory: Path,
        timeout_s: float | None,
        shown: bool,
    ) -> Completed:
        self.calls.append((list(argv), dict(environment), timeout_s, shown))
        return next((done for word, done in self.answers.items() if word in argv), OK)

    @property
    def words(self) -> list[str]:
        return self.calls[-1][0]


def project(
    run: Recorder, programs: Sequence[str] = ("docker",), **environment: str
) -> ComposeProject:
    return ComposeProject(
        Path("/srv/algo"),
        environment,
        run=run,
        which=lambda name: f"/usr/bin/{name}" if name in programs else None,
    )


def test_version_two_goes_before_the_old_program() -> None:
    run = Recorder()
    project(run, ("docker", "docker-compose")).restart(["grafana"])
    assert run.words == [
        "/usr/bin/docker", "compose", "-f", "/srv/algo/docker-compose.yml", "restart", "grafana",
    ]  # fmt: skip


def test_without_the_plugin_the_old_program_is_used() -> None:
    run = Recorder({"version": Completed(1, "", "unknown command")})
    project(run, ("docker", "docker-compose")).restart(["grafana"])
    assert run.words[0] == "/usr/bin/docker-compose"


def test_without_docker_the_error_says_how_to_get_it() -> None:
    with pytest.raises(MissingService, match="there is none") as caught:
        project(Recorder(), ()).restart(["grafana"])
    assert "docs.docker.com/engine/install" in str(caught.value)
    assert caught.value.exit_code == 3


def test_without_compose_the_error_says_how_to_get_it() -> None:
    run = Recorder({"version": Completed(1, "", "")})
    with pytest.raises(MissingService, match="its compose plugin is not"):
        project(run).restart(["grafana"])


def test_a_compose_file_of_the_environment_is_left_to_compose() -> None:
    run = Recorder()
    project(run, COMPOSE_FILE="a.yml:b.yml", COMPOSE_PROJECT_NAME="mine").down()
    assert "-f" not in run.words
    assert project(run, COMPOSE_PROJECT_NAME="mine").name == "mine"
    assert project(run).name == "algo-trader"


def test_up_passes_its_variables_and_may_leave_dependencies_alone() -> None:
    run = Recorder()
    project(run, HOME="/h").up(["grafana-host"], {"GRAFANA_PORT": "3001"}, dependencies=False)
    argv, environment, _, shown = run.calls[-1]
    assert argv[-4:] == ["up", "-d", "--no-deps", "grafana-host"]
    assert environment == {"HOME": "/h", "GRAFANA_PORT": "3001"}
    assert shown is False
    project(run).up(["grafana"])
    assert run.words[-3:] == ["up", "-d", "grafana"]


def test_following_logs_is_shown_and_has_no_end() -> None:
    run = Recorder({"logs": Completed(0, "line\n", "")})
    assert project(run).logs(["grafana"], 5) == "line\n"
    assert run.words[-5:] == ["logs", "--no-color", "--tail", "5", "grafana"]
    project(run).logs(["grafana"], 5, follow=True)
    assert run.calls[-1][2:] == (None, True)
    assert "--follow" in run.words


@pytest.mark.parametrize(
    "text",
    [
        '{"Service":"a","Name":"p-a-1","State":"running","Health":"healthy"}\n'
        '{"Service":"b","Name":"p-b-1","State":"exited"}\n',
        '[{"Service":"a","Name":"p-a-1","State":"running","Health":"healthy"},'
        '{"Service":"b","Name":"p-b-1","State":"exited","Health":""}]',
    ],
)
def test_both_forms_of_ps_are_read(text: str) -> None:
    run = Recorder({"ps": Completed(0, text, "")})
    assert project(run).services() == [
        ServiceState("a", "p-a-1", "running", "healthy"),
        ServiceState("b", "p-b-1", "exited", ""),
    ]


def test_no_containers_are_an_empty_list() -> None:
    assert project(Recorder()).services() == []


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        ("permission denied while trying to connect to the Docker daemon socket at unix:///var",
         MissingService, "usermod -aG docker"),
        ("Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?",
         MissingService, "systemctl start docker"),
        ("Error response from daemon: Bind for 127.0.0.1:3000 failed: port is already allocated",
         PortTaken, "127.0.0.1:3000"),
        ("Error starting userland proxy: listen tcp4 127.0.0.1:3001: bind: address already in use",
         PortTaken, "127.0.0.1:3001"),
        ("Ports are not available: exposing port failed", PortTaken, "GRAFANA_PORT"),
        ("write /var/lib/docker/x: no space left on device", DiskFull, "docker system df"),
        ("Error response from daemon: Get \"https://registry/v2/\": dial tcp: no such host",
         NetworkError, "could not be fetched"),
        ("pull access denied for grafana/grafana", NetworkError, "could not be fetched"),
        ("yaml: line 3: did not find expected key", ConfigError, "docker compose config"),
        ("no such service: grafana2", ConfigError, "refused its files"),
        ("container x exited (1)", ServiceUnavailable, "failed: container x exited (1)"),
        ("", ServiceUnavailable, "failed: no message"),
    ],
)  # fmt: skip
def test_what_compose_says_becomes_one_sentence(
    text: str, kind: type[StackError], said: str
) -> None:
    run = Recorder({"up": Completed(1, "", text)})
    with pytest.raises(kind) as caught:
        project(run).up(["grafana"])
    assert said in str(caught.value)
    assert type(classify_failure(text, "x")) is kind


def test_the_root_is_found_upwards_or_named_by_bazel(tmp_path: Path) -> None:
    (tmp_path / "docker-compose.yml").touch()
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    assert find_project_root(deep, {}) == tmp_path
    assert find_project_root(Path("/"), {"BUILD_WORKSPACE_DIRECTORY": str(tmp_path)}) == tmp_path


def test_a_folder_outside_a_checkout_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infrastructure.grafana.compose.COMPOSE_FILE", "no-such-file.yml")
    with pytest.raises(ConfigError, match="inside a checkout"):
        find_project_root(tmp_path, {})


def test_a_command_is_run_with_its_environment_alone(tmp_path: Path) -> None:
    code = "import os, sys; print(os.environ['X'], os.getcwd()); sys.stderr.write('e'); sys.exit(3)"
    done = run_command([sys.executable, "-c", code], {"X": "1"}, tmp_path, 20, False)
    assert done == Completed(3, f"1 {tmp_path}\n", "e")


def test_a_command_that_hangs_is_ended(tmp_path: Path) -> None:
    code = "import threading; threading.Event().wait()"
    with pytest.raises(ServiceUnavailable, match="did not end within"):
        run_command([sys.executable, "-c", code], {}, tmp_path, 0.2, False)
