"""SQL over HTTP: `POST /api/v1/sql`."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from system.algo_trader.api.access.api_key import READING
from system.algo_trader.api.access.caller import require
from system.algo_trader.api.http.openapi import PREFIX
from system.algo_trader.api.http.operation_route import ROWS as ROWS_NOTED
from system.algo_trader.api.http.operation_route import Desk
from system.algo_trader.api.http.work import Lane
from system.algo_trader.api.operations.rendering import Form, form_of, render
from system.algo_trader.api.operations.sql import sql_answer
from system.algo_trader.api.operations.sql_sandbox import MOST_ROWS, ROWS, SqlSandbox
from system.algo_trader.api.operations.sql_text import LONGEST_SQL

_DESCRIPTION: Final = (
    "Answer one SELECT over the archive, in the forms of every other answer. Needs the scopes "
    "`read:ticks` and `read:options`, since tables of both can be read."
)


class Asked(BaseModel):
    """Say what is asked in SQL."""

    model_config = ConfigDict(extra="forbid")
    sql: Annotated[str, Field(min_length=1, max_length=LONGEST_SQL)]
    max_rows: Annotated[int, Field(ge=1, le=MOST_ROWS, strict=True)] = ROWS


def sql_routes(sandbox: SqlSandbox, desk: Desk) -> APIRouter:
    """Return the route that answers SQL.

    Args:
        sandbox: Answers.
        desk: Threads and the clock.
    """
    router = APIRouter(prefix=PREFIX, tags=["sql"])

    @router.post("/sql", operation_id="sql", description=_DESCRIPTION, response_class=Response)
    async def sql(request: Request, asked: Asked) -> Response:
        for scope in READING:
            require(request.scope, scope)
        form = form_of(request.headers.get("accept"))

        def find() -> tuple[bytes, int]:
            answer = sql_answer(sandbox, asked.model_dump())
            rendered = render(answer, form)
            return rendered.content(desk.stores.clock.now_ns()), rendered.rows

        content, rows = await desk.work.do(find, Lane.SQL)
        request.scope[ROWS_NOTED] = rows
        headers = {"cache-control": "no-store"}
        return Response(content, 200, headers, media_type=str(Form(form)))

    return router
