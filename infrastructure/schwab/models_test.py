import pytest

from infrastructure.clock import parse_rfc3339
from infrastructure.schwab.models import parse_instruments, parse_market_hours, parse_quotes
from infrastructure.schwab.wire import WireFormError

AAPL = {
    "assetMainType": "EQUITY",
    "assetSubType": "COE",
    "quoteType": "NBBO",
    "realtime": True,
    "ssid": 1973757747,
    "symbol": "AAPL",
    "quote": {
        "52WeekHigh": 199.62,
        "52WeekLow": 124.17,
        "askMICId": "ARCX",
        "askPrice": 181.6,
        "askSize": 200.0,
        "bidPrice": 181.5,
        "netPercentChange": 1.17,
        "totalVolume": 52_990_770,
        "securityStatus": "Normal",
        "brandNewKey": [1, 2],
        "volatility": "NaN",
    },
    "regular": {"regularMarketLastPrice": 181.56},
    "reference": {"description": "Apple Inc", "otcMarketTier": "?"},
    "fundamental": {"divFreq": 4, "peRatio": 28.0, "lastEarningsDate": "2024-01-01T00:00:00Z"},
    "extended": {"lastPrice": 181.0},
}


def test_a_quote_is_typed_in_all_its_blocks() -> None:
    quote = parse_quotes({"AAPL": AAPL})["AAPL"]
    assert (quote.symbol, quote.asset_main_type, quote.asset_sub_type) == ("AAPL", "EQUITY", "COE")
    assert quote.quote is not None
    assert quote.quote.week52_high == 199.62
    assert quote.quote.ask_mic_id == "ARCX"
    assert (quote.quote.ask_size, type(quote.quote.ask_size)) == (200, int)
    assert quote.quote.bid_size is None
    assert quote.regular is not None
    assert quote.regular.regular_market_last_price == 181.56
    assert quote.reference is not None
    assert quote.reference.description == "Apple Inc"
    assert quote.fundamental is not None
    assert quote.fundamental.div_freq == 4
    assert quote.extended is not None
    assert quote.extended.last_price == 181.0


def test_what_the_types_do_not_know_is_kept() -> None:
    quote = parse_quotes({"AAPL": {**AAPL, "later": {"a": 1}}})["AAPL"]
    assert quote.extra == {"later": {"a": 1}}
    assert quote.quote is not None
    assert quote.quote.extra == {"brandNewKey": [1, 2], "volatility": "NaN"}
    assert quote.quote.volatility is None
    assert quote.reference is not None
    assert quote.reference.extra == {"otcMarketTier": "?"}


def test_unknown_symbols_stand_beside_the_known() -> None:
    quotes = parse_quotes({"AAPL": AAPL, "errors": {"invalidSymbols": ["XXXX"]}})
    assert list(quotes) == ["AAPL"]
    assert "AAPL" in quotes
    assert "XXXX" not in quotes
    assert len(quotes) == 1
    assert quotes.invalid_symbols == ("XXXX",)


def test_a_quote_without_its_symbol_takes_the_maps_key() -> None:
    assert parse_quotes({"$SPX": {"assetMainType": "INDEX"}})["$SPX"].symbol == "$SPX"


def test_a_required_value_of_another_type_names_its_place() -> None:
    with pytest.raises(WireFormError, match=r"\$\.AAPL\.symbol"):
        parse_quotes({"AAPL": {"symbol": 5}})


@pytest.mark.parametrize("wrong", [[], "text", None])
def test_quotes_of_another_form_are_refused(wrong: object) -> None:
    with pytest.raises(WireFormError, match="expected an object"):
        parse_quotes(wrong)


OPEN_DAY = {
    "equity": {
        "EQ": {
            "date": "2013-02-28",
            "marketType": "EQUITY",
            "product": "EQ",
            "productName": "equity",
            "isOpen": True,
            "sessionHours": {
                "regularMarket": [
                    {"start": "2013-02-28T09:30:00-05:00", "end": "2013-02-28T16:00:00-05:00"}
                ]
            },
        }
    }
}


def test_market_hours_are_typed_down_to_the_instants() -> None:
    hours = parse_market_hours(OPEN_DAY)["equity"]["EQ"]
    assert hours.is_open
    assert hours.session_hours is not None
    (regular,) = hours.session_hours["regularMarket"]
    assert regular.start_ns == parse_rfc3339("2013-02-28T14:30:00Z")
    assert regular.end_ns == parse_rfc3339("2013-02-28T21:00:00Z")


def test_a_closed_day_has_no_session_hours() -> None:
    closed = {"equity": {"equity": {"date": "2013-03-02", "isOpen": False}}}
    hours = parse_market_hours(closed)["equity"]["equity"]
    assert not hours.is_open
    assert hours.session_hours is None


@pytest.mark.parametrize("wrong", [[], {"equity": []}, {"equity": {"EQ": {"isOpen": True}}}])
def test_hours_of_another_form_are_refused(wrong: object) -> None:
    with pytest.raises(WireFormError):
        parse_market_hours(wrong)


def test_instruments_keep_leading_zeros_and_ratios() -> None:
    entry = {
        "cusip": "037833100",
        "symbol": "AAPL",
        "description": "APPLE INC",
        "exchange": "NASDAQ",
        "assetType": "EQUITY",
        "fundamental": {"peRatio": 10.1},
        "type": "EQUITY",
    }
    (instrument,) = parse_instruments({"instruments": [entry]})
    assert instrument.cusip == "037833100"
    assert instrument.fundamental == {"peRatio": 10.1}
    assert instrument.extra == {"type": "EQUITY"}


def test_no_match_is_no_instruments() -> None:
    assert parse_instruments({"instruments": []}) == ()
    assert parse_instruments({}) == ()


@pytest.mark.parametrize("wrong", [[], {"instruments": {}}, {"instruments": [{"cusip": "1"}]}])
def test_instruments_of_another_form_are_refused(wrong: object) -> None:
    with pytest.raises(WireFormError):
        parse_instruments(wrong)
