import io
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
import requests_mock

from infrastructure.clients.schwab_client import (
    DEFAULT_BASE_URL,
    OAuthClient,
    RetryPolicy,
    SchwabClient,
    TokenSet,
)
from infrastructure.clock import VirtualClock
from infrastructure.config import Secret
from infrastructure.errors import (
    AppNotApproved,
    BugError,
    ConfigError,
    NetworkError,
    NoDataError,
    ProviderUnavailable,
    RateLimited,
    RefreshTokenRejected,
    RequestRejected,
    StackError,
    UnknownSymbol,
    UsageError,
)

HISTORY_URL = f"{DEFAULT_BASE_URL}/marketdata/v1/pricehistory"
QUOTES_URL = f"{DEFAULT_BASE_URL}/marketdata/v1/quotes"
ROW = {"open": 1.0, "high": 2.0, "low": 0.5, "close": 1.5, "volume": 9, "datetime": 1362009600000}
HISTORY = {"candles": [ROW], "symbol": "AAPL", "empty": False}
UNAUTHORIZED = {
    "errors": [
        {"id": "x", "status": 401, "title": "Unauthorized", "detail": "Client not authorized"}
    ]
}


class Tokens:
    """Hand out numbered tokens; a forced call gives the next number."""

    def __init__(self) -> None:
        self.calls: list[bool] = []
        self.number = 1

    def __call__(self, force: bool) -> Secret:
        self.calls.append(force)
        self.number += force
        return Secret(f"I0.access-token-{self.number}@")


@pytest.fixture
def schwab() -> Iterator[requests_mock.Mocker]:
    with requests_mock.Mocker() as mock:
        yield mock


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(1_700_000_000 * 10**9)


@pytest.fixture
def tokens() -> Tokens:
    return Tokens()


@pytest.fixture
def client(tokens: Tokens, clock: VirtualClock) -> Iterator[SchwabClient]:
    with SchwabClient(DEFAULT_BASE_URL, tokens, clock=clock, jitter=lambda: 1.0) as made:
        yield made


def sent(schwab: requests_mock.Mocker) -> list[Any]:
    return list(schwab.request_history)


def bearer(request: Any) -> str:
    return str(request.headers["Authorization"])


def test_a_price_history_is_asked_with_token_and_correlation_id(
    schwab: requests_mock.Mocker, client: SchwabClient, tokens: Tokens
) -> None:
    schwab.get(HISTORY_URL, json=HISTORY)
    candles = client.price_history(
        "aapl", period_type="year", period=1, frequency_type="daily", previous_close=True
    )
    (request,) = sent(schwab)
    assert bearer(request) == "Bearer I0.access-token-1@"
    assert len(request.headers["Schwab-Client-CorrelId"]) == 36
    assert request.qs == {
        "symbol": ["aapl"],  # requests-mock lowers what was sent
        "periodtype": ["year"],
        "period": ["1"],
        "frequencytype": ["daily"],
        "frequency": ["1"],
        "needpreviousclose": ["true"],
    }
    assert "symbol=AAPL" in request.url
    assert candles.columns()["close"].tolist() == [1.5]
    assert tokens.calls == [False]


def test_an_empty_history_is_a_result_not_an_error(
    schwab: requests_mock.Mocker, client: SchwabClient
) -> None:
    schwab.get(HISTORY_URL, json={"candles": [], "symbol": "AAPL", "empty": True})
    assert client.price_history("AAPL").empty


def test_an_invalid_combination_is_refused_before_the_wire(
    schwab: requests_mock.Mocker, client: SchwabClient, tokens: Tokens
) -> None:
    with pytest.raises(UsageError):
        client.price_history("AAPL", period_type="day", frequency_type="daily")
    assert sent(schwab) == []
    assert tokens.calls == []


def test_a_refused_token_is_refreshed_once_and_the_request_repeated(
    schwab: requests_mock.Mocker, client: SchwabClient, tokens: Tokens
) -> None:
    schwab.get(HISTORY_URL, [{"status_code": 401, "json": UNAUTHORIZED}, {"json": HISTORY}])
    assert len(client.price_history("AAPL")) == 1
    assert [bearer(request) for request in sent(schwab)] == [
        "Bearer I0.access-token-1@",
        "Bearer I0.access-token-2@",
    ]
    assert tokens.calls == [False, True]


