"""The base client of Grafana: its containers under compose, and what it holds, by uid."""

from __future__ import annotations

import socket
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests

from infrastructure.clock import Clock
from infrastructure.config import Secret
from infrastructure.errors import (
    ForeignService,
    MissingService,
    NetworkError,
    PortTaken,
    ServiceUnavailable,
    UsageError,
)
from infrastructure.grafana.api import READY_TIMEOUT_S, GrafanaApi, Outcome, ServerHealth
from infrastructure.grafana.compose import ComposeProject
from infrastructure.grafana.engine import ContainerState, DockerEngine
from infrastructure.grafana.http import TIMEOUT_S
from infrastructure.logging import get_logger

DEFAULT_SERVICE = "grafana"
LOG_LINES = 200
CRASH_LINES = 5
CONNECT_TIMEOUT_S = 1.0

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class GrafanaStatus:
    """What is known about one Grafana.

    Attributes:
        url: Its address.
        container: Its container, None when compose has none or Docker is not asked.
        health: Its own answer, None when it does not answer.
        problem: Why it does not answer, None when it does.
    """

    url: str
    container: ContainerState | None
    health: ServerHealth | None
    problem: str | None

    @property
    def running(self) -> bool:
        """Return whether it answers."""
        return self.health is not None


class BaseGrafanaClient(GrafanaApi, ABC):
    """Start Grafana with compose and keep folders, datasources and dashboards in it.

    Args:
        url: Address of the server.
        token: Service account token, None for none.
        user: Name for basic authentication.
        password: Its password, None for none.
        session: Transport, for tests.
        clock: Source of time and sleep.
        timeout_s: Seconds to wait for an answer.
        compose: The compose project that runs it; None when it is somebody else's server.
        engine: The Docker engine under it; None for that of the compose project.
        services: The services of the compose file that run Grafana; one of them at a time.
    """

    folder_uid = ""
    folder_title = ""

    def __init__(
        self,
        url: str,
        *,
        token: Secret | None = None,
        user: str = "admin",
        password: Secret | None = None,
        session: requests.Session | None = None,
        clock: Clock | None = None,
        timeout_s: float = TIMEOUT_S,
        compose: ComposeProject | None = None,
        engine: DockerEngine | None = None,
        services: Sequence[str] = (DEFAULT_SERVICE,),
    ) -> None:
        super().__init__(
            url,
            token=token,
            user=user,
            password=password,
            session=session,
            clock=clock,
            timeout_s=timeout_s,
        )
        self._compose = compose
        self._engine = engine
        self.services = tuple(services)

    @abstractmethod
    def get_datasources(self) -> list[dict[str, Any]]:
        """Return the bodies of the datasources that this system wants."""

    @abstractmethod
    def get_dashboards(self) -> list[dict[str, Any]]:
        """Return the dashboards that this system wants, as bare objects."""

    @property
    def compose(self) -> ComposeProject:
        """Return the compose project.

        Raises:
            UsageError: This client was made for a server that we do not run.
        """
        if self._compose is None:
            raise UsageError(
                f"the Grafana at {self.url} is not run by this project",
                next_step="Unset GRAFANA_URL to let the project run its own.",
            )
        return self._compose

    @property
    def engine(self) -> DockerEngine:
        """Return the Docker engine under the compose project."""
        if self._engine is None:
            self._engine = DockerEngine(self.compose.name)
        return self._engine

    def provision_datasources(self) -> dict[str, Outcome]:
        """Create or update each wanted datasource; return what was done by uid."""
        return {source["uid"]: self.upsert_datasource(source) for source in self.get_datasources()}

    def provision_dashboards(self) -> dict[str, Outcome]:
        """Create or update each wanted dashboard; return what was done by uid."""
        if self.folder_uid:
            self.upsert_folder(self.folder_uid, self.folder_title)
        return {
            model["uid"]: self.upsert_dashboard(model, self.folder_uid)
            for model in self.get_dashboards()
        }

    def provision_all(self) -> dict[str, Outcome]:
        """Create or update everything that this system wants; return what was done by uid."""
        return {**self.provision_datasources(), **self.provision_dashboards()}

    def start_via_compose(
        self,
        service: str = DEFAULT_SERVICE,
        environment: Mapping[str, str] | None = None,
        *,
        dependencies: bool = True,
        ready_timeout_s: float = READY_TIMEOUT_S,
    ) -> ServerHealth:
        """Start a service of the compose file and wait until Grafana is ready.

        Args:
            service: One of this client's services; the others are removed first, because they
                share the volume.
            environment: Variables for the compose file, over those of the project.
            dependencies: Start what the service depends on, too.
            ready_timeout_s: Seconds to wait until it is ready.

        Raises:
            MissingService: There is no Docker, no compose, or no daemon.
            PortTaken: Another program listens on its port; no container is left behind.
            ServiceUnavailable: It crashed, or was not ready in time.
        """
        self.engine.info()
        for other in self.services:
            if other != service and self.engine.container(other) is not None:
                self.compose.remove([other])
        known = self.engine.container(service)
        if known is None or known.status != "running":
            self._refuse_taken_port()
        try:
            self.compose.up([service], environment, dependencies=dependencies)
        except PortTaken:
            # The engine leaves the container in the state "created" behind.
            self.engine.remove(service)
            raise
        health = self.wait_until_ready(ready_timeout_s, lambda: self._watch(service))
        log.info("Grafana %s is ready at %s", health.version, self.url)
        return health

    def stop_via_compose(self) -> list[str]:
        """Stop Grafana and remove its container; its volume stays. Return what was removed."""
        self.engine.info()
        present = [service for service in self.services if self.engine.container(service)]
        if present:
            self.compose.remove(present)
            if not self.compose.services():
                self.compose.down()
        return present

    def restart(self, ready_timeout_s: float = READY_TIMEOUT_S) -> ServerHealth:
        """Restart Grafana's container and wait until it is ready.

        Raises:
            MissingService: It was never started.
        """
        service = self._present()
        self.compose.restart([service])
        return self.wait_until_ready(ready_timeout_s, lambda: self._watch(service))

    def status(self) -> GrafanaStatus:
        """Return the state of the container and the server's own answer."""
        container = None
        if self._compose is not None:
            states = [self.engine.container(service) for service in self.services]
            container = next((state for state in states if state is not None), None)
        try:
            return GrafanaStatus(self.url, container, self.health(), None)
        except (ServiceUnavailable, NetworkError, ForeignService) as error:
            return GrafanaStatus(self.url, container, None, error.message)

    def logs(self, tail: int = LOG_LINES, follow: bool = False) -> str:
        """Return the last lines of Grafana's log; with `follow` show them until Ctrl-C.

        Raises:
            MissingService: It was never started.
        """
        return self.compose.logs([self._present()], tail, follow)

    def _present(self) -> str:
        self.engine.info()
        for service in self.services:
            if self.engine.container(service) is not None:
                return service
        raise MissingService("Grafana was not started", next_step="Run `grafana start` first.")

    def _refuse_taken_port(self) -> None:
        parts = urlsplit(self.url)
        port = parts.port or 80
        try:
            socket.create_connection((parts.hostname or "", port), CONNECT_TIMEOUT_S).close()
        except OSError:
            return
        raise PortTaken(
            f"another program listens on {parts.hostname}:{port}",
            next_step="Stop that program, or choose a free port with GRAFANA_PORT.",
            port=port,
        )

    def _watch(self, service: str) -> None:
        state = self.engine.container(service)
        if state is None:
            raise ServiceUnavailable(
                f"the container of {service} is gone", next_step="Run `grafana start` again."
            )
        if state.status in ("exited", "dead") or state.restart_count > 0:
            last = self.engine.logs(service, CRASH_LINES).strip().replace("\n", " | ")
            raise ServiceUnavailable(
                f"Grafana's container {state.name} ended with code {state.exit_code}: {last}",
                next_step="Look at `grafana logs`.",
            )
