"""Ask a stream for what it cannot do: one sentence each, and the rest goes on."""

from __future__ import annotations

import asyncio
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from shutil import rmtree
from typing import Any

import pytest

from infrastructure.errors import StackError
from infrastructure.schwab.streamer.details import streamer_info
from infrastructure.schwab.streamer.streamer import SchwabStreamer
from system.algo_trader.cli import stream as verb
from system.algo_trader.cli.invocation import Invocation
from system.algo_trader.feeds.live import Channel
from system.algo_trader.testing.command_line import CommandLine

ARCHIVED_ROWS = "stored_rows"
WAIT_S = 60.0


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="at-"))
    yield folder
    rmtree(folder)


@pytest.fixture(scope="module")
def line(home: Path) -> Iterator[CommandLine]:
    made = CommandLine(home)
    assert made.run("services", "start").code == 0
    yield made
    made.run("services", "stop")


def streamed(line: CommandLine, *words: str) -> dict[str, Any]:
    """Stream for some seconds and return what it says at its end."""
    done = line.run("--sim", *words, "--speed", "60", "--for", "4s", "--json")
    assert done.code == 0, done.err
    document: dict[str, Any] = done.json()
    return document


def test_an_unknown_symbol_is_named_and_the_others_stream(line: CommandLine, home: Path) -> None:
    universe = home / "universe.txt"
    universe.write_text("AAPL\nNOSU\nAAPL\nMSFT\n")
    document = streamed(line, "stream", "--universe", str(universe), "--channels", "ticks")
    assert document["updates"]["received"] > 0
    assert document["updates"][ARCHIVED_ROWS] > 0
    said = document["complaints"]
    assert len(said) <= 1
    assert document["unknown_keys"] in ([], ["NOSU"])
    assert all("NOSU" in sentence for sentence in said)


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("--universe", "{home}/absent.txt"), 3, "absent.txt"),
        (("--universe", "{home}/empty.txt"), 2, "empty.txt"),
        (("--universe", "{home}"), 3, "{home}"),
        (("--universe", "{home}/wrong.txt"), 2, "!!"),
        (("--watchlist", "nobody"), 4, "there is no watchlist 'nobody'"),
        (("--watchlist", "a b"), 2, "cannot name a watchlist"),
        (("--universe", "x", "--watchlist", "y"), 2, "exclude each other"),
        (("--channels", "ticks,tocks"), 2, "tocks"),
        (("--off", "nothing"), 2, "names no check"),
        (("--for", "soon"), 2, "no duration"),
        (("--speed", "-1"), 2, "no speed"),
        (("--metrics-port", "99999"), 2, "--metrics-port"),
    ],
)
def test_a_wrong_word_is_one_sentence_and_opens_nothing(
    line: CommandLine, home: Path, words: tuple[str, ...], code: int, sentence: str
) -> None:
    (home / "empty.txt").write_text("")
    (home / "wrong.txt").write_text("AAPL\n!!\n")
    filled = [word.format(home=home) for word in words]
    done = line.run("--sim", "stream", *filled, "--dry-run")
    assert (done.code, done.out) == (code, "")
    assert sentence.format(home=home) in done.err
    assert done.err.startswith("error: ")
    assert len(done.err.strip().splitlines()) == 1


def test_a_dry_run_names_everything_and_opens_no_stream(home: Path) -> None:
    invocation = Invocation(flags={"home": str(home), "symbols": ("AAPL", "ES.c.0")}, sim=True)
    with invocation.runtime(market_speed=1.0) as runtime:
        feed, _ = verb._feed(runtime)
        verb._show_plan(invocation, runtime, feed, feed.resolve(["AAPL", "/ES"]), [Channel.TICKS])
        assert runtime.simulator is not None
        assert runtime.simulator.streamer.sessions == []


def test_without_credentials_the_real_schwab_is_refused(line: CommandLine) -> None:
    done = line.run("--live", "stream", "--dry-run")
    assert (done.code, "SCHWAB_API_KEY" in done.err) == (2, True)


@pytest.mark.parametrize(
    ("variable", "url", "name"),
    [
        ("REDIS_URL", "redis://127.0.0.1:9/0", "Redis"),
        ("INFLUXDB3_HOST_URL", "http://127.0.0.1:9", "InfluxDB"),
    ],
)
def test_a_named_server_that_does_not_answer_is_one_sentence(
    home: Path, variable: str, url: str, name: str
) -> None:
    done = CommandLine(home, {variable: url}).run("--sim", "--symbols", "AAPL", "stream")
    assert done.code == 3
    assert name in done.err
    assert len(done.err.strip().splitlines()) == 1


def test_a_stream_opened_elsewhere_ends_this_one_with_a_sentence(
    line: CommandLine, home: Path
) -> None:
    environment = pytest.MonkeyPatch()
    environment.setenv("ALGO_TRADER_HOME", str(home))
    environment.setenv("ALGO_TRADER_PROBE_DEFAULT_PORTS", "off")
    invocation = Invocation(flags={"symbols": ("AAPL",)}, as_json=True, sim=True)
    try:
        with invocation.runtime(market_speed=60.0) as runtime:
            feed, clock = verb._feed(runtime)
            assert runtime.simulator is not None
            ledger = runtime.simulator.streamer.ledger
            client = runtime.handler.client()

            async def elsewhere() -> None:
                other = SchwabStreamer(
                    lambda: streamer_info(client.user_preference()), runtime.handler.access_token
                )
                running = asyncio.create_task(other.run())
                await asyncio.sleep(2.0)
                await other.stop()
                await running

            def sign_in_elsewhere() -> None:
                end = time.monotonic() + WAIT_S
                while not ledger.runs("LEVELONE_EQUITIES") and time.monotonic() < end:
                    threading.Event().wait(0.05)
                asyncio.run(elsewhere())

            thread = threading.Thread(target=sign_in_elsewhere)
            thread.start()
            choice = verb.Choice([Channel.TICKS], [], WAIT_S, 1.0, 60.0)
            work = verb._stream(invocation, runtime, feed, clock, feed.resolve(["AAPL"]), choice)
            begun = time.monotonic()
            with pytest.raises(StackError, match="another sign-in has taken this one's place"):
                asyncio.run(work)
            assert time.monotonic() - begun < WAIT_S
            thread.join()
    finally:
        environment.undo()
