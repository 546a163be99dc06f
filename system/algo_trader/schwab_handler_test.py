import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
import requests_mock
from cryptography.fernet import Fernet

from infrastructure.clock import VirtualClock, parse_rfc3339
from infrastructure.config import Secret
from infrastructure.errors import (
    BugError,
    ConfigError,
    CorruptStore,
    CredentialsRejected,
    NetworkError,
    RefreshTokenExpired,
    RefreshTokenRejected,
    ServiceUnavailable,
    SignInFailed,
    SignInRequired,
    TokenKeyLost,
)
from infrastructure.schwab.oauth.tokens import TokenSet
from system.algo_trader.realm import Realm
from system.algo_trader.schwab_handler import SchwabHandler, key_file, token_store
from system.algo_trader.settings import AppSettings, load
from system.algo_trader.storage.token_cache import TokenCache
from system.algo_trader.storage.tokens import FileTokenStore
from system.algo_trader.testing.redis_in_memory import RedisInMemory

S = 10**9
DAY_NS = 86_400 * S
NOW_NS = parse_rfc3339("2024-03-01T12:00:00Z")
BASE = "https://api.schwabapi.com"
TOKEN_URL = f"{BASE}/v1/oauth/token"
CALLBACK = "https://127.0.0.1"


class Terminal:
    """Answer the prompt from the URL that was shown, as a person with a browser would."""

    def __init__(self) -> None:
        self.shown: list[str] = []
        self.prompts: list[str] = []
        self.answer: Callable[[str], str] = self.approve

    def show(self, text: str) -> None:
        self.shown.append(text)

    def ask(self, prompt: str) -> str:
        self.prompts.append(prompt)
        return self.answer(self.state)

    @property
    def state(self) -> str:
        return self.shown[-1].split("&state=")[1].split("&")[0].split()[0]

    def approve(self, state: str) -> str:
        return f"{CALLBACK}/?code=C0.the-code%40&session=s&state={state}"


@pytest.fixture
def schwab() -> Iterator[requests_mock.Mocker]:
    with requests_mock.Mocker() as mock:
        yield mock


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(NOW_NS)


@pytest.fixture
def terminal() -> Terminal:
    return Terminal()


def settings_in(home: Path, **environment: str) -> AppSettings:
    values = {
        "ALGO_TRADER_HOME": str(home),
        "SCHWAB_API_KEY": "the-app-key",
        "SCHWAB_SECRET": "the-app-secret",
        **environment,
    }
    return load(environment={k: v for k, v in values.items() if v}, workspace=home)


@pytest.fixture
def settings(tmp_path: Path) -> AppSettings:
    return settings_in(tmp_path)


@pytest.fixture
def make(settings: AppSettings, clock: VirtualClock, terminal: Terminal) -> Any:
    def make(**changes: Any) -> SchwabHandler:
        arguments: dict[str, Any] = {
            "clock": clock,
            "prompt": terminal.ask,
            "announce": terminal.show,
            "interactive": False,
        }
        arguments.update(changes)
        given = arguments.pop("settings", settings)
        realm = arguments.pop("realm", Realm.live(given.home))
        return SchwabHandler(given, realm, arguments.pop("redis", None), **arguments)

    return make


def token_set(number: int = 1, *, signed_in_ago_ns: int = 0, lives_s: int = 1800) -> TokenSet:
    return TokenSet(
        access_token=Secret(f"I0.access-token-{number}@"),
        refresh_token=Secret(f"refresh-token-{number}@"),
        expires_at_ns=NOW_NS + lives_s * S,
        signed_in_at_ns=NOW_NS - signed_in_ago_ns,
    )


def stored(settings: AppSettings, tokens: TokenSet) -> None:
    token_store(settings, Realm.live(settings.home)).save(tokens)


def answer(number: int) -> dict[str, Any]:
    return {
        "expires_in": 1800,
        "token_type": "Bearer",
        "refresh_token": f"refresh-token-{number}@",
        "access_token": f"I0.access-token-{number}@",
    }


def refused(error: str = "unsupported_token_type") -> dict[str, Any]:
    return {"status_code": 400, "json": {"error": error, "error_description": "x"}}


def test_a_valid_access_token_is_used_without_asking_schwab(
    schwab: requests_mock.Mocker, make: Any, settings: AppSettings
) -> None:
    stored(settings, token_set(lives_s=120))
    assert make().access_token().reveal() == "I0.access-token-1@"
    assert schwab.call_count == 0


