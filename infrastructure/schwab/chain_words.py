"""The words of option chains and movers, as Schwab spells them (schwab-api.md §2.1)."""

from __future__ import annotations

from enum import StrEnum


class ContractType(StrEnum):
    """Which side of a chain."""

    CALL = "CALL"
    PUT = "PUT"
    ALL = "ALL"


class StrikeRange(StrEnum):
    """Which strikes of a chain, by their distance from the money."""

    IN_THE_MONEY = "ITM"
    NEAR_THE_MONEY = "NTM"
    OUT_OF_THE_MONEY = "OTM"
    ABOVE_MARKET = "SAK"
    BELOW_MARKET = "SBK"
    NEAR_MARKET = "SNK"
    ALL = "ALL"


class ChainStrategy(StrEnum):
    """What a chain lists: contracts, or the spreads that they make."""

    SINGLE = "SINGLE"
    ANALYTICAL = "ANALYTICAL"
    COVERED = "COVERED"
    VERTICAL = "VERTICAL"
    CALENDAR = "CALENDAR"
    STRANGLE = "STRANGLE"
    STRADDLE = "STRADDLE"
    BUTTERFLY = "BUTTERFLY"
    CONDOR = "CONDOR"
    DIAGONAL = "DIAGONAL"
    COLLAR = "COLLAR"
    ROLL = "ROLL"


class ExpiryMonth(StrEnum):
    """The month of the expiries."""

    JANUARY = "JAN"
    FEBRUARY = "FEB"
    MARCH = "MAR"
    APRIL = "APR"
    MAY = "MAY"
    JUNE = "JUN"
    JULY = "JUL"
    AUGUST = "AUG"
    SEPTEMBER = "SEP"
    OCTOBER = "OCT"
    NOVEMBER = "NOV"
    DECEMBER = "DEC"
    ALL = "ALL"


class OptionKind(StrEnum):
    """Standard contracts, or those that a split or merger changed."""

    STANDARD = "S"
    NON_STANDARD = "NS"
    ALL = "ALL"


class Entitlement(StrEnum):
    """The data entitlement of the client; retail clients leave it out."""

    NON_PAYING = "NP"
    PAYING = "PP"
    NON_PROFESSIONAL = "PN"


class MoverIndex(StrEnum):
    """Lists of movers."""

    DJI = "$DJI"
    COMPX = "$COMPX"
    SPX = "$SPX"
    NYSE = "NYSE"
    NASDAQ = "NASDAQ"
    OTCBB = "OTCBB"
    INDEX_ALL = "INDEX_ALL"
    EQUITY_ALL = "EQUITY_ALL"
    OPTION_ALL = "OPTION_ALL"
    OPTION_PUT = "OPTION_PUT"
    OPTION_CALL = "OPTION_CALL"


class MoverSort(StrEnum):
    """Orders of movers; the server keeps its own all the same (§0.4)."""

    VOLUME = "VOLUME"
    TRADES = "TRADES"
    PERCENT_CHANGE_UP = "PERCENT_CHANGE_UP"
    PERCENT_CHANGE_DOWN = "PERCENT_CHANGE_DOWN"


MOVER_FREQUENCIES = (0, 1, 5, 10, 30, 60)
"""Minutes over which movers are counted; 0 is the whole session."""
