"""`options refresh|status`: keep many symbols' chains fresh, and say how that goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from system.algo_trader.cli.invocation import current

if TYPE_CHECKING:
    from system.algo_trader.jobs.option_refresh import Round

app = typer.Typer(help="Keep option chains fresh.", no_args_is_help=True)

JSON = Annotated[bool, typer.Option("--json", help="Print JSON for machines, one line a turn.")]
HALF_THE_BUDGET = 60


@app.command()
def refresh(
    context: typer.Context,
    symbols: Annotated[
        list[str] | None, typer.Argument(help="Underlyings; the watchlist when left out.")
    ] = None,
    every: Annotated[
        str, typer.Option("--every", help="How often each symbol gets its turn: 30s, 2m.")
    ] = "30s",
    lasting: Annotated[
        str | None, typer.Option("--for", help="How long: 10m, 6h; until Ctrl-C when left out.")
    ] = None,
    always: Annotated[
        bool, typer.Option("--always", help="Go on while the options market is closed.")
    ] = False,
    per_minute: Annotated[
        int,
        typer.Option(min=2, max=119, help="The most of the 120 requests a minute that all share."),
    ] = HALF_THE_BUDGET,
    rates: Annotated[str, typer.Option("--rates", help="As `gex` takes it.")] = "0",
    dividend_yield: Annotated[
        float, typer.Option("--dividend-yield", help="As `gex` takes it.")
    ] = 0.0,
    signs: Annotated[
        str, typer.Option("--signs", help="As `gex` takes it.")
    ] = "calls-plus-puts-minus",
    as_json: JSON = False,
) -> None:
    """Refresh chains until Ctrl-C: Redis for other readers, InfluxDB and the archive for good.

    Turns go round; more symbols than the budget allows slow down all alike, and each turn says
    what its interval really was. An outage of Schwab, Redis or InfluxDB is said once, and its end.
    """
    from infrastructure.errors import UsageError
    from infrastructure.schwab.symbols import checked_symbol
    from system.algo_trader.cli.durations import duration_ns
    from system.algo_trader.cli.options_keepers import job_of, tell_closed
    from system.algo_trader.jobs.report_terms import ReportTerms

    every_s = duration_ns(every, "--every") / 1e9
    for_s = None if lasting is None else duration_ns(lasting, "--for") / 1e9
    terms = ReportTerms(rates, dividend_yield, signs)
    wanted = list(dict.fromkeys(checked_symbol(symbol) for symbol in symbols or ()))
    invocation = current(context)
    machine = as_json or invocation.as_json
    with invocation.runtime(requests_per_minute=per_minute) as runtime:
        chosen = wanted or list(runtime.redis.watchlist())
        if not chosen:
            raise UsageError("no symbol is named and the watchlist is empty")
        job, note = job_of(runtime, chosen, terms, every_s, always=always)

        with invocation.pulse(runtime, "options-refresh") as beat:

            def on_round(done: Round) -> None:
                show_round(done, machine)
                note(done)
                beat()

            try:
                job.run(on_round, lambda wait_s: tell_closed(wait_s, machine), for_s=for_s)
            except KeyboardInterrupt:
                return


@app.command()
def status(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Show how `options refresh` does; exit code 4 when none has run for some turns."""
    from infrastructure.errors import CorruptStore, NoDataError
    from system.algo_trader import terminal
    from system.algo_trader.storage.hot_keys import OPTIONS_REFRESH

    invocation = current(context)
    with invocation.runtime() as runtime:
        document = runtime.redis.get_json(OPTIONS_REFRESH.of())
    if document is None:
        raise NoDataError(
            "no `options refresh` runs", next_step="Start one: `algo-trader options refresh SPY`."
        )
    if not isinstance(document, dict) or not isinstance(document.get("symbols"), dict):
        raise CorruptStore("what Redis keeps as options_refresh is no state of a refresh")
    if as_json or invocation.as_json:
        terminal.print_json(document)
        return
    rows = [
        (symbol, each["refreshed_at"], each["interval_s"], each["wanted_s"], each["as_of"],
         "; ".join(each["failing"].values()) or None)
        for symbol, each in sorted(document["symbols"].items())
    ]  # fmt: skip
    headings = ("symbol", "refreshed", "interval s", "asked s", "quotes of", "trouble")
    terminal.print_table(terminal.table("Chains", headings, rows, numeric="llrrll"))


def show_round(done: Round, machine: bool) -> None:
    """Print one turn: a line of facts, and one for each trouble that began or ended."""
    import sys

    from system.algo_trader import terminal

    if machine:
        terminal.print_json(round_facts(done))
        sys.stdout.flush()
        return
    from system.algo_trader.cli.gex import dollars

    for name in done.recovered:
        sys.stderr.write(f"{name} works again\n")
    for name, sentence in done.troubles.items():
        sys.stderr.write(f"{name}: {sentence}\n")
    if done.document is not None:
        facts = round_facts(done)
        interval = "first turn"
        if done.interval_s is not None:
            interval = f"every {done.interval_s:.0f} s"
        if done.is_late:
            interval += f" (asked: {done.wanted_s:.0f} s)"
        flip = "–" if facts["flip"] is None else f"{facts['flip']:,.2f}"
        kept = ", ".join(f"{name} {count:,}" for name, count in done.kept.items())
        terminal.console().print(
            f"{facts['at'][:19]}Z  {done.symbol}  {facts['spot']:,.2f}  "
            f"gamma {dollars(facts['gex'])}  flip {flip}  "
            f"{interval}, took {done.took_s:.1f} s  kept: {kept or 'nowhere'}"
        )
    sys.stdout.flush()


def round_facts(done: Round) -> dict[str, Any]:
    """Return one turn as plain values for JSON."""
    from infrastructure.clock import rfc3339

    document = done.document or {}
    return {
        "symbol": done.symbol,
        "at": rfc3339(done.began_ns),
        "took_s": round(done.took_s, 3),
        "interval_s": None if done.interval_s is None else round(done.interval_s, 3),
        "wanted_s": done.wanted_s,
        "source": document.get("source"),
        "is_synthetic": document.get("is_synthetic"),
        "as_of": document.get("as_of"),
        "spot": document.get("spot"),
        "gex": document["total"]["gex"]["net"] if document else None,
        "flip": document["flip"]["price"] if document else None,
        "contracts": document.get("contracts"),
        "kept": dict(done.kept),
        "troubles": dict(done.troubles),
        "recovered": list(done.recovered),
        "dropped": done.dropped,
    }