def test_a_token_that_ends_within_two_minutes_is_refreshed_and_stored(
    schwab: requests_mock.Mocker, make: Any, settings: AppSettings
) -> None:
    stored(settings, token_set(lives_s=119))
    schwab.post(TOKEN_URL, json=answer(2))
    assert make().access_token().reveal() == "I0.access-token-2@"
    kept = token_store(settings, Realm.live(settings.home)).load()
    assert kept is not None
    assert kept.access_token.reveal() == "I0.access-token-2@"
    assert kept.signed_in_at_ns == NOW_NS
    assert make().access_token().reveal() == "I0.access-token-2@"
    assert schwab.call_count == 1


@pytest.mark.parametrize(("lives_s", "refreshed"), [(1501, False), (1499, True), (0, True)])
def test_refreshing_ahead_leaves_a_token_alone_that_lives_long_enough(
    schwab: requests_mock.Mocker, make: Any, settings: AppSettings, lives_s: int, refreshed: bool
) -> None:
    stored(settings, token_set(lives_s=lives_s))
    schwab.post(TOKEN_URL, json=answer(2))
    handler = make()
    assert handler.refresh_ahead(1500) is refreshed
    assert handler.refresh_ahead(1500) is False
    assert schwab.call_count == int(refreshed)
    number = 2 if refreshed else 1
    assert make().access_token().reveal() == f"I0.access-token-{number}@"


def test_refreshing_ahead_without_a_sign_in_asks_nobody(make: Any, terminal: Terminal) -> None:
    with pytest.raises(SignInRequired):
        make(interactive=True).refresh_ahead(1500)
    assert terminal.shown == []


def test_a_rotated_key_encrypts_anew_and_running_processes_go_on(
    schwab: requests_mock.Mocker, make: Any, settings: AppSettings
) -> None:
    stored(settings, token_set())
    path = token_store(settings, Realm.live(settings.home)).path
    before = json.loads(path.read_text())
    running = make()
    running.access_token()
    identifier = make().rotate_key()
    after = json.loads(path.read_text())
    assert after["key_id"] == identifier != before["key_id"]
    assert after["ciphertext"] != before["ciphertext"]
    assert running.access_token().reveal() == "I0.access-token-1@"
    assert make().access_token().reveal() == "I0.access-token-1@"
    assert schwab.call_count == 0


def test_rotating_a_copy_in_redis_lets_another_machine_read_it_with_the_new_key(
    make: Any, settings: AppSettings
) -> None:
    redis = RedisInMemory()
    stored(settings, token_set())
    make(redis=redis).rotate_key()
    ring = token_store(settings, Realm.live(settings.home)).key_ring
    copy = redis.load_refresh_token()
    assert copy is not None
    opened = ring.decrypt(copy)
    assert opened is not None
    assert b"refresh-token-1@" in opened


def test_an_expired_access_token_is_refreshed_once_across_threads(
    schwab: requests_mock.Mocker, make: Any, settings: AppSettings
) -> None:
    stored(settings, token_set(lives_s=0))
    schwab.post(TOKEN_URL, json=answer(2))
    handler = make()
    start = threading.Barrier(8)
    got: list[str] = []

    def work() -> None:
        start.wait()
        got.append(handler.access_token().reveal())

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert got == ["I0.access-token-2@"] * 8
    assert schwab.call_count == 1


def test_two_threads_whose_token_was_refused_refresh_it_once(
    schwab: requests_mock.Mocker, make: Any, settings: AppSettings
) -> None:
    stored(settings, token_set())
    schwab.post(TOKEN_URL, [{"json": answer(2)}, {"json": answer(3)}])
    handler = make()
    start = threading.Barrier(2)
    got: list[str] = []

    def work() -> None:
        handler.access_token()
        start.wait()
        got.append(handler.access_token(force=True).reveal())

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert got == ["I0.access-token-2@"] * 2
    assert schwab.call_count == 1


def test_a_forced_refresh_before_any_use_replaces_the_stored_token(
    schwab: requests_mock.Mocker, make: Any, settings: AppSettings
) -> None:
    stored(settings, token_set())
    schwab.post(TOKEN_URL, json=answer(2))
    assert make().access_token(force=True).reveal() == "I0.access-token-2@"


