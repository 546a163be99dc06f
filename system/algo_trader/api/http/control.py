"""What the owner may change: start and stop services, settle errors, ask the archive in SQL."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Body, Path, Request
from pydantic import BaseModel, ConfigDict, Field

from infrastructure.errors import UsageError
from system.algo_trader.api.access.caller import ADMIN, require
from system.algo_trader.api.http.openapi import PREFIX
from system.algo_trader.api.http.work import Lane, Work
from system.algo_trader.api.operations.status_board import StatusBoard
from system.algo_trader.processes.control import Processes
from system.algo_trader.processes.order import NAMES as PROCESSES
from system.algo_trader.runtime import Runtime
from system.algo_trader.services import NAMES as SERVERS

Action = Literal["start", "stop", "restart"]
_NAME: Final = "redis, influxdb, or a process: " + ", ".join(PROCESSES)


class Done(BaseModel):
    """Say what became of a change."""

    ok: bool
    detail: str


class Start(BaseModel):
    """Say how a process is started; without options as it was asked for last."""

    model_config = ConfigDict(extra="forbid")
    options: Annotated[str | None, Field(max_length=500)] = None


@dataclass(frozen=True, slots=True)
class Control:
    """Start and stop what runs on this machine.

    Attributes:
        runtime: Of this process.
        work: Threads.
        board: Is told to look again.
        own: Restarts what this process started itself, such as its embedded servers.
    """

    runtime: Runtime
    work: Work
    board: StatusBoard
    own: Callable[[str, Action], str]

    def router(self) -> APIRouter:
        """Return the routes."""
        router = APIRouter(prefix=PREFIX, tags=["control"])

        @router.post("/services/{name}/{action}", operation_id="control_service")
        async def control_service(
            request: Request,
            name: Annotated[str, Path(description=_NAME, max_length=40)],
            action: Action,
            start: Annotated[Start | None, Body()] = None,
        ) -> Done:
            """Start, stop or restart a service or process. Needs the scope `admin`."""
            require(request.scope, ADMIN)
            options = None if start is None else start.options
            said = await self.work.do(lambda: self._change(name, action, options), Lane.CHANGES)
            self.board.hurry()
            return Done(ok=True, detail=said)

        return router

    def _change(self, name: str, action: Action, options: str | None) -> str:
        if name in SERVERS:
            if options is not None:
                raise UsageError(f"{name} takes no options")
            return self.own(name, action)
        processes = Processes(self.runtime.settings)
        if action == "stop":
            return f"{name} {'has ended' if processes.stop(name) else 'did not run'}"
        if action == "restart":
            row = processes.restart(name, options)
        else:
            row = processes.start(name, options, is_simulated=self.runtime.realm.is_simulated)
        return f"{name} is {row.state}" + (f" as process {row.pid}" if row.pid else "")


def change_server(runtime: Runtime, name: str, action: Action) -> str:
    """Start, stop or restart an embedded server; return what became of it.

    Raises:
        StackError: If it is not ours to change, or does not start.
    """
    services = runtime.services
    said: dict[str, Any] = {}
    if action in ("stop", "restart"):
        said = {row.name: row.state for row in services.stop([name])}
    if action in ("start", "restart"):
        said = {row.name: row.state for row in services.start([name])}
    return f"{name} is {said.get(name, 'unchanged')}"
