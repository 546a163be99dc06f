"""What is asked for, and which sessions and times it takes to answer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from infrastructure.clock import rfc3339
from infrastructure.errors import InputError
from infrastructure.exchange.calendars import Calendar
from infrastructure.exchange.session import Session, SessionKind
from system.algo_trader.levels.pivots import PivotKind
from system.algo_trader.market.timeframe import Session as Hours
from system.algo_trader.market.timeframe import Timeframe


class LevelSession(StrEnum):
    """Name the hours that count: regular ones, or all in which the market trades that day."""

    RTH = "rth"
    ETH = "eth"

    @property
    def kind(self) -> SessionKind:
        """Return the calendar's name of these hours."""
        return "rth" if self is LevelSession.RTH else "all"

    @property
    def hours(self) -> Hours:
        """Return the name that stored bars of these hours carry."""
        return Hours.RTH if self is LevelSession.RTH else Hours.ALL


class VwapKind(StrEnum):
    """Name where the volume-weighted average begins."""

    SESSION = "session"
    ANCHORED = "anchored"


INTERVALS: Final = (Timeframe.M1, Timeframe.M5, Timeframe.M10, Timeframe.M15, Timeframe.M30)


@dataclass(frozen=True, slots=True)
class LevelsRequest:
    """Ask for the levels of one symbol on one trading date.

    Attributes:
        symbol: The instrument.
        symbol_raw: As it was typed.
        date: The trading date.
        session: The hours that count.
        pivot_kind: The formula of the pivots.
        anchor_ns: Where an anchored VWAP begins, nanoseconds UTC; None for the session's VWAP.
        interval: Of the intraday bars.
        precision: Decimals of the answer.
    """

    symbol: str
    symbol_raw: str
    date: date
    session: LevelSession = LevelSession.RTH
    pivot_kind: PivotKind = PivotKind.CLASSIC
    anchor_ns: int | None = None
    interval: Timeframe = Timeframe.M1
    precision: int = 2

    @property
    def vwap_kind(self) -> VwapKind:
        """Return whether the VWAP is anchored."""
        return VwapKind.SESSION if self.anchor_ns is None else VwapKind.ANCHORED


@dataclass(frozen=True, slots=True)
class Windows:
    """Say which times the answer takes, int64 nanoseconds UTC, ends excluded.

    Attributes:
        prior_date: Trading date of the session before.
        prior_start_ns: Its beginning.
        prior_end_ns: Its end.
        vwap_start_ns: Where the VWAP begins.
        vwap_end_ns: Where the day's session ends.
    """

    prior_date: date
    prior_start_ns: int
    prior_end_ns: int
    vwap_start_ns: int
    vwap_end_ns: int


def windows(request: LevelsRequest, calendar: Calendar) -> Windows:
    """Return the times that a request takes, by the calendar of its symbol.

    Raises:
        InputError: If the date is no session, has no such hours, lies outside of the calendar, or
            the anchor does not lie before its end.
    """
    if not calendar.is_session(request.date):
        before = calendar.previous_session(request.date).date
        raise InputError(
            f"{request.date} is not a session of {calendar.name}",
            next_step=f"The session before it is {before}.",
        )
    today = calendar.session(request.date).spans(request.session.kind)
    if not today:
        raise InputError(f"{calendar.name} has no {request.session} hours on {request.date}")
    start_ns = today[0][0] if request.anchor_ns is None else request.anchor_ns
    if start_ns >= today[-1][1]:
        raise InputError(
            f"the anchor {rfc3339(start_ns)} lies after the session of {request.date}",
            next_step=f"The session ends at {rfc3339(today[-1][1])}.",
        )
    prior = _prior(request, calendar)
    spans = prior.spans(request.session.kind)
    return Windows(prior.date, spans[0][0], spans[-1][1], start_ns, today[-1][1])


def _prior(request: LevelsRequest, calendar: Calendar) -> Session:
    session = calendar.previous_session(request.date)
    # On some holidays futures trade in the evening only and have no regular hours.
    while not session.spans(request.session.kind):
        session = calendar.previous_session(session.date)
    return session
