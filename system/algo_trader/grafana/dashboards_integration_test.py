"""Every query of every dashboard runs through Flight SQL as Grafana sends it, and finds rows.

The macros, the variables and the Arrow rules are those of the stand-in Grafana, which is our
reading of Grafana's source; a real Grafana was not at hand.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pytest
import requests
from bokeh_sampledata import stocks

from infrastructure.grafana.lint import panels_of
from infrastructure.influxdb.embedded.limits import Limits, StrictCore
from infrastructure.influxdb.embedded.server import EmbeddedInfluxDB
from infrastructure.simulators.grafana.flight import frame_of, query_flight
from infrastructure.simulators.grafana.macros import QueryWindow, expand_macros
from infrastructure.simulators.grafana.templating import interpolate
from system.algo_trader.grafana.dashboards import load_dashboards
from system.algo_trader.storage.tables import TABLES

NEW_YORK = ZoneInfo("America/New_York")
INFLUX_TYPES = {
    "float": "float64",
    "integer": "int64",
    "string": "utf8",
    "boolean": "bool",
}
DASHBOARDS = {model["uid"]: model for model in load_dashboards()}


class Bar(NamedTuple):
    """One real daily bar; the time is midnight in New York, ns UTC."""

    time: int
    open: float
    high: float
    low: float
    close: float
    volume: int


def real_bars(symbol: str) -> list[Bar]:
    """Return the last 300 real daily bars of a symbol."""
    rows = getattr(stocks, symbol)
    columns = [rows[key][-300:] for key in ("date", "open", "high", "low", "close", "volume")]
    return [Bar(midnight_ns(day), *figures) for day, *figures in zip(*columns, strict=True)]


def midnight_ns(day: str) -> int:
    moment = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=NEW_YORK)
    return int(moment.timestamp()) * 1_000_000_000


def lines_of(symbol: str) -> Iterator[str]:
    for bar in real_bars(symbol):
        yield (
            f"candles,symbol={symbol},timeframe=1d,session=rth,source=simulator open={bar.open},"
            f"high={bar.high},low={bar.low},close={bar.close},volume={bar.volume}i,is_synthetic=f,"
            f"revision=0i,fetched_at={bar.time}i {bar.time}"
        )


def chain_lines(time: int) -> Iterator[str]:
    """Yield two chains a week apart, of which the later has another wall and one more strike."""
    for at, wall in ((time - 7 * 86_400_000_000_000, 4000), (time, 4100)):
        every = (
            f"spot=4050.5,gex=-1.5e9,flip=4020.25,call_wall={wall},put_wall=3900,atm_iv=0.21,"
            "iv_rank=55,iv_percentile=60,put_call_ratio=1.2,is_synthetic=f"
        )
        yield f"option_metrics,underlying=SPX,expiry=all,source=cboe {every} {at}"
        for day, volatility in (("2013-03-15", 0.22), ("2013-04-19", 0.2)):
            one = f"gex=-7e8,max_pain=4000,atm_iv={volatility},expected_move=99,is_synthetic=f"
            yield f"option_metrics,underlying=SPX,expiry={day},source=cboe {one} {at}"
        for strike in (900, 4000, wall):
            tags = f"underlying=SPX,expiry=all,strike={strike},source=cboe"
            held = f"gex={strike - 4050},call_gex={strike},put_gex=-4050,is_synthetic=f"
            yield f"option_exposure,{tags} {held} {at}"


def run_lines(time: int) -> Iterator[str]:
    whole = (
        'run_id="r1",fetched=600i,new=600i,unchanged=0i,revised=0i,rejected=1i,gaps=0i,splits=0i,'
        "written=600i,read_back=600i,latency_ms=12.5,failed=f,token_age_s=3600"
    )
    yield f"pipeline_metrics,job=main {whole} {time}"
    for symbol in ("AAPL", "MSFT"):
        yield f"pipeline_metrics,job=main,symbol={symbol},timeframe=1d {whole} {time}"


def stream_lines(time: int) -> Iterator[str]:
    """Yield the figures of one run of the stream at two moments, and a minute that it built."""
    for step, at in enumerate((time - 86_400_000_000_000, time), 1):
        whole = (
            f'run_id="s1",fetched={9_000 * step}i,new={8_990 * step}i,rejected={step}i,gaps=2i,'
            f"gaps_open=1i,gaps_backfilled=1i,gaps_lost=0i,gaps_suspected=0i,bars={70 * step}i,"
            "reconnects=1i,waiting_redis=3i,waiting_archive=0i,lag_ms=4.5,lag_tail_ms=20.5,failed=f"
        )
        yield f"pipeline_metrics,job=stream {whole} {at}"
        service = (
            f'run_id="s1",service="CHART_EQUITY",fetched={60 * step}i,gaps=1i,missing=2i,'
            "gap_s=61.5,"
            "gaps_backfilled=1i,gaps_lost=0i,gaps_suspected=0i,failed=f"
        )
        yield f"pipeline_metrics,job=stream/CHART_EQUITY {service} {at}"
        yield f'pipeline_metrics,job=stream/rule/spike run_id="s1",rejected={step}i,failed=f {at}'
    yield (
        "candles,symbol=MSFT,timeframe=1m,session=rth,source=schwab-live open=28,high=29,low=27,"
        f"close=28,volume=1200i,is_synthetic=f,revision=0i,fetched_at={time}i {time}"
    )


def make_tables(url: str, database: str) -> None:
    requests.post(
        f"{url}/api/v3/configure/database", json={"db": database}, timeout=10
    ).raise_for_status()
    for table in TABLES:
        requests.post(
            f"{url}/api/v3/configure/table",
            json={
                "db": database,
                "table": table.name,
                "tags": [column.name for column in table.tags],
                "fields": [
                    {"name": column.name, "type": INFLUX_TYPES[column.kind]}
                    for column in table.fields
                ],
            },
            timeout=10,
        ).raise_for_status()


@pytest.fixture(scope="module", params=[None, StrictCore(3)], ids=["lenient", "strict-core"])
def store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Return the URL of an embedded server with a filled and an empty database, in both modes."""
    limits = Limits(strict=request.param)
    with EmbeddedInfluxDB(tmp_path_factory.mktemp("influxdb"), limits=limits) as server:
        for database in ("algo_trader", "empty"):
            make_tables(server.url, database)
        last = real_bars("AAPL")[-1].time
        text = "\n".join(
            [
                *lines_of("AAPL"),
                *lines_of("MSFT"),
                *run_lines(last),
                *chain_lines(last),
                *stream_lines(last),
            ]
        )
        requests.post(
            f"{server.url}/api/v3/write_lp",
            params={"db": "algo_trader", "precision": "nanosecond"},
            data=text.encode(),
            timeout=30,
        ).raise_for_status()
        yield server.url