def test_a_fresh_token_that_is_refused_too_means_the_app_is_not_approved(
    schwab: requests_mock.Mocker, client: SchwabClient, tokens: Tokens
) -> None:
    schwab.get(HISTORY_URL, status_code=401, json=UNAUTHORIZED)
    with pytest.raises(AppNotApproved, match="Ready For Use"):
        client.price_history("AAPL")
    assert tokens.calls == [False, True]


def test_a_failing_refresh_is_what_the_caller_sees(
    schwab: requests_mock.Mocker, clock: VirtualClock
) -> None:
    def access_token(force: bool) -> Secret:
        if force:
            raise RefreshTokenRejected("dead", next_step="Run `algo-trader auth login`.")
        return Secret("I0.access-token@")

    schwab.get(HISTORY_URL, status_code=401, json=UNAUTHORIZED)
    client = SchwabClient(DEFAULT_BASE_URL, access_token, clock=clock)
    with pytest.raises(RefreshTokenRejected):
        client.price_history("AAPL")
    assert len(sent(schwab)) == 1


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_server_fault_is_repeated_with_growing_waits(
    schwab: requests_mock.Mocker, client: SchwabClient, clock: VirtualClock, status: int
) -> None:
    fault = {"status_code": status, "text": "fault"}
    schwab.get(HISTORY_URL, [fault, fault, {"json": HISTORY}])
    assert len(client.price_history("AAPL")) == 1
    assert clock.monotonic_ns() == 1_500_000_000


def test_a_lasting_server_fault_ends_after_four_attempts(
    schwab: requests_mock.Mocker, client: SchwabClient
) -> None:
    body = {"message": "Application encountered unexpected error", "errors": []}
    schwab.get(HISTORY_URL, status_code=500, json=body)
    with pytest.raises(ProviderUnavailable, match="unexpected error") as caught:
        client.price_history("AAPL")
    assert len(sent(schwab)) == 4
    assert caught.value.exit_code == 3


def test_the_rate_limit_is_waited_for_as_schwab_asks(
    schwab: requests_mock.Mocker, client: SchwabClient, clock: VirtualClock
) -> None:
    limited = {"status_code": 429, "headers": {"Retry-After": "30"}}
    schwab.get(HISTORY_URL, [limited, {"json": HISTORY}])
    client.price_history("AAPL")
    assert 30.0 <= clock.monotonic_ns() / 1e9 <= 31.0


def test_a_rate_limit_beyond_a_minute_is_raised_with_its_wait(
    schwab: requests_mock.Mocker, client: SchwabClient, clock: VirtualClock
) -> None:
    schwab.get(HISTORY_URL, status_code=429, headers={"Retry-After": "3600"})
    with pytest.raises(RateLimited, match="3600 s") as caught:
        client.price_history("AAPL")
    assert caught.value.retry_after_s == 3600.0
    assert clock.monotonic_ns() == 0


def test_a_rate_limit_without_a_wait_is_retried_like_a_fault(
    schwab: requests_mock.Mocker, client: SchwabClient
) -> None:
    schwab.get(HISTORY_URL, status_code=429)
    with pytest.raises(RateLimited) as caught:
        client.price_history("AAPL")
    assert caught.value.retry_after_s is None
    assert len(sent(schwab)) == 4


@pytest.mark.parametrize(
    ("raised", "sentence"),
    [
        (requests.exceptions.ConnectTimeout(), "did not answer within 30 s"),
        (requests.exceptions.ReadTimeout(), "did not answer within 30 s"),
        (requests.exceptions.ConnectionError(OSError(111, "Connection refused")), "Connection ref"),
        (requests.exceptions.ChunkedEncodingError("broke off"), "broke off"),
        (requests.exceptions.SSLError("self-signed"), "certificate of api.schwabapi.com"),
        (requests.exceptions.ProxyError("proxy"), "proxy"),
    ],
)
def test_no_answer_is_repeated_and_then_a_network_error(
    schwab: requests_mock.Mocker, client: SchwabClient, raised: Exception, sentence: str
) -> None:
    schwab.get(HISTORY_URL, exc=raised)
    with pytest.raises(NetworkError, match=sentence) as caught:
        client.price_history("AAPL")
    assert len(sent(schwab)) == 4
    assert caught.value.correlation_id is not None


