"""The Dockerfile, its ignore file, and the compose service `app` keep what they promise."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from infrastructure.errors import ConfigError
from system.algo_trader.deployment.dockerfile import parse_dockerfile
from system.algo_trader.deployment.unit_file import read_units
from system.algo_trader.processes.order import DRAIN_S
from system.algo_trader.settings import DECLARED, HOME_VARIABLE

ROOT = Path(__file__).resolve().parents[3]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
IGNORED = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
BUILDER, FINAL = parse_dockerfile(DOCKERFILE)
UID = 10001
PORTS = ["8877", "8878"]


def app() -> dict[str, Any]:
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    return dict(yaml.safe_load(text)["services"]["app"])


def test_both_stages_stand_on_one_plain_image_name() -> None:
    assert BUILDER.image == FINAL.image == "python:3.11-slim"


def test_nothing_is_fetched_but_locked_wheels() -> None:
    assert BUILDER.all("ADD") + FINAL.all("ADD") == []
    assert "://" not in DOCKERFILE
    installs = [line for line in BUILDER.all("RUN") if "pip" in line and " install " in line]
    assert len(installs) == 1
    for word in ("--require-hashes", "--only-binary :all:", "requirements_runtime_lock.txt"):
        assert word in installs[0]
    assert not any("pip" in line or "apt" in line for line in FINAL.all("RUN"))


def test_it_runs_as_a_fixed_user_that_is_not_root() -> None:
    assert FINAL.last("USER") == f"{UID}:{UID}"
    made = " ".join(FINAL.all("RUN"))
    assert f"--uid {UID}" in made
    assert f"--owner={UID}" in made
    after = FINAL.instructions[FINAL.instructions.index(("USER", f"{UID}:{UID}")) :]
    assert not any(name in ("RUN", "USER", "COPY") for name, _ in after[1:])


def test_everything_that_is_written_goes_to_the_volume() -> None:
    (volume,) = FINAL.all("VOLUME")
    environment = dict(re.findall(r"(\w+)=(\S+)", " ".join(FINAL.all("ENV"))))
    assert environment[HOME_VARIABLE] == environment["HOME"] == volume == "/data"
    assert environment["PYTHONDONTWRITEBYTECODE"] == "1"
    assert FINAL.last("WORKDIR") == volume


def test_it_says_how_it_is_started_asked_and_reached() -> None:
    assert FINAL.words("ENTRYPOINT") == ["algo-trader"]
    assert FINAL.words("CMD") == ["serve", "--host", "0.0.0.0"]
    assert FINAL.words("HEALTHCHECK") == ["algo-trader", "health", "--json"]
    assert FINAL.last("EXPOSE").split() == PORTS


def test_the_context_holds_what_is_copied_and_nothing_else() -> None:
    copied = [line.split()[0] for line in BUILDER.all("COPY")]
    assert all((ROOT / name).exists() for name in copied)
    assert next(line for line in IGNORED if line[:1] not in ("#", "", "!")) == "*"
    assert sorted(line[1:] for line in IGNORED if line.startswith("!")) == sorted(copied)
    assert {"**/*.env", "**/.env", "**/*_test.py", "**/__pycache__"} <= set(IGNORED)


def test_the_image_has_the_projects_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert app()["image"] == f"{project['name']}:{project['version']}"
    assert f"docker build -t {app()['image']} ." in DOCKERFILE


def test_the_app_starts_by_its_profile_alone_and_after_its_servers() -> None:
    assert app()["profiles"] == ["app"]
    assert app()["build"] == "."
    healthy = {"condition": "service_healthy"}
    assert app()["depends_on"] == {"influxdb3": healthy, "redis": healthy}
    assert app()["environment"]["REDIS_URL"] == "redis://redis:6379/0"
    assert app()["environment"]["INFLUXDB3_HOST_URL"] == "http://influxdb3:8181"


def test_the_app_can_do_little_besides_its_work() -> None:
    assert app()["read_only"] is True
    assert app()["tmpfs"] == ["/tmp"]
    assert app()["volumes"] == ["app-data:/data"]
    assert app()["cap_drop"] == ["ALL"]
    assert "cap_add" not in app()
    assert "privileged" not in app()
    assert "no-new-privileges:true" in app()["security_opt"]
    assert "user" not in app(), "the image's own user holds"


def test_no_secret_stands_in_the_compose_file_and_every_variable_is_read() -> None:
    declared = {setting.variable: setting for setting in DECLARED}
    for name, value in app()["environment"].items():
        assert value is None or not declared[name].secret, name


def test_the_app_is_asked_as_the_image_says_and_has_time_to_drain() -> None:
    health = app()["healthcheck"]
    assert health["test"] == ["CMD", *FINAL.words("HEALTHCHECK")]
    said = FINAL.last("HEALTHCHECK")
    for option, key in (("interval", "interval"), ("timeout", "timeout"), ("retries", "retries")):
        assert f"--{option}={health[key]} " in said
    assert f"--start-period={health['start_period']} " in said
    assert float(app()["stop_grace_period"].removesuffix("s")) > DRAIN_S


def test_image_compose_and_unit_mean_the_same_ports() -> None:
    published = [port.rpartition(":")[2] for port in app()["ports"]]
    units = {unit.name: unit for unit in read_units(ROOT / "deploy/systemd")}
    words = units["algo-trader-serve.service"].commands("ExecStart")[0]
    served = [words[words.index(option) + 1] for option in ("--port", "--flight-port")]
    assert published == served == PORTS


def test_a_command_that_would_go_through_a_shell_is_noticed() -> None:
    (stage,) = parse_dockerfile("FROM a\nCMD serve\n")
    with pytest.raises(ConfigError, match="shell"):
        stage.words("CMD")
    with pytest.raises(ConfigError, match="no USER"):
        stage.last("USER")
    with pytest.raises(ConfigError, match="before the first FROM"):
        parse_dockerfile("USER 1\nFROM a\n")


def test_continued_lines_and_comments_are_read() -> None:
    (stage,) = parse_dockerfile("FROM a AS b\nRUN one \\\n# why\n  && two\nUSER 1\nUSER 2\n")
    assert stage.all("RUN") == ["one && two"]
    assert stage.last("USER") == "2"
