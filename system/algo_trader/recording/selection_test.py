"""Symbols go to the services of their kind, and a misspelt service is understood."""

from __future__ import annotations

import pytest

from infrastructure.errors import UsageError
from infrastructure.schwab.streamer.services import Service
from system.algo_trader.recording.selection import parse_seconds, parse_services, selection


def test_symbols_go_to_the_services_of_their_kind() -> None:
    option = "AAPL  130419C00450000"
    keys = selection(["AAPL", "/ESH26", option, "EUR/USD"], None)
    assert keys[Service.LEVELONE_EQUITIES] == ("AAPL",)
    assert keys[Service.NASDAQ_BOOK] == ("AAPL",)
    assert keys[Service.CHART_FUTURES] == ("/ESH26",)
    assert keys[Service.OPTIONS_BOOK] == (option,)
    assert keys[Service.LEVELONE_FOREX] == ("EUR/USD",)
    assert Service.ACCT_ACTIVITY not in keys
    assert Service.SCREENER_EQUITY not in keys


def test_named_services_alone_are_recorded() -> None:
    chosen = parse_services("nyse_book, SCREENER_EQUITY,ACCT_ACTIVITY")
    keys = selection(["IBM"], chosen)
    assert list(keys) == [Service.NYSE_BOOK, Service.SCREENER_EQUITY, Service.ACCT_ACTIVITY]


@pytest.mark.parametrize(
    ("word", "meant"),
    [("LEVELONE_EQUITY", "LEVELONE_EQUITIES"), ("nasdaq", "NASDAQ_BOOK"), ("CHART", "CHART_")],
)
def test_a_misspelt_service_is_answered_with_what_may_be_meant(word: str, meant: str) -> None:
    with pytest.raises(UsageError, match="no service") as caught:
        parse_services(word)
    assert f"Did you mean {meant}" in str(caught.value)


def test_what_cannot_be_recorded_is_refused() -> None:
    with pytest.raises(UsageError, match="There are LEVELONE_EQUITIES"):
        parse_services("zzz9")
    with pytest.raises(UsageError, match="names no service"):
        parse_services(" , ")
    with pytest.raises(UsageError, match="none of the symbols is one of LEVELONE_FUTURES"):
        selection(["AAPL"], (Service.LEVELONE_FUTURES,))
    with pytest.raises(UsageError, match="no symbol"):
        selection([], None)


def test_lengths_of_time() -> None:
    assert [parse_seconds(text) for text in ("30s", "1m", "0.5h")] == [30, 60, 1_800]
    for text in ("", "1", "m", "-1s", "0s", "nanm", "infh", "1d"):
        with pytest.raises(UsageError, match="30s, 10m or 2h"):
            parse_seconds(text)
