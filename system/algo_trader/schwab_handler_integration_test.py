"""The sign-in's whole life against the local Schwab, over HTTP and TLS, with real processes."""

import base64
import http.client
import io
import json
import logging
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
import requests

from infrastructure.clock import SystemClock, VirtualClock
from infrastructure.config import Secret
from infrastructure.errors import (
    AppNotApproved,
    CredentialsRejected,
    ProviderUnavailable,
    RefreshTokenExpired,
    RefreshTokenRejected,
    SignInFailed,
    UnknownSymbol,
)
from infrastructure.schwab.oauth.application import SchwabApplication
from infrastructure.schwab.oauth.tokens import TokenSet
from infrastructure.simulators.schwab.consent import approve, decline
from infrastructure.simulators.schwab.market import ReplayMarket
from infrastructure.simulators.schwab.simulator import SchwabSimulator
from infrastructure.simulators.schwab.tls import self_signed
from system.algo_trader.realm import Realm
from system.algo_trader.schwab_handler import SchwabHandler, token_store
from system.algo_trader.settings import AppSettings, load
from system.algo_trader.storage.tokens import FileTokenStore

ROOT = Path(__file__).resolve().parents[2]
TOKEN_ROUTE = "POST /v1/oauth/token"
HISTORY_ROUTE = "GET /marketdata/v1/pricehistory"
NOW_NS = 1_790_000_000 * 10**9

ONE_PROCESS = """
import hashlib, json, sys
from pathlib import Path
from infrastructure.config import Secret
from infrastructure.schwab.oauth.application import SchwabApplication
from system.algo_trader.realm import Realm
from system.algo_trader.schwab_handler import SchwabHandler
from system.algo_trader.settings import load

home, base_url, callback_url, key, secret = sys.argv[1:]
settings = load(environment={"ALGO_TRADER_HOME": home}, workspace=Path(home))
handler = SchwabHandler(
    settings,
    Realm.sim(Path(home)),
    application=SchwabApplication(Secret(key), Secret(secret), callback_url),
    base_url=base_url,
    interactive=False,
)
print("ready", flush=True)
sys.stdin.readline()
candles = handler.client().price_history("AAPL", period_type="month", frequency_type="daily")
token = handler.access_token().reveal()
print(json.dumps([len(candles), hashlib.sha256(token.encode()).hexdigest()]))
"""


@pytest.fixture(scope="module")
def market() -> ReplayMarket:
    return ReplayMarket.from_bokeh()


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(NOW_NS)


@pytest.fixture
def simulator(market: ReplayMarket, clock: VirtualClock) -> Iterator[SchwabSimulator]:
    with SchwabSimulator(market, clock=clock) as running:
        yield running


@pytest.fixture
def settings(tmp_path: Path) -> AppSettings:
    return settings_in(tmp_path)


def settings_in(home: Path) -> AppSettings:
    return load(environment={"ALGO_TRADER_HOME": str(home)}, workspace=home)


def application_of(
    simulator: SchwabSimulator, *, secret: str | None = None, callback_url: str | None = None
) -> SchwabApplication:
    return SchwabApplication(
        Secret(simulator.app.key),
        Secret(simulator.app.secret if secret is None else secret),
        simulator.app.callback_url if callback_url is None else callback_url,
    )


def consent(authorize_url: str) -> str:
    with requests.Session() as session:
        return approve(authorize_url, session)


def handler_at(simulator: SchwabSimulator, settings: AppSettings, **changes: Any) -> SchwabHandler:
    arguments: dict[str, Any] = {
        "application": application_of(simulator),
        "base_url": simulator.base_url,
        "consent": consent,
        "interactive": False,
    }
    arguments.update(changes)
    return SchwabHandler(settings, Realm.sim(settings.home), **arguments)


def store_of(settings: AppSettings) -> FileTokenStore:
    return token_store(settings, Realm.sim(settings.home))


def stored(settings: AppSettings) -> TokenSet:
    tokens = store_of(settings).load()
    assert tokens is not None
    return tokens


def refreshes(simulator: SchwabSimulator) -> int:
    return simulator.requests.count(TOKEN_ROUTE, grant_type="refresh_token")


def sign_ins(simulator: SchwabSimulator) -> int:
    return simulator.requests.count(TOKEN_ROUTE, grant_type="authorization_code")


