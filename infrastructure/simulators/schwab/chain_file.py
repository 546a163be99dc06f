"""Read an option chain out of Cboe's quote-data CSV."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from infrastructure.errors import InputError
from infrastructure.exchange.symbology import parse_option
from infrastructure.simulators.schwab.black_scholes import Value
from infrastructure.simulators.schwab.option_surface import Contract
from infrastructure.simulators.schwab.replay_rows import NEW_YORK

_COLUMNS: Final = 22
_SIDE: Final = 10
_DATE = re.compile(r"Date: (\w+ \d+, \d+)(?: at|,) (\d+:\d+ [AP]M) E[DS]T")


@dataclass(frozen=True, slots=True)
class FileChain:
    """A recorded chain.

    Attributes:
        symbol: The underlying as Schwab spells it, such as $SPX.
        spot: Its last price in dollars.
        now_ns: When it was recorded, nanoseconds UTC.
        contracts: What was quoted, calls before puts of each row.
    """

    symbol: str
    spot: float
    now_ns: int
    contracts: tuple[Contract, ...]


def read_chain(path: Path) -> FileChain:
    """Read the file.

    An IV of 0 means that Cboe computed none: it and its Greeks are not known. The model's price,
    theta, vega and rho are not in the file either.

    Raises:
        InputError: If it cannot be read or is no such file.
    """
    try:
        lines = list(csv.reader(path.read_text(encoding="utf-8-sig").splitlines()))
    except OSError as error:
        raise InputError(f"the chain {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"the chain {path} is no text") from error
    rows = [line for line in lines if line]
    header = next((n for n, row in enumerate(rows) if row[0] == "Expiration Date"), None)
    head = " ".join(",".join(row) for row in rows[:header])
    last = re.search(r"Last: ([0-9.]+)", head)
    moment = _DATE.search(head)
    if header is None or last is None or moment is None:
        raise InputError(f"{path} is no Cboe quote data: its head has no Date, Last or columns")
    contracts = []
    for number, row in enumerate(rows[header + 1 :], start=header + 2):
        if len(row) != _COLUMNS:
            raise InputError(f"{path}: row {number} has {len(row)} columns, not {_COLUMNS}")
        try:
            contracts += [_contract(row[1:11]), _contract([row[12], *row[13:22]])]
        except ValueError as error:
            raise InputError(f"{path}: row {number} cannot be read: {error}") from error
    if not contracts:
        raise InputError(f"{path} has no contracts")
    stamp = datetime.strptime(" ".join(moment.groups()), "%B %d, %Y %I:%M %p")
    seconds = stamp.replace(tzinfo=ZoneInfo(NEW_YORK)).timestamp()
    return FileChain(
        contracts[0].option.underlying.to_schwab(),
        float(last.group(1)),
        int(seconds) * 1_000_000_000,
        tuple(contracts),
    )


def _contract(cells: list[str]) -> Contract:
    name, last, _, bid, ask, volume, vol, delta, gamma, interest = cells[:_SIDE]
    match = re.fullmatch(r"([A-Z0-9]+?)(\d{6}[CP]\d{8})", name)
    if match is None:
        raise ValueError(f"{name!r} is no option")
    known = float(vol) > 0
    nan = float("nan")
    return Contract(
        parse_option(f"{match.group(1):<6}{match.group(2)}"),
        float(bid),
        float(ask),
        float(last) or None,
        0,
        0,
        float(vol) if known else None,
        Value(nan, float(delta), float(gamma), nan, nan, nan) if known else None,
        int(float(volume)),
        int(float(interest)),
    )
