"""The registered errors over HTTP."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from system.algo_trader.api.access.caller import ADMIN, require
from system.algo_trader.api.http.control import Done
from system.algo_trader.api.http.openapi import PREFIX
from system.algo_trader.api.http.work import Work
from system.algo_trader.api.operations.status_board import StatusBoard
from system.algo_trader.health.error_registry import ErrorRegistry

Deed = Literal["acknowledge", "resolve"]
Asked = Literal["open", "acknowledged", "resolved", "all"]


class Said(BaseModel):
    """Say something about an error."""

    model_config = ConfigDict(extra="forbid")
    note: Annotated[str | None, Field(max_length=500)] = None


class Errors(BaseModel):
    """List errors and count them by state."""

    errors: list[dict[str, Any]]
    counts: dict[str, int]


def error_routes(registry: ErrorRegistry, work: Work, board: StatusBoard) -> APIRouter:
    """Return the routes that list errors, acknowledge and resolve them.

    Args:
        registry: The errors.
        work: Threads.
        board: Is told to look again.
    """
    router = APIRouter(prefix=PREFIX, tags=["errors"])

    @router.get("/errors", operation_id="errors")
    async def errors(
        request: Request,
        state: Annotated[Asked, Query()] = "open",
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> Errors:
        """List what went wrong in any process, newest first. Needs the scope `admin`."""
        require(request.scope, ADMIN)

        def look() -> Errors:
            entries = registry.entries(None if state == "all" else state, limit)
            counts = {str(name): count for name, count in registry.counts().items()}
            return Errors(errors=[each.as_dict() for each in entries], counts=counts)

        return await work.do(look)

    @router.post("/errors/{error_id}/{deed}", operation_id="settle_error")
    async def settle_error(
        request: Request,
        error_id: Annotated[str, Path(max_length=64, pattern=r"^[A-Za-z0-9_-]+$")],
        deed: Deed,
        said: Annotated[Said | None, Body()] = None,
    ) -> Done:
        """Acknowledge or resolve an error. Needs the scope `admin`."""
        require(request.scope, ADMIN)
        note = None if said is None else said.note
        change = registry.acknowledge if deed == "acknowledge" else registry.resolve
        entry = await work.do(lambda: change(error_id, note))
        board.hurry()
        return Done(ok=True, detail=f"{entry.id} is {entry.state}")

    return router
