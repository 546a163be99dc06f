"""Ask the Docker engine about the project's containers, through the docker SDK."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import docker
from docker.context import ContextAPI
from docker.errors import APIError, DockerException, NotFound
from docker.models.containers import Container

from infrastructure.errors import MissingService, ServiceUnavailable
from infrastructure.grafana.compose import GET_DOCKER, JOIN_DOCKER, START_DOCKER

PROJECT_LABEL = "com.docker.compose.project"
SERVICE_LABEL = "com.docker.compose.service"
SDK_TIMEOUT_S = 30


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """The engine behind the socket.

    Attributes:
        version: Version of the engine.
        operating_system: `Docker Desktop`, or the host's distribution.
        desktop: Whether containers run in Docker Desktop's machine and not on this host.
    """

    version: str
    operating_system: str
    desktop: bool


@dataclass(frozen=True, slots=True)
class ContainerState:
    """One container as the engine sees it now.

    Attributes:
        name: Its name.
        service: Its service in the compose file.
        image: The tag it was made from.
        status: created, running, restarting, exited, paused, dead.
        health: healthy, unhealthy or starting; None without a check or before the first start.
        restart_count: How often the engine restarted it by itself.
        exit_code: Of its last end, 0 while it runs.
    """

    name: str
    service: str
    image: str
    status: str
    health: str | None
    restart_count: int
    exit_code: int


def connect(environment: Mapping[str, str] | None = None) -> docker.DockerClient:
    """Return a client of the engine that the docker command would use.

    The SDK reads DOCKER_HOST but not the command's current context, which Docker Desktop sets.
    """
    known = os.environ if environment is None else environment
    if not known.get("DOCKER_HOST"):
        context = ContextAPI.get_current_context()
        if context is not None and context.Name != "default" and context.Host:
            return docker.DockerClient(base_url=context.Host, timeout=SDK_TIMEOUT_S)
    return docker.from_env(timeout=SDK_TIMEOUT_S, environment=dict(known))


class DockerEngine:
    """Look at the containers of one compose project.

    Args:
        project: The project's name.
        connect: Makes the SDK's client, on first use: its constructor already talks to the
            daemon and raises.
    """

    def __init__(self, project: str, connect: Callable[[], docker.DockerClient] = connect) -> None:
        self.project = project
        self._connect = connect
        self._client: docker.DockerClient | None = None

    @property
    def client(self) -> docker.DockerClient:
        """Return the SDK's client.

        Raises:
            MissingService: No daemon answers, or this user may not talk to it.
        """
        if self._client is None:
            try:
                self._client = self._connect()
            except DockerException as error:
                raise _unreachable(error) from error
        return self._client

    def info(self) -> EngineInfo:
        """Return what the engine says about itself.

        Raises:
            MissingService: No daemon answers.
        """
        try:
            about: dict[str, Any] = self.client.info()
        except (DockerException, OSError) as error:
            raise _unreachable(error) from error
        system = str(about.get("OperatingSystem", ""))
        desktop = "docker desktop" in system.lower()
        return EngineInfo(str(about.get("ServerVersion", "")), system, desktop)

    def container(self, service: str) -> ContainerState | None:
        """Return the newest container of a service, None if there is none."""
        found = self._find(service)
        return None if found is None else _state(found, service)

    def logs(self, service: str, tail: int) -> str:
        """Return the last lines that a service's container wrote."""
        found = self._find(service)
        if found is None:
            return ""
        return found.logs(tail=tail).decode("utf-8", "replace")

    def remove(self, service: str) -> bool:
        """Remove a service's container, whatever its state; return whether there was one."""
        found = self._find(service)
        if found is None:
            return False
        try:
            found.remove(force=True)
        except NotFound:
            return False
        return True

    def read_file(self, service: str, path: str) -> str | None:
        """Return the text of a file inside a running container, None if it has none.

        Raises:
            ServiceUnavailable: The container is not running.
        """
        found = self._find(service)
        if found is None:
            return None
        try:
            done = found.exec_run(["cat", path])
        except APIError as error:
            raise ServiceUnavailable(
                f"the container {found.name} is not running",
                next_step="Run `grafana start`.",
            ) from error
        if done.exit_code != 0:
            return None
        output = done.output
        return (output if isinstance(output, bytes) else b"".join(output)).decode("utf-8")

    def close(self) -> None:
        """Close the connection to the daemon."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _find(self, service: str) -> Container | None:
        labels = [f"{PROJECT_LABEL}={self.project}", f"{SERVICE_LABEL}={service}"]
        try:
            found = self.client.containers.list(all=True, filters={"label": labels})
            for container in found:
                container.reload()
        except NotFound:
            # It went away between the list and the look at it.
            return None
        except (DockerException, OSError) as error:
            raise _unreachable(error) from error
        return found[0] if found else None


def _state(container: Container, service: str) -> ContainerState:
    state = container.attrs["State"]
    return ContainerState(
        name=str(container.name),
        service=service,
        image=str(container.attrs["Config"]["Image"]),
        status=str(container.status),
        health=state.get("Health", {}).get("Status"),
        restart_count=int(container.attrs.get("RestartCount", 0)),
        exit_code=int(state.get("ExitCode", 0)),
    )


def _unreachable(error: Exception) -> MissingService:
    text = str(error)
    if "Permission denied" in text or "PermissionError" in text:
        return MissingService("this user may not use Docker", next_step=JOIN_DOCKER)
    if "FileNotFoundError" in text or "No such file" in text:
        return MissingService(
            "Docker's daemon does not answer (its socket is missing)",
            next_step=f"{START_DOCKER} Without Docker: {GET_DOCKER}",
        )
    return MissingService(f"Docker's daemon does not answer ({text})", next_step=START_DOCKER)