def test_a_url_that_cannot_be_requested_is_a_setting_to_fix(
    schwab: requests_mock.Mocker, client: SchwabClient
) -> None:
    schwab.get(HISTORY_URL, exc=requests.exceptions.InvalidURL)
    with pytest.raises(ConfigError, match="cannot be requested"):
        client.price_history("AAPL")


def history_error(schwab: requests_mock.Mocker, client: SchwabClient, **answer: Any) -> StackError:
    schwab.get(HISTORY_URL, **answer)
    with pytest.raises(StackError) as caught:
        client.price_history("AAPL")
    return caught.value


def test_an_unknown_symbol_is_named(schwab: requests_mock.Mocker, client: SchwabClient) -> None:
    body = {"errors": [{"id": "x", "status": "404", "title": "Not Found"}]}
    error = history_error(schwab, client, status_code=404, json=body)
    assert isinstance(error, UnknownSymbol)
    assert "'AAPL'" in str(error)


def test_a_plain_text_404_is_maintenance(
    schwab: requests_mock.Mocker, client: SchwabClient
) -> None:
    text = "404 Not Found: Requested route ('x.apigx-origin.schwab.com') does not exist."
    error = history_error(schwab, client, status_code=404, text=text)
    assert isinstance(error, ProviderUnavailable)
    assert "maintenance" in str(error)
    assert len(sent(schwab)) == 1


def test_a_400_quotes_what_schwab_says_and_its_correlation_id(
    schwab: requests_mock.Mocker, client: SchwabClient
) -> None:
    body = {
        "errors": [
            {
                "id": "x",
                "status": "400",
                "title": "Bad Request",
                "detail": "valid fields should be any of all",
                "source": {"parameter": "fields"},
            }
        ]
    }
    error = history_error(
        schwab, client, status_code=400, json=body, headers={"Schwab-Client-CorrelID": "abc-1"}
    )
    assert isinstance(error, RequestRejected)
    assert error.status == 400
    assert error.correlation_id == "abc-1"
    assert "valid fields should be any of all (fields)" in str(error)
    assert "abc-1" in str(error)


def test_a_body_too_big_for_the_gateway_says_ask_for_less_and_is_not_repeated(
    schwab: requests_mock.Mocker, client: SchwabClient
) -> None:
    fault = {
        "fault": {
            "faultstring": "Body buffer overflow",
            "detail": {"errorcode": "protocol.http.TooBigBody"},
        }
    }
    error = history_error(schwab, client, status_code=502, json=fault)
    assert isinstance(error, RequestRejected)
    assert "Ask for less" in str(error)
    assert len(sent(schwab)) == 1


def test_akamais_page_is_not_a_refused_login(
    schwab: requests_mock.Mocker, client: SchwabClient
) -> None:
    page = "<HTML><HEAD><TITLE>Access Denied</TITLE></HEAD></HTML>"
    error = history_error(schwab, client, status_code=403, text=page)
    assert isinstance(error, ProviderUnavailable)
    assert "Akamai" in str(error)
    assert len(sent(schwab)) == 1


def test_a_403_in_json_is_a_refused_request(
    schwab: requests_mock.Mocker, client: SchwabClient
) -> None:
    error = history_error(schwab, client, status_code=403, json={"message": "Forbidden"})
    assert isinstance(error, RequestRejected)
    assert "Forbidden" in str(error)


def test_the_whitelabel_page_means_the_app_is_not_ready(
    schwab: requests_mock.Mocker, client: SchwabClient
) -> None:
    error = history_error(schwab, client, status_code=500, text="<html>Whitelabel Error Page")
    assert isinstance(error, AppNotApproved)
    assert len(sent(schwab)) == 1


def test_a_redirect_is_not_followed_with_the_token(
    schwab: requests_mock.Mocker, client: SchwabClient
) -> None:
    error = history_error(
        schwab, client, status_code=302, headers={"Location": "https://elsewhere.example"}
    )
    assert isinstance(error, ProviderUnavailable)
    assert len(sent(schwab)) == 1


@pytest.mark.parametrize("body", ["", '{"candles": [{"op', "\x00"])
def test_a_success_that_is_no_json_is_the_providers_fault(
    schwab: requests_mock.Mocker, client: SchwabClient, body: str
) -> None:
    error = history_error(schwab, client, text=body)
    assert isinstance(error, ProviderUnavailable)


