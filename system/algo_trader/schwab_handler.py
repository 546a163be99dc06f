"""The sign-in's life in this system: a valid access token, else a refresh, else a sign-in.

One refresh serves every thread and process: whoever gets the store's lock reads the store again and
refreshes only if nobody else just did. The encrypted file is the truth, Redis a copy.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import requests

from infrastructure.clients.schwab_client import OAuthClient, SchwabClient
from infrastructure.clock import Clock, SystemClock, rfc3339
from infrastructure.config import Secret
from infrastructure.errors import (
    BugError,
    ConfigError,
    CorruptStore,
    SignInRequired,
    StackError,
    StoreNewer,
)
from infrastructure.logging import get_logger
from infrastructure.schwab.budget import Budget
from infrastructure.schwab.oauth.application import SchwabApplication, is_loopback
from infrastructure.schwab.oauth.tokens import NS_PER_S, TokenSet
from infrastructure.schwab.orders.arming import TradingLimits
from infrastructure.schwab.refusals import LOGIN, expired_refresh_token
from infrastructure.schwab.transport import new_session
from system.algo_trader.realm import Realm
from system.algo_trader.settings import AppSettings
from system.algo_trader.sign_in import (
    LISTEN_TIMEOUT_S,
    WARNING_AGE_S,
    SignInDialogue,
    SignInStatus,
    ask_terminal,
    show_on_terminal,
)
from system.algo_trader.storage.key_ring import KeyRing
from system.algo_trader.storage.token_cache import TokenCache, TokenRedis
from system.algo_trader.storage.tokens import FileStamp, FileTokenStore

FRESH_LEEWAY_S = 120.0
"""An access token with less life than this is refreshed before it is used."""
_DAY_S = 86_400
_log = get_logger("schwab_handler")


class SchwabHandler:
    """Sign in, keep the access token valid, and hand out the client; threads may share it.

    Args:
        settings: The application's settings.
        realm: Whose sign-in: the real one's or the simulator's.
        redis: Holds the encrypted copy; None for no copy.
        application: Key, secret and callback; from the settings when None.
        base_url: Where the API answers; from the settings when None.
        consent: In the simulator's realm: takes the authorize URL, returns the redirect URL.
        store: The encrypted file; in the realm's folder when None.
        clock: Tells the time and waits.
        session: Who sends; a new one when None.
        prompt: Asks a person for one line; the terminal when None.
        announce: Shows a person one text; standard output when None.
        interactive: Whether `client` may ask a person to sign in; whether standard input and
            output are a terminal when None.
        listen_timeout_s: How long `sign_in(listen=True)` waits for the browser, seconds.
        budget: How long each request waits for its turn; the client's own when None.
        order_count: Counts live orders among processes; this process counts alone when None.

    Raises:
        ConfigError: If the credentials are missing or cannot work.
        BugError: If the simulator's realm would talk to a real server, or a live one to a consent.
    """

    def __init__(
        self,
        settings: AppSettings,
        realm: Realm,
        redis: TokenRedis | None = None,
        *,
        application: SchwabApplication | None = None,
        base_url: str | None = None,
        consent: Callable[[str], str] | None = None,
        store: FileTokenStore | None = None,
        clock: Clock | None = None,
        session: requests.Session | None = None,
        prompt: Callable[[str], str] | None = None,
        announce: Callable[[str], None] | None = None,
        interactive: bool | None = None,
        listen_timeout_s: float = LISTEN_TIMEOUT_S,
        budget: Budget | None = None,
        order_count: Callable[[int], bool] | None = None,
    ) -> None:
        self.realm = realm
        self._clock: Clock = clock if clock is not None else SystemClock()
        self._base_url = base_url if base_url is not None else settings.schwab_base_url
        self._consent = consent
        _check_realm(realm, self._base_url, consent)
        self._owns_session = session is None
        self._session = session if session is not None else new_session(self._base_url)
        self._application = application if application is not None else application_of(settings)
        self._oauth = OAuthClient(
            self._base_url,
            self._application.key,
            self._application.secret,
            self._application.callback_url,
            self._session,
            self._clock,
            self._application.pkce,
        )
        self._store = store if store is not None else token_store(settings, realm)
        self._limits = trading_limits(settings)
        self._budget = budget
        self._order_count = order_count
        self._cache = TokenCache(redis, self._store.key_ring)
        self._taken_over = None if realm.is_simulated else settings.schwab_refresh_token
        self._announce = announce if announce is not None else show_on_terminal
        self._dialogue = SignInDialogue(
            self._application,
            prompt=prompt if prompt is not None else ask_terminal,
            announce=self._announce,
            clock=self._clock,
            listen_timeout_s=listen_timeout_s,
        )
        self._interactive = interactive if interactive is not None else _at_a_terminal()
        self._single_flight = threading.RLock()
        self._handed_out = threading.local()
        self._known: tuple[FileStamp, TokenSet] | None = None
        self._warned: tuple[int, int] | None = None
        self._client: SchwabClient | None = None

    def __repr__(self) -> str:
        return f"SchwabHandler(realm={self.realm.name!r}, base_url={self._base_url!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections that this handler opened itself."""
        if self._owns_session:
            self._session.close()

    def client(self) -> SchwabClient:
        """Return the client, signed in: by the stored token, a refresh, or a new sign-in.

        Raises:
            SignInRequired: If a person has to sign in and cannot be asked here.
            StackError: Whatever else kept the sign-in from working.
        """
        self.access_token()
        if self._client is None:
            self._client = SchwabClient(
                self._base_url,
                self.access_token,
                session=self._session,
                clock=self._clock,
                oauth=self._oauth,
                limits=self._limits,
                budget=self._budget,
                order_count=self._order_count,
            )
        return self._client

    def access_token(self, force: bool = False) -> Secret:
        """Return a valid access token.

        Args:
            force: Schwab refused the token that this thread was given last, so return another.

        Raises:
            SignInRequired: If a person has to sign in and cannot be asked here.
            StackError: Whatever else kept the refresh or sign-in from working.
        """
        with self._single_flight:
            tokens = self._current()
            refused: Secret | None = None
            if force:
                held = tokens.access_token if tokens is not None else None
                refused = getattr(self._handed_out, "token", None) or held
            if tokens is None or not self._serves(tokens, refused):
                tokens = self._renewed(refused)
        self._handed_out.token = tokens.access_token
        self._warn_of_age(tokens)
        return tokens.access_token

    def refresh_ahead(self, left_s: float) -> bool:
        """Refresh unless the access token lives longer than so many seconds.

        Args:
            left_s: Life that the access token must still have.

        Returns:
            Whether this call refreshed it.

        Raises:
            SignInRequired: If a person has to sign in; nobody is asked here.
            StackError: Whatever else kept the refresh from working.
        """
        with self._single_flight, self._store.lock():
            tokens = self._store.load()
            if tokens is not None and tokens.is_fresh(self._clock.now_ns(), leeway_s=left_s):
                return False
            self._refreshed(None if tokens is None else tokens.access_token)
            return True

    def rotate_key(self) -> str:
        """Encrypt the sign-in with a new key, here and in Redis; return the key's id.

        Raises:
            ConfigError: If the key comes from TOKEN_ENC_KEY.
            StackError: If the sign-in cannot be read or written.
        """
        with self._single_flight, self._store.lock():
            identifier = self._store.rotate_key()
            tokens = self._store.load()
            if tokens is not None:
                self._cache.save(tokens, self._clock.now_ns())
            self._known = None
            return identifier

    def sign_in(self, *, listen: bool = False) -> SignInStatus:
        """Sign in anew and keep the result; an earlier sign-in ends at Schwab.

        In the simulator's realm the injected consent does it. Otherwise the URL is shown, and the
        redirect URL is pasted, or caught on a loopback listener.

        Args:
            listen: Catch the redirect; a callback without a port means pasting all the same.

        Raises:
            SignInFailed: If the sign-in did not come to its end.
            StackError: Whatever else kept it from working.
        """
        if self._consent is None:
            self._sign_in_by_person(listen=listen)
        else:
            with self._single_flight, self._store.lock():
                self._sign_in_by_consent(self._consent)
        return self.status()

    def sign_out(self) -> bool:
        """Forget the sign-in on this machine and in Redis; return whether there was one.

        Raises:
            OperatorError: If the file cannot be removed.
        """
        with self._single_flight, self._store.lock():
            there = self._store.stamp() is not None
            self._store.delete()
            self._cache.delete()
            self._known = None
        return there

    def status(self) -> SignInStatus:
        """Return how the sign-in stands; nothing is sent, refreshed or asked.

        Raises:
            OperatorError: If the file cannot be read.
        """
        try:
            tokens = self._store.load()
        except (SignInRequired, CorruptStore, StoreNewer) as error:
            return SignInStatus(self.realm.name, "unreadable", next_step=error.next_step)
        if tokens is None:
            return SignInStatus(self.realm.name, "signed out", next_step=LOGIN)
        return SignInStatus.of(tokens, self.realm.name, self._clock.now_ns())

    def _current(self) -> TokenSet | None:
        """Return the stored token set, read again only when another process replaced the file."""
        stamp = self._store.stamp()
        if stamp is None:
            self._known = None
            return None
        if self._known is None or self._known[0] != stamp:
            try:
                tokens = self._store.load()
            except (SignInRequired, CorruptStore):
                # The renewal reads it again under the lock and says what is wrong.
                tokens = None
            self._known = None if tokens is None else (stamp, tokens)
        return None if self._known is None else self._known[1]

    def _serves(self, tokens: TokenSet, refused: Secret | None) -> bool:
        fresh = tokens.is_fresh(self._clock.now_ns(), leeway_s=FRESH_LEEWAY_S)
        return fresh and tokens.access_token != refused

    def _renewed(self, refused: Secret | None) -> TokenSet:
        with self._store.lock():
            try:
                return self._refreshed(refused)
            except (SignInRequired, CorruptStore) as error:
                if self._consent is not None:
                    _log.info("signing in at the simulator: %s", error)
                    return self._sign_in_by_consent(self._consent)
                if not self._interactive:
                    raise
                reason: StackError = error
        self._announce(reason.message)
        return self._sign_in_by_person(listen=False)

    def _refreshed(self, refused: Secret | None) -> TokenSet:
        """Return a token set that serves; the store's lock is held."""
        tokens = self._store.load()
        if tokens is None:
            tokens = self._token_to_take_over()
        elif self._serves(tokens, refused):
            return tokens
        cached = self._cache.newer_than(tokens)
        if cached is not None and self._serves(cached, refused):
            self._keep(cached)
            return cached
        now_ns = self._clock.now_ns()
        if now_ns >= tokens.refresh_expires_at_ns:
            raise expired_refresh_token(tokens.refresh_age_s(now_ns))
        fresh = self._oauth.refresh(tokens)
        self._keep(fresh)
        return fresh

    def _token_to_take_over(self) -> TokenSet:
        """Return a token set made of SCHWAB_REFRESH_TOKEN, whose age nobody knows."""
        if self._taken_over is None:
            raise SignInRequired("Nobody is signed in at Schwab yet", next_step=LOGIN)
        _log.warning(
            "SCHWAB_REFRESH_TOKEN is taken over, its age unknown; once it has been refreshed it is "
            "stored encrypted: then remove it from the environment"
        )
        now_ns = self._clock.now_ns()
        return TokenSet(
            access_token=Secret(""),
            refresh_token=self._taken_over,
            expires_at_ns=0,
            signed_in_at_ns=now_ns,
        )

    def _keep(self, tokens: TokenSet) -> None:
        """Store the token set; the store's lock is held."""
        self._store.save(tokens)
        stamp = self._store.stamp()
        self._known = None if stamp is None else (stamp, tokens)
        self._cache.save(tokens, self._clock.now_ns())

    def _sign_in_by_consent(self, consent: Callable[[str], str]) -> TokenSet:
        """Sign in without a person; the store's lock is held."""
        request = self._oauth.begin()
        tokens = self._oauth.finish(request, consent(request.url))
        self._keep(tokens)
        return tokens

    def _sign_in_by_person(self, *, listen: bool) -> TokenSet:
        # A person takes minutes: the lock is taken only for the exchange and the write, so that
        # of two sign-ins the later exchange, which ends the earlier one at Schwab, is kept.
        request = self._oauth.begin()
        received = self._dialogue.redirect_url(request, listen=listen)
        with self._single_flight, self._store.lock():
            tokens = self._oauth.finish(request, received.reveal())
            self._keep(tokens)
        return tokens

    def _warn_of_age(self, tokens: TokenSet) -> None:
        """Warn once for each day that the sign-in is old, from day 5."""
        age_s = tokens.refresh_age_s(self._clock.now_ns())
        day = int(age_s // _DAY_S)
        mark = (tokens.signed_in_at_ns, day)
        if age_s < WARNING_AGE_S or self._warned == mark:
            return
        self._warned = mark
        _log.warning(
            "the sign-in at Schwab is %.1f days old and ends at %s: run `algo-trader auth login` "
            "before then",
            age_s / _DAY_S,
            rfc3339(tokens.refresh_expires_at_ns // NS_PER_S * NS_PER_S),
        )


def trading_limits(settings: AppSettings) -> TradingLimits:
    """Return what the settings allow to be traded at the real Schwab, once armed."""
    most = settings.trading_max_notional
    return TradingLimits(
        settings.named_accounts,
        None if most is None else Decimal(str(most)),
        settings.trading_max_orders_per_minute,
    )


def application_of(settings: AppSettings) -> SchwabApplication:
    """Return the application that the settings name.

    Raises:
        ConfigError: If the key or secret is missing, or one of them cannot work.
    """
    if not settings.has_credentials or not settings.schwab_api_key or not settings.schwab_secret:
        raise ConfigError(
            "SCHWAB_API_KEY and SCHWAB_SECRET are not set",
            next_step="Set both from the application's page at developer.schwab.com, or use the "
            "local simulator with --sim.",
        )
    return SchwabApplication(
        settings.schwab_api_key,
        settings.schwab_secret,
        settings.schwab_callback_url,
        settings.schwab_pkce,
    )


def key_file(settings: AppSettings) -> Path:
    """Return where the key is kept that encrypts stored tokens."""
    return settings.home / "keys" / "token.key"


def token_store(settings: AppSettings, realm: Realm) -> FileTokenStore:
    """Return the realm's encrypted token file.

    Raises:
        ConfigError: If TOKEN_ENC_KEY is no Fernet key.
    """
    ring = KeyRing(key_file(settings), setting=settings.token_enc_key)
    return FileTokenStore(realm.root / "tokens" / "schwab.json", ring)


def _at_a_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def _check_realm(realm: Realm, base_url: str, consent: Callable[[str], str] | None) -> None:
    if realm.is_simulated and not is_loopback(urlsplit(base_url).hostname or ""):
        raise BugError(f"the simulator's realm would talk to {base_url}, which is not this machine")
    if consent is not None and not realm.is_simulated:
        raise BugError("a real sign-in is a person's; no program may consent to it")
