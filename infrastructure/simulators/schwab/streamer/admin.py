"""The streamer's admin endpoint on loopback: faults, the ledger and the state. Not Schwab's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from infrastructure.errors import InputError
from infrastructure.simulators.schwab.messages import Request, Response, json_response
from infrastructure.simulators.schwab.router import Router
from infrastructure.simulators.schwab.streamer.streamer import Streamer

PREFIX: Final = "/simulator/streamer"
_FORMS: Final = (
    '{"fault": NAME, ...}: drop_frames and duplicate_frames (service, times), corrupt_frames '
    "(service, times, extra), fail_commands (service, command, code, times), refuse_connects "
    "(times, how), drop_connections, half_open, drop_interval (seconds), close_connections "
    "(code), stop_streaming, clock_skew (skew_ms), clear"
)


class StreamerAdmin:
    """Answer `GET ledger`, `GET state` and `POST faults` below `/simulator/streamer`.

    Args:
        streamer: What is looked at and made to fail.
    """

    def __init__(self, streamer: Streamer) -> None:
        self._streamer = streamer
        faults = streamer.faults
        self._faults: dict[str, Callable[..., None]] = {
            "drop_frames": faults.drop_frames,
            "duplicate_frames": faults.duplicate_frames,
            "corrupt_frames": faults.corrupt_frames,
            "fail_commands": faults.fail_commands,
            "refuse_connects": faults.refuse_connects,
            "drop_connections": streamer.drop_connections,
            "half_open": streamer.half_open,
            "drop_interval": streamer.drop_interval,
            "close_connections": streamer.close_connections,
            "stop_streaming": streamer.stop_streaming,
            "clock_skew": self._skew,
            "clear": faults.clear,
        }

    def add_to(self, router: Router) -> None:
        """Add the endpoints."""
        router.add("GET", f"{PREFIX}/ledger", self._ledger, "open")
        router.add("GET", f"{PREFIX}/state", self._state, "open")
        router.add("POST", f"{PREFIX}/faults", self._fault, "open")

    def _ledger(self, request: Request, _: Mapping[str, str]) -> Response:
        query = request.query
        found = self._streamer.ledger.as_json(query.get("service"), query.get("key"))
        return json_response(200, found)

    def _state(self, request: Request, _: Mapping[str, str]) -> Response:
        query = request.query
        return json_response(200, self._streamer.state(query.get("service"), query.get("key")))

    def _fault(self, request: Request, _: Mapping[str, str]) -> Response:
        try:
            asked: Any = msgspec.json.decode(request.body)
        except msgspec.DecodeError:
            asked = None
        name = asked.pop("fault", None) if isinstance(asked, dict) else None
        if name not in self._faults:
            return json_response(400, {"message": f"no fault {name!r}; expected {_FORMS}"})
        try:
            self._faults[name](**asked)
        except (InputError, TypeError) as error:
            return json_response(400, {"message": f"{error}; expected {_FORMS}"})
        return json_response(200, {"fault": name})

    def _skew(self, skew_ms: int) -> None:
        self._streamer.faults.skew_ms = skew_ms