def test_a_success_that_is_a_page_is_the_providers_fault(
    schwab: requests_mock.Mocker, client: SchwabClient
) -> None:
    error = history_error(schwab, client, text="<!doctype html><title>Maintenance</title>")
    assert isinstance(error, ProviderUnavailable)


def test_json_of_another_form_is_reported_with_its_place(
    schwab: requests_mock.Mocker, client: SchwabClient
) -> None:
    error = history_error(schwab, client, json={"candles": [], "symbol": 5})
    assert isinstance(error, BugError)
    assert "$.symbol" in str(error)
    assert error.correlation_id is not None


def test_quotes_are_asked_in_one_request_with_encoded_symbols(
    schwab: requests_mock.Mocker, client: SchwabClient
) -> None:
    schwab.get(QUOTES_URL, json={"AAPL": {}, "$SPX": {}, "/ESZ25": {}})
    quotes = client.quotes("aapl,$SPX,/ESZ25", fields=["quote", "reference"], indicative=False)
    assert set(quotes) == {"AAPL", "$SPX", "/ESZ25"}
    (request,) = sent(schwab)
    assert "symbols=AAPL%2C%24SPX%2C%2FESZ25" in request.url
    assert "fields=quote%2Creference" in request.url
    assert "indicative=false" in request.url


def test_some_unknown_symbols_are_told_all_unknown_is_an_error(
    schwab: requests_mock.Mocker, client: SchwabClient
) -> None:
    errors = {"errors": {"invalidSymbols": ["XXXX"]}}
    schwab.get(QUOTES_URL, [{"json": {"AAPL": {}, **errors}}, {"json": errors}])
    assert client.quotes(["AAPL", "XXXX"]).invalid_symbols == ("XXXX",)
    with pytest.raises(UnknownSymbol, match="'XXXX'"):
        client.quotes("XXXX")


@pytest.mark.parametrize(
    "ask",
    [
        lambda client: client.quotes([]),
        lambda client: client.quotes(f"S{i}" for i in range(501)),
        lambda client: client.quotes("AAPL", fields="quotes"),
        lambda client: client.quote("AAPL,MSFT"),
        lambda client: client.market_hours("equities"),
        lambda client: client.market_hours([]),
        lambda client: client.market_hours("equity", "28.02.2013"),
        lambda client: client.instruments("AAPL", "symbols"),
        lambda client: client.instruments("  "),
        lambda client: client.request("marketdata/v1/movers"),
    ],
)
def test_arguments_that_schwab_would_refuse_are_refused_before_the_wire(
    schwab: requests_mock.Mocker, client: SchwabClient, ask: Callable[[SchwabClient], object]
) -> None:
    with pytest.raises(UsageError):
        ask(client)
    assert sent(schwab) == []


def test_one_quote_is_asked_by_an_encoded_path(
    schwab: requests_mock.Mocker, client: SchwabClient
) -> None:
    schwab.get(f"{DEFAULT_BASE_URL}/marketdata/v1/%2FESZ25/quotes", json={"/ESZ25": {"ssid": 1}})
    assert client.quote("/ESZ25", fields="all").ssid == 1


def test_one_unknown_quote_is_an_error_in_both_of_schwabs_forms(
    schwab: requests_mock.Mocker, client: SchwabClient
) -> None:
    url = f"{DEFAULT_BASE_URL}/marketdata/v1/XXXX/quotes"
    missing = {"errors": [{"status": "404", "title": "Not Found"}]}
    schwab.get(
        url,
        [
            {"status_code": 404, "json": missing},
            {"json": {"errors": {"invalidSymbols": ["XXXX"]}}},
        ],
    )
    for _ in range(2):
        with pytest.raises(UnknownSymbol, match="XXXX"):
            client.quote("XXXX")


def test_market_hours_are_asked_for_a_day(
    schwab: requests_mock.Mocker, client: SchwabClient
) -> None:
    import datetime

    url = f"{DEFAULT_BASE_URL}/marketdata/v1/markets"
    schwab.get(url, json={"equity": {"EQ": {"date": "2024-02-28", "isOpen": True}}})
    hours = client.market_hours(["equity", "option"], datetime.date(2024, 2, 28))
    assert hours["equity"]["EQ"].is_open
    client.market_hours("equity", "2024-02-28")
    client.market_hours()
    first, second, third = sent(schwab)
    assert first.qs == {"markets": ["equity,option"], "date": ["2024-02-28"]}
    assert second.qs["date"] == ["2024-02-28"]
    assert third.qs == {"markets": ["equity"]}
    with pytest.raises(UsageError, match="an instant"):
        client.market_hours("equity", datetime.datetime(2013, 2, 28, tzinfo=datetime.UTC))


