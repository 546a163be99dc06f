"""The simulator as a program of its own."""

from __future__ import annotations

import argparse
import sys
import threading
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Final

import msgspec

from infrastructure.clock import Clock, rfc3339
from infrastructure.errors import StackError, UsageError
from infrastructure.simulators.schwab.admin import FaultScript, apply
from infrastructure.simulators.schwab.app_registration import (
    DEFAULT_CALLBACK_URL,
    SIMULATED_APP_KEY,
    SIMULATED_APP_SECRET,
)
from infrastructure.simulators.schwab.chain_file import read_chain
from infrastructure.simulators.schwab.grants import Lifetimes
from infrastructure.simulators.schwab.market import ReplayMarket
from infrastructure.simulators.schwab.simulator import SchwabSimulator
from infrastructure.simulators.schwab.status import PRODUCT, VERSION
from infrastructure.simulators.schwab.streamer.arguments import (
    add_stream_arguments,
    market_clock,
    stream_options,
)
from infrastructure.simulators.schwab.tls import TlsIdentity, self_signed
from infrastructure.supervision.announcement import announce, announce_failure
from infrastructure.supervision.signals import exit_on_signals

Print = Callable[[str], None]
LAST_PORT: Final = 65535
PROGRAM: Final = "python -m infrastructure.simulators.schwab"


def _print(text: str) -> None:
    # A starter reads the banner through a pipe while we go on running.
    print(text, flush=True)


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > LAST_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is no port from 0 to {LAST_PORT}")
    return int(text)


def parser(program: str = PROGRAM) -> argparse.ArgumentParser:
    """Return the command line of a program of this name."""
    line = argparse.ArgumentParser(
        prog=program,
        description="Run a local Schwab: sign-in, tokens and market data on replayed prices.",
    )
    line.add_argument("--port", type=_port, default=0, help="0 takes a free port")
    line.add_argument("--tls", metavar="DIR", type=Path, help="HTTPS; keeps its certificate in DIR")
    line.add_argument("--replay", metavar="FILE", type=Path, help="CSV or Parquet with bars")
    line.add_argument("--symbol", help="symbol of a FILE without that column")
    line.add_argument("--bar-label", choices=("start", "end"), default="start")
    line.add_argument("--raw", action="store_true", help="show prices as traded")
    line.add_argument("--as-of", metavar="DATE", type=date.fromisoformat, help="start on DATE")
    line.add_argument("--callback-url", default=DEFAULT_CALLBACK_URL)
    line.add_argument("--state-file", metavar="FILE", type=Path, help="keep issued tokens in FILE")
    line.add_argument("--accounts", metavar="DIR", type=Path, help="keep accounts in DIR")
    line.add_argument("--endpoint-file", metavar="FILE", type=Path, help="write where it answers")
    line.add_argument("--ownership-key", default="", help="the installation that started it")
    line.add_argument("--seed", type=int, default=0, help="of the invented minutes")
    line.add_argument("--chain", metavar="FILE", type=Path, help="Cboe quote data with options")
    line.add_argument("--weekend-outage", action="store_true", help="trader is down on weekends")
    line.add_argument("--faults", metavar="FILE", type=Path, help="JSON of what is to go wrong")
    for name in ("code", "access", "refresh"):
        line.add_argument(f"--{name}-seconds", type=float, metavar="N", help=f"life of a {name}")
    line.add_argument("--limit", type=int, metavar="N", help="answer 429 above N requests a minute")
    add_stream_arguments(line)
    return line


