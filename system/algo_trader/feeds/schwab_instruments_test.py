"""Judge which service carries what, by Schwab's list of services."""

from datetime import date

import pytest

from infrastructure.errors import UsageError
from infrastructure.schwab.streamer.services import Service
from system.algo_trader.feeds.schwab_instruments import (
    book_services,
    chart_service,
    stream_instruments,
)

TODAY = date(2024, 3, 4)


@pytest.mark.parametrize(
    ("written", "key", "service", "calendar"),
    [
        ("aapl", "AAPL", Service.LEVELONE_EQUITIES, "XNYS"),
        ("$SPX", "$SPX", Service.LEVELONE_EQUITIES, "XNYS"),
        ("/ESM24", "/ESM24", Service.LEVELONE_FUTURES, "CME_EQUITY"),
        ("AAPL  240315C00170000", "AAPL  240315C00170000", Service.LEVELONE_OPTIONS,
         "CBOE_EQUITY_OPTIONS"),
        ("SPXW  240315P05000000", "SPXW  240315P05000000", Service.LEVELONE_OPTIONS,
         "CBOE_INDEX_OPTIONS"),
        ("EUR/USD", "EUR/USD", Service.LEVELONE_FOREX, "CME_FX"),
    ],
)  # fmt: skip
def test_each_kind_of_symbol_has_its_service(
    written: str, key: str, service: Service, calendar: str
) -> None:
    (found,) = stream_instruments([written], TODAY)
    assert (found.symbol, found.key, found.service, found.calendar) == (
        key, key, service, calendar,
    )  # fmt: skip


def test_the_root_of_a_future_means_the_contract_that_trades() -> None:
    # The March contract of 2024 rolled on Monday the 11th, eight days before it expired.
    assert [each.key for each in stream_instruments(["/ES"], date(2024, 3, 8))] == ["/ESH24"]
    assert [each.key for each in stream_instruments(["/ES"], date(2024, 3, 12))] == ["/ESM24"]


def test_a_symbol_is_asked_for_once() -> None:
    assert len(stream_instruments(["AAPL", "aapl ", "/ES", "/ESH24"], TODAY)) == 2


def test_what_is_not_streamed_is_refused() -> None:
    with pytest.raises(UsageError, match="VFIAX is not streamed"):
        stream_instruments(["VFIAX"], TODAY)


def test_charts_and_books_follow_the_kind() -> None:
    stock, index, future, option = stream_instruments(
        ["AAPL", "$SPX", "/ESM24", "AAPL  240315C00170000"], TODAY
    )
    assert [chart_service(each) for each in (stock, index, future, option)] == [
        Service.CHART_EQUITY, Service.CHART_EQUITY, Service.CHART_FUTURES, None,
    ]  # fmt: skip
    assert set(book_services(stock)) == {Service.NASDAQ_BOOK, Service.NYSE_BOOK}
    assert book_services(index) == book_services(future) == ()
    assert book_services(option) == (Service.OPTIONS_BOOK,)


def test_a_continuous_future_by_calendar_is_the_contract_of_today() -> None:
    for day, key in (("2026-06-18", "/ESM26"), ("2026-06-19", "/ESU26")):
        [found] = stream_instruments(["es.c.0"], date.fromisoformat(day))
        assert (found.key, found.service) == (key, "LEVELONE_FUTURES")
    [after] = stream_instruments(["ES.c.1"], date(2026, 6, 18))
    assert after.key == "/ESU26"


def test_a_continuous_future_that_stored_bars_decide_is_not_streamed() -> None:
    with pytest.raises(UsageError, match=r"ES\.v\.0 is not streamed"):
        stream_instruments(["ES.v.0"], date(2026, 6, 18))