class Person:
    """Open the URL that is shown, and paste what the browser's address bar then holds."""

    def __init__(self, act: Any = consent) -> None:
        self.act = act
        self.url = ""

    def show(self, text: str) -> None:
        self.url = next(word for word in text.split() if "/v1/oauth/authorize?" in word)

    def ask(self, prompt: str) -> str:
        return str(self.act(self.url))


def by_person(
    simulator: SchwabSimulator, settings: AppSettings, person: Person, **changes: Any
) -> SchwabHandler:
    return handler_at(
        simulator, settings, consent=None, prompt=person.ask, announce=person.show, **changes
    )


def test_the_handler_signs_in_refreshes_and_reads_prices(
    simulator: SchwabSimulator, settings: AppSettings, clock: VirtualClock
) -> None:
    with handler_at(simulator, settings, clock=clock) as handler:
        candles = handler.client().price_history(
            "AAPL", period_type="year", period=1, frequency_type="daily"
        )
        assert 245 <= len(candles) <= 255
        clock.advance(seconds=1800)
        assert handler.client().quotes("AAPL,MSFT").invalid_symbols == ()
    assert (sign_ins(simulator), refreshes(simulator)) == (1, 1)


def test_a_second_run_needs_no_sign_in(
    simulator: SchwabSimulator, settings: AppSettings, clock: VirtualClock
) -> None:
    handler_at(simulator, settings, clock=clock).client()
    clock.advance(seconds=86_400)
    handler_at(simulator, settings, clock=clock).client().price_history("AAPL")
    assert (sign_ins(simulator), refreshes(simulator)) == (1, 1)


def test_a_token_that_schwab_ends_early_is_refreshed_once_and_the_request_repeated(
    simulator: SchwabSimulator, settings: AppSettings, clock: VirtualClock
) -> None:
    client = handler_at(simulator, settings, clock=clock).client()
    simulator.grants.end_access_tokens()
    assert len(client.price_history("AAPL", period_type="month", frequency_type="daily")) > 0
    assert refreshes(simulator) == 1
    assert simulator.requests.count(HISTORY_ROUTE, status=401) == 1


def test_a_refresh_token_that_rotates_is_stored(
    market: ReplayMarket, settings: AppSettings, clock: VirtualClock
) -> None:
    with SchwabSimulator(market, clock=clock, rotate_refresh_token=True) as simulator:
        handler = handler_at(simulator, settings, clock=clock)
        handler.client()
        first = stored(settings)
        for _ in range(3):
            clock.advance(seconds=1800)
            handler.access_token()
        assert stored(settings).refresh_token != first.refresh_token
        assert stored(settings).signed_in_at_ns == first.signed_in_at_ns
        assert (sign_ins(simulator), refreshes(simulator)) == (1, 3)


def test_after_seven_days_a_person_is_asked_and_schwab_is_not(
    simulator: SchwabSimulator, settings: AppSettings, clock: VirtualClock
) -> None:
    handler = by_person(simulator, settings, Person(), clock=clock)
    handler.sign_in()
    clock.advance(seconds=7 * 86_400)
    with pytest.raises(RefreshTokenExpired, match="algo-trader auth login"):
        handler.client()
    assert refreshes(simulator) == 0


def test_the_simulators_own_end_of_the_refresh_token_is_understood(
    simulator: SchwabSimulator, settings: AppSettings, clock: VirtualClock
) -> None:
    handler = by_person(simulator, settings, Person(), clock=clock)
    handler.sign_in()
    store_of(settings).save(replace(stored(settings), signed_in_at_ns=NOW_NS + 7 * 86_400 * 10**9))
    clock.advance(seconds=7 * 86_400)
    with pytest.raises(RefreshTokenRejected):
        handler.client()
    assert refreshes(simulator) == 1


def test_a_dead_refresh_token_asks_to_sign_in_again(
    simulator: SchwabSimulator, settings: AppSettings, clock: VirtualClock
) -> None:
    handler = by_person(simulator, settings, Person(), clock=clock)
    handler.sign_in()
    simulator.grants.end_refresh_token()
    clock.advance(seconds=1800)
    with pytest.raises(RefreshTokenRejected, match="algo-trader auth login"):
        handler.client()
    handler.sign_in()
    handler.client().price_history("AAPL")


