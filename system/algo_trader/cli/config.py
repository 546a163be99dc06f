"""`config show|check`: each setting's value and where it comes from."""

from __future__ import annotations

from typing import Annotated

import typer

from system.algo_trader.cli.invocation import current

app = typer.Typer(help="Show and check the settings.", no_args_is_help=True)

JSON = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


@app.command()
def show(context: typer.Context, as_json: JSON = False) -> None:
    """Show every setting's value, secrets masked, and its origin."""
    from infrastructure.logging import redact
    from system.algo_trader import terminal

    invocation = current(context)
    settled = invocation.settings().settled
    # A URL may carry a password.
    shown = {setting.name: redact(settled.shown(setting.name)) for setting in settled.declared}
    if as_json or invocation.as_json:
        terminal.print_json(
            [
                {
                    "name": setting.name,
                    "variable": setting.variable,
                    "value": shown[setting.name],
                    "origin": str(settled.origins[setting.name]),
                }
                for setting in settled.declared
            ]
        )
        return
    rows = [
        (setting.variable, shown[setting.name], settled.origins[setting.name])
        for setting in settled.declared
    ]
    terminal.print_table(terminal.table("Settings", ("variable", "value", "origin"), rows))


@app.command()
def check(context: typer.Context, as_json: JSON = False) -> None:
    """Check that every setting can be used; the first that cannot ends it with exit code 2."""
    from infrastructure.redis.address import parse_redis_url
    from infrastructure.schwab.oauth.application import check_callback_url
    from system.algo_trader import terminal

    invocation = current(context)
    settings = invocation.settings()
    if settings.redis_url is not None:
        parse_redis_url(settings.redis_url)
    if settings.has_credentials:
        check_callback_url(settings.schwab_callback_url)
    mode = "live" if settings.has_credentials else "simulator"
    if as_json or invocation.as_json:
        terminal.print_json({"ok": True, "mode": mode, "home": str(settings.home)})
        return
    terminal.console().print(f"settings are valid; mode: {mode}; home: {settings.home}")
