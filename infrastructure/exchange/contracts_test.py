"""Judge contract facts by the exchanges' published expiration calendars and specifications."""

from datetime import date, timedelta
from decimal import Decimal
from itertools import islice, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infrastructure.errors import InputError, UnknownSymbol
from infrastructure.exchange.business_days import business_days, is_business_day
from infrastructure.exchange.calendars import calendar_names
from infrastructure.exchange.contracts import (
    SPECS,
    active_contract,
    contract_chain,
    expiry,
    first_notice,
    is_on_tick,
    roll_date,
    round_to_tick,
    spec,
    ticks,
)
from infrastructure.exchange.months import MONTH_CODES, month_code, month_of_code
from infrastructure.exchange.symbology import parse_symbol
from infrastructure.exchange.symbols import Future


def contract(text: str) -> tuple[str, int, int]:
    symbol = parse_symbol("/" + text)
    assert isinstance(symbol, Future)
    return symbol.root, symbol.year, symbol.month


@pytest.mark.parametrize(
    ("symbol", "day"),
    [
        # CME equity index: third Friday; Thursday where it is Good Friday or Juneteenth.
        ("ESH24", "2024-03-15"),
        ("ESZ24", "2024-12-20"),
        ("NQM25", "2025-06-20"),
        ("YMH08", "2008-03-20"),
        ("ESM26", "2026-06-18"),
        # NYMEX: CLK20 went to minus 37 dollars on the day before it ended.
        ("CLK20", "2020-04-21"),
        ("CLZ24", "2024-11-20"),
        ("CLF25", "2024-12-19"),
        ("CLG25", "2025-01-21"),
        ("MCLF25", "2024-12-18"),
        ("NGF25", "2024-12-27"),
        ("NGX12", "2012-10-29"),  # the first day of hurricane Sandy, when NYMEX settled
        ("HOF25", "2024-12-31"),
        ("RBF25", "2024-12-31"),
        ("BZG25", "2024-12-30"),
        ("BZH25", "2025-01-31"),
        ("BZV26", "2026-08-28"),  # 2026-08-31 is a bank holiday in London
        # COMEX
        ("GCG25", "2025-02-26"),
        ("GCZ24", "2024-12-27"),
        ("SIH25", "2025-03-27"),
        ("HGH25", "2025-03-27"),
        # CBOT Treasuries
        ("ZNH25", "2025-03-20"),
        ("ZBU24", "2024-09-19"),
        ("ZNH24", "2024-03-19"),  # Good Friday is the month's last weekday
        ("ZFH25", "2025-03-31"),
        ("ZTZ24", "2024-12-31"),
        # CBOT grains
        ("ZCZ24", "2024-12-13"),
        ("ZWH25", "2025-03-14"),
        ("ZSF25", "2025-01-14"),
        # CME currencies
        ("6EH25", "2025-03-17"),
        ("6EZ24", "2024-12-16"),
        ("6CH25", "2025-03-18"),
        # CME livestock
        ("LEG25", "2025-02-28"),
        ("HEG25", "2025-02-14"),
        ("GFF25", "2025-01-30"),
        ("GFX24", "2024-11-21"),
        # CFE
        ("VXG24", "2024-02-14"),
        ("VXF25", "2025-01-22"),
        ("VXH19", "2019-03-19"),  # April's third Friday was Good Friday
        ("VXK26", "2026-05-19"),  # June's third Friday is Juneteenth
    ],
)
def test_contracts_end_on_the_published_day(symbol: str, day: str) -> None:
    assert expiry(*contract(symbol)).isoformat() == day


@pytest.mark.parametrize(
    ("symbol", "day"),
    [
        ("GCG25", "2025-01-31"),
        ("ZCZ24", "2024-11-29"),
        ("ZNH25", "2025-02-28"),
        ("ESZ24", None),
        ("CLF25", None),
    ],
)
def test_first_notice_comes_on_the_last_business_day_before_the_month(
    symbol: str, day: str | None
) -> None:
    found = first_notice(*contract(symbol))
    assert (found and found.isoformat()) == day


