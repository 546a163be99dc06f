"""Faults and time on demand: `POST /simulator/faults` and `POST /simulator/clock`.

Schwab has no such endpoints. The server listens on this machine only, and a page in a browser
cannot send their content type without being asked for leave first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from infrastructure.clock import Clock, VirtualClock
from infrastructure.simulators.schwab.clock_speed import PacedClock
from infrastructure.simulators.schwab.error_bodies import trader_error
from infrastructure.simulators.schwab.faults import Faults, Maintenance
from infrastructure.simulators.schwab.messages import Request, Response, json_response
from infrastructure.simulators.schwab.router import Router

FAULTS_PATH: Final = "/simulator/faults"
CLOCK_PATH: Final = "/simulator/clock"


class Burst(msgspec.Struct, forbid_unknown_fields=True):
    """The next so many requests of a route."""

    times: int = 1
    route: str = ""
    status: int = 500
    retry_after_s: int | None = None


class FaultScript(msgspec.Struct, forbid_unknown_fields=True):
    """What is to go wrong from now on; what is not named stays as it is."""

    clear: bool = False
    latency_s: float | None = None
    answers: list[Burst] = []
    drops: list[Burst] = []
    half_open: list[Burst] = []
    lost_answers: list[Burst] = []
    reset_connects: int | None = None
    maintenance: Maintenance | None = None
    clock_skew_s: float | None = None


class _Step(msgspec.Struct, forbid_unknown_fields=True):
    advance_s: float


def apply(script: FaultScript, faults: Faults) -> None:
    """Set the faults that a script names."""
    if script.clear:
        faults.clear()
    if script.latency_s is not None:
        faults.latency_s = script.latency_s
    if script.reset_connects is not None:
        faults.reset_connects = script.reset_connects
    if script.maintenance is not None:
        faults.maintenance = script.maintenance
    if script.clock_skew_s is not None:
        faults.clock_skew_s = script.clock_skew_s
    for each in script.answers:
        faults.answer(
            each.status, times=each.times, route=each.route, retry_after_s=each.retry_after_s
        )
    for each in script.drops:
        faults.drop(times=each.times, route=each.route)
    for each in script.half_open:
        faults.half_open(times=each.times, route=each.route)
    for each in script.lost_answers:
        faults.lose_answer(times=each.times, route=each.route)


class Admin:
    """Answer the endpoints.

    Args:
        faults: What is to go wrong.
        clock: What may be moved: a VirtualClock or a PacedClock; another refuses.
    """

    def __init__(self, faults: Faults, clock: Clock) -> None:
        self._faults = faults
        self._clock = clock

    def add_to(self, router: Router) -> None:
        """Add the endpoints."""
        router.add("POST", FAULTS_PATH, self._set_faults, "open")
        router.add("POST", CLOCK_PATH, self._advance, "open")

    def _set_faults(self, request: Request, _: Mapping[str, str]) -> Response:
        if not _is_json(request):
            return trader_error(415, "send application/json")
        try:
            apply(msgspec.json.decode(request.body, type=FaultScript), self._faults)
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            return trader_error(400, str(error))
        return json_response(200, {"is_simulated": True})

    def _advance(self, request: Request, _: Mapping[str, str]) -> Response:
        if not _is_json(request):
            return trader_error(415, "send application/json")
        try:
            step = msgspec.json.decode(request.body, type=_Step)
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            return trader_error(400, str(error))
        if step.advance_s < 0 or not isinstance(self._clock, VirtualClock | PacedClock):
            return trader_error(400, "this clock cannot be moved so")
        self._clock.advance(seconds=step.advance_s)
        return json_response(200, {"is_simulated": True})


def _is_json(request: Request) -> bool:
    return request.headers.get("content-type", "").startswith("application/json")