def test_a_token_saved_by_another_process_is_picked_up(
    schwab: requests_mock.Mocker, make: Any, settings: AppSettings
) -> None:
    stored(settings, token_set(1))
    handler = make()
    handler.access_token()
    stored(settings, token_set(2))
    assert handler.access_token().reveal() == "I0.access-token-2@"
    assert schwab.call_count == 0


def test_a_token_that_another_process_stored_while_we_waited_for_the_lock_is_used(
    schwab: requests_mock.Mocker, make: Any, settings: AppSettings
) -> None:
    class Overtaken(FileTokenStore):
        newer: TokenSet | None = token_set(2)

        @contextmanager
        def lock(self) -> Iterator[None]:
            with super().lock():
                newer, self.newer = self.newer, None
                if newer is not None:
                    self.save(newer)
                yield

    stored(settings, token_set(1, lives_s=60))
    ours = token_store(settings, Realm.live(settings.home))
    handler = make(store=Overtaken(ours.path, ours.key_ring))
    assert handler.access_token().reveal() == "I0.access-token-2@"
    assert schwab.call_count == 0


def test_a_refused_token_that_another_process_has_replaced_needs_no_refresh(
    schwab: requests_mock.Mocker, make: Any, settings: AppSettings
) -> None:
    stored(settings, token_set(1))
    handler = make()
    handler.access_token()
    stored(settings, token_set(2))
    assert handler.access_token(force=True).reveal() == "I0.access-token-2@"
    assert schwab.call_count == 0


def test_a_sign_out_by_another_process_is_noticed(
    schwab: requests_mock.Mocker, make: Any, settings: AppSettings
) -> None:
    stored(settings, token_set())
    handler = make()
    handler.access_token()
    token_store(settings, Realm.live(settings.home)).delete()
    with pytest.raises(SignInRequired):
        handler.access_token()


def test_nobody_signed_in_is_said_with_the_command(schwab: requests_mock.Mocker, make: Any) -> None:
    with pytest.raises(SignInRequired, match="Nobody is signed in") as caught:
        make().client()
    assert caught.value.exit_code == 2
    assert "algo-trader auth login" in str(caught.value)


def test_a_dead_refresh_token_is_said_with_the_command_and_the_file_stays(
    schwab: requests_mock.Mocker, make: Any, settings: AppSettings
) -> None:
    stored(settings, token_set(lives_s=0))
    schwab.post(TOKEN_URL, **refused())
    with pytest.raises(RefreshTokenRejected, match="algo-trader auth login"):
        make().client()
    assert make().status().state == "signed in"


def test_other_refusals_of_a_refresh_pass_through(
    schwab: requests_mock.Mocker, make: Any, settings: AppSettings
) -> None:
    stored(settings, token_set(lives_s=0))
    schwab.post(TOKEN_URL, status_code=401, json={"error": "invalid_client"})
    with pytest.raises(CredentialsRejected):
        make(interactive=True).client()


def test_at_day_seven_the_refresh_is_refused_without_asking_schwab(
    schwab: requests_mock.Mocker, make: Any, settings: AppSettings
) -> None:
    stored(settings, token_set(signed_in_ago_ns=7 * DAY_NS, lives_s=0))
    with pytest.raises(RefreshTokenExpired, match=r"7\.0 days old") as caught:
        make().client()
    assert "algo-trader auth login" in str(caught.value)
    assert schwab.call_count == 0


def test_just_before_day_seven_the_refresh_still_works(
    schwab: requests_mock.Mocker, make: Any, settings: AppSettings
) -> None:
    stored(settings, token_set(signed_in_ago_ns=7 * DAY_NS - 1, lives_s=0))
    schwab.post(TOKEN_URL, json=answer(2))
    assert make().access_token().reveal() == "I0.access-token-2@"


