"""The streamer: LOGIN, one subscription of every service, VIEW, UNSUBS, LOGOUT."""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Mapping
from typing import Any, Final

from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.sync.client import ClientConnection, connect

from infrastructure.clock import Clock
from infrastructure.config import Secret
from infrastructure.errors import NetworkError
from infrastructure.schwab.streamer.commands import (
    ADMIN,
    Command,
    Request,
    StreamerInfo,
    encode_login,
    encode_requests,
)
from infrastructure.simulators.schwab.streamer.forms import ServiceForm, service_forms
from system.algo_trader.conformance.comparison import Comparison
from system.algo_trader.conformance.probe import Findings
from system.algo_trader.conformance.stream_schemas import DATA, HEARTBEAT, RESPONSE, item_form

STREAM_KEYS: Final[Mapping[str, str]] = {
    "LEVELONE_EQUITIES": "AAPL",
    "LEVELONE_FUTURES": "/ES",
    "LEVELONE_FOREX": "EUR/USD",
    "NYSE_BOOK": "IBM",
    "NASDAQ_BOOK": "AAPL",
    "CHART_EQUITY": "AAPL",
    "CHART_FUTURES": "/ES",
    "SCREENER_EQUITY": "EQUITY_ALL_VOLUME_0",
    "SCREENER_OPTION": "OPTION_ALL_PERCENT_CHANGE_UP_5",
    "ACCT_ACTIVITY": "Account Activity",
}
"""A key of every service but those of options, whose contracts end."""

LOGIN_DENIED: Final = 3
NOT_AVAILABLE: Final = 11
NOT_A_SERVICE: Final = "TIMESALE_EQUITY"
_LOGIN_TEXT: Final = re.compile(r"server=[^;]*;status=(PN|NP|PP)")
_OPEN_S: Final = 10.0
_REPLY_S: Final = 10.0
_NS_PER_S: Final = 1_000_000_000


