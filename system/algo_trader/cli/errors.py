"""`errors list|ack|resolve`: what went wrong in any process, and what was done about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from system.algo_trader.cli.invocation import Invocation, current

if TYPE_CHECKING:
    from collections.abc import Sequence

    from system.algo_trader.health.error_entry import ErrorEntry, ErrorState

app = typer.Typer(help="Errors of all processes, and what was done.", no_args_is_help=True)

JSON = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
ID = Annotated[str, typer.Argument(help="As `errors list` shows it.")]
NOTE = Annotated[str | None, typer.Option(help="What is to be said about it.")]
ALL = "all"
_COLOURS = {"low": "dim", "medium": "yellow", "high": "red", "critical": "bold red"}


@app.command("list")
def list_(
    context: typer.Context,
    state: Annotated[str, typer.Option(help="open, acknowledged, resolved or all.")] = "open",
    as_json: JSON = False,
) -> None:
    """List errors, those that were seen last first; a notice counts the others."""
    from system.algo_trader import terminal
    from system.algo_trader.health.error_registry import ErrorRegistry

    wanted = _wanted(state)
    invocation = current(context)
    with invocation.runtime() as runtime:
        registry = ErrorRegistry(runtime.redis, runtime.clock)
        entries, counts = registry.entries(wanted), registry.counts()
    if as_json or invocation.as_json:
        terminal.print_json({"errors": [each.as_dict() for each in entries], "counts": counts})
        return
    if entries:
        _show(entries)
    counted = ", ".join(f"{count} {word}" for word, count in counts.items())
    terminal.console().print(f"{counted}; `errors ack ID` or `errors resolve ID` says more")


@app.command()
def ack(context: typer.Context, id: ID, note: NOTE = None, as_json: JSON = False) -> None:
    """Say that somebody knows of an error: it is not escalated any more."""
    from system.algo_trader.health.error_registry import ErrorRegistry

    invocation = current(context)
    with invocation.runtime() as runtime:
        entry = ErrorRegistry(runtime.redis, runtime.clock).acknowledge(id, note)
    _show_one(invocation, entry, as_json)


@app.command()
def resolve(context: typer.Context, id: ID, note: NOTE = None, as_json: JSON = False) -> None:
    """Say that an error's cause is mended; it is open again when it comes again."""
    from system.algo_trader.health.error_registry import ErrorRegistry

    invocation = current(context)
    with invocation.runtime() as runtime:
        entry = ErrorRegistry(runtime.redis, runtime.clock).resolve(id, note)
    _show_one(invocation, entry, as_json)


def _wanted(state: str) -> ErrorState | None:
    from infrastructure.errors import UsageError
    from system.algo_trader.health.error_entry import STATES

    found: ErrorState | None = next((each for each in STATES if each == state), None)
    if found is None and state != ALL:
        raise UsageError(
            f"{state!r} is no state of an error", next_step=f"One of: {', '.join(STATES)}, {ALL}."
        )
    return found


def _show(entries: Sequence[ErrorEntry]) -> None:
    from infrastructure.clock import rfc3339
    from system.algo_trader import terminal

    rows = [
        (
            each.id,
            each.state if each.escalated_at_ns is None else f"{each.state}, escalated",
            terminal.styled(each.severity, _COLOURS[each.severity]),
            each.count,
            rfc3339(each.last_seen_ns // 10**9 * 10**9),
            each.process,
            each.kind,
            each.message,
        )
        for each in entries
    ]
    columns = ("id", "state", "severity", "count", "last seen", "process", "kind", "message")
    terminal.print_table(terminal.table("Errors", columns, rows, numeric="lllrllll"))


def _show_one(invocation: Invocation, entry: ErrorEntry, as_json: bool) -> None:
    from system.algo_trader import terminal

    if as_json or invocation.as_json:
        terminal.print_json(entry.as_dict())
    else:
        terminal.console().print(f"{entry.id} is {entry.state}: {entry.message}")
