"""The tools over both transports: every one is listed, called and bounded as its key is."""

import asyncio
import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest
import requests
from mcp import Client
from mcp.shared.exceptions import MCPError

from infrastructure.redis.testing import wait_until
from system.algo_trader.api.model_tools.sizing import BYTES
from system.algo_trader.clients.redis_client import AlgoTraderRedisClient
from system.algo_trader.market.ticks import FRAME_SCHEMA
from system.algo_trader.realm import Realm
from system.algo_trader.runtime import Runtime
from system.algo_trader.settings import load
from system.algo_trader.storage.hot_keys import TICKS
from system.algo_trader.testing.command_line import CommandLine
from system.algo_trader.testing.model_client import asked, over_http, over_stdio, refusal, rows_of
from system.algo_trader.testing.running_service import RunningService, running_service

CALLS: dict[str, dict[str, Any]] = {
    "candles": {"symbol": "AAPL", "timeframe": "1m"},
    "quotes": {"symbols": "AAPL,MSFT"},
    "ticks": {"symbols": "AAPL"},
    "ticks_live": {"symbols": ["AAPL"]},
    "option_chain": {"symbol": "$SPX"},
    "gex": {"symbol": "$SPX"},
    "gex_history": {"symbol": "$SPX"},
    "levels": {"symbol": "AAPL"},
    "metrics": {"symbol": "$SPX"},
    "tape": {"symbol": "AAPL", "timeframe": "5m"},
    "quality": {"days": 3},
    "sql": {"sql": "SELECT symbol, count(*) AS n FROM bars_1m GROUP BY 1 ORDER BY 1"},
    "status": {},
}
OF_OPTIONS = {"option_chain", "gex", "gex_history", "metrics", "sql"}
OF_ROWS = CALLS.keys() - {"status"}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    with running_service(tmp_path_factory.mktemp("home")) as running:
        done = CommandLine(running.home).run("--sim", "store", "rebuild", "influx")
        assert done.code == 0, done.err
        publish(running)
        yield running


def publish(service: RunningService) -> None:
    """Let two updates come in, as the stream does."""
    settings = load({"home": str(service.home), "probe_default_ports": "off"})
    with Runtime(settings, sim=True) as runtime:
        write(runtime.redis)
    key = service.key("read:ticks")
    wait_until(lambda: service.get("/api/v1/quotes?symbols=AAPL,MSFT", key).status_code == 200)


def write(redis: AlgoTraderRedisClient) -> None:
    rows = [
        {
            "symbol": symbol,
            "ts_recv": 1_706_700_000_000_000_000 + number,
            "sequence": number,
            "bid": 100.0 + number,
            "ask": 100.1 + number,
            "last": 100.05 + number,
        }
        for number, symbol in enumerate(("AAPL", "MSFT"))
    ]
    columns = []
    for field in FRAME_SCHEMA:
        blank = False if pa.types.is_boolean(field.type) else 0
        empty = None if field.nullable else blank
        columns.append(pa.array([row.get(field.name, empty) for row in rows], field.type))
    batch = pa.RecordBatch.from_arrays(columns, schema=FRAME_SCHEMA)
    with redis.frame_bus(TICKS, None) as bus:
        bus.write([batch.replace_schema_metadata({"source": "schwab-sim"})])


async def every_tool(client: Client) -> None:
    listed = {each.name: each for each in (await client.list_tools()).tools}
    assert listed.keys() == CALLS.keys()
    for name, arguments in CALLS.items():
        schema = listed[name].input_schema
        assert schema["additionalProperties"] is False
        assert set(arguments) <= schema["properties"].keys()
        hints = listed[name].annotations
        assert hints is not None
        assert hints.read_only_hint is True
        document = await asked(client, name, **arguments)
        assert len(json.dumps(document)) < 1.3 * BYTES, name
        if name in OF_ROWS:
            assert document["rows"], name
            assert len(document["rows"]) <= 200
            for fact in ("source", "licence", "is_simulated", "is_synthetic", "age_s", "gaps"):
                assert fact in document, name
            assert document["is_synthetic"] is True, name
            assert (document["more"] is None) == (
                document["next"] is None and not document["rows_left_out"]
            )


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_every_tool_answers_over_http(service: RunningService, mode: str) -> None:
    async def talk() -> None:
        async with over_http(service, service.key("read:ticks", "read:options"), mode) as client:
            await every_tool(client)

    asyncio.run(talk())


def test_every_tool_answers_over_stdio(service: RunningService) -> None:
    async def talk() -> None:
        async with over_stdio(CommandLine(service.home)) as client:
            # Its own reader of the stream has just begun.
            for _ in range(200):
                if not (await client.call_tool("ticks_live", {"symbols": "AAPL"})).is_error:
                    break
                await asyncio.sleep(0.05)
            await every_tool(client)
            status = await asked(client, "status")
            assert (status["realm"], status["is_synthetic"]) == ("sim", True)
            assert {each["symbol"] for each in status["coverage"]} == {"AAPL", "MSFT"}

    asyncio.run(talk())