def test_from_day_five_there_is_one_warning_a_day(
    schwab: requests_mock.Mocker,
    make: Any,
    settings: AppSettings,
    clock: VirtualClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    stored(settings, token_set(signed_in_ago_ns=5 * DAY_NS - 1, lives_s=3 * 86_400))
    handler = make()
    with caplog.at_level("WARNING"):
        handler.access_token()
        assert caplog.messages == []
        clock.advance(1)
        handler.access_token()
        handler.access_token()
        assert len(caplog.messages) == 1
        clock.advance(DAY_NS)
        handler.access_token()
    assert len(caplog.messages) == 2
    assert "5.0 days old and ends at 2024-03-03T12:00:00Z" in caplog.messages[0]
    assert "algo-trader auth login" in caplog.messages[0]


def test_the_sign_in_prints_the_url_and_takes_the_pasted_redirect(
    schwab: requests_mock.Mocker, make: Any, terminal: Terminal
) -> None:
    schwab.post(TOKEN_URL, json=answer(1))
    status = make().sign_in()
    assert status.state == "signed in"
    assert terminal.prompts == ["Redirect URL: "]
    (shown,) = terminal.shown
    assert f"{BASE}/v1/oauth/authorize?" in shown
    assert "about 30 s" in shown
    assert "code=C0.the-code%40" in schwab.request_history[0].text
    assert make().access_token().reveal() == "I0.access-token-1@"


def test_pkce_follows_the_setting(
    schwab: requests_mock.Mocker, make: Any, terminal: Terminal, tmp_path: Path
) -> None:
    schwab.post(TOKEN_URL, json=answer(1))
    make(settings=settings_in(tmp_path, SCHWAB_PKCE="off")).sign_in()
    make(settings=settings_in(tmp_path, SCHWAB_PKCE="on")).sign_in()
    assert "code_challenge" not in terminal.shown[0]
    assert "code_challenge_method=S256" in terminal.shown[1]


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        (lambda state: "", "No redirect URL was given"),
        (lambda state: f"{CALLBACK}/?code=C0.x%40&state=another", "another sign-in"),
        (lambda state: f"{CALLBACK}/?code=C0.x%40", "no state"),
        (lambda state: f"{CALLBACK}/?error=access_denied&state={state}", "declined"),
        (lambda state: f"https://127.0.0.1:9/?code=C0.x%40&state={state}", "registered callback"),
    ],
)
def test_a_redirect_that_is_not_ours_signs_nobody_in(
    schwab: requests_mock.Mocker, make: Any, terminal: Terminal, typed: Any, reason: str
) -> None:
    terminal.answer = typed
    with pytest.raises(SignInFailed, match=reason):
        make().sign_in()
    assert schwab.call_count == 0
    assert make().status().state == "signed out"


def test_the_end_of_input_is_no_sign_in(
    schwab: requests_mock.Mocker, make: Any, terminal: Terminal
) -> None:
    def nothing(state: str) -> str:
        raise EOFError

    terminal.answer = nothing
    with pytest.raises(SignInFailed, match="No redirect URL"):
        make().sign_in()


def test_a_failed_sign_in_leaves_the_last_one(
    schwab: requests_mock.Mocker, make: Any, settings: AppSettings
) -> None:
    stored(settings, token_set(1))
    schwab.post(TOKEN_URL, **refused("invalid_grant"))
    with pytest.raises(SignInFailed, match="refused the code"):
        make().sign_in()
    assert make().access_token().reveal() == "I0.access-token-1@"


@pytest.mark.parametrize("trouble", ["nobody", "dead", "expired", "damaged", "key lost"])
def test_at_a_terminal_the_client_asks_for_a_sign_in_when_there_is_none(
    schwab: requests_mock.Mocker,
    make: Any,
    settings: AppSettings,
    terminal: Terminal,
    trouble: str,
) -> None:
    signed_in_ago = 8 * DAY_NS if trouble == "expired" else 0
    answers: list[dict[str, Any]] = [{"json": answer(9)}]
    if trouble != "nobody":
        stored(settings, token_set(1, signed_in_ago_ns=signed_in_ago, lives_s=0))
    if trouble == "dead":
        answers.insert(0, refused())
    if trouble == "damaged":
        (settings.home / "live" / "tokens" / "schwab.json").write_text("{")
    if trouble == "key lost":
        key_file(settings).unlink()
    schwab.post(TOKEN_URL, answers)
    schwab.get(f"{BASE}/marketdata/v1/markets", json={})
    with make(interactive=True) as handler:
        assert handler.client().market_hours() == {}
        assert handler.client() is handler.client()
    assert len(terminal.shown) == 2
    assert schwab.last_request is not None
    assert schwab.last_request.headers["Authorization"] == "Bearer I0.access-token-9@"


def test_without_a_terminal_a_damaged_file_or_lost_key_is_said(
    schwab: requests_mock.Mocker, make: Any, settings: AppSettings
) -> None:
    stored(settings, token_set())
    path = settings.home / "live" / "tokens" / "schwab.json"
    content = path.read_text()
    path.write_text("{")
    with pytest.raises(CorruptStore, match="algo-trader auth login"):
        make().client()
    assert make().status().state == "unreadable"
    path.write_text(content)
    key_file(settings).unlink()
    with pytest.raises(TokenKeyLost, match="algo-trader auth login"):
        make().client()
    status = make().status()
    assert status.state == "unreadable"
    assert status.is_due
    assert schwab.call_count == 0