@pytest.mark.parametrize(
    ("root", "tick", "value", "multiplier"),
    [
        # CME Group's specification pages: minimum price fluctuation and its dollar value.
        ("ES", "0.25", "12.50", "50"),
        ("MES", "0.25", "1.25", "5"),
        ("NQ", "0.25", "5.00", "20"),
        ("MNQ", "0.25", "0.50", "2"),
        ("YM", "1", "5.00", "5"),
        ("RTY", "0.10", "5.00", "50"),
        ("CL", "0.01", "10.00", "1000"),
        ("MCL", "0.01", "1.00", "100"),
        ("NG", "0.001", "10.00", "10000"),
        ("HO", "0.0001", "4.20", "42000"),
        ("RB", "0.0001", "4.20", "42000"),
        ("BZ", "0.01", "10.00", "1000"),
        ("GC", "0.10", "10.00", "100"),
        ("SI", "0.005", "25.00", "5000"),
        ("HG", "0.0005", "12.50", "25000"),
        ("PL", "0.10", "5.00", "50"),
        ("ZB", "0.03125", "31.25", "1000"),
        ("ZN", "0.015625", "15.625", "1000"),
        ("ZF", "0.0078125", "7.8125", "1000"),
        ("ZT", "0.00390625", "7.8125", "2000"),
        ("ZC", "0.25", "12.50", "50"),
        ("ZS", "0.25", "12.50", "50"),
        ("ZW", "0.25", "12.50", "50"),
        ("ZM", "0.10", "10.00", "100"),
        ("ZL", "0.01", "6.00", "600"),
        ("6E", "0.00005", "6.25", "125000"),
        ("6J", "0.0000005", "6.25", "12500000"),
        ("6B", "0.0001", "6.25", "62500"),
        ("6C", "0.00005", "5.00", "100000"),
        ("6M", "0.00001", "5.00", "500000"),
        ("LE", "0.025", "10.00", "400"),
        ("HE", "0.025", "10.00", "400"),
        ("GF", "0.025", "12.50", "500"),
        ("VX", "0.05", "50.00", "1000"),
    ],
)
def test_ticks_are_worth_what_the_exchange_says(
    root: str, tick: str, value: str, multiplier: str
) -> None:
    product = spec(root)
    assert product.tick_size == Decimal(tick)
    assert product.tick_value == Decimal(value)
    assert product.multiplier == Decimal(multiplier)
    assert "tick_size" not in product.unverified


@pytest.mark.parametrize("root", SPECS)
def test_every_specification_is_whole(root: str) -> None:
    product = SPECS[root]
    assert product.root == root
    assert product.calendar in calendar_names()
    assert set(product.active_months) <= set(product.listed_months) <= set(MONTH_CODES)
    assert product.roll_days > 0
    grid = float(product.tick_size) * 1000
    assert product.price_format.parse(product.price_format.format(grid)) == pytest.approx(grid)


@pytest.mark.parametrize("root", SPECS)
def test_contracts_of_a_root_end_in_order_and_on_business_days(root: str) -> None:
    active = SPECS[root].active_months
    months = [(year, month_of_code(code)) for year in range(2017, 2030) for code in active]
    ends = [expiry(root, year, month) for year, month in months]
    assert all(before < after for before, after in pairwise(ends))
    if root != "BZ":
        assert all(is_business_day(day) for day in ends)
    for (year, month), last in zip(months, ends, strict=True):
        notice = first_notice(root, year, month)
        assert roll_date(root, year, month) < (last if notice is None else min(last, notice))


