"""The sign-in as a person meets it: what is asked and shown, and how a sign-in stands."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from infrastructure.clock import Clock, rfc3339
from infrastructure.config import Secret
from infrastructure.errors import SignInFailed
from infrastructure.logging import get_logger
from infrastructure.schwab.oauth.application import SchwabApplication
from infrastructure.schwab.oauth.authorization import CODE_LIFETIME_S, AuthorizationRequest
from infrastructure.schwab.oauth.listener import RedirectListener
from infrastructure.schwab.oauth.tokens import REFRESH_TOKEN_LIFETIME_S, TokenSet
from infrastructure.schwab.refusals import LOGIN

WARNING_AGE_S = 5 * 86_400
LISTEN_TIMEOUT_S = 300.0
PROMPT = "Redirect URL: "
_log = get_logger("sign_in")

SignInState = Literal["signed out", "signed in", "due", "expired", "unreadable"]


@dataclass(frozen=True, slots=True)
class SignInStatus:
    """Tell how a realm's sign-in stands, without secrets.

    Attributes:
        realm: `live` or `sim`.
        state: `due` from day 5, `expired` from day 7, `unreadable` for a lost key or damaged file.
        signed_in_at_ns: Nanoseconds UTC, None when unknown.
        access_expires_at_ns: End of the access token, None when unknown.
        refresh_expires_at_ns: End of the sign-in, None when unknown.
        refresh_age_s: Age of the sign-in, None when unknown.
        next_step: What the person should do, None when nothing.
    """

    realm: str
    state: SignInState
    signed_in_at_ns: int | None = None
    access_expires_at_ns: int | None = None
    refresh_expires_at_ns: int | None = None
    refresh_age_s: float | None = None
    next_step: str | None = None

    @classmethod
    def of(cls, tokens: TokenSet, realm: str, now_ns: int) -> SignInStatus:
        """Return how a stored token set stands at an instant, nanoseconds UTC."""
        age_s = tokens.refresh_age_s(now_ns)
        state: SignInState = "signed in"
        if age_s >= REFRESH_TOKEN_LIFETIME_S:
            state = "expired"
        elif age_s >= WARNING_AGE_S:
            state = "due"
        return cls(
            realm=realm,
            state=state,
            signed_in_at_ns=tokens.signed_in_at_ns,
            access_expires_at_ns=tokens.expires_at_ns,
            refresh_expires_at_ns=tokens.refresh_expires_at_ns,
            refresh_age_s=age_s,
            next_step=None if state == "signed in" else LOGIN,
        )

    @property
    def is_due(self) -> bool:
        """Whether a person should sign in now or soon."""
        return self.state != "signed in"

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON, instants as RFC 3339."""
        values = asdict(self)
        for name in ("signed_in_at", "access_expires_at", "refresh_expires_at"):
            instant = values.pop(f"{name}_ns")
            values[name] = None if instant is None else rfc3339(instant)
        return values


class SignInDialogue:
    """Send a person to Schwab and get the redirect URL back.

    Args:
        application: Its callback decides whether the redirect can be caught.
        prompt: Asks for one line.
        announce: Shows one text.
        clock: Dates the listener's certificate.
        listen_timeout_s: How long to wait for the browser, seconds.
    """

    def __init__(
        self,
        application: SchwabApplication,
        *,
        prompt: Callable[[str], str],
        announce: Callable[[str], None],
        clock: Clock,
        listen_timeout_s: float = LISTEN_TIMEOUT_S,
    ) -> None:
        self.application = application
        self._prompt = prompt
        self._announce = announce
        self._clock = clock
        self._listen_timeout_s = listen_timeout_s

    def redirect_url(self, request: AuthorizationRequest, *, listen: bool) -> Secret:
        """Return the URL to which Schwab sent the browser.

        Args:
            request: The waiting sign-in.
            listen: Catch it; a callback without a port means pasting all the same.

        Raises:
            SignInFailed: If none came.
            PortTaken: If another program listens on the callback's port.
        """
        if listen and self.application.listen_address is not None:
            return self._caught(request)
        if listen:
            self._announce(
                f"The callback {self.application.callback_url} names no port on this machine, so "
                "its redirect cannot be caught; paste it instead."
            )
        return self._pasted(request)

    def _caught(self, request: AuthorizationRequest) -> Secret:
        with RedirectListener(self.application, request.state, clock=self._clock) as listener:
            self._announce(
                f"Open this URL, sign in at Schwab and tick the accounts:\n\n  {request.url}\n\n"
                f"The browser then comes back to {self.application.callback_url} and warns of a "
                "certificate made by this program for this sign-in: go on to the page. Waiting "
                f"for {self._listen_timeout_s:.0f} s."
            )
            return listener.wait(self._listen_timeout_s)

    def _pasted(self, request: AuthorizationRequest) -> Secret:
        self._announce(
            f"Open this URL, sign in at Schwab and tick the accounts:\n\n  {request.url}\n\n"
            f"The browser then goes to {self.application.callback_url}, where an error page is "
            "no harm. Copy the whole address from the address bar and paste it here at once: the "
            f"code in it lives about {CODE_LIFETIME_S} s."
        )
        try:
            line = self._prompt(PROMPT).strip()
        except EOFError:
            line = ""
        if not line:
            raise SignInFailed("No redirect URL was given, so nobody is signed in", next_step=LOGIN)
        return Secret(line)


def ask_terminal(prompt: str) -> str:
    """Ask for one line on standard input.

    With line editing where there is any: a bare terminal cuts lines at 1024 or 4096 characters.
    """
    if sys.stdin.isatty():
        try:
            import readline  # noqa: F401
        except ImportError:
            _log.debug("no line editing in this Python")
    return input(prompt)


def show_on_terminal(text: str) -> None:
    """Show a text on standard output."""
    print(text, flush=True)
