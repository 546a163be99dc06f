"""schwab-py's StreamClient, unmodified, streams every service over TLS."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
import schwab
from schwab.client import Client
from schwab.streaming import StreamClient, UnexpectedResponseCode

from infrastructure.clock import SystemClock
from infrastructure.simulators.schwab.consent import approve
from infrastructure.simulators.schwab.market import ReplayMarket
from infrastructure.simulators.schwab.simulator import SchwabSimulator
from infrastructure.simulators.schwab.streamer.pace import ScaledClock
from infrastructure.simulators.schwab.tls import self_signed

HOST = "api.schwabapi.com"
CALLBACK = "https://127.0.0.1:8182"
OPTION = "AAPL  130419C00450000"
DEADLINE_S = 20.0


@pytest.fixture
def simulator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SchwabSimulator]:
    identity = self_signed(tmp_path / "tls")
    monkeypatch.setenv("SSL_CERT_FILE", str(identity.certificate))
    # A minute of the market passes in a second.
    market = ReplayMarket.from_bokeh(from_open=True, clock=ScaledClock(SystemClock(), 60))
    with SchwabSimulator(market, tls=identity, callback_url=CALLBACK) as running:
        lead_to_loopback(monkeypatch, urlsplit(running.base_url).port or 0)
        yield running


def lead_to_loopback(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    look_up = socket.getaddrinfo

    def led(host: Any, service: Any, *rest: Any, **more: Any) -> Any:
        if host in (HOST, HOST.encode()):
            return look_up("127.0.0.1", port, *rest, **more)
        return look_up(host, service, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", led)


@pytest.fixture
def client(simulator: SchwabSimulator, tmp_path: Path) -> Client:
    app, token_file = simulator.app, tmp_path / "token.json"
    session = requests.Session()
    session.trust_env = False
    session.verify = str(tmp_path / "tls" / "simulator.crt")
    context = schwab.auth.get_auth_context(app.key, CALLBACK)
    page = context.authorization_url.replace(f"https://{HOST}", simulator.base_url)
    received = approve(page, session)
    write = schwab.auth.__dict__["__make_update_token_func"](token_file)
    schwab.auth.client_from_received_url(app.key, app.secret, context, received, write)
    return schwab.auth.client_from_token_file(token_file, app.key, app.secret)


class Collected:
    """What schwab-py's handlers were given, relabelled items by service."""

    def __init__(self, stream: StreamClient) -> None:
        self.items: dict[str, list[dict[str, Any]]] = {}
        self._stream = stream
        kinds = (
            "account_activity chart_equity chart_futures level_one_equity level_one_option "
            "level_one_futures level_one_futures_options level_one_forex nyse_book nasdaq_book "
            "options_book screener_equity screener_option"
        )
        for kind in kinds.split():
            getattr(stream, f"add_{kind}_handler")(self._take)

    def _take(self, message: dict[str, Any]) -> None:
        assert message["command"] == "SUBS"
        self.items.setdefault(message["service"], []).extend(message["content"])

    async def until(self, service: str, keys: set[str], count: int = 1) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while True:
                seen = [item["key"] for item in self.items.get(service, [])]
                if all(seen.count(key) >= count for key in keys):
                    return
                await self._stream.handle_message()


def test_schwab_py_streams_every_service(simulator: SchwabSimulator, client: Client) -> None:
    asyncio.run(stream_everything(simulator, client))


