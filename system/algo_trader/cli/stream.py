"""`stream`: run the live market through checks to Redis, bars, the archive and InfluxDB."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from system.algo_trader.cli.invocation import Invocation, current

if TYPE_CHECKING:
    from system.algo_trader.feeds.live import Channel, Instrument
    from system.algo_trader.feeds.schwab_stream import SchwabStreamFeed
    from system.algo_trader.market.session_spans import SessionSpans
    from system.algo_trader.pipeline.market_clock import MarketClock
    from system.algo_trader.quality.tick_rules import TickRule
    from system.algo_trader.runtime import Runtime


@dataclass(frozen=True, slots=True)
class Choice:
    """Hold what a run was asked for.

    Attributes:
        channels: Which kinds of data.
        off: Checks that are switched off.
        seconds: How long; None until Ctrl-C.
        commit_s: How often the archive is written, seconds.
        speed: Of the simulator's market, times real time.
        metrics_port: Where the run's figures are; None for nowhere.
    """

    channels: list[Channel]
    off: list[TickRule]
    seconds: float | None
    commit_s: float
    speed: float
    metrics_port: int | None = None


_DAYS_AHEAD = 370
"""A stream may run for a year before it has to be told of later sessions."""
_SETTLE_S = 10.0


def stream(
    context: typer.Context,
    universe: Annotated[
        Path | None, typer.Option(help="A file of symbols; the watchlist without one.")
    ] = None,
    watchlist: Annotated[
        str | None, typer.Option("--watchlist", help="The name of another watchlist.")
    ] = None,
    lasting: Annotated[
        str | None, typer.Option("--for", help="End after so long: 90s, 10m, 2h.")
    ] = None,
    channels: Annotated[
        str, typer.Option(help="ticks, bars, books, activity, with commas.")
    ] = "ticks,bars",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything, open no stream.")
    ] = False,
    speed: Annotated[
        str, typer.Option(help="Of the simulator's market or a replay, times real time; max.")
    ] = "1",
    replay_ticks: Annotated[
        list[str] | None,
        typer.Option(help="Play back a file of trades or quotes, or `archive`; may be repeated."),
    ] = None,
    zone: Annotated[
        str | None, typer.Option("--tz", help="The zone of a file's times without an offset.")
    ] = None,
    start: Annotated[
        str | None, typer.Option(help="Of a replay out of the archive: a day or an instant.")
    ] = None,
    end: Annotated[str | None, typer.Option(help="The instant before which it ends.")] = None,
    off: Annotated[str | None, typer.Option(help="Checks to switch off, with commas.")] = None,
    commit_s: Annotated[
        float, typer.Option("--commit-seconds", min=1, help="How often the archive is written.")
    ] = 60.0,
    metrics_port: Annotated[
        int | None,
        typer.Option(
            "--metrics-port",
            min=0,
            max=65535,
            help="Answer /metrics and /health on this port of 127.0.0.1; 0 for any free one.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Stream the watchlist, or --symbols before the verb; Ctrl-C drains and flushes."""
    invocation = current(context)
    invocation.as_json = invocation.as_json or as_json
    from infrastructure.errors import UsageError

    if replay_ticks:
        from system.algo_trader.cli.stream_replay import Tape, replay

        tape = Tape(tuple(replay_ticks), zone, start, end, universe)
        replay(invocation, tape, speed=_speed(speed), off=_rules(off), is_dry=dry_run)
        return
    factor = _speed(speed)
    if factor is None or factor < 1:
        raise UsageError(f"--speed {speed} is for replays only; a market runs at 1 or more")
    choice = Choice(
        _channels(channels), _rules(off), _seconds(lasting), commit_s, factor, metrics_port
    )
    with invocation.runtime(market_speed=factor) as runtime:
        wanted = _symbols(runtime, universe, watchlist)
        feed, clock = _feed(runtime)
        instruments = feed.resolve(wanted)
        if dry_run:
            _show_plan(invocation, runtime, feed, instruments, choice.channels)
            return
        asyncio.run(_stream(invocation, runtime, feed, clock, instruments, choice))


