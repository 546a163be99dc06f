"""`gex SYMBOL`: dealers' gamma by strike, where it turns, and the walls."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from system.algo_trader.cli.invocation import current

if TYPE_CHECKING:
    from system.algo_trader.jobs.report_terms import ReportTerms
    from system.algo_trader.options.chain import Chain
    from system.algo_trader.runtime import Runtime

STRIKES_SHOWN = 12
EXPIRIES_SHOWN = 10


def gex(
    context: typer.Context,
    symbol: Annotated[str, typer.Argument(help="The underlying: SPY, $SPX.")],
    cboe: Annotated[
        Path | None,
        typer.Option(
            "--cboe", help="A quote table downloaded from cboe.com as CSV, instead of Schwab."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
    plot: Annotated[
        Path | None, typer.Option("--plot", help="Write an interactive page that needs no network.")
    ] = None,
    rates: Annotated[
        str,
        typer.Option(
            "--rates", help="Continuous zero rate, 0.05, or a curve by years, 0.25:0.052,1:0.05."
        ),
    ] = "0",
    dividend_yield: Annotated[
        float,
        typer.Option("--dividend-yield", help="For expiries whose forward cannot be read off."),
    ] = 0.0,
    signs: Annotated[
        str,
        typer.Option(
            "--signs",
            help="Dealers' side: calls-plus-puts-minus, dealer-short-both, or CALL,PUT as 0.5,-1.",
        ),
    ] = "calls-plus-puts-minus",
    weight: Annotated[
        str, typer.Option("--weight", help="Contracts held: open_interest or volume.")
    ] = "open_interest",
    greeks: Annotated[
        str, typer.Option("--greeks", help="Whose gamma first: computed or vendor.")
    ] = "computed",
    watched: Annotated[
        bool, typer.Option("--watch", help="Refresh every 20 seconds until Ctrl-C.")
    ] = False,
    stored: Annotated[
        bool,
        typer.Option("--store", help="Write InfluxDB's tables, the archive and the history of IV."),
    ] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Ask Schwab even if a report is less than 30 s old.")
    ] = False,
    archived: Annotated[
        bool, typer.Option("--archive", help="Read the chain from the archive; ask nobody.")
    ] = False,
    at: Annotated[
        str | None,
        typer.Option(
            "--at", help="With --archive: as of 2026-01-16T20:00:00Z, by default the last."
        ),
    ] = None,
) -> None:
    """Show gamma exposure by strike and expiry, the flip, the walls and the terms of a chain."""
    from infrastructure.clock import SystemClock
    from infrastructure.errors import UsageError
    from system.algo_trader.cli.gex_realm import realm_of
    from system.algo_trader.jobs.chain_standing import standing_of
    from system.algo_trader.jobs.report_terms import ReportTerms

    terms = ReportTerms(rates, dividend_yield, signs, weight, greeks)
    if watched and cboe is not None:
        raise UsageError("--watch does not go with --cboe", next_step="A file does not change.")
    if archived and (watched or cboe is not None):
        raise UsageError("--archive goes with neither --watch nor --cboe")
    if at is not None and not archived:
        raise UsageError("--at needs --archive", next_step="Only the archive knows the past.")
    machine = as_json or current(context).as_json

    def document_of(
        chain: Chain, facts: dict[str, Any], runtime: Runtime | None = None
    ) -> dict[str, Any]:
        report = terms.report(chain, SystemClock().now_ns())
        standing = standing_of(report, realm_of(context, runtime).root)
        document = {**facts, **report.as_dict(), **standing}
        if stored:
            from system.algo_trader.cli.gex_store import store

            document["stored"] = store(context, report, facts["source"], chain, runtime)
        return document

    if cboe is not None:
        _present(document_of(*from_cboe(cboe, symbol)), machine, plot)
        return
    if archived:
        from system.algo_trader.cli.gex_archive import from_archive, moment_of

        chain, facts, now_ns, realm = from_archive(context, symbol, moment_of(at))
        report = terms.report(chain, now_ns)
        document = {**facts, **report.as_dict(), **standing_of(report, realm.root)}
        if stored:
            from system.algo_trader.cli.gex_store import store

            document["stored"] = store(context, report, facts["source"], chain, realm=realm)
        _present(document, machine, plot)
        return
    with current(context).runtime() as runtime:
        if not watched:
            kept = None if fresh or stored else from_cache(runtime, symbol, terms)
            if kept is None:
                chain, facts = from_schwab(runtime, symbol)
                kept = document_of(chain, facts, runtime)
                keep(runtime, chain, kept, terms)
            _present(kept, machine, plot)
            return
        from system.algo_trader.cli.gex_watch import watch
        from system.algo_trader.terminal import print_error

        def refresh() -> None:
            chain, facts = from_schwab(runtime, symbol)
            document = document_of(chain, facts, runtime)
            keep(runtime, chain, document, terms)
            _present(document, machine, plot)

        watch(refresh, lambda error: print_error(error, as_json=machine), runtime.clock)


def _present(document: dict[str, Any], machine: bool, plot: Path | None) -> None:
    if plot is not None:
        _write_page(plot, document)
    if machine:
        from system.algo_trader import terminal

        terminal.print_json(document)
        return
    show(document)
    if plot is not None:
        typer.echo(f"page      {plot}")
    if "stored" in document:
        rows = ", ".join(f"{name} {n:,}" for name, n in document["stored"]["written"].items())
        typer.echo(f"stored    {rows}")


def from_cboe(path: Path, symbol: str) -> tuple[Chain, dict[str, Any]]:
    """Return the chain of a quote table and what the report says of its origin.

    Raises:
        StackError: As `read_cboe`.
    """
    from infrastructure.clock import rfc3339
    from system.algo_trader.feeds.cboe import read_cboe

    table = read_cboe(path, symbol)
    return table.chain, {
        "name": table.name,
        "source": "cboe",
        "downloaded": rfc3339(table.downloaded_ns),
    }


def from_schwab(runtime: Runtime, symbol: str) -> tuple[Chain, dict[str, Any]]:
    """Return the chain that Schwab or its simulator lists and what the report says of its origin.

    Raises:
        StackError: As `fetch_schwab_chain`.
    """
    from dataclasses import replace

    from infrastructure.clock import rfc3339
    from system.algo_trader.feeds.schwab_chain import fetch_schwab_chain
    from system.algo_trader.market.source import Source

    read = fetch_schwab_chain(runtime.handler.client(), symbol)
    simulated, now_ns = runtime.realm.is_simulated, runtime.clock.now_ns()
    source = str(Source.SCHWAB_SIM if simulated else Source.SCHWAB)
    told = replace(read.chain, source=source, fetched_at_ns=now_ns, is_synthetic=simulated)
    return told, {
        "name": "Simulator, replay of the past" if simulated else "Schwab",
        "source": source,
        "is_synthetic": simulated,
        "downloaded": rfc3339(now_ns),
        "is_delayed": read.is_delayed,
        "is_truncated": read.is_truncated,
        "contracts_left_out": read.left_out,
    }


def from_cache(runtime: Runtime, symbol: str, terms: ReportTerms) -> dict[str, Any] | None:
    """Return the report that was computed on these terms a moment ago, None without one.

    A cache that fails or holds something else is said and passed over.

    Raises:
        InputError: If the text cannot be a symbol.
    """
    from infrastructure.errors import OperatorError, RetryableError
    from infrastructure.logging import get_logger
    from infrastructure.schwab.symbols import checked_symbol
    from system.algo_trader.jobs.option_cache import cached_report

    wanted = checked_symbol(symbol)
    try:
        found = cached_report(runtime.redis, wanted, terms, runtime.clock.now_ns())
    except (OperatorError, RetryableError) as error:
        get_logger("gex").warning("the kept report is passed over: %s", error)
        return None
    return None if found is None else found.document


def keep(runtime: Runtime, chain: Chain, document: dict[str, Any], terms: ReportTerms) -> None:
    """Keep a report and its quotes for other readers; a cache that fails is said, no more."""
    from infrastructure.errors import StackError
    from infrastructure.logging import get_logger
    from system.algo_trader.jobs.option_cache import keep_report

    try:
        keep_report(runtime.redis, chain, document, terms, runtime.clock.now_ns())
    except StackError as error:
        get_logger("gex").warning("the report is not kept: %s", error)


def show(document: dict[str, Any]) -> None:
    """Print the report for people."""
    from system.algo_trader import terminal

    out = terminal.console()
    total = document["total"]["gex"]
    out.print(
        f"{document['name']} ({document['symbol']})  {document['spot']:,.2f}  "
        f"quotes of {document['as_of']}{'  STALE' if document['stale'] else ''}"
        + (f"  kept {document['cached_for_s']:.0f} s ago" if "cached_for_s" in document else ""),
        markup=False,
    )
    used = f"{document['contracts_used']:,} of {document['contracts']:,}"
    lines = {
        "gamma": f"{dollars(total['net'])} per 1 %   calls {dollars(total['call'])}   "
        f"puts {dollars(total['put'])}   ({document['convention']}, {document['weighting']})",
        "flip": _marked(document["flip"]),
        "  by strike": _marked(document["per_strike_flip"]),
        "  running sum": _marked(document["cumulative_flip"]),
        "call wall": _marked(document["call_wall"]),
        "put wall": _marked(document["put_wall"]),
        "max gamma": _marked(document["max_gamma"]),
        "put/call": f"volume {_valued(document['put_call_volume'])}   "
        f"open interest {_valued(document['put_call_open_interest'])}",
        "delta": f"{dollars(document['total']['dex']['net'])} per 1 %",
        "vanna": f"{dollars(document['total']['vanna']['net'])} per point of volatility",
        "charm": f"{dollars(document['total']['charm']['net'])} per day",
        "0dte gamma": dollars(document["buckets"]["0dte"]["gex"]),
        # A report that `options refresh` keeps has no past beside it.
        **(
            {
                "iv 30 days": _standing(document["iv_standing"]),
                "sentiment": _sentiment(document["sentiment"]),
                "unusual": _unusual(document["flow"]),
            }
            if "iv_standing" in document
            else {"past": "not in a kept report; --fresh shows it"}
        ),
        "american": _early(document["early_exercise"]),
        "contracts": f"{used} held with Greeks, {document['contracts_expired']:,} expired "
        f"left out, confidence {document['confidence']}",
    }
    out.print(terminal.pairs(lines), markup=False)
    largest = sorted(document["strikes"], key=lambda row: -abs(row["gex"]["net"]))[:STRIKES_SHOWN]
    rows = [
        (f"{row['strike']:g}", *(dollars(row["gex"][side]) for side in ("net", "call", "put")))
        for row in sorted(largest, key=lambda row: row["strike"])
    ]
    out.print(terminal.table("Largest strikes", ["strike", "net", "calls", "puts"], rows,
                             numeric="rrrr"))  # fmt: skip
    expiries = [
        (
            f"{row['date']} {'AM' if row['settles'][11:16] < '15:00' else 'PM'}",
            f"{row['days']:.2f}",
            f"{row['forward']:,.2f}",
            _percent(row["atm_volatility"]),
            _band(row["iv_band"]),
            _number(row["expected_move"]),
            _number(row["straddle"]),
            _percent(row["skew"]),
            _number(row["max_pain"]["price"]),
            dollars(row["gex"]["net"]),
        )
        for row in document["expiries"][:EXPIRIES_SHOWN]
    ]
    headings = [
        "expiry",
        "days",
        "forward",
        "atm iv",
        "bid-ask iv",
        "1 sd",
        "straddle",
        "skew",
        "max pain",
    ]
    out.print(terminal.table("Next expiries", [*headings, "gamma"], expiries, numeric="lrrrrrrrrr"))


def dollars(amount: float) -> str:
    """Write dollars with three or four digits and a letter for thousands, millions, billions."""
    for size, letter in ((1e9, "B"), (1e6, "M"), (1e3, "K")):
        if abs(amount) >= size:
            return f"{'-' if amount < 0 else ''}${abs(amount) / size:,.2f}{letter}"
    return f"{'-' if amount < 0 else ''}${abs(amount):,.2f}"


def _marked(mark: dict[str, Any]) -> str:
    if mark["price"] is None:
        return f"– ({mark['reason']})"
    several = len(mark.get("crossings", ()))
    return f"{mark['price']:,.2f}" + (f"  (nearest of {several})" if several > 1 else "")


def _sentiment(found: dict[str, Any]) -> str:
    """Write the regime of puts and calls, its mean, and what has moved."""
    if found["regime"] is None:
        return f"– ({found['reason']})"
    words = str(found["regime"])
    if found["sessions"]:
        words += f", mean of five sessions {found['put_call_mean']:.2f}"
    if found["shifted"]:
        words += ", shifted by 15 % or more"
    if found["volatility_alert"]:
        words += f", volatility {found['volatility_alert']}"
    return words


def _unusual(rows: list[dict[str, Any]]) -> str:
    """Write the contracts that traded at least twice their open interest."""
    if not rows:
        return "no contract traded twice its open interest"
    shown = [
        f"{row['settles']} {row['strike']:g}{row['right']} "
        f"{row['volume']:,} on {row['open_interest']:,}"
        for row in rows[:3]
    ]
    return "   ".join(shown) + (f"   and {len(rows) - 3} more" if len(rows) > 3 else "")


def _valued(ratio: dict[str, Any]) -> str:
    return f"– ({ratio['reason']})" if ratio["value"] is None else f"{ratio['value']:.2f}"


def _band(band: dict[str, Any] | None) -> str | None:
    """Write the volatilities of bid and ask, or a side's reason in its place."""
    if band is None:
        return None
    sides = [band[side] for side in ("bid", "ask")]
    return " - ".join(
        side["reason"] if side["value"] is None else f"{100 * side['value']:.2f}" for side in sides
    )


def _standing(standing: dict[str, Any]) -> str:
    parts = [
        f"{name} {'–' if standing[name] is None else format(standing[name], '.1f')}"
        for name in ("rank", "percentile")
    ]
    known = "–" if standing["iv30"] is None else f"{100 * standing['iv30']:.2f} %"
    why = "" if standing["reason"] is None else f"   ({standing['reason']})"
    return f"{known}   {'   '.join(parts)}   of {standing['sessions']} sessions{why}"


def _early(early: dict[str, Any]) -> str:
    if not early["american"]:
        return "none: these options are European"
    return (
        f"{early['american']:,} contracts; early exercise is worth more than "
        f"{dollars(early['threshold'])} in {early['matters']:,}"
    )


def _percent(value: float | None) -> str | None:
    return None if value is None else f"{100 * value:.2f} %"


def _number(value: float | None) -> str | None:
    return None if value is None else f"{value:,.2f}"


def _write_page(path: Path, document: dict[str, Any]) -> None:
    from infrastructure.errors import InputError
    from system.algo_trader.cli.gex_page import gex_page

    try:
        path.write_text(gex_page(document), encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot write the page {str(path)!r}: {error.strerror}") from error