async def stream_everything(simulator: SchwabSimulator, client: Client) -> None:
    stream = StreamClient(client)
    got = Collected(stream)
    await stream.login()
    await stream.level_one_equity_subs(["AAPL", "IBM"])
    await got.until("LEVELONE_EQUITIES", {"AAPL", "IBM"}, 3)
    first, second = [i for i in got.items["LEVELONE_EQUITIES"] if i["key"] == "AAPL"][:2]
    labels = {field.name for field in StreamClient.LevelOneEquityFields} - {"SYMBOL"}
    assert labels <= first.keys()
    assert first["DESCRIPTION"] == "APPLE INC"
    assert first["assetMainType"] == "EQUITY"
    assert "DESCRIPTION" not in second
    assert "LAST_PRICE" in second or "TOTAL_VOLUME" in second

    subscribed: list[tuple[str, str, str, list[str]]] = [
        ("level_one_option", "LEVELONE_OPTIONS", "LevelOneOptionFields", [OPTION]),
        ("level_one_futures", "LEVELONE_FUTURES", "LevelOneFuturesFields", ["/ES", "/NQM13"]),
        (
            "level_one_futures_options",
            "LEVELONE_FUTURES_OPTIONS",
            "LevelOneFuturesOptionsFields",
            ["./OZCZ23C565"],
        ),
        ("level_one_forex", "LEVELONE_FOREX", "LevelOneForexFields", ["EUR/USD"]),
        ("nyse_book", "NYSE_BOOK", "BookFields", ["IBM"]),
        ("nasdaq_book", "NASDAQ_BOOK", "BookFields", ["AAPL"]),
        ("options_book", "OPTIONS_BOOK", "BookFields", [OPTION]),
        ("chart_equity", "CHART_EQUITY", "ChartEquityFields", ["AAPL"]),
        ("chart_futures", "CHART_FUTURES", "ChartFuturesFields", ["/ES"]),
        ("screener_equity", "SCREENER_EQUITY", "ScreenerFields", ["EQUITY_ALL_VOLUME_0"]),
        (
            "screener_option",
            "SCREENER_OPTION",
            "ScreenerFields",
            ["OPTION_ALL_PERCENT_CHANGE_UP_5"],
        ),
    ]
    for kind, service, fields, keys in subscribed:
        await getattr(stream, f"{kind}_subs")(keys)
        await got.until(service, set(keys), 2)
        labels = {field.name for field in getattr(StreamClient, fields)}
        item = next(each for each in got.items[service] if each["key"] == keys[0])
        assert labels - {"SYMBOL"} <= item.keys(), service
        assert not any(name.isdigit() for name in item), service
    for kind, service, keys in (
        ("level_one_equity", "LEVELONE_EQUITIES", ["MSFT"]),
        ("chart_equity", "CHART_EQUITY", ["MSFT"]),
        ("nasdaq_book", "NASDAQ_BOOK", ["GOOG"]),
    ):
        await getattr(stream, f"{kind}_add")(keys)
        await got.until(service, set(keys))
    for kind, service, _, keys in subscribed:
        await getattr(stream, f"{kind}_unsubs")(keys)
        assert keys[0] not in simulator.streamer.sessions[0].subscriptions.get(service, {})
    bars = [i for i in got.items["CHART_EQUITY"] if i["key"] == "AAPL"]
    sequences = [i["seq"] for i in got.items["CHART_EQUITY"]]
    assert sequences == list(range(len(sequences)))
    assert all(bar["LOW_PRICE"] <= bar["CLOSE_PRICE"] <= bar["HIGH_PRICE"] for bar in bars)

    await stream.account_activity_sub()
    simulator.streamer.publish_account_activity("10000001", "OrderCreated", '{"SchwabOrderID":"1"}')
    await got.until("ACCT_ACTIVITY", {stream._stream_correl_id}, 2)
    activity = got.items["ACCT_ACTIVITY"]
    assert [item["MESSAGE_TYPE"] for item in activity] == ["SUBSCRIBED", "OrderCreated"]
    assert activity[1]["MESSAGE_DATA"] == '{"SchwabOrderID":"1"}'
    assert activity[1]["ACCOUNT"] == "10000001"
    await stream.logout()


def test_schwab_py_changes_the_view_and_sees_failures_by_code(
    simulator: SchwabSimulator, client: Client
) -> None:
    asyncio.run(change_the_view(simulator, client))


async def change_the_view(simulator: SchwabSimulator, client: Client) -> None:
    stream = StreamClient(client)
    got = Collected(stream)
    await stream.login()
    fields = StreamClient.LevelOneEquityFields
    await stream.level_one_equity_subs(["AAPL"], fields=[fields.SYMBOL, fields.LAST_PRICE])
    await got.until("LEVELONE_EQUITIES", {"AAPL"}, 2)
    assert all("BID_PRICE" not in item for item in got.items["LEVELONE_EQUITIES"])
    # schwab-py has no method for VIEW; its own request machinery sends it.
    request, number = stream._make_request(
        service="LEVELONE_EQUITIES", command="VIEW", parameters={"fields": "0,1,2"}
    )
    await stream._send({"requests": [request]})
    await stream._await_response(number, "LEVELONE_EQUITIES", "VIEW")
    seen = len(got.items["LEVELONE_EQUITIES"])
    await got.until("LEVELONE_EQUITIES", {"AAPL"}, seen + 3)
    later = got.items["LEVELONE_EQUITIES"][-2:]
    assert all("LAST_PRICE" not in item for item in later)
    assert all("BID_PRICE" in item or "ASK_PRICE" in item for item in later)
    simulator.streamer.faults.fail_commands("LEVELONE_FUTURES", "SUBS", 22)
    with pytest.raises(UnexpectedResponseCode, match="22"):
        await stream.level_one_futures_subs(["/ES"])
    keys = [f"EQUITY_ALL_VOLUME_{number}" for number in range(11)]
    with pytest.raises(UnexpectedResponseCode, match=r"SCREENER_EQUITY=10, DISCARDED=1\)"):
        await stream.screener_equity_subs(keys)
    await stream.logout()