@pytest.fixture(scope="module")
def window() -> QueryWindow:
    """Return the range of what is stored, in bins of a day."""
    times = [bar.time for bar in real_bars("AAPL")]
    return QueryWindow(times[0], times[-1], 86_400_000)


def ask(store: str, database: str, target: dict[str, Any], values: dict[str, str],
        window: QueryWindow) -> dict[str, Any] | None:  # fmt: skip
    sql = expand_macros(interpolate(target["rawSql"], values), window)
    table = query_flight(store, database, "", sql, 30)
    return frame_of(table, target["refId"], sql, target["format"])


def choices(store: str, model: dict[str, Any], window: QueryWindow) -> dict[str, str]:
    """Choose for each variable the value that Grafana would: the current, or the first one."""
    values: dict[str, str] = {}
    for variable in model["templating"]["list"]:
        if variable["type"] != "query":
            values[variable["name"]] = variable["current"]["value"]
            continue
        frame = ask(store, "algo_trader", variable["query"], values, window)
        assert frame is not None, f"${variable['name']} finds nothing"
        found = frame["data"]["values"][0]
        current = variable["current"]["value"]
        values[variable["name"]] = current if current in found else found[0]
    return values


QUERIES = [
    pytest.param(uid, target, id=f"{uid}-{panel['title']}-{target['refId']}")
    for uid, model in DASHBOARDS.items()
    for panel in panels_of(model)
    for target in panel.get("targets", [])
]


