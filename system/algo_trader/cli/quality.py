"""`quality report|gaps|backfill|spot-check`: how complete and how right the stored bars are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from system.algo_trader.cli import quality_gaps
from system.algo_trader.cli.invocation import current
from system.algo_trader.cli.store import JSON, stored_realm

if TYPE_CHECKING:
    from system.algo_trader.market.timeframe import Timeframe
    from system.algo_trader.quality.coverage import Coverage
    from system.algo_trader.quality.coverage_page import Known

_GAPS_SHOWN = 12
app = typer.Typer(help="Say how complete and how right stored bars are.", no_args_is_help=True)
app.command("gaps")(quality_gaps.gaps)
app.command("backfill")(quality_gaps.backfill)


@app.command()
def report(
    context: typer.Context,
    timeframe: Annotated[str, typer.Option("--timeframe", "-t", help="Shorter than 1d.")] = "1m",
    days: Annotated[int, typer.Option(min=1, help="Trading days up to the last one.")] = 20,
    html: Annotated[Path | None, typer.Option(help="Write a page to this file.")] = None,
    as_json: JSON = False,
) -> None:
    """Show which bars the calendar expects and nobody has, a row a symbol, a column a day."""
    from infrastructure.clock import SystemClock
    from infrastructure.errors import NoDataError
    from system.algo_trader import terminal
    from system.algo_trader.jobs.stored_coverage import known_gaps, stored_coverage
    from system.algo_trader.storage.archive import Archive
    from system.algo_trader.storage.stream_gaps import StreamGaps

    invocation = current(context)
    chosen = _intraday(timeframe)
    realm = stored_realm(context)
    archive = Archive(realm.archive)
    symbols = sorted({symbol for symbol, each in archive.bar_series() if each is chosen})
    asked = invocation.settings().symbols if invocation.names_symbols else None
    symbols = [each for each in symbols if asked is None or each in asked]
    if not symbols:
        raise NoDataError(
            f"no {chosen} bars are stored", next_step="Fetch some: `algo-trader update`."
        )
    now_ns = SystemClock().now_ns()
    rows = [stored_coverage(archive, symbol, chosen, days, now_ns) for symbol in symbols]
    known = known_gaps(rows, StreamGaps(archive).all())
    where = "simulator, replay of the past" if realm.is_simulated else "Schwab"
    if html is not None:
        _write_page(html, rows, where, known)
    if as_json or invocation.as_json:
        terminal.print_json(
            {"simulated": realm.is_simulated, "rows": [_document(r, known) for r in rows]}
        )
        return
    terminal.print_table(_table(rows, where))
    for line in _gap_lines(known):
        terminal.console().print(line)
    if html is not None:
        terminal.console().print(f"wrote {html}")


@app.command("spot-check")
def spot_check(
    context: typer.Context,
    timeframe: Annotated[str, typer.Option("--timeframe", "-t", help="1m, 5m, 1d...")] = "1m",
    samples: Annotated[int, typer.Option(min=1, help="Symbol-days to compare.")] = 10,
    seed: Annotated[int | None, typer.Option(help="Chooses the samples; printed.")] = None,
    as_json: JSON = False,
) -> None:
    """Fetch a sample of stored days anew and compare bar by bar; exit 4 below 99.9 %."""
    from dataclasses import asdict

    from system.algo_trader import terminal
    from system.algo_trader.jobs.spot_check import run_spot_check

    invocation = current(context)
    with invocation.runtime() as runtime:
        done = run_spot_check(
            runtime.feed,
            runtime.archive,
            _timeframe(timeframe),
            samples=samples,
            seed=seed,
        )
    found = done.check
    if as_json or invocation.as_json:
        terminal.print_json(
            {
                **asdict(found),
                "share": found.share,
                "good": found.is_good,
                "seed": done.seed,
                "unanswered": done.unanswered,
            }
        )
    else:
        terminal.console().print(done.sentence())
        for each in found.mismatches[:20]:
            terminal.console().print(
                f"  {each.symbol} {_time(each.start)} {each.column}: stored {each.stored}, "
                f"source {each.fresh}"
            )
    if not found.is_good:
        raise typer.Exit(4)


def _time(ns: int) -> str:
    from infrastructure.clock import rfc3339

    return rfc3339(ns)


def _timeframe(text: str) -> Timeframe:
    from infrastructure.errors import UsageError
    from system.algo_trader.market.timeframe import Timeframe

    try:
        return Timeframe(text)
    except ValueError:
        raise UsageError(
            f"{text!r} is no timeframe", next_step=f"Use one of {', '.join(Timeframe)}."
        ) from None


def _intraday(text: str) -> Timeframe:
    from infrastructure.errors import UsageError

    chosen = _timeframe(text)
    if not chosen.is_intraday:
        raise UsageError(
            f"coverage is counted by day, and {chosen} bars have no days",
            next_step="Use 1m, 5m or another timeframe below a day.",
        )
    return chosen


def _gap_lines(known: Known) -> list[str]:
    """Return one line for each gap; the newest ones when there are many."""
    from system.algo_trader.quality.known_gaps import words_of

    every = {gap.identity: gap for days in known.values() for gaps in days.values() for gap in gaps}
    newest = sorted(every.values(), key=lambda gap: gap.start_ns)[-_GAPS_SHOWN:]
    lines = [f"known gap: {words_of(gap)}" for gap in newest]
    if len(every) > len(newest):
        lines.append(f"and {len(every) - len(newest)} earlier ones: `quality gaps`")
    return lines


def _document(each: Coverage, known: Known) -> dict[str, Any]:
    from system.algo_trader.quality.known_gaps import words_of

    mine = known.get(each.symbol, {})
    return {
        "symbol": each.symbol,
        "timeframe": str(each.timeframe),
        "expected": each.expected,
        "present": each.present,
        "share": each.share,
        "strays": each.strays,
        "days": [
            {
                "date": day.date.isoformat(),
                "expected": day.expected,
                "present": day.present,
                "longest_gap": day.longest_gap,
                "early_close": day.is_early_close,
                "known_gaps": [words_of(gap) for gap in mine.get(day.date, ())],
            }
            for day in each.days
        ],
    }


def _table(rows: list[Coverage], where: str) -> Any:
    from system.algo_trader import terminal

    first, last = rows[0].days[0].date, rows[0].days[-1].date
    return terminal.table(
        f"Coverage ({where}), {len(rows[0].days)} trading days from {first} to {last}",
        ("symbol", "bars", "expected", "present", "complete", "longest gap", "worst day", "strays"),
        [_cells(each) for each in rows],
        numeric="llrrrrlr",
    )


def _cells(each: Coverage) -> tuple[object, ...]:
    missing = each.incomplete()
    worst = min(missing, key=lambda day: day.present - day.expected) if missing else None
    return (
        each.symbol,
        str(each.timeframe),
        f"{each.expected:,}",
        f"{each.present:,}",
        None if each.share is None else f"{100 * each.share:.2f} %",
        max(day.longest_gap for day in each.days),
        None if worst is None else f"{worst.date} lacks {worst.expected - worst.present}",
        each.strays,
    )


def _write_page(path: Path, rows: list[Coverage], where: str, known: Known) -> None:
    from infrastructure.supervision.files import told_in_a_sentence
    from system.algo_trader.quality.coverage_page import coverage_page

    first, last = rows[0].days[0].date, rows[0].days[-1].date
    text = coverage_page("Coverage of stored bars", f"{where}, {first} to {last}", rows, known)
    with told_in_a_sentence(path):
        path.write_text(text, encoding="utf-8")
