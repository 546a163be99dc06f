"""Send one HTTP request to Schwab; turn what `requests` raises into the error tree."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from http.cookiejar import DefaultCookiePolicy
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.exceptions import NewConnectionError

from infrastructure.errors import ConfigError, NetworkError
from infrastructure.logging import redact
from infrastructure.schwab.answer import CORRELATION_HEADER, Answer
from infrastructure.schwab.oauth.application import is_loopback
from infrastructure.schwab.orders.arming import OrderPermit, check_permitted

DEFAULT_BASE_URL = "https://api.schwabapi.com"
DEFAULT_TIMEOUT_S = 30.0
CONNECT_TIMEOUT_S = 10.0
POOL_SIZE = 8


class Authorization(AuthBase):
    """Put one Authorization header on a request.

    As an auth object rather than a header, because `requests` would let a `.netrc` entry for the
    host replace a plain header.

    Args:
        scheme: `Bearer` or `Basic`.
        credentials: What follows it.
    """

    def __init__(self, scheme: str, credentials: str) -> None:
        self._scheme = scheme
        self._credentials = credentials

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the header."""
        request.headers["Authorization"] = f"{self._scheme} {self._credentials}"
        return request

    def __repr__(self) -> str:
        return f"Authorization({self._scheme!r}, '********')"


def new_session(base_url: str) -> requests.Session:
    """Return a session for one Schwab host: pooled, without cookies, no proxy to loopback.

    Threads may share it: cookies, the one state that requests change, are never stored.
    """
    session = requests.Session()
    adapter = HTTPAdapter(pool_connections=2, pool_maxsize=POOL_SIZE)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    if is_loopback(urlsplit(base_url).hostname or ""):
        session.trust_env = False
        session.verify = os.environ.get("REQUESTS_CA_BUNDLE") or True
    return session


def send(
    session: requests.Session,
    method: str,
    url: str,
    *,
    what: str,
    auth: Authorization,
    timeout_s: float,
    correlation_id: str,
    params: Mapping[str, str] | None = None,
    form: Mapping[str, str] | None = None,
    body: bytes | None = None,
    permit: OrderPermit | None = None,
) -> Answer:
    """Send one request and return the answer, whatever its status.

    Args:
        session: Who sends it.
        method: GET or POST.
        url: Without query.
        what: What is asked, for sentences: "the price history of AAPL".
        auth: The Authorization header.
        timeout_s: Longest silence while waiting for the answer, seconds.
        correlation_id: Our id of the request.
        params: The query.
        form: The form-encoded body.
        body: A JSON body instead of a form.
        permit: Allows this one order request to a real broker; see `orders.arming`.

    Raises:
        TradingNotArmed: If it would change orders at a real broker without a permit.
        NetworkError: If no whole answer came; `context["sent"]` is False when surely nothing left.
        ConfigError: If the URL cannot be requested at all.
    """
    check_permitted(method, url, body, permit)
    host = urlsplit(url).netloc
    headers = {"Accept": "application/json", CORRELATION_HEADER: correlation_id}
    if body is not None:
        headers["Content-Type"] = "application/json"
    try:
        response = session.request(
            method,
            url,
            params=params,
            data=form if body is None else body,
            headers=headers,
            auth=auth,
            timeout=(min(CONNECT_TIMEOUT_S, timeout_s), timeout_s),
            allow_redirects=False,
        )
    except (
        requests.exceptions.InvalidURL,
        requests.exceptions.MissingSchema,
        requests.exceptions.InvalidSchema,
    ) as error:
        raise ConfigError(
            f"The Schwab URL {redact(url)!r} cannot be requested",
            next_step="Unset SCHWAB_BASE_URL, or give it as https://host.",
        ) from error
    except requests.exceptions.SSLError as error:
        raise NetworkError(
            f"The TLS certificate of {host} is not trusted: {_cause(error)}",
            next_step="Check the machine's clock and whether a proxy intercepts TLS; for a local "
            "server with its own certificate set REQUESTS_CA_BUNDLE.",
            correlation_id=correlation_id,
            sent=False,
        ) from error
    except requests.exceptions.Timeout as error:
        raise NetworkError(
            f"{host} did not answer within {timeout_s:g} s when asked for {what}",
            next_step="Check the network and try again.",
            correlation_id=correlation_id,
            sent=_may_have_left(error),
        ) from error
    except requests.exceptions.RequestException as error:
        raise NetworkError(
            f"No answer from {host} when asked for {what}: {_cause(error)}",
            next_step="Check the network and try again.",
            correlation_id=correlation_id,
            sent=_may_have_left(error),
        ) from error
    answered = {name.lower(): value for name, value in response.headers.items()}
    return Answer(
        status=response.status_code,
        body=response.content,
        headers=answered,
        what=what,
        correlation_id=answered.get(CORRELATION_HEADER.lower(), correlation_id),
    )


def _may_have_left(error: requests.exceptions.RequestException) -> bool:
    """Tell whether the request may have reached the host: all but a connection never made."""
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return False
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return not isinstance(reason, NewConnectionError)


def _cause(error: BaseException) -> str:
    """Return the innermost reason of a `requests` error in a few words."""
    seen: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in seen:
        seen.append(current)
        reason = getattr(current, "reason", None)
        inner = reason if isinstance(reason, BaseException) else None
        nested = next((arg for arg in current.args if isinstance(arg, BaseException)), None)
        current = inner or nested or current.__cause__ or current.__context__
    last = seen[-1]
    if isinstance(last, ssl.SSLError) and last.reason:
        return last.reason.replace("_", " ").lower()
    if isinstance(last, OSError) and last.strerror:
        return last.strerror
    return redact(str(last))[:160] or type(last).__name__
