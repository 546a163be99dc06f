"""Answer questions about futures contracts: specification, expiry, active contract, ticks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from difflib import get_close_matches

from infrastructure.errors import InputError, UnknownSymbol
from infrastructure.exchange.business_days import add_months
from infrastructure.exchange.contract_table import SPECS, ContractSpec
from infrastructure.exchange.months import month_code
from infrastructure.exchange.rolls import calendar_roll_date, equity_index_roll_date
from infrastructure.exchange.symbols import Future

__all__ = [
    "SPECS",
    "ContractSpec",
    "active_contract",
    "contract_chain",
    "expiry",
    "first_notice",
    "is_on_tick",
    "roll_date",
    "round_to_tick",
    "spec",
    "ticks",
]


def spec(root: str) -> ContractSpec:
    """Return the specification of a futures root.

    Args:
        root: Such as ES, es or /ES.

    Raises:
        UnknownSymbol: If the root is not in the table; names the nearest ones.
    """
    key = root.strip().upper().removeprefix("/")
    found = SPECS.get(key)
    if found is None:
        near = get_close_matches(key, SPECS, n=3, cutoff=0.5)
        hint = f"Did you mean {' or '.join('/' + name for name in near)}?" if near else None
        raise UnknownSymbol(
            f"no specification of the futures root {root!r}, known are {', '.join(SPECS)}",
            next_step=hint,
            symbol=root,
        )
    return found


def expiry(root: str, year: int, month: int) -> date:
    """Return the last trading day of a contract.

    Args:
        root: Futures root.
        year: Delivery year, four digits.
        month: Delivery month, 1 to 12.

    Raises:
        UnknownSymbol: If the root is unknown.
        InputError: If the product does not list that month.
    """
    product = _listed(root, year, month)
    return product.expiry_rule(year, month)


def first_notice(root: str, year: int, month: int) -> date | None:
    """Return the first notice day of a contract, None where it does not matter before expiry.

    Raises:
        UnknownSymbol: If the root is unknown.
        InputError: If the product does not list that month.
    """
    rule = _listed(root, year, month).first_notice_rule
    return None if rule is None else rule(year, month)


def roll_date(root: str, year: int, month: int) -> date:
    """Return the day from which this system trades the contract after this one.

    Equity indices follow CME's lead-month convention; the others move `roll_days` before the last
    trading day or first notice day, which is our convention and no exchange's rule. Where volumes
    are at hand, `rolls.roll_index` is the better judge.

    Raises:
        UnknownSymbol: If the root is unknown.
        InputError: If the product does not list that month.
    """
    product = _listed(root, year, month)
    last = product.expiry_rule(year, month)
    if product.group == "equity index":
        return equity_index_roll_date(last)
    return calendar_roll_date(last, first_notice(root, year, month), product.roll_days)


def active_contract(root: str, on: date) -> Future:
    """Return the contract to trade on a date: the first active month not yet due to roll.

    Raises:
        UnknownSymbol: If the root is unknown.
    """
    return next(contract_chain(root, on))


def contract_chain(root: str, on: date) -> Iterator[Future]:
    """Yield the active contract of a date and the active months after it, without end.

    Raises:
        UnknownSymbol: If the root is unknown.
    """
    product = spec(root)
    # Energy contracts end up to two months before the month that names them.
    step = -1
    while True:
        year, month = add_months(on.year, on.month, step)
        step += 1
        listed = month_code(month) in product.active_months
        if listed and on < roll_date(product.root, year, month):
            yield Future(product.root, year, month)


def is_on_tick(root: str, price: Decimal | float) -> bool:
    """Say whether a price is a multiple of the product's tick."""
    return _exact(price) % spec(root).tick_size == 0


def round_to_tick(root: str, price: Decimal | float) -> Decimal:
    """Return the multiple of the tick nearest to a price, the even one when two are."""
    return ticks(root, price) * spec(root).tick_size


def ticks(root: str, price: Decimal | float) -> int:
    """Return how many ticks a price (or a difference of prices) is, rounded to whole ones."""
    count = _exact(price) / spec(root).tick_size
    return int(count.quantize(Decimal(1), rounding=ROUND_HALF_EVEN))


def _exact(price: Decimal | float) -> Decimal:
    # repr gives the shortest decimal that means this float: 0.1 is 0.1, not 0.1000000000000000055.
    return price if isinstance(price, Decimal) else Decimal(repr(price))


def _listed(root: str, year: int, month: int) -> ContractSpec:
    product = spec(root)
    code = month_code(month)
    if code not in product.listed_months:
        raise InputError(
            f"/{product.root}{code}{year % 100:02d} does not exist: {product.name} lists the "
            f"months {product.listed_months}",
            next_step=f"The active contract is given by active_contract({product.root!r}, date).",
        )
    return product
