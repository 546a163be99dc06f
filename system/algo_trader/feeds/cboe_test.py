"""Judge the reading of Cboe's quote tables by a small one and by its broken variants."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from infrastructure.clock import ns_from_utc, utc_from_ns
from infrastructure.errors import InputError, NoDataError, StackError, UnknownSymbol
from system.algo_trader.feeds.cboe import HEADINGS, parse_cboe, quoted_ns, read_cboe

ABOUT = "Standard & Poors 500 Index,Last: 4000.5,Change:  -1.25"
MOMENT = '"Date: June 11, 2022, 8:47 PM EDT",Bid: 3990,Ask: 4010,Size: 1*1,Volume: 0'
EXPIRED = (
    "Fri Jun 10 2022,SPXW220610C04000000,1,0,0.9,1.1,5,0.2,0.5,0.01,7,4000.00,"
    "SPXW220610P04000000,2,0,1.9,2.1,6,0.21,-0.5,0.01,8"
)
MORNING = (
    "Fri Jun 17 2022,SPX220617C04000000,50,0.5,49,51,100,0.25,0.52,0.002,1000,4000.00,"
    "SPX220617P04000000,48,0,47,49,200,0,-0.48,0.002,2000"
)
EVENING = (
    "Fri Jun 17 2022,SPXW220617C04012500,44,0.5,43,45,0,0.25,0.5,0.002,0,4012.50,"
    "SPXW220617P04012500,0,0,0,0.05,0,0,0,0,0"
)


def table(*rows: str, about: str = ABOUT, moment: str = MOMENT) -> str:
    return "\n".join(["", about, moment, ",".join(HEADINGS), *rows, ""])


def test_a_table_becomes_a_chain() -> None:
    found = parse_cboe(table(EXPIRED, MORNING, EVENING), "$SPX")
    chain = found.chain
    assert found.name == "Standard & Poors 500 Index"
    assert (chain.underlying, chain.spot, len(chain)) == ("SPX", 4000.5, 6)
    assert utc_from_ns(found.downloaded_ns) == datetime(2022, 6, 12, 0, 47, tzinfo=UTC)
    assert len(chain.alive()) == 4
    call = chain.alive().where(chain.alive().is_call & (chain.alive().strike == 4000))
    assert (call.bid[0], call.ask[0], call.last[0]) == (49, 51, 50)
    assert (call.volume[0], call.open_interest[0]) == (100, 1000)
    assert (call.vendor_volatility[0], call.vendor_delta[0], call.vendor_gamma[0]) == (
        0.25,
        0.52,
        0.002,
    )


def test_morning_and_evening_settlement_of_one_date_are_two_expiries() -> None:
    chain = parse_cboe(table(MORNING, EVENING), "SPX").chain
    assert [utc_from_ns(int(ns)).hour for ns in chain.expiries_ns] == [13, 20]
    assert chain.strike.tolist() == [4000, 4000, 4012.5, 4012.5]


def test_a_volatility_of_zero_is_missing() -> None:
    chain = parse_cboe(table(MORNING), "SPX").chain
    assert np.isnan(chain.vendor_volatility[~chain.is_call]).all()


def test_the_second_way_to_write_the_moment_is_read() -> None:
    spy = MORNING.replace("SPX220617", "SPY220617")
    text = table(
        spy,
        about="SPDR S&P 500 ETF Trust,Last: 450.81,Change:  3.85",
        moment='"Date: September 14, 2023 at 4:31 PM EDT",Bid: 450.81,"Volume: 71,039,449"',
    )
    found = parse_cboe(text, "spy")
    assert utc_from_ns(found.downloaded_ns) == datetime(2023, 9, 14, 20, 31, tzinfo=UTC)


@pytest.mark.parametrize(
    ("downloaded", "quoted"),
    [
        ("2022-06-12T00:47:00", "2022-06-10T20:15:00"),  # Saturday night: Friday's close
        ("2023-09-14T20:31:00", "2023-09-14T20:15:00"),
        ("2023-09-14T15:00:00", "2023-09-14T15:00:00"),
        ("2024-11-29T21:00:00", "2024-11-29T18:15:00"),  # a half day
    ],
)
def test_quotes_hold_for_the_last_moment_of_trading(downloaded: str, quoted: str) -> None:
    at, expected = (
        ns_from_utc(datetime.fromisoformat(x).replace(tzinfo=UTC)) for x in (downloaded, quoted)
    )
    assert quoted_ns(at) == expected


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("", InputError, "is no Cboe quote table"),
        ("time,open,high\n1,2,3\n4,5,6\n", InputError, "has not the headings"),
        (table(MORNING, about="SPX,Last:,Change"), InputError, "last price"),
        (table(MORNING, moment="Bid: 1"), InputError, "when it was taken"),
        (
            table(MORNING, moment='"Date: Juno 11, 2022, 8:47 PM EDT"'),
            InputError,
            "is no date",
        ),
        (table(), NoDataError, "holds no option"),
        (table(MORNING, "Fri Jun 17 2022,x"), InputError, "line 6: 2 cells, expected 22"),
        (table(MORNING.replace("49,51", "n/a,51")), InputError, "line 5: could not convert"),
        (table(MORNING.replace("SPX220617P", "SPX220617C")), InputError, "does not belong"),
        (table(MORNING.replace("4000.00", "4001.00")), InputError, "does not belong"),
        (table(MORNING.replace("SPX220617C04000000", "SPX")), InputError, "line 5: 'SPX'"),
        (table(MORNING, MORNING), InputError, "twice"),
    ],
)
def test_what_is_no_quote_table_is_refused_in_one_sentence(
    text: str, error: type[StackError], message: str
) -> None:
    with pytest.raises(error, match=message):
        parse_cboe(text, "SPX")


def test_a_table_about_another_underlying_names_it() -> None:
    with pytest.raises(UnknownSymbol, match=r"options on SPX, not on SPY\. Ask for SPX\."):
        parse_cboe(table(MORNING), "SPY")


def test_a_file_is_read_or_said_to_be_missing_or_no_text(tmp_path: Path) -> None:
    path = tmp_path / "quotes.csv"
    with pytest.raises(InputError, match="there is no file"):
        read_cboe(path, "SPX")
    path.write_bytes(b"\xff\xfe\x00PNG")
    with pytest.raises(InputError, match="cannot read"):
        read_cboe(path, "SPX")
    path.write_text(table(MORNING), encoding="utf-8")
    assert len(read_cboe(path, "SPX").chain) == 2