def test_a_later_sign_in_elsewhere_ends_this_one(
    simulator: SchwabSimulator, tmp_path: Path, clock: VirtualClock
) -> None:
    here, there = settings_in(tmp_path / "here"), settings_in(tmp_path / "there")
    handler = by_person(simulator, here, Person(), clock=clock)
    handler.sign_in()
    handler_at(simulator, there, clock=clock).sign_in()
    clock.advance(seconds=1800)
    with pytest.raises(RefreshTokenRejected, match="later sign-in"):
        handler.access_token()


def test_schwabs_inserted_slash_is_part_of_what_the_person_pastes(
    simulator: SchwabSimulator, settings: AppSettings
) -> None:
    pasted: list[str] = []

    def look(url: str) -> str:
        pasted.append(consent(url))
        return pasted[-1]

    by_person(simulator, settings, Person(look)).sign_in()
    assert "?" not in simulator.app.callback_url
    assert not simulator.app.callback_url.endswith("/")
    assert pasted[0].startswith(f"{simulator.app.callback_url}/?code=")


def test_declining_is_told(simulator: SchwabSimulator, settings: AppSettings) -> None:
    def refuse(url: str) -> str:
        with requests.Session() as session:
            return decline(url, session)

    with pytest.raises(SignInFailed, match="declined"):
        by_person(simulator, settings, Person(refuse)).sign_in()


def test_a_wrong_state_never_reaches_the_token_endpoint(
    simulator: SchwabSimulator, settings: AppSettings
) -> None:
    def forge(url: str) -> str:
        forged = url.split("&state=")[0] + "&state=forged"
        return consent(forged)

    with pytest.raises(SignInFailed, match="another sign-in"):
        by_person(simulator, settings, Person(forge)).sign_in()
    assert sign_ins(simulator) == 0


def test_a_callback_that_is_not_the_registered_one_gets_no_consent_page(
    simulator: SchwabSimulator, settings: AppSettings
) -> None:
    other = application_of(simulator, callback_url="HTTPS://127.0.0.1:8182")
    with pytest.raises(SignInFailed):
        by_person(simulator, settings, Person(), application=other).sign_in()


def test_a_redirect_to_another_place_is_refused(
    simulator: SchwabSimulator, settings: AppSettings
) -> None:
    def elsewhere(url: str) -> str:
        return consent(url).replace("127.0.0.1:8182", "127.0.0.1:8183")

    with pytest.raises(SignInFailed, match="registered callback"):
        by_person(simulator, settings, Person(elsewhere)).sign_in()
    assert sign_ins(simulator) == 0


def test_a_bad_secret_is_told_at_sign_in_and_at_refresh(
    simulator: SchwabSimulator, settings: AppSettings, clock: VirtualClock
) -> None:
    bad = application_of(simulator, secret="not-the-registered-secret")
    with pytest.raises(CredentialsRejected, match="SCHWAB_SECRET"):
        handler_at(simulator, settings, application=bad, clock=clock).client()
    handler_at(simulator, settings, clock=clock).sign_in()
    clock.advance(seconds=1800)
    with pytest.raises(CredentialsRejected, match="SCHWAB_SECRET"):
        handler_at(simulator, settings, application=bad, clock=clock).client()


def test_a_code_works_once(simulator: SchwabSimulator, settings: AppSettings) -> None:
    first: list[str] = []

    def reuse(url: str) -> str:
        received = consent(url)
        if not first:
            first.append(parse_qs(urlsplit(received).query)["code"][0])
            return received
        state = parse_qs(urlsplit(received).query)["state"][0]
        return f"{simulator.app.callback_url}/?code={quote(first[0], safe='')}&state={state}"

    handler = by_person(simulator, settings, Person(reuse))
    handler.sign_in()
    with pytest.raises(SignInFailed, match="works once"):
        handler.sign_in()
    handler.client().price_history("AAPL")


def test_a_code_that_was_pasted_too_late_is_told(
    simulator: SchwabSimulator, settings: AppSettings, clock: VirtualClock
) -> None:
    def dawdle(url: str) -> str:
        received = consent(url)
        clock.advance(seconds=31)
        return received

    with pytest.raises(SignInFailed, match="about 30 seconds"):
        by_person(simulator, settings, Person(dawdle), clock=clock).sign_in()