async def _stream(
    invocation: Invocation,
    runtime: Runtime,
    feed: SchwabStreamFeed,
    clock: MarketClock,
    instruments: list[Instrument],
    choice: Choice,
) -> None:
    """Run until the time is over or Ctrl-C, then say what was done."""
    import signal
    import uuid
    from functools import partial

    from system.algo_trader import terminal
    from system.algo_trader.cli.filling import backfill_of, filling
    from system.algo_trader.cli.stream_recovery import (
        begun,
        between_runs,
        noted_by,
        recovery_of,
    )
    from system.algo_trader.cli.stream_view import first, show_end, view, watch
    from system.algo_trader.feeds.live import Channel
    from system.algo_trader.feeds.schwab_stream import services_of
    from system.algo_trader.pipeline.cold_messages import Places
    from system.algo_trader.pipeline.cold_process import ColdProcess
    from system.algo_trader.pipeline.hours import is_any_open, market_words
    from system.algo_trader.pipeline.live import LivePolicy, LiveRun, Sinks
    from system.algo_trader.pipeline.redis_sink import RedisSink
    from system.algo_trader.pipeline.turns import short_turns
    from system.algo_trader.processes.run_figures import RunFigures
    from system.algo_trader.processes.run_health import run_health
    from system.algo_trader.quality.tick_checks import TickChecks
    from system.algo_trader.storage.hot_keys import BOOKS, TICKS

    runtime.influxdb.ensure_tables()
    facts = feed.facts
    settings = runtime.settings
    places = Places.of(
        runtime.services, runtime.realm, settings.log_level, log_json=settings.log_json
    )
    with (
        ColdProcess(places) as cold,
        runtime.redis.frame_bus(TICKS, runtime.settings.tick_channel) as ticks,
        runtime.redis.frame_bus(BOOKS, runtime.settings.level2_channel) as books,
    ):
        backfill = backfill_of(runtime, lambda bars: cold.project(bars, ()))
        policy = LivePolicy(commit_s=choice.commit_s, market_speed=choice.speed)
        notes, recovery = recovery_of(runtime, cold, clock, policy)
        recovered = recovery.recover() if ticks.settle(_SETTLE_S) else []
        note = begun(runtime, instruments, facts.source.of_live, clock, policy, uuid.uuid4().hex)
        between = between_runs(runtime, facts.source.of_live)
        hours = _hours(instruments, clock.now_ns())
        if not is_any_open(hours, clock.now_ns()):
            closed = market_words(hours, clock.now_ns())
            print(f"nothing trades now: {closed} in New York; the stream waits", file=sys.stderr)
        run = LiveRun(
            feed,
            instruments,
            choice.channels,
            hours=hours,
            sinks=Sinks(RedisSink(ticks, books), cold, cold.keeper),
            checks=TickChecks(len(instruments), off=choice.off),
            run_id=note.run_id,
            clock=clock,
            policy=policy,
            token_age_s=lambda: runtime.handler.status().refresh_age_s,
            carried=lambda each: services_of(each, (Channel.TICKS, Channel.BARS)),
            gap_states=backfill.states,
            noted=noted_by(notes, note.run_id, recovery, between),
            earlier=recovery.earlier(instruments, facts.source.of_live),
        )
        off = between.missed(instruments, clock.now_ns())
        for gap in (*off, *(gap for ended in recovered for gap in ended.gaps)):
            run.missed(gap)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, run.stop)
        try:
            shown = view(run, clock, len(instruments)) if not invocation.as_json else None
            face = invocation.face(
                *(runtime, "stream", partial(run_health, run, runtime.clock)),
                *([RunFigures(run)], choice.metrics_port),
            )
            with short_turns(), filling(backfill), notes.running(note), face:
                running = asyncio.create_task(run.run())
                if choice.seconds is not None:
                    loop.call_later(choice.seconds, run.stop)
                await watch(running, shown)
        except* Exception as group:
            raise first(group) from None
        between.ended(instruments, clock.now_ns())
        notes.ended(note.run_id)
        # What waits for a Redis that was away goes now, or with the next command.
        await loop.run_in_executor(None, ticks.settle, _SETTLE_S)
    if invocation.as_json:
        extra = {
            "gap_states": backfill.states(),
            "simulated": facts.is_synthetic,
            "recovered": [asdict(one) for one in recovered],
        }
        terminal.print_json(run.document() | extra)
    else:
        show_end(run)


def _feed(runtime: Runtime) -> tuple[SchwabStreamFeed, MarketClock]:
    from infrastructure.exchange.calendars import date_of
    from infrastructure.schwab.streamer.details import streamer_info
    from infrastructure.schwab.streamer.streamer import SchwabStreamer
    from system.algo_trader.feeds.schwab_stream import SchwabStreamFeed
    from system.algo_trader.market.source import Source
    from system.algo_trader.pipeline.market_clock import MarketClock

    client = runtime.handler.client()
    clock = MarketClock(runtime.market_now_ns, runtime.clock)
    streamer = SchwabStreamer(
        lambda: streamer_info(client.user_preference()),
        runtime.handler.access_token,
        clock=clock,
        quotes=client.quotes,
    )
    source = Source.SCHWAB_SIM if runtime.realm.is_simulated else Source.SCHWAB
    return SchwabStreamFeed(streamer, source, date_of(clock.now_ns())), clock


