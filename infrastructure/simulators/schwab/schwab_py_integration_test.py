"""schwab-py, unmodified, signs in, refreshes and fetches over TLS as if from api.schwabapi.com.

Its two constants that name Schwab stay as they are: only the connection of its HTTP client is led
to the loopback port, and the certificate is trusted through SSL_CERT_FILE.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
import schwab
from authlib.integrations.base_client.errors import OAuthError
from authlib.oauth2.rfc6749.errors import MismatchingStateException
from bokeh_sampledata import stocks
from schwab.client import Client
from schwab.orders import equities, options
from schwab.orders.common import first_triggers_second, one_cancels_other
from schwab.orders.equities import equity_buy_limit, equity_buy_market
from schwab.utils import Utils

from infrastructure.clock import VirtualClock
from infrastructure.simulators.schwab.consent import approve, decline
from infrastructure.simulators.schwab.market import ReplayMarket
from infrastructure.simulators.schwab.simulator import SchwabSimulator
from infrastructure.simulators.schwab.tls import self_signed

HOST = "api.schwabapi.com"
CALLBACK = "https://127.0.0.1:8182"


@pytest.fixture
def simulator(
    bokeh_market: ReplayMarket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[SchwabSimulator]:
    identity = self_signed(tmp_path / "tls")
    monkeypatch.setenv("SSL_CERT_FILE", str(identity.certificate))
    with SchwabSimulator(bokeh_market, tls=identity, callback_url=CALLBACK) as running:
        lead_to_loopback(monkeypatch, urlsplit(running.base_url).port or 0)
        yield running


def lead_to_loopback(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    look_up = socket.getaddrinfo

    def led(host: Any, service: Any, *rest: Any, **more: Any) -> Any:
        if host in (HOST, HOST.encode()):
            return look_up("127.0.0.1", port, *rest, **more)
        return look_up(host, service, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", led)


def person(tmp_path: Path) -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    session.verify = str(tmp_path / "tls" / "simulator.crt")
    return session


def opened(simulator: SchwabSimulator, authorize_url: str) -> str:
    """Return the URL that a person's browser would open, at the simulator's own address."""
    return authorize_url.replace(f"https://{HOST}", simulator.base_url)


def sign_in(simulator: SchwabSimulator, tmp_path: Path, token_file: Path) -> Client:
    app = simulator.app
    context = schwab.auth.get_auth_context(app.key, CALLBACK)
    received = approve(opened(simulator, context.authorization_url), person(tmp_path))
    write = schwab.auth.__dict__["__make_update_token_func"](token_file)
    schwab.auth.client_from_received_url(app.key, app.secret, context, received, write)
    # schwab-py #222: only a client out of a token file can refresh.
    return schwab.auth.client_from_token_file(token_file, app.key, app.secret)


def test_schwab_py_signs_in_and_reads_recorded_prices(
    simulator: SchwabSimulator, tmp_path: Path
) -> None:
    client = sign_in(simulator, tmp_path, tmp_path / "token.json")
    answer = client.get_price_history_every_day("IBM")
    assert answer.status_code == 200
    assert [candle["close"] for candle in answer.json()["candles"]] == stocks.IBM["close"]
    ten_days = client.get_price_history(
        "AAPL",
        period_type=Client.PriceHistory.PeriodType.DAY,
        period=Client.PriceHistory.Period.TEN_DAYS,
        frequency_type=Client.PriceHistory.FrequencyType.MINUTE,
        frequency=Client.PriceHistory.Frequency.EVERY_THIRTY_MINUTES,
        need_extended_hours_data=False,
        need_previous_close=True,
    ).json()
    assert len(ten_days["candles"]) == 130
    assert ten_days["previousClose"] == stocks.AAPL["close"][-11]


def test_every_history_helper_of_schwab_py_is_answered(
    simulator: SchwabSimulator, tmp_path: Path
) -> None:
    client = sign_in(simulator, tmp_path, tmp_path / "token.json")
    end = datetime(2013, 3, 1, 21, tzinfo=UTC)
    names = [
        "minute",
        "five_minutes",
        "ten_minutes",
        "fifteen_minutes",
        "thirty_minutes",
        "day",
        "week",
    ]
    for name in names:
        fetch = getattr(client, f"get_price_history_every_{name}")
        answer = fetch("MSFT", start_datetime=datetime(2013, 2, 1, tzinfo=UTC), end_datetime=end)
        assert answer.status_code == 200, name
        assert answer.json()["empty"] is False, name


def test_schwab_py_reads_quotes_instruments_and_hours(
    simulator: SchwabSimulator, tmp_path: Path
) -> None:
    client = sign_in(simulator, tmp_path, tmp_path / "token.json")
    quotes = client.get_quotes(["AAPL", "NOSUCH"], fields=[Client.Quote.Fields.QUOTE]).json()
    assert quotes["AAPL"]["quote"]["lastPrice"] == stocks.AAPL["close"][-1]
    assert quotes["errors"]["invalidSymbols"] == ["NOSUCH"]
    assert client.get_quote("AAPL").status_code == 200
    projection = Client.Instrument.Projection
    found = client.get_instruments(["AAPL", "IBM"], projection.FUNDAMENTAL).json()
    assert [each["symbol"] for each in found["instruments"]] == ["AAPL", "IBM"]
    assert client.get_instrument_by_cusip("037833100").json()["instruments"][0]["symbol"] == "AAPL"
    hours = client.get_market_hours([Client.MarketHours.Market.EQUITY]).json()
    assert hours["equity"]["EQ"]["isOpen"] is True


def test_schwab_py_refreshes_an_old_access_token_once(
    simulator: SchwabSimulator, tmp_path: Path
) -> None:
    token_file = tmp_path / "token.json"
    client = sign_in(simulator, tmp_path, token_file)
    stored = json.loads(token_file.read_text())
    old = dict(stored["token"])
    stored["token"]["expires_at"] = int(time.time()) - 10
    token_file.write_text(json.dumps(stored))
    app = simulator.app
    client = schwab.auth.client_from_token_file(token_file, app.key, app.secret)
    assert client.get_quote("AAPL").status_code == 200
    assert client.get_quote("AAPL").status_code == 200
    new = json.loads(token_file.read_text())["token"]
    assert new["access_token"] != old["access_token"]
    assert new["refresh_token"] == old["refresh_token"]
    assert simulator.requests.count(grant_type="refresh_token") == 1


def test_schwab_py_names_a_dead_refresh_token_as_at_schwab(
    simulator: SchwabSimulator, tmp_path: Path
) -> None:
    token_file = tmp_path / "token.json"
    sign_in(simulator, tmp_path, token_file)
    stored = json.loads(token_file.read_text())
    stored["token"]["expires_at"] = 1
    token_file.write_text(json.dumps(stored))
    simulator.grants.end_refresh_token()
    app = simulator.app
    client = schwab.auth.client_from_token_file(token_file, app.key, app.secret)
    with pytest.raises(OAuthError, match="unsupported_token_type"):
        client.get_quote("AAPL")
    stored["token"]["refresh_token"] = "x"
    token_file.write_text(json.dumps(stored))
    wrong = schwab.auth.client_from_token_file(token_file, app.key, "wrong-secret")
    with pytest.raises(OAuthError, match="invalid_client"):
        wrong.get_quote("AAPL")


def test_declined_consent_makes_schwab_py_take_a_token_without_a_sign_in(
    simulator: SchwabSimulator, tmp_path: Path
) -> None:
    # authlib asks for client credentials when the URL has no code (schwab-py #224).
    app = simulator.app
    context = schwab.auth.get_auth_context(app.key, CALLBACK)
    url = opened(simulator, context.authorization_url)
    received = decline(url, person(tmp_path))
    written: list[dict[str, Any]] = []
    schwab.auth.client_from_received_url(
        app.key, app.secret, context, received, lambda token, *_, **__: written.append(token)
    )
    assert "refresh_token" not in written[0]["token"]
    assert simulator.requests.count(grant_type="client_credentials", status=200) == 1


def test_schwab_py_refuses_another_sign_ins_state(
    simulator: SchwabSimulator, tmp_path: Path
) -> None:
    app = simulator.app
    context = schwab.auth.get_auth_context(app.key, CALLBACK)
    received = approve(opened(simulator, context.authorization_url), person(tmp_path))
    other = schwab.auth.get_auth_context(app.key, CALLBACK)
    with pytest.raises(MismatchingStateException):
        schwab.auth.client_from_received_url(
            app.key, app.secret, other, received, lambda *_, **__: None
        )


@pytest.fixture
def trading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SchwabSimulator]:
    """A simulator during a session: 09:40 of 2012-10-25."""
    identity = self_signed(tmp_path / "tls")
    monkeypatch.setenv("SSL_CERT_FILE", str(identity.certificate))
    clock = VirtualClock(time.time_ns())
    market = ReplayMarket.from_bokeh(as_of=date(2012, 10, 24), clock=clock)
    clock.advance(seconds=17 * 3_600 + 40 * 60)
    with SchwabSimulator(market, clock=clock, tls=identity, callback_url=CALLBACK) as running:
        lead_to_loopback(monkeypatch, urlsplit(running.base_url).port or 0)
        yield running


def order_of(client: Client, account: str, answer: Any) -> tuple[int, str]:
    """Return the number that schwab-py reads out of Location, and the order's status."""
    assert answer.status_code == 201, answer.text
    number = Utils(client, account).extract_order_id(answer)
    order = client.get_order(number, account)
    assert order.status_code == 200
    return number, order.json()["status"]


