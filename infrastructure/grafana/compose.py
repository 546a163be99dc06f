"""Run docker compose on the project's file and say in one sentence what went wrong."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from infrastructure.errors import (
    ConfigError,
    DiskFull,
    MissingService,
    NetworkError,
    PortTaken,
    ServiceUnavailable,
    StackError,
)

COMPOSE_FILE = "docker-compose.yml"
GET_DOCKER = (
    "Install Docker Engine with the compose plugin (https://docs.docker.com/engine/install/; on"
    " Debian and Ubuntu: sudo apt-get install docker.io docker-compose-v2, or docker-compose) or"
    " Docker Desktop, then run the command again."
)
START_DOCKER = (
    "Start it (`sudo systemctl start docker`, or open Docker Desktop), then run the command again."
)
JOIN_DOCKER = (
    "Let this user use Docker (`sudo usermod -aG docker $USER`, then sign in again), or use sudo."
)
UP_TIMEOUT_S = 900.0
COMMAND_TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True)
class Completed:
    """The end of a command: its exit code and what it wrote."""

    code: int
    output: str
    errors: str


@dataclass(frozen=True, slots=True)
class ServiceState:
    """One line of `compose ps`.

    Attributes:
        service: Name in the compose file.
        container: Name of the container.
        state: created, running, restarting, exited, ...
        health: healthy, unhealthy, starting, or empty without a check.
    """

    service: str
    container: str
    state: str
    health: str


Runner = Callable[[Sequence[str], Mapping[str, str], Path, float | None, bool], Completed]


def run_command(
    argv: Sequence[str],
    environment: Mapping[str, str],
    directory: Path,
    timeout_s: float | None,
    shown: bool,
) -> Completed:
    """Run a command to its end.

    Args:
        argv: The command.
        environment: Its whole environment.
        directory: Where it runs.
        timeout_s: Seconds after which it is ended, None for never.
        shown: Let it write to this process' terminal instead of catching its output.

    Raises:
        ServiceUnavailable: It did not end in time.
    """
    caught = None if shown else subprocess.PIPE
    try:
        done = subprocess.run(
            list(argv),
            env=dict(environment),
            cwd=directory,
            timeout=timeout_s,
            stdout=caught,
            stderr=caught,
            stdin=subprocess.DEVNULL,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ServiceUnavailable(
            f"`{' '.join(argv)}` did not end within {timeout_s:g} s",
            next_step="Check that Docker answers (`docker ps`), then try again.",
        ) from error
    return Completed(done.returncode, done.stdout or "", done.stderr or "")


def find_project_root(start: Path, environment: Mapping[str, str]) -> Path:
    """Return the folder with docker-compose.yml, looking upwards.

    Args:
        start: Where to begin; under Bazel the workspace that Bazel names goes before it.
        environment: Read for BUILD_WORKSPACE_DIRECTORY.

    Raises:
        ConfigError: There is no such file above.
    """
    named = environment.get("BUILD_WORKSPACE_DIRECTORY")
    begins = [Path(named)] if named else []
    for begin in [*begins, start, Path(__file__).resolve().parent]:
        for folder in [begin, *begin.parents]:
            if (folder / COMPOSE_FILE).is_file():
                return folder
    raise ConfigError(
        f"there is no {COMPOSE_FILE} in {start} or above",
        next_step="Run the command inside a checkout of the project.",
    )


class ComposeProject:
    """Run compose commands on one project.

    Args:
        root: Folder with docker-compose.yml.
        environment: The environment of the commands; COMPOSE_FILE, COMPOSE_PROJECT_NAME and
            DOCKER_HOST in it are honoured by compose itself.
        run: Runs a command, for tests.
        which: Finds a program, for tests.
    """

    def __init__(
        self,
        root: Path,
        environment: Mapping[str, str] | None = None,
        *,
        run: Runner = run_command,
        which: Callable[[str], str | None] = shutil.which,
    ) -> None:
        self.root = root
        self.environment = dict(os.environ if environment is None else environment)
        self._run = run
        self._which = which
        self._prefix: list[str] | None = None

    @property
    def name(self) -> str:
        """Return the project's name, which every container of it carries as a label."""
        return self.environment.get("COMPOSE_PROJECT_NAME") or "algo-trader"

    def command(self) -> list[str]:
        """Return the words that start compose: v2 (`docker compose`) before `docker-compose`.

        Raises:
            MissingService: There is no Docker, or no compose.
        """
        if self._prefix is None:
            self._prefix = self._find()
        files = (
            [] if self.environment.get("COMPOSE_FILE") else ["-f", str(self.root / COMPOSE_FILE)]
        )
        return [*self._prefix, *files]

    def _find(self) -> list[str]:
        docker, standalone = self._which("docker"), self._which("docker-compose")
        if docker is not None:
            probe = self._run(
                [docker, "compose", "version"],
                self.environment,
                self.root,
                COMMAND_TIMEOUT_S,
                False,
            )
            if probe.code == 0:
                return [docker, "compose"]
        if standalone is not None:
            return [standalone]
        if docker is None:
            raise MissingService("Grafana needs Docker, and there is none", next_step=GET_DOCKER)
        raise MissingService(
            "Docker is here, but its compose plugin is not",
            next_step="Install it (sudo apt-get install docker-compose-v2 on Ubuntu,"
            " docker-compose on Debian, or see https://docs.docker.com/compose/install/), then"
            " run the command again.",
        )

    def up(
        self,
        services: Sequence[str],
        environment: Mapping[str, str] | None = None,
        *,
        dependencies: bool = True,
    ) -> None:
        """Create and start services, and those that they depend on.

        Raises:
            StackError: The leaf that fits what compose reported.
        """
        words = ["up", "-d", *([] if dependencies else ["--no-deps"]), *services]
        self._checked(words, environment, UP_TIMEOUT_S)

    def restart(self, services: Sequence[str]) -> None:
        """Restart running services."""
        self._checked(["restart", *services])

    def remove(self, services: Sequence[str]) -> None:
        """Stop services and remove their containers; volumes and their data stay."""
        self._checked(["rm", "--stop", "--force", *services])

    def down(self) -> None:
        """Remove what is left of the project, its network; volumes stay."""
        self._checked(["down"])

    def logs(self, services: Sequence[str], tail: int, follow: bool = False) -> str:
        """Return the last lines of services' logs; with `follow` show them until Ctrl-C."""
        words = ["logs", "--no-color", "--tail", str(tail), *(["--follow"] if follow else [])]
        return self._checked([*words, *services], shown=follow, timeout_s=None if follow else 60.0)

    def services(self) -> list[ServiceState]:
        """Return the project's containers, also those that are not running."""
        text = self._checked(["ps", "--all", "--format", "json"]).strip()
        # One array before compose 2.21, one object a line since.
        entries = (
            json.loads(text)
            if text.startswith("[")
            else [json.loads(line) for line in text.splitlines() if line.strip()]
        )
        return [
            ServiceState(
                str(entry["Service"]),
                str(entry["Name"]),
                str(entry["State"]),
                str(entry.get("Health") or ""),
            )
            for entry in entries
        ]

    def _checked(
        self,
        words: Sequence[str],
        environment: Mapping[str, str] | None = None,
        timeout_s: float | None = COMMAND_TIMEOUT_S,
        shown: bool = False,
    ) -> str:
        whole = {**self.environment, **(environment or {})}
        done = self._run([*self.command(), *words], whole, self.root, timeout_s, shown)
        if done.code != 0:
            raise classify_failure(done.errors or done.output, f"docker compose {words[0]}")
        return done.output