def _hours(instruments: list[Instrument], now_ns: int) -> dict[str, SessionSpans]:
    from infrastructure.exchange.calendars import calendar, date_of
    from system.algo_trader.pipeline.hours import session_spans

    today = date_of(now_ns)
    first, last = today - timedelta(days=1), today + timedelta(days=_DAYS_AHEAD)
    return {
        name: session_spans(calendar(name), first, last)
        for name in {each.calendar for each in instruments}
    }


def _symbols(runtime: Runtime, universe: Path | None, watchlist: str | None) -> list[str]:
    from infrastructure.errors import NoDataError, UsageError
    from system.algo_trader.jobs.universe import read_universe

    if universe is not None and watchlist is not None:
        raise UsageError("--universe and --watchlist exclude each other")
    if universe is not None:
        return read_universe(universe)
    if watchlist is not None:
        wanted = list(runtime.redis.watchlist(watchlist))
        if not wanted:
            names = ", ".join(runtime.redis.watchlists()) or "none yet"
            raise NoDataError(
                f"there is no watchlist {watchlist!r}",
                next_step=f"Lists: {names}. `watchlist add AAPL --name {watchlist}` makes it.",
            )
        return wanted
    wanted = list(runtime.settings.symbols or runtime.redis.watchlist())
    if not wanted:
        raise NoDataError(
            "the watchlist is empty", next_step="Run `algo-trader watchlist add AAPL`."
        )
    return wanted


def _show_plan(
    invocation: Invocation,
    runtime: Runtime,
    feed: SchwabStreamFeed,
    instruments: list[Instrument],
    channels: list[Channel],
) -> None:
    """Say what would be subscribed, with a sign-in that works, and open nothing."""
    from infrastructure.schwab.streamer.details import streamer_info
    from infrastructure.schwab.streamer.services import SPECS, Delivery, Service
    from system.algo_trader import terminal
    from system.algo_trader.feeds.schwab_stream import services_of

    wanted: dict[Service, list[str]] = {}
    for each in instruments:
        for service in services_of(each, channels):
            wanted.setdefault(service, []).append(each.key)
    info = streamer_info(runtime.handler.client().user_preference())
    excess = {
        service: max(len(keys) - SPECS[service].key_limit, 0) for service, keys in wanted.items()
    }
    fates = {
        service: (count and SPECS[service].delivery is Delivery.CHANGE)
        for service, count in excess.items()
    }
    if invocation.as_json:
        terminal.print_json(
            {
                "socket": info.url,
                "services": wanted,
                "excess": excess,
                "polled": {service: excess[service] for service, polled in fates.items() if polled},
                "licence": feed.facts.licence,
            }
        )
        return
    rows = [
        (
            service,
            len(keys),
            excess[service] or "",
            "asked for by REST" if fates[service] else "not streamed" if excess[service] else "",
            ", ".join(keys[:6]),
        )
        for service, keys in wanted.items()
    ]
    terminal.print_table(
        terminal.table(
            f"Would subscribe at {info.url}; nothing was opened",
            ("service", "keys", "too many", "which are", "such as"),
            rows,
            numeric="lrrll",
        )
    )
    terminal.console().print(feed.facts.licence)


def _channels(text: str) -> list[Channel]:
    from infrastructure.errors import UsageError
    from system.algo_trader.feeds.live import Channel

    try:
        return [Channel(word.strip()) for word in text.split(",") if word.strip()]
    except ValueError as error:
        raise UsageError(
            f"{text} names no channel: {error}", next_step=f"Channels are {', '.join(Channel)}."
        ) from None


def _rules(text: str | None) -> list[TickRule]:
    from infrastructure.errors import UsageError
    from system.algo_trader.quality.tick_rules import TickRule

    try:
        return [TickRule(word.strip()) for word in (text or "").split(",") if word.strip()]
    except ValueError as error:
        raise UsageError(
            f"{text} names no check: {error}", next_step=f"Checks are {', '.join(TickRule)}."
        ) from None


def _speed(text: str) -> float | None:
    """Return a factor above 0; None for as fast as it goes."""
    from infrastructure.errors import UsageError

    if text.strip().lower() == "max":
        return None
    with contextlib.suppress(ValueError):
        if 0 < (factor := float(text)) < 1e6:
            return factor
    raise UsageError(f"--speed {text} is no speed", next_step="Write 1, 100 or max.")


def _seconds(text: str | None) -> float | None:
    from infrastructure.errors import UsageError

    if text is None:
        return None
    units = {"s": 1.0, "m": 60.0, "h": 3600.0}
    with contextlib.suppress(ValueError, KeyError, IndexError):
        number = float(text[:-1]) * units[text[-1]]
        if number > 0:
            return number
    raise UsageError(f"--for {text} is no duration", next_step="Write 90s, 10m or 2h.")
