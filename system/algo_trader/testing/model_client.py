"""Ask this program as a model's program does, with the client of the protocol's own package."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import mcp_types as types
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

from system.algo_trader.testing.command_line import CommandLine
from system.algo_trader.testing.running_service import RunningService


@asynccontextmanager
async def over_http(service: RunningService, key: str, mode: str = "auto") -> AsyncIterator[Client]:
    """Yield a client that has connected over HTTP.

    Args:
        service: Answers.
        key: An API key.
        mode: "auto", or "legacy" for the protocol's older revisions.
    """
    headers = {"Authorization": f"Bearer {key}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=60, trust_env=False) as web,
        Client(streamable_http_client(f"{service.url}/mcp", http_client=web), mode=mode) as found,
    ):
        yield found


@asynccontextmanager
async def over_stdio(command_line: CommandLine) -> AsyncIterator[Client]:
    """Yield a client that has started `algo-trader mcp`.

    Args:
        command_line: In whose home.
    """
    program = StdioServerParameters(
        command=sys.executable,
        args=["-m", "system.algo_trader.main", "--sim", "mcp"],
        env=command_line.environment(),
        cwd=str(command_line.home),
    )
    async with Client(program) as found:
        yield found


async def asked(client: Client, name: str, **arguments: Any) -> dict[str, Any]:
    """Return what a tool answers; fail with its words if it does not."""
    found = await client.call_tool(name, arguments)
    text = words_of(found)
    assert not found.is_error, f"{name}: {text}"
    document: dict[str, Any] = json.loads(text)
    return document


async def refusal(client: Client, name: str, **arguments: Any) -> str:
    """Return the words with which a tool refuses; fail if it answers."""
    found = await client.call_tool(name, arguments)
    text = words_of(found)
    assert found.is_error, f"{name}: {text}"
    return text


def words_of(result: types.CallToolResult) -> str:
    """Return the text of a result, which has nothing else."""
    (only,) = result.content
    assert isinstance(only, types.TextContent)
    return only.text


def rows_of(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of an answer by the names of their columns."""
    same = document["in_every_row"]
    return [
        {**same, **dict(zip(document["columns"], row, strict=True))} for row in document["rows"]
    ]
