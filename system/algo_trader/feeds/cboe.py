"""Chains from the quote tables that Cboe's site offers as CSV ("Quote Dashboard, download").

A table has a line about the underlying, a line with the moment of the download, the headings, and
one line a strike with the call on the left and the put on the right. Cboe delays quotes and keeps
contracts that have expired; volatilities are fractions and 0 where there is none. A table that is
downloaded after hours, at night or on a weekend holds the quotes of the last close, and its time to
expiry runs from there: on 2022-06-11, a Saturday, Cboe's own volatilities fit Friday's close.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from infrastructure.clock import ns_from_utc
from infrastructure.errors import InputError, NoDataError, UnknownSymbol
from infrastructure.exchange.calendars import calendar
from infrastructure.exchange.exercise import exercise_of
from infrastructure.exchange.option_expiry import settlement_ns
from infrastructure.exchange.symbology import Option, parse_option
from system.algo_trader.options.chain import Chain

HEADINGS: Final = [
    "Expiration Date",
    "Calls",
    "Last Sale",
    "Net",
    "Bid",
    "Ask",
    "Volume",
    "IV",
    "Delta",
    "Gamma",
    "Open Interest",
    "Strike",
    "Puts",
    "Last Sale",
    "Net",
    "Bid",
    "Ask",
    "Volume",
    "IV",
    "Delta",
    "Gamma",
    "Open Interest",
]

SOURCE: Final = "cboe"
_NEW_YORK: Final = ZoneInfo("America/New_York")
_NEXT_STEP: Final = (
    "Expected the quote table that cboe.com offers as CSV: a line with 'Last:', a line with "
    "'Date:', then 'Expiration Date,Calls,...'."
)
# Offsets of a side's columns from its symbol, and the chain's names of them.
_COLUMNS: Final = {
    "last": 1,
    "bid": 3,
    "ask": 4,
    "volume": 5,
    "vendor_volatility": 6,
    "vendor_delta": 7,
    "vendor_gamma": 8,
    "open_interest": 9,
}
_CALL, _STRIKE, _PUT = 1, 11, 12
_MOMENT: Final = re.compile(
    r"Date: (\w+ \d{1,2}, \d{4})(?:,| at) (\d{1,2}:\d{2} [AP]M) (E[DS]T|ET)\b"
)
_LAST: Final = re.compile(r"Last: ([\d.]+)")


class CboeTable(NamedTuple):
    """What one file says.

    Attributes:
        name: The underlying as the file names it.
        downloaded_ns: When the file was made, nanoseconds UTC.
        chain: All of its contracts, expired ones included.
    """

    name: str
    downloaded_ns: int
    chain: Chain


def read_cboe(path: Path, symbol: str) -> CboeTable:
    """Read a Cboe quote table.

    Args:
        path: The CSV file.
        symbol: The underlying that the caller expects: SPX, $SPX, SPY.

    Raises:
        InputError: If the file cannot be read or is not such a table; says which line.
        UnknownSymbol: If the file is about another underlying.
        NoDataError: If it holds no contract.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise InputError(f"there is no file {str(path)!r}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {str(path)!r} as text: {error}") from error
    return parse_cboe(text, symbol, where=path.name)


def parse_cboe(text: str, symbol: str, *, where: str = "the table") -> CboeTable:
    """Read the text of a Cboe quote table; arguments and errors as in `read_cboe`."""
    lines = csv.reader(text.splitlines())
    rows = [(lines.line_num, row) for row in lines if any(cell.strip() for cell in row)]
    if len(rows) < 3:
        raise InputError(f"{where} is no Cboe quote table", next_step=_NEXT_STEP)
    (_, about), (_, moment), (_, headings), *rest = rows
    if [cell.strip() for cell in headings] != HEADINGS:
        raise InputError(f"{where} has not the headings of a quote table", next_step=_NEXT_STEP)
    spot = _LAST.search(",".join(about))
    if spot is None:
        raise InputError(f"{where} does not say the underlying's last price", next_step=_NEXT_STEP)
    downloaded_ns = _moment_ns(" ".join(moment), where)
    wanted = symbol.strip().upper().lstrip("$")
    sides = [side for number, row in rest for side in _sides(row, f"{where}, line {number}")]
    if not sides:
        raise NoDataError(f"{where} holds no option")
    found = {option.underlying.to_schwab().lstrip("$") for option, _ in sides}
    if found != {wanted}:
        raise UnknownSymbol(
            f"{where} holds options on {', '.join(sorted(found))}, not on {wanted}",
            next_step=f"Ask for {min(found)}.",
        )
    numbers = np.array([values for _, values in sides], dtype=np.float64)
    columns = dict(zip(_COLUMNS, numbers.T, strict=True))
    columns["vendor_volatility"] = np.where(
        columns["vendor_volatility"] > 0, columns["vendor_volatility"], np.nan
    )
    moments: dict[tuple[str, object], int] = {}
    for option, _ in sides:
        if (option.root, option.expiry) not in moments:
            moments[option.root, option.expiry] = settlement_ns(option)
    chain = Chain.of(
        wanted,
        float(spot[1]),
        quoted_ns(downloaded_ns),
        [moments[option.root, option.expiry] for option, _ in sides],
        [float(option.strike) for option, _ in sides],
        [option.right == "C" for option, _ in sides],
        multiplier=100.0,
        is_american=[exercise_of(option) == "american" for option, _ in sides],
        source=SOURCE,
        fetched_at_ns=downloaded_ns,
        **columns,
    )
    return CboeTable(about[0].strip(), downloaded_ns, chain)


def quoted_ns(downloaded_ns: int) -> int:
    """Return the moment whose quotes a table shows: its own in trading hours, else the last close.

    Args:
        downloaded_ns: When the table was made, nanoseconds UTC.
    """
    book = calendar("CBOE_INDEX_OPTIONS")
    if book.is_open(downloaded_ns, "rth"):
        return downloaded_ns
    return book.close_ns(book.last_closed_session(downloaded_ns).date)


def _sides(row: list[str], where: str) -> Iterator[tuple[Option, list[float]]]:
    if len(row) != len(HEADINGS):
        raise InputError(f"{where}: {len(row)} cells, expected {len(HEADINGS)}")
    for start, right in ((_CALL, "C"), (_PUT, "P")):
        try:
            option = parse_option(row[start])
            strike = float(row[_STRIKE])
            values = [float(row[start + offset]) for offset in _COLUMNS.values()]
        except UnknownSymbol as error:
            raise InputError(f"{where}: {error.message}") from error
        except ValueError as error:
            raise InputError(f"{where}: {error}") from error
        if option.right != right or float(option.strike) != strike:
            raise InputError(f"{where}: {row[start]} does not belong into this line")
        yield option, values


def _moment_ns(text: str, where: str) -> int:
    match = _MOMENT.search(text)
    if match is None:
        raise InputError(f"{where} does not say when it was taken", next_step=_NEXT_STEP)
    try:
        local = datetime.strptime(f"{match[1]} {match[2]}", "%B %d, %Y %I:%M %p")
    except ValueError as error:
        raise InputError(f"{where}: {match[0]!r} is no date", next_step=_NEXT_STEP) from error
    return ns_from_utc(local.replace(tzinfo=_NEW_YORK))