def test_an_app_that_is_pending_is_told(
    simulator: SchwabSimulator, settings: AppSettings, clock: VirtualClock
) -> None:
    handler = handler_at(simulator, settings, clock=clock)
    client = handler.client()
    simulator.app.market_data = False
    with pytest.raises(AppNotApproved, match="Market Data Production"):
        client.price_history("AAPL")
    assert refreshes(simulator) == 1


def test_an_unknown_symbol_is_told(simulator: SchwabSimulator, settings: AppSettings) -> None:
    client = handler_at(simulator, settings).client()
    with pytest.raises(UnknownSymbol, match="'NOSUCH'"):
        client.quote("NOSUCH")
    assert client.quotes("AAPL,NOSUCH").invalid_symbols == ("NOSUCH",)
    with pytest.raises(UnknownSymbol):
        client.quotes("NOSUCH")


def test_typed_answers_of_every_endpoint(simulator: SchwabSimulator, settings: AppSettings) -> None:
    client = handler_at(simulator, settings).client()
    quote_of_apple = client.quote("AAPL")
    assert quote_of_apple.quote is not None
    assert quote_of_apple.quote.last_price is not None
    hours = client.market_hours("equity", simulator.market.market_date)
    assert [product.is_open for product in hours["equity"].values()] == [True]
    (apple,) = client.instruments("AAPL")
    assert apple.symbol == "AAPL"
    minutes = client.price_history("AAPL", period_type="day", period=1, previous_close=True)
    assert len(minutes) >= 390
    assert minutes.malformed == ()
    assert minutes.previous_close is not None


def test_faults_that_pass_are_waited_out_and_lasting_ones_told(
    simulator: SchwabSimulator, settings: AppSettings, clock: VirtualClock
) -> None:
    client = handler_at(simulator, settings, clock=clock).client()
    simulator.faults.answer(503, times=2, route="/pricehistory")
    simulator.faults.drop(times=1, route="/pricehistory")
    assert len(client.price_history("AAPL")) > 0
    simulator.faults.answer(429, times=1, route="/pricehistory", retry_after_s=20)
    before_ns = clock.monotonic_ns()
    assert len(client.price_history("AAPL")) > 0
    assert clock.monotonic_ns() - before_ns >= 20 * 10**9
    simulator.faults.answer(403, times=1, route="/pricehistory")
    with pytest.raises(ProviderUnavailable, match="Akamai"):
        client.price_history("AAPL")


def test_the_sign_in_works_over_tls_with_a_trusted_certificate(
    market: ReplayMarket, settings: AppSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    identity = self_signed(tmp_path / "tls")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(identity.certificate))
    with SchwabSimulator(market, tls=identity) as simulator:
        assert simulator.base_url.startswith("https://")
        assert len(handler_at(simulator, settings).client().price_history("AAPL")) > 0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_the_listener_catches_the_redirect_over_tls(
    market: ReplayMarket, settings: AppSettings
) -> None:
    port = free_port()
    callback_url = f"https://127.0.0.1:{port}"
    browsers: list[threading.Thread] = []
    pages: list[str] = []

    def browse(url: str) -> None:
        target = consent(url).removeprefix(callback_url)
        trusting = ssl.create_default_context()
        trusting.check_hostname = False
        trusting.verify_mode = ssl.CERT_NONE
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=trusting)
        connection.request("GET", target)
        pages.append(connection.getresponse().read().decode())
        connection.close()

    def show(text: str) -> None:
        url = next(word for word in text.split() if "/v1/oauth/authorize?" in word)
        browsers.append(threading.Thread(target=browse, args=(url,)))
        browsers[-1].start()

    with SchwabSimulator(market, callback_url=callback_url) as simulator:
        handler = handler_at(
            simulator, settings, consent=None, announce=show, listen_timeout_s=20.0
        )
        assert handler.sign_in(listen=True).state == "signed in"
        browsers[0].join(timeout=20)
        assert "Back to the terminal" in pages[0]
        assert len(handler.client().price_history("AAPL")) > 0


