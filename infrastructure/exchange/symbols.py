"""The kinds of symbols, as frozen values that know how Schwab spells them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Final, Literal

from infrastructure.errors import InputError
from infrastructure.exchange.months import month_code

Right = Literal["C", "P"]

# Option roots that name another underlying than themselves. Cboe's product pages (SPX, VIX, XSP,
# NANOS, RUT, DJX, OEX), Nasdaq's (NDX, XND): weekly and PM-settled classes trade under own roots.
INDEX_OF_OPTION_ROOT: Final = {
    "SPX": "SPX",
    "SPXW": "SPX",
    "XSP": "XSP",
    "NANOS": "NANOS",
    "NDX": "NDX",
    "NDXP": "NDX",
    "XND": "XND",
    "RUT": "RUT",
    "RUTW": "RUT",
    "MRUT": "MRUT",
    "VIX": "VIX",
    "VIXW": "VIX",
    "DJX": "DJX",
    "OEX": "OEX",
    "XEO": "OEX",
}


class AssetClass(StrEnum):
    """What kind of instrument a symbol names."""

    EQUITY = "equity"
    MUTUAL_FUND = "mutual_fund"
    INDEX = "index"
    INDICATIVE = "indicative"
    OPTION = "option"
    FUTURE = "future"
    FUTURE_OPTION = "future_option"
    FOREX = "forex"


@dataclass(frozen=True, slots=True)
class Equity:
    """Name a stock or ETF.

    Attributes:
        root: Letters of the issuer, such as BRK.
        suffix: Share class, preferred series, unit or warrant, such as B; empty for most.
    """

    root: str
    suffix: str = ""

    @property
    def asset_class(self) -> AssetClass:
        """Return `AssetClass.EQUITY`."""
        return AssetClass.EQUITY

    def to_schwab(self) -> str:
        """Return Schwab's spelling, BRK/B (schwab-api.md §4 [?])."""
        return f"{self.root}/{self.suffix}" if self.suffix else self.root

    def __str__(self) -> str:
        return f"{self.root}.{self.suffix}" if self.suffix else self.root


@dataclass(frozen=True, slots=True)
class MutualFund:
    """Name a mutual fund: five letters, the last one X."""

    ticker: str

    @property
    def asset_class(self) -> AssetClass:
        """Return `AssetClass.MUTUAL_FUND`."""
        return AssetClass.MUTUAL_FUND

    def to_schwab(self) -> str:
        """Return Schwab's spelling."""
        return self.ticker

    def __str__(self) -> str:
        return self.ticker


@dataclass(frozen=True, slots=True)
class Index:
    """Name an index.

    Attributes:
        ticker: Without the dollar sign, such as SPX.
    """

    ticker: str

    @property
    def asset_class(self) -> AssetClass:
        """Return `AssetClass.INDEX`."""
        return AssetClass.INDEX

    def to_schwab(self) -> str:
        """Return Schwab's spelling, $SPX."""
        return f"${self.ticker}"

    def __str__(self) -> str:
        return self.to_schwab()


@dataclass(frozen=True, slots=True)
class IndicativeValue:
    """Name the indicative value of an exchange-traded fund, $ABC.IV."""

    ticker: str

    @property
    def asset_class(self) -> AssetClass:
        """Return `AssetClass.INDICATIVE`."""
        return AssetClass.INDICATIVE

    def to_schwab(self) -> str:
        """Return Schwab's spelling."""
        return f"${self.ticker}.IV"

    def __str__(self) -> str:
        return self.to_schwab()


