"""Build the command line. Verbs import their heavy parts when they run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from system.algo_trader.cli import (
    archive,
    auth,
    bench,
    candles,
    config,
    errors,
    futures,
    gex,
    health,
    keys,
    levels,
    mcp,
    options,
    orders,
    portfolio,
    quality,
    schwab,
    serve,
    services,
    sim,
    store,
    stream,
    tape,
    watchlist,
)
from system.algo_trader.cli.invocation import Invocation

HELP = """Trade US markets through Charles Schwab: history, checks, storage, dashboards.

Without a verb: sign in, fetch the watchlist's history, check and store it, and show it.
Without Schwab credentials everything runs against a local simulator that replays real
prices of the past, and says so.
"""


def build() -> typer.Typer:
    """Return the whole command line."""
    app = typer.Typer(
        name="algo-trader",
        help=HELP,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(invoke_without_command=True)(_top)
    app.command("update")(update)
    app.command("version")(health.version)
    app.command("health")(health.health)
    app.command("doctor")(health.doctor)
    app.command("levels")(levels.levels)
    app.command("gex")(gex.gex)
    app.command("tape")(tape.tape)
    app.command("stream")(stream.stream)
    app.command("serve")(serve.serve)
    app.command("mcp")(mcp.mcp)
    app.command("quote")(portfolio.quote)
    app.command("chain")(portfolio.chain)
    app.command("accounts")(portfolio.accounts)
    app.command("positions")(portfolio.positions)
    app.command("sim", context_settings=sim.PASS_ON)(sim.sim)
    app.add_typer(archive.app, name="archive")
    app.add_typer(auth.app, name="auth")
    app.add_typer(bench.app, name="bench")
    app.add_typer(candles.app, name="candles")
    app.add_typer(errors.app, name="errors")
    app.add_typer(futures.app, name="futures")
    app.add_typer(store.app, name="store")
    app.add_typer(watchlist.app, name="watchlist")
    app.add_typer(options.app, name="options")
    app.add_typer(orders.app, name="orders")
    app.add_typer(schwab.app, name="schwab")
    app.add_typer(quality.app, name="quality")
    app.add_typer(services.app, name="services")
    app.add_typer(keys.app, name="keys")
    app.add_typer(config.app, name="config")
    return app


def _top(
    context: typer.Context,
    symbols: Annotated[
        str | None, typer.Option(help="Symbols with commas, in place of the watchlist.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
    live: Annotated[bool, typer.Option("--live", help="Insist on the real Schwab.")] = False,
    sim: Annotated[bool, typer.Option("--sim", help="Use the local simulator.")] = False,
    replay: Annotated[
        Path | None,
        typer.Option(help="A CSV or Parquet file of bars for the simulator to replay."),
    ] = None,
    home: Annotated[
        Path | None, typer.Option(help="The folder for everything that is stored.")
    ] = None,
    log_level: Annotated[str | None, typer.Option(help="DEBUG, INFO, WARNING, ERROR.")] = None,
    endpoint_file: Annotated[Path | None, typer.Option("--endpoint-file", hidden=True)] = None,
) -> None:
    flags = {
        "home": str(home) if home is not None else None,
        "log_level": log_level,
        "symbols": symbols,
    }
    invocation = Invocation(flags, as_json, sim or replay is not None, live, replay, endpoint_file)
    context.obj = invocation
    if context.invoked_subcommand is None:
        from system.algo_trader.cli.main_job import run_main_job

        raise typer.Exit(run_main_job(invocation))


def update(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Extend what is stored to now, and project what InfluxDB still lacks."""
    from system.algo_trader.cli.invocation import current
    from system.algo_trader.cli.main_job import run_update

    invocation = current(context)
    invocation.as_json = invocation.as_json or as_json
    raise typer.Exit(run_update(invocation))
