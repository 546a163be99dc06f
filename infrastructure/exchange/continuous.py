"""Continuous futures: one name for the contract that leads, and when it changes.

Symbols are written as Databento's smart symbology does: `ES.c.0` goes by the calendar, `ES.v.0` by
volume, `ES.n.0` by open interest; `.0` is the leading contract and `.1` the one after it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from infrastructure.errors import InputError
from infrastructure.exchange.business_days import add_months
from infrastructure.exchange.contracts import expiry, spec
from infrastructure.exchange.months import month_code
from infrastructure.exchange.symbols import Future

Dates = npt.NDArray[np.datetime64]
Floats = npt.NDArray[np.float64]

_FORM: Final = re.compile(r"/?([A-Z0-9]{1,4})\.([A-Z]+)\.(\d+)")
_LARGEST_RANK: Final = 11


class RollRule(StrEnum):
    """Name what decides which contract leads."""

    CALENDAR = "c"
    VOLUME = "v"
    OPEN_INTEREST = "n"


@dataclass(frozen=True, slots=True)
class ContinuousFuture:
    """Name a continuous future.

    Attributes:
        root: Such as ES.
        rule: What decides which contract leads.
        rank: 0 for the leading contract, 1 for the one after it.
    """

    root: str
    rule: RollRule
    rank: int

    def __str__(self) -> str:
        return f"{self.root}.{self.rule}.{self.rank}"


@dataclass(frozen=True, slots=True)
class Leg:
    """Say which contract stands for a continuous future on which trading dates.

    Attributes:
        contract: The contract.
        first: The first trading date.
        until: The trading date from which another one does, or none.
    """

    contract: Future
    first: date
    until: date


def parse_continuous(text: str) -> ContinuousFuture | None:
    """Return what a text names, None if it has not the form of a continuous future.

    Args:
        text: Such as ES.c.0, es.C.0 or /ES.c.0.

    Raises:
        InputError: If it has the form, and the rule or the rank is none.
        UnknownSymbol: If the root is unknown.
    """
    match = _FORM.fullmatch(text.strip().upper())
    if match is None:
        return None
    root, rule, rank = match[1], match[2].lower(), int(match[3])
    if rule not in set(RollRule) or rank > _LARGEST_RANK:
        raise InputError(
            f"{text!r} names no continuous future",
            next_step=f"Write {root}.c.0 (by calendar), {root}.v.0 (by volume) or {root}.n.0 "
            f"(by open interest); .0 leads, and ranks go up to {_LARGEST_RANK}.",
        )
    return ContinuousFuture(spec(root).root, RollRule(rule), rank)


def contracts_between(root: str, first: date, last: date) -> list[Future]:
    """Return the contracts of the active months that trade last on `first` or later, by expiry.

    The first one whose expiry lies after `last` and as many as there are ranks follow.

    Args:
        root: Futures root.
        first: A trading date.
        last: A later one.

    Raises:
        UnknownSymbol: If the root is unknown.
    """
    product = spec(root)
    found: list[Future] = []
    left = _LARGEST_RANK + 1
    # Energy contracts end up to two months before the month that names them.
    year, month = first.year, first.month
    while left:
        if month_code(month) in product.active_months:
            last_day = expiry(product.root, year, month)
            if last_day >= first:
                found.append(Future(product.root, year, month))
            left -= last_day > last
        year, month = add_months(year, month, 1)
    return found


def calendar_legs(future: ContinuousFuture, first: date, last: date) -> list[Leg]:
    """Return the legs of `.c`: a contract leads until the end of its last trading day.

    Args:
        future: What is asked for.
        first: The first trading date.
        last: The last one, included.
    """
    chain = contracts_between(future.root, first, last)
    legs, begin = [], first
    for place, front in enumerate(chain):
        until = expiry(front.root, front.year, front.month) + timedelta(days=1)
        legs.append(Leg(chain[place + future.rank], begin, min(until, last + timedelta(days=1))))
        if until > last:
            return legs
        begin = until
    return legs


def figure_legs(
    future: ContinuousFuture, days: Dates, figures: Mapping[Future, Floats]
) -> list[Leg]:
    """Return the legs of `.v` or `.n`, decided by the day before.

    On each trading date that contract leads which had the largest figure on the one before it,
    of those that have not expired and do not end before the one that led: there is no way back.
    Rank n is the n-th contract after it by expiry. Nothing of the date itself is looked at. Where
    no figure of the day before is known, the one that led goes on; before there was one, and after
    it expired, none leads: such dates are in no leg.

    Args:
        future: What is asked for.
        days: Trading dates, rising, (m,).
        figures: Volume or open interest on each date, NaN where it is not known, (m,), of every
            contract that ranks count, whether something is known of it or not.
    """
    chain = sorted(figures, key=lambda each: expiry(each.root, each.year, each.month))
    ends = [expiry(each.root, each.year, each.month) for each in chain]
    legs: list[Leg] = []
    lead: int | None = None
    goes_on = False
    for row, day in enumerate(days.astype("datetime64[D]").tolist()):
        alive = [place for place, end in enumerate(ends) if end >= day and place >= (lead or 0)]
        before = [figures[chain[place]][row - 1] if row else np.nan for place in alive]
        known = [(value, -place) for value, place in zip(before, alive, strict=True)
                 if not np.isnan(value)]  # fmt: skip
        if known:
            lead = -max(known)[1]
        if lead is None or lead not in alive or lead + future.rank >= len(chain):
            goes_on = False
            continue
        held, ended = chain[lead + future.rank], day + timedelta(days=1)
        if legs and legs[-1].contract == held:
            legs[-1] = Leg(held, legs[-1].first, ended)
        else:
            if goes_on:
                legs[-1] = Leg(legs[-1].contract, legs[-1].first, day)
            legs.append(Leg(held, day, ended))
        goes_on = True
    return legs