PERMISSION = re.compile(r"permission denied.*(docker\.sock|daemon|API)", re.I)
NO_DAEMON = re.compile(
    r"cannot connect to the docker daemon|failed to connect to the docker api"
    r"|is the docker daemon running|error during connect|Error while fetching server API", re.I
)  # fmt: skip
PORT = re.compile(r"port is already allocated|address already in use|ports are not available", re.I)
ADDRESS = re.compile(r"(?:\d+\.\d+\.\d+\.\d+|\[::\]):(\d+)")
IMAGE = re.compile(
    r"pull access denied|manifest unknown|failed to resolve reference|no such image"
    r"|failed to do request|error pulling|no such host|i/o timeout|TLS handshake|Get \"https?:"
    r"|connection refused.*registry|failed to fetch|failed to copy", re.I
)  # fmt: skip
FULL = re.compile(r"no space left on device", re.I)
FILE = re.compile(
    r"yaml|validating |undefined (?:service|volume|network)|invalid (?:compose|interpolation)"
    r"|no such service|required variable|no configuration file|env file", re.I
)  # fmt: skip


def classify_failure(text: str, what: str) -> StackError:
    """Return the error that fits what Docker or compose wrote.

    Args:
        text: Its error output.
        what: The command, for the sentence.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    last = lines[-1] if lines else "no message"
    if PERMISSION.search(text):
        return MissingService("this user may not use Docker", next_step=JOIN_DOCKER)
    if FULL.search(text):
        return DiskFull(
            f"`{what}` found no space left on the device",
            next_step="Free space (`docker system df` shows Docker's own), then try again.",
        )
    if PORT.search(text):
        ports = ADDRESS.findall(next(line for line in lines if PORT.search(line)))
        port = ports[0] if ports else "one of Grafana's ports"
        return PortTaken(
            f"another program listens on 127.0.0.1:{port}",
            next_step="Stop that program, or choose a free port with GRAFANA_PORT.",
            port=port,
        )
    if IMAGE.search(text):
        return NetworkError(
            f"the image could not be fetched: {last}",
            next_step="Check the network and the registry's name service, then try again.",
        )
    if NO_DAEMON.search(text):
        return MissingService("Docker's daemon does not answer", next_step=START_DOCKER)
    if FILE.search(text):
        return ConfigError(
            f"`{what}` refused its files: {last}",
            next_step="Check `docker compose config` in the project's root.",
        )
    return ServiceUnavailable(f"`{what}` failed: {last}", next_step="Look at `grafana logs`.")