@pytest.mark.parametrize(("uid", "target"), QUERIES)
def test_the_panel_finds_rows_in_a_filled_store(
    store: str, window: QueryWindow, uid: str, target: dict[str, Any]
) -> None:
    values = choices(store, DASHBOARDS[uid], window)
    frame = ask(store, "algo_trader", target, values, window)
    assert frame is not None
    columns = frame["data"]["values"]
    assert columns
    assert len({len(column) for column in columns}) == 1
    assert any(value is not None for column in columns for value in column)


@pytest.mark.parametrize(("uid", "target"), QUERIES)
def test_the_panel_shows_its_no_value_text_over_an_empty_store(
    store: str, window: QueryWindow, uid: str, target: dict[str, Any]
) -> None:
    values = choices(store, DASHBOARDS[uid], window)
    frame = ask(store, "empty", target, values, window)
    if frame is not None:
        # An aggregate over nothing is one row; without any value the text is shown as well.
        assert all(value is None for column in frame["data"]["values"] for value in column)


def test_the_candles_are_the_real_rows_of_the_last_year(store: str, window: QueryWindow) -> None:
    model = DASHBOARDS["algo-symbol"]
    candles = next(panel for panel in model["panels"] if panel["type"] == "candlestick")
    values = choices(store, model, window)
    assert values["symbol"] == "AAPL"
    frame = ask(store, "algo_trader", candles["targets"][0], values, window)
    assert frame is not None
    names = [field["name"] for field in frame["schema"]["fields"]]
    assert names[:6] == ["time", "open", "high", "low", "close", "volume"]
    columns = dict(zip(names, frame["data"]["values"], strict=True))
    expected = real_bars("AAPL")
    assert columns["time"] == [bar.time // 1_000_000 for bar in expected]
    assert columns["close"] == [bar.close for bar in expected]
    assert columns["volume"] == [bar.volume for bar in expected]
    closes = columns["close"]
    assert columns["sma_20"][:19] == [None] * 19
    assert columns["sma_20"][19] == pytest.approx(sum(closes[:20]) / 20)
    assert columns["sma_50"][-1] == pytest.approx(sum(closes[-50:]) / 50)


def test_gamma_by_strike_is_that_of_the_newest_chain_by_rising_strike(
    store: str, window: QueryWindow
) -> None:
    model = DASHBOARDS["algo-gex"]
    values = choices(store, model, window)
    assert (values["symbol"], values["source"]) == ("SPX", "cboe")
    bars, terms = (panel for panel in model["panels"] if panel["type"] == "barchart")
    frame = ask(store, "algo_trader", bars["targets"][0], values, window)
    assert frame is not None
    assert frame["data"]["values"] == [["900", "4000", "4100"], [900, 4000, 4100], [-4050] * 3]
    frame = ask(store, "algo_trader", terms["targets"][0], values, window)
    assert frame is not None
    assert frame["data"]["values"] == [["2013-03-15", "2013-04-19"], [0.22, 0.2]]


def test_simulated_bars_are_called_simulated(store: str, window: QueryWindow) -> None:
    made_up = (
        "candles,symbol=AAPL,timeframe=1m,session=rth,source=simulator open=1,high=1,low=1,"
        f"close=1,volume=1i,is_synthetic=t,revision=0i,fetched_at=1i {window.to_ns}"
    )
    requests.post(
        f"{store}/api/v3/write_lp",
        params={"db": "algo_trader", "precision": "nanosecond"},
        data=made_up.encode(),
        timeout=30,
    ).raise_for_status()
    model = DASHBOARDS["algo-symbol"]
    stored = next(panel for panel in model["panels"] if panel["title"] == "What is stored")
    frame = ask(store, "algo_trader", stored["targets"][0], {"symbol": "AAPL"}, window)
    assert frame is not None
    names = [field["name"] for field in frame["schema"]["fields"]]
    rows = [
        dict(zip(names, row, strict=True)) for row in zip(*frame["data"]["values"], strict=True)
    ]
    assert {row["timeframe"]: row["bars_are"] for row in rows} == {"1d": "real", "1m": "simulated"}


def test_a_bin_below_one_second_fails_as_it_does_in_grafana(store: str) -> None:
    now = datetime(2013, 3, 1, tzinfo=UTC)
    start = now - timedelta(minutes=5)
    tight = QueryWindow(int(start.timestamp()) * 10**9, int(now.timestamp()) * 10**9, 200)
    assert "interval '0 second'" in expand_macros("SELECT $__dateBin(time)", tight)