@dataclass(frozen=True, slots=True)
class Option:
    """Name a listed option on a stock, fund or index.

    Attributes:
        root: Option root, 1 to 6 characters: the underlying's letters, SPXW for weeklies, with a
            digit at the end (AAPL1) for an adjusted or mini contract.
        expiry: The date in the symbol.
        right: C or P.
        strike_thousandths: Strike in thousandths of a dollar, 1 to 99 999 999.

    Raises:
        InputError: If a part does not fit the 21 characters of OSI.
    """

    root: str
    expiry: date
    right: Right
    strike_thousandths: int

    def __post_init__(self) -> None:
        if re.fullmatch(r"[A-Z][A-Z0-9]{0,5}", self.root) is None:
            raise InputError(
                f"option root {self.root!r} has to be a capital letter "
                "and up to five more letters or digits"
            )
        if self.right not in ("C", "P"):
            raise InputError(f"option right {self.right!r} has to be C or P")
        if not 2000 <= self.expiry.year <= 2099:
            raise InputError(f"option expiry {self.expiry} has to lie between 2000 and 2099")
        if not 0 < self.strike_thousandths < 100_000_000:
            raise InputError(f"option strike {self.strike} has to lie between 0.001 and 99999.999")

    @classmethod
    def of(cls, root: str, expiry: date, right: Right, strike: Decimal | int | str) -> Option:
        """Build an option from a strike in dollars.

        Raises:
            InputError: If the strike has more than three decimals or does not fit.
        """
        thousandths = Decimal(strike) * 1000
        if thousandths != thousandths.to_integral_value():
            raise InputError(f"option strike {strike} has more than three decimals")
        return cls(root, expiry, right, int(thousandths))

    @property
    def asset_class(self) -> AssetClass:
        """Return `AssetClass.OPTION`."""
        return AssetClass.OPTION

    @property
    def strike(self) -> Decimal:
        """Return the strike in dollars."""
        return Decimal(self.strike_thousandths) / 1000

    @property
    def is_adjusted(self) -> bool:
        """Say whether the root ends in a digit: a contract after a corporate action, or a mini."""
        return self.root[-1].isdigit()

    @property
    def underlying(self) -> Equity | Index:
        """Return what the option is written on, as far as the root tells.

        Share classes cannot be told from the root (BRKB is returned as it stands).
        """
        bare = self.root.rstrip("0123456789") or self.root
        if bare in INDEX_OF_OPTION_ROOT:
            return Index(INDEX_OF_OPTION_ROOT[bare])
        return Equity(bare)

    def to_osi(self) -> str:
        """Return the 21 characters of the OCC's symbology, the root padded with blanks."""
        return f"{self.root:<6}{self.expiry:%y%m%d}{self.right}{self.strike_thousandths:08d}"

    def to_schwab(self) -> str:
        """Return Schwab's spelling, the same 21 characters."""
        return self.to_osi()

    def __str__(self) -> str:
        return self.to_osi()


@dataclass(frozen=True, slots=True)
class FutureRoot:
    """Name a futures product; at Schwab it stands for the active contract, /ES.

    Attributes:
        root: Such as ES or 6E.
    """

    root: str

    @property
    def asset_class(self) -> AssetClass:
        """Return `AssetClass.FUTURE`."""
        return AssetClass.FUTURE

    def to_schwab(self) -> str:
        """Return Schwab's spelling."""
        return f"/{self.root}"

    def __str__(self) -> str:
        return self.to_schwab()


@dataclass(frozen=True, slots=True)
class Future:
    """Name one futures contract.

    Attributes:
        root: Such as ES or 6E.
        year: Delivery year, four digits, 2000 to 2099.
        month: Delivery month, 1 to 12.

    Raises:
        InputError: If the month or the year is out of range.
    """

    root: str
    year: int
    month: int

    def __post_init__(self) -> None:
        month_code(self.month)
        if not 2000 <= self.year <= 2099:
            raise InputError(f"delivery year {self.year} has to lie between 2000 and 2099")

    @property
    def asset_class(self) -> AssetClass:
        """Return `AssetClass.FUTURE`."""
        return AssetClass.FUTURE

    def to_schwab(self) -> str:
        """Return Schwab's spelling, /ESZ25."""
        return f"/{self.root}{month_code(self.month)}{self.year % 100:02d}"

    def __str__(self) -> str:
        return self.to_schwab()


@dataclass(frozen=True, slots=True)
class FutureOption:
    """Name an option on a futures contract.

    Attributes:
        root: Root of the option class, such as OZC (options on ZC) or ADU.
        year: Year of the contract month, 2000 to 2099.
        month: Contract month, 1 to 12.
        right: C or P.
        strike: In the units of the future's quotes, without trailing zeros.
    """

    root: str
    year: int
    month: int
    right: Right
    strike: Decimal

    @property
    def asset_class(self) -> AssetClass:
        """Return `AssetClass.FUTURE_OPTION`."""
        return AssetClass.FUTURE_OPTION

    def to_schwab(self) -> str:
        """Return Schwab's spelling, ./OZCZ23C565."""
        contract = f"{self.root}{month_code(self.month)}{self.year % 100:02d}"
        return f"./{contract}{self.right}{self.strike.normalize():f}"

    def __str__(self) -> str:
        return self.to_schwab()


@dataclass(frozen=True, slots=True)
class Forex:
    """Name a currency pair by two ISO 4217 codes."""

    base: str
    quote: str

    @property
    def asset_class(self) -> AssetClass:
        """Return `AssetClass.FOREX`."""
        return AssetClass.FOREX

    def to_schwab(self) -> str:
        """Return Schwab's spelling, EUR/USD."""
        return f"{self.base}/{self.quote}"

    def __str__(self) -> str:
        return self.to_schwab()


Symbol = (
    Equity
    | MutualFund
    | Index
    | IndicativeValue
    | Option
    | FutureRoot
    | Future
    | FutureOption
    | Forex
)
