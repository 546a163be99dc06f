"""Run the whole suite against one Schwab, real or simulated."""

from __future__ import annotations

import ssl
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from infrastructure.clock import Clock
from infrastructure.config import Secret
from infrastructure.errors import ProviderUnavailable
from infrastructure.schwab.accounts import UserPreference
from infrastructure.schwab.answer import Answer
from infrastructure.schwab.budget import Budget
from infrastructure.schwab.oauth.application import SchwabApplication
from infrastructure.schwab.streamer.details import streamer_info
from infrastructure.schwab.transport import Authorization, send
from infrastructure.schwab.wire import WireFormError, build_record
from system.algo_trader.conformance.probe import Findings, Probe
from system.algo_trader.conformance.read_only import ReadOnlySession
from system.algo_trader.conformance.report import Report, Source
from system.algo_trader.conformance.rest_cases import MARKET, TRADER, RestCases
from system.algo_trader.conformance.stream_cases import STREAM_KEYS, StreamCases
from system.algo_trader.conformance.token_cases import TokenWatch, refused_tokens

FUTURE_OPTION: Final = "./OZCZ23C565"
"""The form of a futures option's key; one that has ended delivers nothing."""


@dataclass(frozen=True, slots=True)
class Target:
    """One Schwab to ask, and who asks.

    Attributes:
        source: The local simulator or the real Schwab.
        base_url: Scheme and authority.
        application: Key, secret and callback.
        session: A read-only session to it.
        access_token: Returns a valid access token; refreshes first when called with True.
        now_ns: Returns the market's time, nanoseconds UTC.
        patience_s: How long stream data are waited for.
        budget: How long each request waits for its turn; no waiting when None.
        used_refresh_token: One that another sign-in has ended; a made-up one is sent when None.
        ssl_context: Whom the stream trusts; the system's certificates when None.
    """

    source: Source
    base_url: str
    application: SchwabApplication
    session: ReadOnlySession
    access_token: Callable[[bool], Secret]
    now_ns: Callable[[], int]
    patience_s: float
    budget: Budget | None = None
    used_refresh_token: str | None = None
    ssl_context: ssl.SSLContext | None = None

    def user_preference(self, token: Secret) -> Answer:
        """Return the answer that names the streamer.

        Raises:
            NetworkError: If no answer came.
        """
        return send(
            self.session,
            "GET",
            f"{self.base_url}{TRADER}/userPreference",
            what="the user's preference",
            auth=Authorization("Bearer", token.reveal()),
            timeout_s=30.0,
            correlation_id=str(uuid.uuid4()),
        )


def conform(target: Target, clock: Clock) -> Report:
    """Ask everything that only reads, and return how the answers differ from their forms.

    Raises:
        StackError: If the sign-in does not work, or Schwab cannot be reached.
    """
    findings = Findings()
    watch = TokenWatch(findings)
    target.session.hooks["response"].append(watch.hook)
    token = target.access_token(True)
    # From here on answers are looked at one by one.
    target.session.hooks["response"].remove(watch.hook)
    if watch.seen == 0:
        findings.unobserved.append(("token, good refresh", "no token was asked for"))
    findings.words.learn(token.reveal())
    probe = Probe(target.session, target.base_url, clock, findings, target.budget)
    application = target.application
    refused_tokens(
        probe,
        application.key,
        application.secret,
        application.callback_url,
        target.used_refresh_token,
    )
    preference = RestCases(probe, token, target.now_ns()).run()
    _stream(target, clock, token, preference, probe)
    return Report.of(target.source, clock.now_ns(), findings)


def _stream(target: Target, clock: Clock, token: Secret, preference: Any, probe: Probe) -> None:
    findings = probe.findings
    try:
        info = streamer_info(build_record(UserPreference, preference))
    except (WireFormError, ProviderUnavailable):
        findings.unobserved.append(("stream", "the user preference names no streamer"))
        return
    findings.words.learn(info.customer_id, info.correl_id)
    keys = dict(STREAM_KEYS)
    option = _an_option(probe, token)
    if option is None:
        findings.unobserved.append(("stream of options", "the chain names no contract"))
    else:
        keys |= {"LEVELONE_OPTIONS": option, "OPTIONS_BOOK": option}
    keys["LEVELONE_FUTURES_OPTIONS"] = FUTURE_OPTION
    StreamCases(info, token, clock, findings, keys, target.patience_s, target.ssl_context).run()


def _an_option(probe: Probe, token: Secret) -> str | None:
    """Return a contract that trades: the last expiry of a small chain."""
    chain = probe.get(
        "option chain, one strike",
        f"{MARKET}/chains",
        {"symbol": "AAPL", "strikeCount": "1", "contractType": "CALL"},
        token,
        status=200,
        side="market",
        form="OptionChain",
    )
    try:
        expiries = list(chain["callExpDateMap"].values())
        contracts = next(iter(expiries[-1].values()))
        symbol = contracts[0]["symbol"]
    except (KeyError, IndexError, TypeError, AttributeError, StopIteration):
        return None
    return symbol if isinstance(symbol, str) else None