@pytest.mark.parametrize(
    ("root", "day", "symbol"),
    [
        # CME's roll dates: until 2022 the second Thursday, then the Monday of expiry week.
        ("ES", "2014-12-10", "/ESZ14"),
        ("ES", "2014-12-11", "/ESH15"),
        ("ES", "2022-03-09", "/ESH22"),
        ("ES", "2022-03-10", "/ESM22"),
        ("ES", "2024-12-15", "/ESZ24"),
        ("ES", "2024-12-16", "/ESH25"),
        ("CL", "2024-12-13", "/CLF25"),
        ("CL", "2024-12-14", "/CLG25"),
        ("GC", "2025-01-25", "/GCG25"),
        ("GC", "2025-01-26", "/GCJ25"),
        ("ZN", "2025-02-24", "/ZNM25"),
        ("6E", "2025-01-02", "/6EH25"),
    ],
)
def test_the_active_contract_changes_on_the_roll_date(root: str, day: str, symbol: str) -> None:
    assert active_contract(root, date.fromisoformat(day)).to_schwab() == symbol


@settings(deadline=None)
@given(st.sampled_from(sorted(SPECS)), st.dates(date(2016, 1, 1), date(2035, 1, 1)))
def test_the_active_contract_trades_and_is_followed_by_later_ones(root: str, day: date) -> None:
    chain = list(islice(contract_chain(root, day), 4))
    ends = [expiry(root, item.year, item.month) for item in chain]
    assert day < ends[0]
    assert all(before < after for before, after in pairwise(ends))
    before = active_contract(root, day - timedelta(days=1))
    assert (before.year, before.month) <= (chain[0].year, chain[0].month)


def test_unknown_roots_and_unlisted_months_are_refused_with_a_way_on() -> None:
    with pytest.raises(UnknownSymbol, match=r"root 'ESX', known are ES, MES.*Did you mean /ES"):
        spec("ESX")
    with pytest.raises(UnknownSymbol, match="root 'QQQQQ'"):
        active_contract("QQQQQ", date(2025, 1, 2))
    with pytest.raises(InputError, match=r"/ESF25 does not exist: E-mini S&P 500 lists .* HMUZ"):
        expiry("ES", 2025, 1)
    with pytest.raises(InputError, match="/ESF25 does not exist"):
        first_notice("/es", 2025, 1)


def test_prices_are_measured_in_ticks() -> None:
    assert is_on_tick("ES", 6000.25)
    assert not is_on_tick("ES", 6000.3)
    assert is_on_tick("6J", 0.0067125)
    assert is_on_tick("HG", 4.1235)
    assert round_to_tick("ES", 6000.3) == Decimal("6000.25")
    assert round_to_tick("CL", Decimal("-37.634")) == Decimal("-37.63")
    assert ticks("ZN", 110.515625 - 110.5) == 1


def test_business_days_outside_the_known_years_are_refused() -> None:
    for day in (date(1984, 12, 31), date(2101, 1, 3)):
        with pytest.raises(InputError, match=f"no holidays are known for {day}"):
            is_business_day(day)


def test_month_letters_and_numbers_name_each_other() -> None:
    assert [month_code(month) for month in range(1, 13)] == list("FGHJKMNQUVXZ")
    assert [month_of_code(code) for code in "FGHJKMNQUVXZ"] == list(range(1, 13))
    for wrong in ("A", "", "FG"):
        with pytest.raises(InputError, match="is not a delivery month, expected one of FGHJ"):
            month_of_code(wrong)


def test_business_days_keep_one_off_closures_of_the_stock_market() -> None:
    # CME settled on these days although the NYSE was closed.
    for day in ("2012-10-29", "2018-12-05", "2025-01-09"):
        assert is_business_day(date.fromisoformat(day))
    # SIFMA's bond holidays Columbus Day and Veterans Day are business days at CBOT.
    assert is_business_day(date(2024, 10, 14))
    assert is_business_day(date(2024, 11, 11))
    assert business_days(date(2024, 12, 23), date(2024, 12, 27)) == [
        date(2024, 12, 23),
        date(2024, 12, 24),
        date(2024, 12, 26),
        date(2024, 12, 27),
    ]
