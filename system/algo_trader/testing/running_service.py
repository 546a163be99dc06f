"""The service as a real process on a home of its own with seeded data: for tests from outside."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import requests

from infrastructure.exchange.calendars import calendar
from infrastructure.exchange.timeframes import schwab_bar_starts
from system.algo_trader.jobs.option_archive import archive_chain
from system.algo_trader.market.bars import Bars, Series
from system.algo_trader.market.source import Source
from system.algo_trader.market.timeframe import Timeframe
from system.algo_trader.options.synthetic import synthetic_chain
from system.algo_trader.realm import Realm
from system.algo_trader.storage.archive import Archive
from system.algo_trader.storage.records import QUOTES, TRADES, schema_of
from system.algo_trader.testing.command_line import CommandLine

SYMBOLS: Final = ("AAPL", "MSFT")
FIRST_DAY, LAST_DAY = date(2024, 1, 2), date(2024, 1, 31)
TRADE_COUNT: Final = 5000
CHAIN_SYMBOL: Final = "$SPX"
READY_S: Final = 60.0
_S: Final = 1_000_000_000


def free_port() -> int:
    """Return a port that nobody listened at a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def walk(count: int, seed: int, start: float = 100.0) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return a seeded walk of prices in cents, shape (n,)."""
    steps = np.random.default_rng(seed).integers(-3, 4, count)
    return np.round(start + np.cumsum(steps) / 100, 2)


def seed_archive(archive: Archive) -> None:
    """Store a month of minutes and days of two symbols, a tape of one, and a chain."""
    exchange = calendar("XNYS")
    days = exchange.sessions(FIRST_DAY, LAST_DAY)
    minutes = np.concatenate(
        [exchange.expected_bar_starts("1m", *each.rth[0], "rth") for each in days]
    )
    dates = exchange.session_dates(FIRST_DAY, LAST_DAY)
    for number, symbol in enumerate(SYMBOLS):
        for timeframe, starts in (
            (Timeframe.M1, minutes),
            (Timeframe.D1, schwab_bar_starts(dates, "1d")),
        ):
            close = walk(len(starts), 7 + number)
            bars = Bars.of(
                Series(symbol, timeframe, source=Source.SCHWAB_SIM),
                start=starts, open=close, high=close + 0.05, low=close - 0.05, close=close,
                volume=np.arange(len(starts)) % 997 + 100,
                fetched_at=int(starts[-1]) + 86_400 * _S, is_synthetic=True,
            )  # fmt: skip
            archive.append(bars, f"seed/{symbol}/{timeframe}")
    seed_tape(archive, "AAPL", days[-1].rth[0][0])
    chain = synthetic_chain(spot=6000.0, expiries=4, strikes=41, half_spread=0.05)
    kept = chain.__class__(**{
        **{name: getattr(chain, name) for name in chain.__slots__}, "underlying": CHAIN_SYMBOL
    })  # fmt: skip
    source = str(Source.SCHWAB_SIM)
    archive_chain(archive, kept, source=source, is_synthetic=True, request_id="seed/chain")


def seed_minutes(archive: Archive, symbol: str, first: date, last: date) -> None:
    """Store all regular minutes of one symbol between two days."""
    exchange = calendar("XNYS")
    days = exchange.sessions(first, last)
    starts = np.concatenate(
        [exchange.expected_bar_starts("1m", *each.rth[0], "rth") for each in days]
    )
    close = walk(len(starts), 5, 1000.0)
    bars = Bars.of(
        Series(symbol, Timeframe.M1, source=Source.SCHWAB_SIM),
        start=starts, open=close, high=close + 0.05, low=close - 0.05, close=close,
        volume=np.full(len(starts), 100), fetched_at=int(starts[-1]) + 86_400 * _S,
        is_synthetic=True,
    )  # fmt: skip
    archive.append(bars, f"seed/{symbol}")


def seed_tape(archive: Archive, symbol: str, start_ns: int, count: int = TRADE_COUNT) -> None:
    """Store trades and quotes of one symbol, one a second, as a source with a whole tape."""
    price, order = walk(count, 11), np.arange(count)
    times = start_ns + order * _S
    shared: dict[str, Any] = {
        "symbol": [symbol] * count,
        "source": [str(Source.FILE)] * count,
        "ts_event": times,
        "sequence": order,
        "ts_recv": times + 1000,
        "is_synthetic": [True] * count,
    }
    sides = np.where(np.random.default_rng(3).random(count) < 0.5, "B", "A").tolist()
    trades = {**shared, "price": price, "size": order % 90 + 10, "aggressor": sides}
    quotes = {
        **shared, "ts_event": times - 1, "bid_price": price - 0.01, "ask_price": price + 0.01,
        "bid_size": order % 5 + 1, "ask_size": order % 7 + 1,
    }  # fmt: skip
    for dataset, columns in ((TRADES, trades), (QUOTES, quotes)):
        schema = schema_of(dataset)
        table = pa.table({name: columns[name] for name in schema.names}, schema=schema)
        archive.append_records(dataset, table, f"seed/{dataset}")


@dataclass(slots=True)
class RunningService:
    """Hold a service that runs as a process.

    Attributes:
        home: Its home.
        port: Of HTTP.
        flight_port: Of Flight, 0 for none.
        process: The process.
        keys: API keys by name.
    """

    home: Path
    port: int
    flight_port: int
    process: subprocess.Popen[str]
    keys: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Return where it answers HTTP."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def realm(self) -> Realm:
        """Return its realm."""
        return Realm.sim(self.home)

    @property
    def door(self) -> Mapping[str, Any]:
        """Return what lets the owner's programs in."""
        found: Mapping[str, Any] = json.loads((self.realm.root / "serve.json").read_text())
        return found

    @property
    def resident_mb(self) -> float:
        """Return the memory that its process holds, megabytes; Linux and macOS tell it alike."""
        words = ["ps", "-o", "rss=", "-p", str(self.process.pid)]
        told = subprocess.run(words, capture_output=True, text=True, check=True)
        return int(told.stdout) / 1024

    def key(self, *scopes: str, rate: int = 1_000_000) -> str:
        """Return a key with some scopes, made once."""
        name = "+".join(scopes) + f"@{rate}"
        if name not in self.keys:
            asked = [word for scope in scopes for word in ("--scope", scope)]
            words = ("--sim", "keys", "create", "--name", name, "--rate", str(rate), "--json")
            made = CommandLine(self.home).run(*words, *asked)
            assert made.code == 0, made.err
            self.keys[name] = made.json()["key"]
        return self.keys[name]

    def get(self, path: str, key: str | None = None, **options: Any) -> requests.Response:
        """Ask for a path; with a key that may read everything, unless another one is given."""
        used = self.key("read:ticks", "read:options") if key is None else key
        headers = {"Authorization": f"Bearer {used}", **options.pop("headers", {})}
        with requests.Session() as session:
            session.trust_env = False
            answer = session.get(f"{self.url}{path}", headers=headers, timeout=30, **options)
            # Whoever keeps answers keeps no connections with them.
            answer.close()
            return answer

    def link(self) -> str:
        """Return a link that opens the owner's page once."""
        with requests.Session() as session:
            session.trust_env = False
            answer = session.post(
                f"{self.url}/open/link", headers={"X-API-Key": self.door["secret"]}, timeout=10
            )
        return f"{self.url}{answer.json()['path']}"


