"""A symbol's implied volatility of 30 days, one value a session, kept for about a year.

Rank and percentile need a past that no chain carries, so each report leaves its value here. A
session's last value wins, by the moment of its quotes and not by the moment of writing: reading an
old chain again changes nothing that came after it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Final

import numpy as np

from infrastructure.errors import CorruptStore, InputError
from infrastructure.exchange.calendars import calendar
from infrastructure.exchange.zones import NEW_YORK, local_dates
from infrastructure.supervision.files import told_in_a_sentence
from system.algo_trader.options.iv_rank import MINIMUM, WINDOW, IvStanding, iv_standing
from system.algo_trader.storage.durable_file import ignore_step, replace_durably
from system.algo_trader.storage.parts import folder_name
from system.algo_trader.storage.store_lock import StoreLock

VERSION: Final = 1
KEPT: Final = WINDOW + 1
"""A year of sessions before today, and today."""


@dataclass(frozen=True, slots=True)
class SessionIv:
    """Hold one session's value.

    Attributes:
        session: The session's date in New York.
        volatility: At the money over 30 days; 0.2 is 20 %.
        as_of_ns: The moment of the quotes, nanoseconds UTC.
        source: Where the quotes came from.
        put_call: Puts over calls by volume, None where it was not known.
    """

    session: date
    volatility: float
    as_of_ns: int
    source: str
    put_call: float | None = None


def session_of_quotes(as_of_ns: int) -> date:
    """Return the session whose quotes a moment has: the last that had opened in New York.

    Args:
        as_of_ns: Nanoseconds UTC.
    """
    exchange = calendar("XNYS")
    day: date = local_dates(np.array([as_of_ns]), NEW_YORK)[0].astype(date)
    if exchange.is_session(day) and as_of_ns >= exchange.open_ns(day):
        return day
    return exchange.previous_session(day).date


def record_iv(
    root: Path,
    symbol: str,
    volatility: float,
    as_of_ns: int,
    source: str,
    *,
    put_call: float | None = None,
    on_step: Callable[[str], None] = ignore_step,
) -> tuple[SessionIv, ...]:
    """Keep a session's value and return the history; a crash leaves the old file or the new one.

    Args:
        root: The realm's folder, which keeps real values away from simulated ones.
        symbol: The underlying.
        volatility: At the money over 30 days, finite and above 0; 0.2 is 20 %.
        as_of_ns: The moment of the quotes, nanoseconds UTC.
        source: Where the quotes came from.
        put_call: Puts over calls by volume, None where there is none.
        on_step: Called after each step of writing; tests put a crash there.

    Raises:
        InputError: If the value is no volatility.
        CorruptStore: If the file that is there cannot be read; it stays.
        OperatorError: If the file system refuses; the old file stays.
    """
    if not (math.isfinite(volatility) and volatility > 0):
        raise InputError(f"{volatility} is no volatility of {symbol}", next_step="Expected 0.2.")
    new = SessionIv(session_of_quotes(as_of_ns), float(volatility), as_of_ns, source, put_call)
    path = history_path(root, symbol)
    with StoreLock(path.with_name("write.lock")).held():
        old = {each.session: each for each in iv_history(root, symbol)}
        there = old.get(new.session)
        if there is None or there.as_of_ns <= new.as_of_ns:
            old[new.session] = new
        kept = tuple(old[session] for session in sorted(old))[-KEPT:]
        replace_durably(path, _written(symbol, kept), on_step=on_step)
    return kept


def iv_history(root: Path, symbol: str) -> tuple[SessionIv, ...]:
    """Return a symbol's values, oldest session first; none when nothing was recorded.

    Args:
        root: The realm's folder.
        symbol: The underlying.

    Raises:
        CorruptStore: If the file is not one that `record_iv` writes.
        OperatorError: If it cannot be read.
    """
    path = history_path(root, symbol)
    with told_in_a_sentence(path):
        if not path.exists():
            return ()
        content = path.read_bytes()
    try:
        document = json.loads(content)
        if (document["version"], document["symbol"]) != (VERSION, symbol):
            raise ValueError("another version or symbol")
        return tuple(_read(row) for row in document["sessions"])
    except (ValueError, TypeError, KeyError) as error:
        raise CorruptStore(
            f"{path} is no history of {symbol}'s volatility: {error}",
            next_step="Move the file away; the history begins again with the next report.",
        ) from error


def iv_standing_of(root: Path, symbol: str, volatility: float | None, as_of_ns: int) -> IvStanding:
    """Return where a value stands among the sessions before its own.

    Args:
        root: The realm's folder.
        symbol: The underlying.
        volatility: The value of the moment; None has no standing.
        as_of_ns: The moment of the quotes, nanoseconds UTC.

    Raises:
        CorruptStore: As `iv_history`.
    """
    today = session_of_quotes(as_of_ns)
    earlier = [each.volatility for each in iv_history(root, symbol) if each.session < today]
    now = math.nan if volatility is None else volatility
    return iv_standing(earlier, now, minimum=MINIMUM)


def history_path(root: Path, symbol: str) -> Path:
    """Return the file of a symbol's history."""
    return root / "iv_history" / f"{folder_name(symbol)}.json"


def _written(symbol: str, history: Iterable[SessionIv]) -> bytes:
    rows = [{**asdict(each), "session": each.session.isoformat()} for each in history]
    document = {"version": VERSION, "symbol": symbol, "sessions": rows}
    return (json.dumps(document, indent=1) + "\n").encode()


def _read(row: dict[str, object]) -> SessionIv:
    volatility, as_of_ns = row["volatility"], row["as_of_ns"]
    # Files of before this column have none.
    put_call = row.get("put_call")
    if put_call is not None and not isinstance(put_call, float):
        raise ValueError("a session whose put/call ratio is no number")
    if not isinstance(volatility, float) or not isinstance(as_of_ns, int):
        raise ValueError("a session without its value or moment")
    session = date.fromisoformat(str(row["session"]))
    return SessionIv(session, volatility, as_of_ns, str(row["source"]), put_call)