def test_the_refreshed_tokens_are_copied_to_redis_encrypted(
    schwab: requests_mock.Mocker, make: Any, settings: AppSettings
) -> None:
    stored(settings, token_set(lives_s=0))
    schwab.post(TOKEN_URL, json=answer(2))
    redis = RedisInMemory()
    make(redis=redis).access_token()
    assert redis.access is not None
    assert redis.ttl_s == 1800
    assert b"access-token" not in redis.access


def test_a_refresh_made_by_another_machine_is_taken_from_redis(
    schwab: requests_mock.Mocker, make: Any, settings: AppSettings, tmp_path: Path
) -> None:
    key = Fernet.generate_key().decode()
    here = settings_in(tmp_path / "here", TOKEN_ENC_KEY=key)
    there = settings_in(tmp_path / "there", TOKEN_ENC_KEY=key)
    redis = RedisInMemory()
    for machine in (here, there):
        stored(machine, token_set(1, lives_s=0))
    schwab.post(TOKEN_URL, json=answer(2))
    make(settings=there, redis=redis).access_token()
    assert make(settings=here, redis=redis).access_token().reveal() == "I0.access-token-2@"
    kept = token_store(here, Realm.live(here.home)).load()
    assert kept is not None
    assert kept.refresh_token.reveal() == "refresh-token-2@"
    assert schwab.call_count == 1


def test_a_copy_in_redis_that_schwab_has_refused_is_not_taken_again(
    schwab: requests_mock.Mocker, make: Any, settings: AppSettings
) -> None:
    redis = RedisInMemory()
    stored(settings, token_set(lives_s=0))
    schwab.post(TOKEN_URL, [{"json": answer(2)}, {"json": answer(3)}])
    handler = make(redis=redis)
    handler.access_token()
    assert handler.access_token(force=True).reveal() == "I0.access-token-3@"


def test_a_copy_in_redis_that_ends_within_two_minutes_is_refreshed(
    schwab: requests_mock.Mocker, make: Any, settings: AppSettings
) -> None:
    redis = RedisInMemory()
    stored(settings, token_set(1, lives_s=0))
    ring = token_store(settings, Realm.live(settings.home)).key_ring
    TokenCache(redis, ring).save(token_set(2, lives_s=119), NOW_NS)
    schwab.post(TOKEN_URL, json=answer(3))
    assert make(redis=redis).access_token().reveal() == "I0.access-token-3@"
    assert schwab.call_count == 1


def test_redis_being_down_is_no_obstacle_and_one_warning(
    schwab: requests_mock.Mocker,
    make: Any,
    settings: AppSettings,
    caplog: pytest.LogCaptureFixture,
) -> None:
    redis = RedisInMemory()
    redis.trouble = ServiceUnavailable("Redis does not answer")
    stored(settings, token_set(lives_s=0))
    schwab.post(TOKEN_URL, json=answer(2))
    with caplog.at_level("WARNING"):
        handler = make(redis=redis)
        assert handler.access_token().reveal() == "I0.access-token-2@"
        handler.sign_out()
    assert len(caplog.messages) == 1
    assert "Redis" in caplog.messages[0]


def test_signing_out_forgets_file_and_copy_and_says_whether_there_was_one(
    schwab: requests_mock.Mocker, make: Any, settings: AppSettings
) -> None:
    redis = RedisInMemory()
    stored(settings, token_set(lives_s=0))
    schwab.post(TOKEN_URL, json=answer(2))
    handler = make(redis=redis)
    handler.access_token()
    assert handler.sign_out() is True
    assert redis.access is None
    assert handler.sign_out() is False
    assert handler.status().state == "signed out"


@pytest.mark.parametrize(
    ("age_ns", "state"),
    [
        (0, "signed in"),
        (5 * DAY_NS - 1, "signed in"),
        (5 * DAY_NS, "due"),
        (7 * DAY_NS - 1, "due"),
        (7 * DAY_NS, "expired"),
    ],
)
def test_the_status_tells_the_sign_ins_age(
    make: Any, settings: AppSettings, age_ns: int, state: str
) -> None:
    stored(settings, token_set(signed_in_ago_ns=age_ns))
    status = make().status()
    assert status.state == state
    assert status.refresh_age_s == age_ns / S
    assert (status.next_step is None) == (state == "signed in")
    assert status.is_due == (state != "signed in")