def test_a_404_without_a_symbol_is_no_data(
    schwab: requests_mock.Mocker, client: SchwabClient
) -> None:
    missing = {"errors": [{"status": "404", "title": "Not Found"}]}
    schwab.get(f"{DEFAULT_BASE_URL}/marketdata/v1/markets", status_code=404, json=missing)
    with pytest.raises(NoDataError, match="Not Found"):
        client.market_hours()


def test_instruments_are_looked_up(schwab: requests_mock.Mocker, client: SchwabClient) -> None:
    url = f"{DEFAULT_BASE_URL}/marketdata/v1/instruments"
    schwab.get(url, json={"instruments": [{"symbol": "AAPL", "cusip": "037833100"}]})
    (instrument,) = client.instruments("Apple", "desc-search")
    assert instrument.cusip == "037833100"
    assert sent(schwab)[0].qs["projection"] == ["desc-search"]


def test_any_get_request_can_be_sent_raw(
    schwab: requests_mock.Mocker, client: SchwabClient
) -> None:
    path = "/marketdata/v1/movers/$SPX"
    schwab.get(
        f"{DEFAULT_BASE_URL}{path}", [{"json": {"screeners": []}}, {"text": "null"}, {"text": "?"}]
    )
    assert client.request_json(path, {"sort": "VOLUME"}) == {"screeners": []}
    assert client.request_json(path) is None
    with pytest.raises(ProviderUnavailable, match="no JSON"):
        client.request_json(path)


def test_the_sign_in_methods_stand_for_the_oauth_client(
    schwab: requests_mock.Mocker, tokens: Tokens
) -> None:
    callback = "https://127.0.0.1"
    oauth = OAuthClient(DEFAULT_BASE_URL, "app-key", Secret("app-secret"), callback)
    client = SchwabClient(DEFAULT_BASE_URL, tokens, oauth=oauth)
    answer = {"access_token": "I0.abcdef@", "refresh_token": "ghijkl@", "expires_in": 1800}
    schwab.post(f"{DEFAULT_BASE_URL}/v1/oauth/token", json=answer)
    request = client.begin_sign_in()
    signed_in = client.finish_sign_in(request, f"{callback}/?code=C0.a%40&state={request.state}")
    assert isinstance(signed_in, TokenSet)
    assert client.refresh(signed_in).refresh_token.reveal() == "ghijkl@"


def test_a_client_without_an_application_cannot_sign_in(client: SchwabClient) -> None:
    with pytest.raises(UsageError, match="cannot sign in"):
        client.begin_sign_in()


@pytest.mark.parametrize("base_url", ["api.schwabapi.com", "ftp://x", "https://x/?a=1", "https://"])
def test_a_base_url_that_is_none_is_refused(base_url: str, tokens: Tokens) -> None:
    with pytest.raises(ConfigError, match="base URL"):
        SchwabClient(base_url, tokens)


def test_a_session_that_was_given_is_left_open(tokens: Tokens) -> None:
    class Watched(requests.Session):
        closed = False

        def close(self) -> None:
            self.closed = True

    session = Watched()
    with SchwabClient(DEFAULT_BASE_URL, tokens, session=session, retry=RetryPolicy(attempts=1)):
        pass
    assert not session.closed


def test_a_netrc_entry_does_not_replace_the_token(
    schwab: requests_mock.Mocker,
    client: SchwabClient,
    tmp_path: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine api.schwabapi.com login me password wrong\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    schwab.get(HISTORY_URL, json=HISTORY)
    client.price_history("AAPL")
    assert bearer(sent(schwab)[0]) == "Bearer I0.access-token-1@"


def test_neither_repr_nor_logs_nor_errors_show_a_token(
    schwab: requests_mock.Mocker, client: SchwabClient
) -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logger = logging.getLogger()
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        error = history_error(schwab, client, status_code=400, json={"message": "no"})
    finally:
        logger.removeHandler(handler)
        logger.setLevel(logging.WARNING)
    shown = f"{client!r} {error} {error!r} {error.as_dict()} {stream.getvalue()}"
    assert "access-token" not in shown
    assert repr(client) == "SchwabClient('https://api.schwabapi.com', ...)"
