"""`mcp`: the data of this machine for a model's program, over standard input and output."""

from __future__ import annotations

import typer

from system.algo_trader.cli.invocation import current


def mcp(context: typer.Context) -> None:
    """Answer a model's program over standard input and output, until it closes them.

    No service has to run. Over HTTP, `algo-trader serve` answers the same tools at /mcp.
    """
    import asyncio

    from system.algo_trader.api.model_tools.stdio import serve_stdio

    with current(context).runtime() as runtime:
        asyncio.run(serve_stdio(runtime))