class StreamCases:
    """Ask the streamer.

    Args:
        info: Where it is and who asks.
        token: The user's access token.
        clock: Counts how long data are waited for.
        findings: Where what is seen goes.
        keys: A key of each service.
        patience_s: How long data of all services are waited for.
        ssl_context: Whom to trust; the system's certificates when None.
    """

    def __init__(
        self,
        info: StreamerInfo,
        token: Secret,
        clock: Clock,
        findings: Findings,
        keys: Mapping[str, str],
        patience_s: float,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._info = info
        self._token = token
        self._clock = clock
        self._findings = findings
        self._keys = keys
        self._patience_s = patience_s
        self._ssl = ssl_context
        self._number = 0
        self._seen: set[str] = set()

    def run(self) -> None:
        """Ask everything.

        Raises:
            NetworkError: If the streamer cannot be reached or ends on its way.
        """
        try:
            self._strangers_login()
            self._users_stream()
        except (OSError, WebSocketException) as error:
            raise NetworkError(
                f"The streamer ended before everything was asked: {type(error).__name__}",
                next_step="End other streams of this user, then try again.",
            ) from error

    def _strangers_login(self) -> None:
        with self._connected() as socket:
            stranger = Secret("this-is-not-an-access-token")
            self._log_in("stream LOGIN, bad token", socket, stranger, LOGIN_DENIED)
            self._until_closed("stream LOGIN, bad token", socket)

    def _users_stream(self) -> None:
        with self._connected() as socket:
            text = self._log_in("stream LOGIN", socket, self._token, 0)
            if text is not None and not _LOGIN_TEXT.fullmatch(text):
                self._findings.differ(
                    "stream LOGIN",
                    "$.response[].content.msg",
                    "server=...;status=PN|NP|PP",
                    "another text",
                )
            for service, key in self._keys.items():
                form = service_forms()[service]
                numbers = tuple(int(number) for number in form.names)
                self._ask(socket, service, Command.SUBS, (key,), numbers)
            self._await_data(socket)
            self._ask(socket, "LEVELONE_EQUITIES", Command.VIEW, (), (0, 1, 2, 3))
            self._ask(socket, NOT_A_SERVICE, Command.SUBS, ("AAPL",), (0, 1), NOT_AVAILABLE)
            for service, key in self._keys.items():
                self._ask(socket, service, Command.UNSUBS, (key,))
            self._ask(socket, ADMIN, Command.LOGOUT)
            self._until_closed("stream LOGOUT", socket)

    def _connected(self) -> ClientConnection:
        socket: ClientConnection = connect(
            self._info.url, ssl=self._ssl, open_timeout=_OPEN_S, max_size=None, proxy=None
        )
        return socket

    def _log_in(self, case: str, socket: ClientConnection, token: Secret, code: int) -> str | None:
        request = self._request(ADMIN, Command.LOGIN)
        socket.send(encode_login(request, self._info, token).decode())
        return self._reply(case, socket, request, code)

    def _ask(
        self,
        socket: ClientConnection,
        service: str,
        command: Command,
        keys: tuple[str, ...] = (),
        fields: tuple[int, ...] = (),
        code: int = 0,
    ) -> None:
        request = self._request(service, command, keys, fields)
        socket.send(encode_requests([request], self._info).decode())
        of = "" if service == ADMIN else f" {service}"
        self._reply(f"stream {command}{of}", socket, request, code)

    def _request(self, service: str, command: Command, *more: Any) -> Request:
        self._number += 1
        return Request(self._number, service, command, *more)

    def _reply(
        self, case: str, socket: ClientConnection, request: Request, code: int
    ) -> str | None:
        """Wait for the answer to a command, compare it, and return what it says."""
        until_ns = self._clock.monotonic_ns() + round(_REPLY_S * _NS_PER_S)
        while (frame := self._next(socket, until_ns)) is not None:
            if "response" not in frame:
                self._take(frame)
                continue
            self._findings.differences += Comparison(case, "market", self._findings.words).given(
                frame, RESPONSE
            )
            for part in frame["response"] if isinstance(frame["response"], list) else ():
                if isinstance(part, dict) and str(part.get("requestid")) == str(request.request_id):
                    return self._answered(case, part, code)
        self._findings.differ(case, "$.response", "an answer", "none in 10 s")
        return None

    def _answered(self, case: str, part: dict[str, Any], code: int) -> str | None:
        content = part.get("content")
        content = content if isinstance(content, dict) else {}
        told = content.get("code")
        self._findings.cases.append((case, f"code {told if isinstance(told, int) else '?'}"))
        if isinstance(told, int) and told != code:
            self._findings.differ(case, "status", f"code {code}", f"code {told}")
        text = content.get("msg")
        return text if isinstance(text, str) else None

    def _await_data(self, socket: ClientConnection) -> None:
        until_ns = self._clock.monotonic_ns() + round(self._patience_s * _NS_PER_S)
        while self._keys.keys() - self._seen:
            frame = self._next(socket, until_ns)
            if frame is None:
                break
            self._take(frame)
        for service in self._keys:
            if service not in self._seen:
                why = f"nothing came in {self._patience_s:g} s"
                self._findings.unobserved.append((f"stream data {service}", why))

    def _take(self, frame: dict[str, Any]) -> None:
        """Compare a frame of data or a heartbeat."""
        if "data" not in frame:
            comparison = Comparison("stream heartbeat", "market", self._findings.words)
            self._findings.differences += comparison.given(frame, HEARTBEAT)
            return
        comparison = Comparison("stream data", "market", self._findings.words)
        self._findings.differences += comparison.given(frame, DATA)
        for part in frame["data"] if isinstance(frame["data"], list) else ():
            form = service_forms().get(str(part.get("service"))) if isinstance(part, dict) else None
            if form is None:
                self._findings.differ("stream data", "$.data[].service", "a service", "another")
                continue
            self._items(form, part.get("content"))

    def _items(self, form: ServiceForm, content: Any) -> None:
        case = f"stream data {form.name}"
        is_first = form.name not in self._seen
        for item in content if isinstance(content, list) else ():
            if form.name == "ACCT_ACTIVITY" and isinstance(item, dict):
                self._findings.words.learn(*(str(value) for value in item.values()))
            comparison = Comparison(case, "market", self._findings.words)
            self._findings.differences += comparison.given(
                item, item_form(form, is_whole=is_first or form.delivery != "change")
            )
            if is_first:
                self._findings.cases.append((case, "data"))
            is_first = False
            self._seen.add(form.name)

    def _next(self, socket: ClientConnection, until_ns: int) -> dict[str, Any] | None:
        """Return the next frame, None when the time is over."""
        while True:
            left_s = (until_ns - self._clock.monotonic_ns()) / _NS_PER_S
            if left_s <= 0:
                return None
            try:
                text = socket.recv(timeout=left_s)
            except TimeoutError:
                return None
            try:
                frame = json.loads(text)
            except ValueError:
                self._findings.unobserved.append(("stream frame", "it was no JSON"))
                continue
            if isinstance(frame, dict):
                return frame

    def _until_closed(self, case: str, socket: ClientConnection) -> None:
        until_ns = self._clock.monotonic_ns() + round(_REPLY_S * _NS_PER_S)
        try:
            while self._next(socket, until_ns) is not None:
                continue
        except ConnectionClosed:
            return
        self._findings.differ(case, "connection", "closed by the server", "still open")