def test_nothing_but_the_protocol_comes_out_of_stdio(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    home = tmp_path_factory.mktemp("home")
    hello = {
        "jsonrpc": "2.0", "id": 1, "method": "initialize",
        "params": {"protocolVersion": "2025-06-18", "capabilities": {},
                   "clientInfo": {"name": "test", "version": "1"}},
    }  # fmt: skip
    process = CommandLine(home).start("--sim", "mcp", stdin=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(hello) + "\nno JSON at all\n")
    process.stdin.flush()
    first = json.loads(process.stdout.readline())
    assert first["result"]["serverInfo"]["name"] == "algo-trader"
    assert "simulated" in first["result"]["instructions"]
    rest, error = process.communicate(timeout=60)
    assert all(json.loads(line)["jsonrpc"] == "2.0" for line in rest.splitlines())
    assert process.returncode == 0, error
    assert "Traceback" not in error


def test_a_key_without_options_sees_no_tool_of_options_and_may_call_none(
    service: RunningService,
) -> None:
    async def talk() -> None:
        async with over_http(service, service.key("read:ticks")) as client:
            listed = {each.name for each in (await client.list_tools()).tools}
            assert listed == CALLS.keys() - OF_OPTIONS
            for name in sorted(OF_OPTIONS):
                said = await refusal(client, name, **CALLS[name])
                assert f"this key may not use {name}: it takes read:options" in said
            assert rows_of(await asked(client, "candles", symbol="AAPL", limit=1))

    asyncio.run(talk())


def test_a_key_of_options_alone_reads_no_ticks(service: RunningService) -> None:
    async def talk() -> None:
        async with over_http(service, service.key("read:options")) as client:
            listed = {each.name for each in (await client.list_tools()).tools}
            assert listed == OF_OPTIONS - {"sql"}
            assert "read:options and read:ticks" in await refusal(client, "sql", sql="SELECT 1")

    asyncio.run(talk())


def test_a_revoked_key_is_refused_within_a_session(service: RunningService) -> None:
    key = service.key("read:ticks", rate=999)

    async def talk() -> None:
        async with over_http(service, key) as client:
            assert rows_of(await asked(client, "candles", symbol="AAPL", limit=1))
            words = ("--sim", "keys", "revoke", key.split("_")[1])
            done = CommandLine(service.home).run(*words)
            assert done.code == 0, done.err
            wait_until(lambda: post(service, key).status_code == 401)
            with pytest.raises(MCPError):
                await client.call_tool("candles", {"symbol": "AAPL", "limit": 1})

    asyncio.run(talk())


def post(service: RunningService, key: str | None, **headers: str) -> requests.Response:
    given = {"Authorization": f"Bearer {key}"} if key else {}
    question = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    with requests.Session() as session:
        session.trust_env = False
        return session.post(
            f"{service.url}/mcp",
            json=question,
            headers={"Accept": "application/json, text/event-stream", **given, **headers},
            timeout=30,
        )


def test_the_gate_stands_before_the_protocol(service: RunningService) -> None:
    key = service.key("read:ticks")
    assert post(service, None).status_code == 401
    assert post(service, "at_wrong").status_code == 401
    assert post(service, key, Host="evil.example").status_code == 421
    assert post(service, key, Origin="https://evil.example").status_code == 403
    good = post(service, key)
    assert (good.status_code, good.headers["content-type"]) == (200, "application/json")
    assert good.headers["x-content-type-options"] == "nosniff"
    assert service.get("/mcp", key).status_code == 405


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("candles", {}, "symbol is missing. Allowed for symbol: a symbol of up to 32"),
        ("candles", {"symbol": "AAPL", "limit": 0}, "Allowed for limit: a whole number from 1"),
        ("candles", {"symbol": "AAPL", "timeframe": "7m"}, "Allowed for timeframe: 1s, 1m, "),
        ("candles", {"symbol": "AAPL", "limit": {"a": 1}}, "is not allowed"),
        ("candles", {"symbol": "AAPL", "nope": 1}, "there is no parameter 'nope' here"),
        ("candles", {"symbol": "AAPL", "start_time": "soon"}, "an instant as 2026-01-16T14:30"),
        ("candles", {"symbol": "ZZZZ"}, "ZZZZ"),
        ("gex", {"symbol": "ZZZZ"}, "the archive holds no chain of ZZZZ"),
        ("sql", {"sql": "SELECT * FROM nope"}, "There are: bars_1d, bars_1d_revisions"),
        ("sql", {"sql": "DROP TABLE bars_1d"}, "only SELECT is answered, not DROP"),
        ("orders", {}, "there is no tool 'orders'"),
    ],
)
def test_wrong_questions_are_told_what_would_be_right(
    service: RunningService, name: str, arguments: dict[str, Any], words: str
) -> None:
    async def talk() -> str:
        async with over_http(service, service.key("read:ticks", "read:options")) as client:
            return await refusal(client, name, **arguments)

    said = asyncio.run(talk())
    assert words in said
    assert "Traceback" not in said
    assert str(Realm.sim(service.home).root) not in said
