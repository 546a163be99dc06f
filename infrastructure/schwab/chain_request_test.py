"""Every parameter of the chain endpoint, judged by the specification's own list and words."""

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from schwab.client import Client

from infrastructure.errors import UsageError
from infrastructure.schwab import chain_words as words
from infrastructure.schwab.chain_request import ChainWords, chain_request

ALL: ChainWords = {
    "contract_type": "call",
    "strike_count": 7,
    "strike_range": "ntm",
    "strike": 190.5,
    "from_date": date(2025, 12, 1),
    "to_date": date(2026, 2, 1),
    "expiry_month": "january",
    "option_kind": "s",
    "strategy": "ANALYTICAL",
    "volatility": 29.0,
    "underlying_price": 188.25,
    "interest_rate": 4.5,
    "days_to_expiration": 12,
    "entitlement": "pn",
    "underlying_quote": True,
}
SPECIFIED = {  # schwab-api.md §2.1, row /chains
    "symbol",
    "contractType",
    "strikeCount",
    "includeUnderlyingQuote",
    "strategy",
    "interval",
    "strike",
    "range",
    "fromDate",
    "toDate",
    "volatility",
    "underlyingPrice",
    "interestRate",
    "daysToExpiration",
    "expMonth",
    "optionType",
    "entitlement",
}


def test_every_parameter_of_the_specification_is_sent_by_its_name() -> None:
    analytical = chain_request("aapl", **ALL).params()
    spread = chain_request("AAPL", strategy="VERTICAL", interval=2.5).params()
    assert {*analytical, *spread} == SPECIFIED
    assert analytical["expMonth"] == "JAN"
    assert analytical["includeUnderlyingQuote"] == "true"
    assert (analytical["strike"], analytical["toDate"]) == ("190.5", "2026-02-01")
    assert spread == {
        "symbol": "AAPL",
        "contractType": "ALL",
        "strategy": "VERTICAL",
        "interval": "2.5",
    }
    assert chain_request("AAPL").params() == {"symbol": "AAPL", "contractType": "ALL"}


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (words.ContractType, Client.Options.ContractType),
        (words.StrikeRange, Client.Options.StrikeRange),
        (words.ChainStrategy, Client.Options.Strategy),
        (words.ExpiryMonth, Client.Options.ExpirationMonth),
        (words.Entitlement, Client.Options.Entitlement),
        (words.MoverIndex, Client.Movers.Index),
        (words.MoverSort, Client.Movers.SortOrder),
    ],
)
def test_the_words_are_those_of_schwab_py(ours: Any, theirs: Any) -> None:
    assert {word.value for word in ours} >= {word.value for word in theirs}


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"volatility": 20.0}, "ANALYTICAL"),
        ({"underlying_price": 20.0, "strategy": "VERTICAL"}, "ANALYTICAL"),
        ({"interest_rate": 2.0}, "ANALYTICAL"),
        ({"days_to_expiration": 3}, "ANALYTICAL"),
        ({"interval": 5.0}, "distance between the strikes"),
        ({"interval": 5.0, "strategy": "ANALYTICAL"}, "distance between the strikes"),
        ({"interval": -1.0, "strategy": "CONDOR"}, "not positive"),
        ({"strike": float("nan")}, "no finite number"),
        ({"strike_count": True}, "no whole number"),
        ({"strategy": "VERTICL"}, "Did you mean 'VERTICAL'"),
        ({"expiry_month": "JANU"}, "Did you mean 'JAN'"),
        ({"strike_range": "OOTM"}, "Did you mean 'OTM'"),
        ({"option_kind": "weekly"}, "is none of S, NS, ALL"),
        ({"entitlement": "PRO"}, "is none of"),
        ({"from_date": "2025-01-01"}, "is no day"),
        ({"strikes": 3}, "no parameter of a chain"),
        (
            {
                "from_date": date(2025, 11, 3),
                "to_date": date(2026, 1, 9),
                "expiry_month": "FEB",
            },
            "there is no FEB",
        ),
    ],
)
def test_a_combination_that_cannot_be_meant_is_refused_with_the_reason(
    asked: dict[str, Any], reason: str
) -> None:
    with pytest.raises(UsageError, match=reason):
        chain_request("AAPL", **asked)


@given(
    st.dates(date(2020, 1, 1), date(2030, 1, 1)),
    st.integers(0, 800),
    st.sampled_from([month for month in words.ExpiryMonth if month != "ALL"]),
)
def test_a_month_is_refused_exactly_when_no_day_of_the_dates_is_in_it(
    first: date, days: int, month: words.ExpiryMonth
) -> None:
    span = [date.fromordinal(first.toordinal() + i) for i in range(days + 1)]
    names = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
    possible = month.value in {names[day.month - 1] for day in span}
    try:
        chain_request("AAPL", from_date=first, to_date=span[-1], expiry_month=month)
    except UsageError:
        assert not possible
    else:
        assert possible