def test_the_status_is_plain_json_without_secrets(make: Any, settings: AppSettings) -> None:
    stored(settings, token_set())
    values = make().status().as_dict()
    assert values["access_expires_at"] == "2024-03-01T12:30:00Z"
    assert values["refresh_expires_at"] == "2024-03-08T12:00:00Z"
    assert values["signed_in_at"] == "2024-03-01T12:00:00Z"
    assert "token-" not in json.dumps(values)
    assert (
        make(settings=settings_in(settings.home / "new")).status().as_dict()["signed_in_at"] is None
    )


def test_a_refresh_token_of_the_old_variable_is_taken_over_once(
    schwab: requests_mock.Mocker,
    make: Any,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    schwab.post(TOKEN_URL, json=answer(2))
    given = settings_in(tmp_path, SCHWAB_REFRESH_TOKEN="refresh-token-of-old@")
    with caplog.at_level("WARNING"):
        assert make(settings=given).access_token().reveal() == "I0.access-token-2@"
        make(settings=given).access_token()
    assert schwab.call_count == 1
    assert "refresh_token=refresh-token-of-old%40" in schwab.request_history[0].text
    assert len(caplog.messages) == 1
    assert "SCHWAB_REFRESH_TOKEN" in caplog.messages[0]


def test_missing_credentials_are_said_with_both_ways_on(make: Any, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--sim") as caught:
        make(settings=settings_in(tmp_path, SCHWAB_API_KEY="", SCHWAB_SECRET=""))
    assert "SCHWAB_API_KEY" in str(caught.value)


def test_an_invalid_encryption_key_is_a_config_error(make: Any, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="TOKEN_ENC_KEY"):
        make(settings=settings_in(tmp_path, TOKEN_ENC_KEY="my passphrase"))


def test_no_program_consents_to_a_real_sign_in(make: Any) -> None:
    with pytest.raises(BugError, match="a person's"):
        make(consent=lambda url: url)


def test_the_simulators_realm_never_talks_to_a_real_server(
    make: Any, settings: AppSettings
) -> None:
    with pytest.raises(BugError, match="not this machine"):
        make(realm=Realm.sim(settings.home))


def test_in_the_simulators_realm_the_consent_signs_in_again_by_itself(
    schwab: requests_mock.Mocker, make: Any, settings: AppSettings, terminal: Terminal
) -> None:
    local = "http://127.0.0.1:4000"
    schwab.post(f"{local}/v1/oauth/token", [{"json": answer(1)}, refused(), {"json": answer(2)}])

    def consent(url: str) -> str:
        return terminal.approve(url.split("&state=")[1].split("&")[0])

    handler = make(realm=Realm.sim(settings.home), base_url=local, consent=consent)
    assert handler.access_token().reveal() == "I0.access-token-1@"
    assert handler.access_token(force=True).reveal() == "I0.access-token-2@"
    assert (settings.home / "sim" / "tokens" / "schwab.json").exists()
    assert not (settings.home / "live").exists()
    assert handler.sign_in().realm == "sim"
    assert terminal.shown == []


def test_no_network_is_a_network_error(
    schwab: requests_mock.Mocker, make: Any, settings: AppSettings
) -> None:
    stored(settings, token_set(lives_s=0))
    schwab.post(TOKEN_URL, exc=requests.exceptions.ConnectionError("unreachable"))
    with pytest.raises(NetworkError, match="unreachable"):
        make(interactive=True).client()


def test_repr_shows_realm_and_host_only(make: Any) -> None:
    assert repr(make()) == f"SchwabHandler(realm='live', base_url='{BASE}')"


def test_a_session_that_was_given_is_left_open_and_an_own_one_closed(make: Any) -> None:
    class Watched(requests.Session):
        closed = False

        def close(self) -> None:
            self.closed = True

    given = Watched()
    with make(session=given):
        pass
    assert not given.closed
    with make():
        pass


def test_a_known_token_of_a_file_that_turned_unreadable_is_not_used_on(
    schwab: requests_mock.Mocker, make: Any, settings: AppSettings
) -> None:
    stored(settings, token_set())
    handler = make()
    handler.access_token()
    (settings.home / "live" / "tokens" / "schwab.json").write_text("damaged")
    with pytest.raises(CorruptStore):
        handler.access_token()