@contextlib.contextmanager
def running_service(
    home: Path,
    *,
    seeded: bool = True,
    flight: bool = False,
    options: Sequence[str] = (),
    certificate: Path | None = None,
) -> Iterator[RunningService]:
    """Run the service for the length of a block.

    Args:
        home: An empty folder.
        seeded: Whether its archive gets the data of `seed_archive`.
        flight: Whether it answers Flight too.
        options: Further words of `serve`.
        certificate: What it shows, if the words make it speak TLS.
    """
    if seeded:
        seed_archive(Archive(Realm.sim(home).archive))
    port, flight_port = free_port(), free_port() if flight else 0
    words = ("--port", str(port), "--flight-port", str(flight_port), *options)
    process = CommandLine(home).start("--sim", "serve", *words)
    service = RunningService(home, port, flight_port, process)
    try:
        _wait(service, certificate)
        yield service
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGTERM)
        try:
            process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
        CommandLine(home).run("services", "stop")


def _wait(service: RunningService, certificate: Path | None) -> None:
    url = service.url if certificate is None else f"https://127.0.0.1:{service.port}"
    verified = True if certificate is None else str(certificate)
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        if service.process.poll() is not None:
            _, said = service.process.communicate()
            raise AssertionError(f"the service ended: {said}")
        with contextlib.suppress(requests.RequestException):
            if requests.get(f"{url}/health/ready", timeout=1, verify=verified).status_code == 200:
                return
        time.sleep(0.05)
    raise AssertionError("the service did not become ready")