def start_processes(
    simulator: SchwabSimulator, settings: AppSettings, count: int
) -> "list[subprocess.Popen[str]]":
    app = simulator.app
    command = [sys.executable, "-c", ONE_PROCESS, str(settings.home), simulator.base_url]
    processes = [
        subprocess.Popen(
            [*command, app.callback_url, app.key, app.secret],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        for _ in range(count)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    return processes


def run_at_once(processes: "list[subprocess.Popen[str]]") -> list[Any]:
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    outcomes = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes), outcomes
    return [json.loads(out) for out, _ in outcomes]


@pytest.fixture
def running(market: ReplayMarket) -> Iterator[SchwabSimulator]:
    with SchwabSimulator(market, clock=SystemClock(), rotate_refresh_token=True) as simulator:
        yield simulator


def test_two_processes_with_an_expired_token_make_one_refresh_request(
    running: SchwabSimulator, settings: AppSettings
) -> None:
    handler_at(running, settings).sign_in()
    store_of(settings).save(replace(stored(settings), expires_at_ns=0))
    processes = start_processes(running, settings, 2)
    running.faults.latency_s = 0.3
    (rows, one), (_, other) = run_at_once(processes)
    assert rows > 0
    assert one == other
    assert refreshes(running) == 1


def test_two_processes_whose_token_schwab_refuses_make_one_refresh_request(
    running: SchwabSimulator, settings: AppSettings
) -> None:
    handler_at(running, settings).sign_in()
    processes = start_processes(running, settings, 2)
    running.grants.end_access_tokens()
    running.faults.latency_s = 0.3
    (_, one), (_, other) = run_at_once(processes)
    assert one == other
    assert refreshes(running) == 1


def test_a_running_process_picks_up_a_sign_in_of_another(
    running: SchwabSimulator, settings: AppSettings
) -> None:
    client = handler_at(running, settings).client()
    handler_at(running, settings).sign_in()
    running.grants.end_access_tokens()
    assert len(client.price_history("AAPL")) > 0
    assert (sign_ins(running), refreshes(running)) == (2, 1)


def test_no_token_reaches_a_log_the_output_or_a_file(
    simulator: SchwabSimulator,
    settings: AppSettings,
    clock: VirtualClock,
    capfd: pytest.CaptureFixture[str],
) -> None:
    stream = io.StringIO()
    watcher = logging.StreamHandler(stream)
    loggers = [logging.getLogger(), logging.getLogger("algo_trader")]
    before = [(logger.level, logger.propagate) for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
        logger.addHandler(watcher)
    secrets = {simulator.app.secret}

    def watched(url: str) -> str:
        received = consent(url)
        secrets.add(parse_qs(urlsplit(received).query)["code"][0])
        return received

    def learn() -> None:
        tokens = stored(settings)
        assert tokens.id_token is not None
        secrets.update(
            secret.reveal()
            for secret in (tokens.access_token, tokens.refresh_token, tokens.id_token)
        )

    errors: list[str] = []
    try:
        handler = by_person(simulator, settings, Person(watched), clock=clock)
        print(handler.sign_in(), handler, handler.status().as_dict())
        learn()
        client = handler.client()
        client.price_history("AAPL")
        simulator.grants.end_access_tokens()
        client.quotes("AAPL")
        learn()
        simulator.faults.answer(500, times=4, route="/quotes")
        for _ in range(2):
            try:
                client.quotes("AAPL")
            except Exception as error:
                logging.getLogger("algo_trader.test").exception("failed")
                errors += [str(error), repr(error), json.dumps(getattr(error, "context", {}))]
                print(client, errors)
            simulator.grants.end_refresh_token()
            simulator.grants.end_access_tokens()
        learn()
    finally:
        for logger, (level, propagate) in zip(loggers, before, strict=True):
            logger.removeHandler(watcher)
            logger.setLevel(level)
            logger.propagate = propagate
    out, err = capfd.readouterr()
    shown = "\n".join([stream.getvalue(), out, err, *errors]).encode()
    assert b"GET /marketdata/v1/quotes" in shown
    files = b"\n".join(path.read_bytes() for path in settings.home.rglob("*") if path.is_file())
    assert len(errors) >= 3
    assert len(secrets) >= 6
    for secret in secrets:
        forms = {secret, quote(secret, safe=""), secret.rstrip("@")}
        forms.add(base64.b64encode(secret.encode()).decode().rstrip("="))
        forms.add(base64.urlsafe_b64encode(secret.encode()).decode().rstrip("="))
        for form in forms:
            assert form.encode() not in shown
            assert form.encode() not in files
    assert application_of(simulator).basic_credentials().encode() not in shown + files
