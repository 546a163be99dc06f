"""`quality gaps|backfill`: what streams missed, and the bars of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from system.algo_trader.cli.invocation import current
from system.algo_trader.cli.store import JSON, stored_realm

if TYPE_CHECKING:
    from system.algo_trader.market.stream_gap import StreamGap

_SHOWN = 50


def gaps(
    context: typer.Context,
    state: Annotated[
        str | None, typer.Option(help="open, backfilled, lost or suspected; all without it.")
    ] = None,
    as_json: JSON = False,
) -> None:
    """Show what streams missed and what became of it: lost updates stay lost for ever."""
    from system.algo_trader import terminal
    from system.algo_trader.storage.archive import Archive
    from system.algo_trader.storage.stream_gaps import StreamGaps

    wanted = _state(state)
    realm = stored_realm(context)
    every = StreamGaps(Archive(realm.archive)).all()
    found = [each for each in every if wanted in (None, each.state)]
    if as_json or current(context).as_json:
        terminal.print_json(
            {
                "simulated": realm.is_simulated,
                "totals": _totals(every),
                "gaps": [_document(each) for each in found],
            }
        )
        return
    where = "simulator, replay of the past" if realm.is_simulated else "Schwab"
    if not found:
        terminal.console().print(f"No such gap of a stream is recorded ({where}).")
        return
    terminal.print_table(_table(found[-_SHOWN:], where))
    totals = ", ".join(f"{count:,} {name}" for name, count in _totals(every).items() if count)
    terminal.console().print(f"{totals}. Updates of every gap but the suspected are lost for ever.")


def backfill(context: typer.Context, as_json: JSON = False) -> None:
    """Fetch the bars of open gaps now, without a stream; exit 3 if some have to wait."""
    from system.algo_trader import terminal
    from system.algo_trader.cli.filling import backfill_of
    from system.algo_trader.market.bars import Bars

    invocation = current(context)
    with invocation.runtime() as runtime:
        if runtime.archive.stream_gaps().num_rows:
            runtime.influxdb.ensure_tables()
        stored: list[Bars] = []
        filler = backfill_of(runtime, stored.append)
        closed = requests = 0
        while True:
            done = filler.step()
            closed, requests = closed + len(done.closed), requests + done.requests
            if done.error is not None:
                raise done.error
            if not done.requests and not done.closed:
                break
        if stored:
            runtime.influxdb.write_candles(Bars.concat(stored))
        left = len(filler.gaps.open())
    bars = sum(len(each) for each in stored)
    if as_json or invocation.as_json:
        terminal.print_json({"closed": closed, "requests": requests, "bars": bars, "open": left})
    else:
        terminal.console().print(
            f"{closed:,} gaps filled with {bars:,} bars by {requests:,} requests; {left:,} wait "
            "for the source."
        )
    if left:
        raise typer.Exit(3)


def _state(text: str | None) -> str | None:
    from infrastructure.errors import UsageError
    from system.algo_trader.market.stream_gap import GapState

    if text is None or text in list(GapState):
        return text
    raise UsageError(f"{text} is no state", next_step=f"States are {', '.join(GapState)}.")


def _totals(gaps: list[StreamGap]) -> dict[str, int]:
    from system.algo_trader.market.stream_gap import GapState

    return {str(state): sum(each.state is state for each in gaps) for state in GapState}


def _document(gap: StreamGap) -> dict[str, Any]:
    from infrastructure.clock import rfc3339

    return {
        "service": gap.service,
        "source": gap.source,
        "run_id": gap.run_id,
        "reason": gap.reason,
        "start": rfc3339(gap.start_ns),
        "end": rfc3339(gap.end_ns),
        "missing_updates": gap.missing,
        "instruments": gap.instruments,
        "symbols": list(gap.symbols),
        "state": str(gap.state),
        "bars_filled": gap.filled,
        "bars_absent": gap.absent,
        "recorded_at": rfc3339(gap.recorded_at),
    }


def _table(gaps: list[StreamGap], where: str) -> Any:
    from infrastructure.clock import rfc3339
    from system.algo_trader import terminal

    rows = [
        (
            each.service,
            each.reason,
            rfc3339(each.start_ns),
            f"{(each.end_ns - each.start_ns) / 1e9:,.1f}",
            each.missing,
            each.instruments,
            str(each.state),
            each.filled,
            each.absent,
        )
        for each in gaps
    ]
    columns = ("service", "reason", "from", "seconds", "updates", "instruments", "state")
    return terminal.table(
        f"Gaps of streams ({where})",
        (*columns, "bars", "absent"),
        rows,
        numeric="lllrrrlrr",
    )