def run(
    arguments: Sequence[str] | None = None,
    *,
    show: Print = _print,
    ended: threading.Event | None = None,
    program: str = PROGRAM,
) -> int:
    """Serve until SIGINT or SIGTERM, and return the exit code.

    Args:
        arguments: The command line without the program's name; the process' own when None.
        show: Where the banner goes.
        ended: Ends it when set, for callers that are no terminal.
        program: What its help calls it.
    """
    options = parser(program).parse_args(arguments)
    ended = ended or threading.Event()
    try:
        simulator = _simulator(options)
        with exit_on_signals(), simulator:
            for text in banner(simulator, options.tls):
                show(text)
            if options.endpoint_file is not None:
                announce(
                    options.endpoint_file,
                    url=simulator.base_url,
                    product=PRODUCT,
                    version=VERSION,
                    ownership_key=options.ownership_key,
                )
            ended.wait()
    except StackError as error:
        if options.endpoint_file is not None:
            announce_failure(options.endpoint_file, error)
        print(f"error: {error}", file=sys.stderr, flush=True)
        return error.exit_code
    except KeyboardInterrupt:
        show("Stopped.")
    return 0


def banner(simulator: SchwabSimulator, tls_directory: Path | None = None) -> list[str]:
    """Return what a person should know about a running simulator, line by line.

    Args:
        simulator: It is started.
        tls_directory: Where its certificate lies, None without TLS.
    """
    market, app = simulator.market, simulator.app
    lines = [
        "SIMULATED SCHWAB: no real account, no real orders, no real money.",
        f"Replay up to {market.market_date} of {market.source}: {', '.join(market.symbols)}.",
        f"Its clock says {rfc3339(market.now_ns)}. Minute bars are "
        f"{'invented' if market.is_synthetic('1m') else 'recorded'}.",
        f"Its streamer, simulated too, is at {simulator.stream_url}.",
        "",
        "Point a client at it:",
        f"  SCHWAB_BASE_URL={simulator.base_url}",
        f"  SCHWAB_API_KEY={app.key}",
        f"  SCHWAB_SECRET={app.secret}",
        f"  SCHWAB_CALLBACK_URL={app.callback_url}",
    ]
    if tls_directory is not None:
        lines.append(f"  SSL_CERT_FILE={tls_directory / 'simulator.crt'}")
    return [*lines, "", "Stop it with Ctrl-C."]


def _simulator(options: argparse.Namespace) -> SchwabSimulator:
    clock = market_clock(options)
    market = _market(options, clock)
    tls: TlsIdentity | None = None if options.tls is None else self_signed(options.tls)
    simulator = SchwabSimulator(
        market,
        clock=clock,
        lifetimes=_lifetimes(options),
        weekend_outage=options.weekend_outage,
        recorded_chain=None if options.chain is None else read_chain(options.chain),
        port=options.port,
        app_key=SIMULATED_APP_KEY,
        app_secret=SIMULATED_APP_SECRET,
        callback_url=options.callback_url,
        state_file=options.state_file,
        accounts_folder=options.accounts,
        tls=tls,
        requests_per_minute=options.limit,
        stream=stream_options(options, market, clock),
    )
    if options.faults is not None:
        apply(_script(options.faults), simulator.faults)
    return simulator


def _lifetimes(options: argparse.Namespace) -> Lifetimes:
    usual = Lifetimes()
    return Lifetimes(
        code_s=options.code_seconds or usual.code_s,
        access_s=options.access_seconds or usual.access_s,
        refresh_s=options.refresh_seconds or usual.refresh_s,
    )


def _script(path: Path) -> FaultScript:
    try:
        return msgspec.json.decode(path.read_bytes(), type=FaultScript)
    except (OSError, msgspec.DecodeError, msgspec.ValidationError) as error:
        raise UsageError(f"--faults {path} cannot be read: {error}") from error


def _market(options: argparse.Namespace, clock: Clock) -> ReplayMarket:
    if options.replay is None:
        if options.symbol is not None:
            raise UsageError("--symbol names the symbol of a --replay file, and none is given")
        return ReplayMarket.from_bokeh(
            adjusted=not options.raw,
            as_of=options.as_of,
            from_open=options.from_open,
            seed=options.seed,
            clock=clock,
        )
    return ReplayMarket.from_file(
        options.replay,
        symbol=options.symbol,
        bar_label=options.bar_label,
        adjusted=not options.raw,
        as_of=options.as_of,
        from_open=options.from_open,
        seed=options.seed,
        clock=clock,
    )