def test_schwab_py_reads_chains_movers_and_preferences(
    simulator: SchwabSimulator, tmp_path: Path
) -> None:
    client = sign_in(simulator, tmp_path, tmp_path / "token.json")
    chain = client.get_option_chain(
        "AAPL",
        contract_type=Client.Options.ContractType.CALL,
        strike_count=3,
        include_underlying_quote=True,
        from_date=date(2013, 3, 4),
        to_date=date(2013, 6, 1),
    ).json()
    assert chain["status"] == "SUCCESS"
    assert chain["underlying"]["last"] == chain["underlyingPrice"]
    assert all(len(strikes) == 3 for strikes in chain["callExpDateMap"].values())
    expirations = client.get_option_expiration_chain("AAPL").json()["expirationList"]
    shown = {key.split(":")[0] for key in chain["callExpDateMap"]}
    assert shown <= {each["expirationDate"] for each in expirations}
    movers = client.get_movers(
        Client.Movers.Index.NASDAQ, sort_order=Client.Movers.SortOrder.VOLUME
    ).json()
    assert [each["volume"] for each in movers["screeners"]] == sorted(
        (each["volume"] for each in movers["screeners"]), reverse=True
    )
    preference = client.get_user_preferences().json()
    assert preference["streamerInfo"][0]["schwabClientChannel"] == "N9"


