"""The server of the protocol: lists the tools that a caller may use, and answers them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, Final

import mcp_types as types
import msgspec
from mcp.server import Server
from mcp.server.context import ServerRequestContext

from infrastructure.clock import Clock
from system.algo_trader.api.access.caller import CALLER, Caller
from system.algo_trader.api.http.operation_route import ROUTE, ROWS
from system.algo_trader.api.http.work import Work
from system.algo_trader.api.model_tools.sizing import document_for_model
from system.algo_trader.api.model_tools.tool import ModelTool
from system.algo_trader.api.operations.parameters import parse_query, texts_of
from system.algo_trader.api.operations.problem import Problem
from system.algo_trader.health.version import VERSION

PATH: Final = "/mcp"
INSTRUCTIONS: Final = inspect.cleandoc(
    """
    Market data of this machine: bars, quotes, trades, option chains, dealers' gamma, levels.
    Nothing here trades or reads accounts.
    Every answer says its `source`, `licence`, whether it is simulated or synthetic, how old it is
    (`age_s`, seconds) and what is known to be missing (`gaps`). Say so when you pass it on:
    never present simulated or synthetic numbers as the market's.
    Rows stand under `columns`; what is the same in all rows stands once under `in_every_row`.
    Instants are UTC. `more` says how to get what is left out; `next` is the `cursor` of the page
    that follows. Symbols: AAPL, BRK/B, $SPX, /ESZ26; ES.c.0 is a continuous future.
    Sums over much data are one question to `sql`, not many pages.
    """
)
_encode = msgspec.json.Encoder(enc_hook=str).encode
Context = ServerRequestContext[Any, Any]


class ModelServer:
    """Answer models.

    Args:
        tools: What they may ask.
        work: Threads.
        clock: Tells the time.
        may: Returns whether a caller may do something; None asks the gate's caller.
    """

    def __init__(
        self,
        tools: Sequence[ModelTool],
        work: Work,
        clock: Clock,
        may: Callable[[str], bool] | None = None,
    ) -> None:
        self._tools = {each.name: each for each in tools}
        self._work = work
        self._clock = clock
        self._may = may
        self.protocol: Server[Any] = Server(
            "algo-trader",
            version=VERSION,
            title="Algo Trader",
            instructions=INSTRUCTIONS,
            get_tool_input_schema=self._schema,
            on_list_tools=self._list,
            on_call_tool=self._call,
        )

    def _schema(self, name: str) -> dict[str, Any] | None:
        tool = self._tools.get(name)
        return None if tool is None else tool.schema()

    def _is_allowed(self, context: Context, tool: ModelTool) -> bool:
        if self._may is not None:
            return all(map(self._may, tool.needs))
        caller: Caller = context.request.scope[CALLER]  # type: ignore[union-attr]
        return all(map(caller.may, tool.needs))

    async def _list(
        self, context: Context, _: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        found = [
            types.Tool(
                name=tool.name,
                title=tool.title,
                description=tool.description,
                input_schema=tool.schema(),
                annotations=types.ToolAnnotations(
                    title=tool.title,
                    read_only_hint=True,
                    destructive_hint=False,
                    idempotent_hint=True,
                    open_world_hint=False,
                ),
            )
            for tool in self._tools.values()
            if self._is_allowed(context, tool)
        ]
        return types.ListToolsResult(tools=found)

    async def _call(
        self, context: Context, params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        try:
            tool = self._tool(context, params.name)
            self._note(context, ROUTE, f"{PATH} {tool.name}")
            values = parse_query(tool.parameters, texts_of(params.arguments or {}))

            def find() -> tuple[bytes, int]:
                document, rows = document_for_model(tool, values, self._clock.now_ns())
                return _encode(document), rows

            content, rows = await self._work.do(find, tool.lane)
            self._note(context, ROWS, rows)
        except Problem as problem:
            return _said(sentence_of(problem), is_error=True)
        return _said(content.decode(), is_error=False)

    def _tool(self, context: Context, name: str) -> ModelTool:
        allowed = {
            each.name: each for each in self._tools.values() if self._is_allowed(context, each)
        }
        if name in allowed:
            return allowed[name]
        if name in self._tools:
            lacking = " and ".join(sorted(self._tools[name].needs))
            raise Problem(403, f"this key may not use {name}: it takes {lacking}")
        raise Problem(404, f"there is no tool {name[:40]!r}", "name", sorted(allowed))

    def _note(self, context: Context, key: str, value: Any) -> None:
        """Leave a word for the audit, where a request passed the gate."""
        if context.request is not None:
            context.request.scope[key] = value


def sentence_of(problem: Problem) -> str:
    """Return a problem in words: what is wrong, what would be right, what to do."""
    said = [problem.detail if problem.detail.endswith(".") else f"{problem.detail}."]
    if problem.allowed is not None:
        right = problem.allowed
        words = right if isinstance(right, str) else ", ".join(right)
        said.append(f"Allowed{f' for {problem.parameter}' if problem.parameter else ''}: {words}.")
    if problem.next_step:
        said.append(problem.next_step)
    if problem.retry_after_s is not None:
        said.append(f"Ask again in {problem.retry_after_s} s.")
    return " ".join(said)


def _said(text: str, *, is_error: bool) -> types.CallToolResult:
    return types.CallToolResult(
        content=[types.TextContent(type="text", text=text)], is_error=is_error
    )
