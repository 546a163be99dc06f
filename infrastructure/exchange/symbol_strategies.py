"""Hypothesis strategies for symbols of every kind; for tests only."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from hypothesis import strategies as st

from infrastructure.exchange.contract_table import SPECS
from infrastructure.exchange.symbology import (
    BARE_INDICES,
    CURRENCIES,
    Equity,
    Forex,
    Future,
    FutureOption,
    FutureRoot,
    Index,
    IndicativeValue,
    MutualFund,
    Option,
    Symbol,
)

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def _letters(fewest: int, most: int) -> st.SearchStrategy[str]:
    return st.text(_LETTERS, min_size=fewest, max_size=most)


def _is_fund(ticker: str) -> bool:
    return len(ticker) == 5 and ticker.endswith("X")


def equities() -> st.SearchStrategy[Equity]:
    """Draw stocks, some with a share class; never what reads as a fund, index or currency pair."""

    def reads_as_equity(equity: Equity) -> bool:
        if not equity.suffix:
            return not _is_fund(equity.root) and equity.root not in BARE_INDICES
        return not {equity.root, equity.suffix} <= CURRENCIES

    return st.builds(Equity, _letters(1, 5), st.just("") | _letters(1, 4)).filter(reads_as_equity)


def options() -> st.SearchStrategy[Option]:
    """Draw options over all roots, dates and strikes that OSI can hold."""
    roots = st.builds(
        lambda first, rest: first + rest,
        st.sampled_from(_LETTERS),
        st.text(_LETTERS + "0123456789", max_size=5),
    )
    return st.builds(
        Option,
        roots,
        st.dates(date(2000, 1, 1), date(2099, 12, 31)),
        st.sampled_from(["C", "P"]),
        st.integers(1, 99_999_999),
    )


def futures() -> st.SearchStrategy[Future]:
    """Draw contracts of the known roots in every month."""
    return st.builds(
        Future, st.sampled_from(sorted(SPECS)), st.integers(2000, 2099), st.integers(1, 12)
    )


def future_options() -> st.SearchStrategy[FutureOption]:
    """Draw options on futures with whole and decimal strikes."""
    strikes = st.integers(1, 10_000_000).flatmap(
        lambda units: st.integers(0, 4).map(lambda places: Decimal(units).scaleb(-places))
    )
    return st.builds(
        FutureOption,
        _letters(1, 4),
        st.integers(2000, 2099),
        st.integers(1, 12),
        st.sampled_from(["C", "P"]),
        strikes,
    )


def forex() -> st.SearchStrategy[Forex]:
    """Draw pairs of different currencies."""
    codes = st.sampled_from(sorted(CURRENCIES))
    return st.builds(Forex, codes, codes).filter(lambda pair: pair.base != pair.quote)


def symbols() -> st.SearchStrategy[Symbol]:
    """Draw symbols of every kind."""
    return st.one_of(
        equities(),
        options(),
        futures(),
        future_options(),
        forex(),
        st.builds(Index, _letters(1, 6)),
        st.builds(IndicativeValue, _letters(1, 5)),
        st.builds(FutureRoot, st.sampled_from(sorted(SPECS))),
        st.builds(lambda name: MutualFund(name + "X"), _letters(4, 4)),
    )