def test_schwab_py_places_replaces_cancels_and_reads_back(
    trading: SchwabSimulator, tmp_path: Path
) -> None:
    client = sign_in(trading, tmp_path, tmp_path / "token.json")
    account = client.get_account_numbers().json()[0]["hashValue"]
    number, status = order_of(
        client, account, client.place_order(account, equity_buy_limit("AAPL", 10, "100.00"))
    )
    assert status == "WORKING"
    replaced = client.replace_order(account, number, equity_buy_limit("AAPL", 5, "101.00"))
    new, status = order_of(client, account, replaced)
    assert status == "WORKING"
    assert client.get_order(number, account).json()["status"] == "REPLACED"
    assert client.cancel_order(new, account).status_code == 200
    assert client.get_order(new, account).json()["status"] == "CANCELED"
    assert client.cancel_order(new, account).status_code == 400
    preview = client.preview_order(account, equity_buy_market("AAPL", 1))
    assert preview.json()["orderValidationResult"]["rejects"] == []
    _, status = order_of(client, account, client.place_order(account, equity_buy_market("AAPL", 7)))
    assert status == "FILLED"
    positions = client.get_account(account, fields=[Client.Account.Fields.POSITIONS]).json()
    assert positions["securitiesAccount"]["positions"][0]["longQuantity"] == 7
    assert len(client.get_accounts().json()) == 2
    span = {
        "from_entered_datetime": datetime(2012, 10, 1, tzinfo=UTC),
        "to_entered_datetime": datetime(2012, 11, 1, tzinfo=UTC),
    }
    assert len(client.get_orders_for_account(account, **span).json()) == 3
    filled = client.get_orders_for_all_linked_accounts(
        status=Client.Order.Status.FILLED, **span
    ).json()
    assert [order["filledQuantity"] for order in filled] == [7]
    (trade,) = client.get_transactions(
        account, start_date=date(2012, 10, 1), end_date=date(2012, 11, 1)
    ).json()
    assert trade["netAmount"] < 0
    assert client.get_transaction(account, trade["activityId"]).json() == trade


def test_every_order_template_of_schwab_py_is_taken(
    trading: SchwabSimulator, tmp_path: Path
) -> None:
    client = sign_in(trading, tmp_path, tmp_path / "token.json")
    account = client.get_account_numbers().json()[0]["hashValue"]
    chain = client.get_option_chain("AAPL", strike_count=2).json()
    low, high = (
        found[0]["symbol"] for found in next(iter(chain["callExpDateMap"].values())).values()
    )
    put_low, put_high = (
        found[0]["symbol"] for found in next(iter(chain["putExpDateMap"].values())).values()
    )
    orders = [
        equities.equity_sell_short_limit("IBM", 1, "500.00"),
        equities.equity_sell_short_market("IBM", 1),
        equities.equity_buy_to_cover_market("IBM", 1),
        equities.equity_buy_to_cover_limit("IBM", 1, "10.00"),
        equities.equity_sell_market("IBM", 1),
        equities.equity_sell_limit("IBM", 1, "500.00"),
        options.option_buy_to_open_market(low, 1),
        options.option_sell_to_close_limit(low, 1, "900.00"),
        options.option_sell_to_open_limit(high, 1, "900.00"),
        options.option_buy_to_close_market(high, 1),
        options.bull_call_vertical_open(low, high, 1, "0.05"),
        options.bear_call_vertical_open(low, high, 1, "900.00"),
        options.bull_put_vertical_open(put_low, put_high, 1, "900.00"),
        options.bear_put_vertical_open(put_low, put_high, 1, "0.05"),
        one_cancels_other(
            equities.equity_sell_limit("AAPL", 1, "2000.00"),
            equities.equity_sell_limit("AAPL", 1, "2100.00"),
        ),
        first_triggers_second(
            equity_buy_limit("AAPL", 1, "1.00"), equities.equity_sell_limit("AAPL", 1, "2000.00")
        ),
    ]
    for order in orders:
        answer = client.place_order(account, order)
        assert answer.status_code == 201, answer.text
