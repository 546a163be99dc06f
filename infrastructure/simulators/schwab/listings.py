"""What the replayed symbols are: names, exchanges and CUSIPs as of the replay's dates."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Listing:
    """One instrument.

    Attributes:
        symbol: Its ticker.
        description: The company's name as Schwab prints it.
        cusip: Nine characters, None where it is not known.
        exchange_code: Schwab's letter in quotes: Q NASDAQ, N NYSE.
        exchange: Schwab's exchange name in instruments and quotes.
        ssid: Schwab's number of the security; here the place in the market's list.
    """

    symbol: str
    description: str
    cusip: str | None
    exchange_code: str
    exchange: str
    ssid: int

    @property
    def is_fund(self) -> bool:
        """Return whether it is an exchange-traded fund that we know."""
        return self.symbol in _FUNDS


# The funds with the most trading, for replays of a user's own file.
_FUNDS = frozenset(
    {"DIA", "EEM", "GLD", "HYG", "IWM", "QQQ", "SLV", "SPY", "TLT", "TQQQ", "XLE", "XLF", "XLK"}
)

# GOOG is Google's only class before April 2014, with the CUSIP of that class.
_KNOWN = {
    "AAPL": ("APPLE INC", "037833100", "Q", "NASDAQ"),
    "FB": ("FACEBOOK INC A", "30303M102", "Q", "NASDAQ"),
    "GOOG": ("GOOGLE INC A", "38259P508", "Q", "NASDAQ"),
    "IBM": ("INTERNATIONAL BUSINESS MACHS", "459200101", "N", "NYSE"),
    "MSFT": ("MICROSOFT CORP", "594918104", "Q", "NASDAQ"),
}


def listing(symbol: str, number: int) -> Listing:
    """Return what is known of a symbol; a symbol out of a user's file is described by itself.

    Args:
        symbol: Its ticker.
        number: Its place in the market's list, from 1.
    """
    description, cusip, code, exchange = _KNOWN.get(symbol, (symbol, None, "Q", "NASDAQ"))
    return Listing(symbol, description, cusip, code, exchange, number)
