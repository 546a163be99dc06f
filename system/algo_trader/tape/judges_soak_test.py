"""Judge Lee-Ready by tclf, implied volatility by vollib, American prices by QuantLib, elsewhere.

They need numpy 1.26, which has no wheel past CPython 3.12, while Bazel's interpreter is newer. So
this is no target of the integration config: `.ci/run` runs it with pytest, and so can anybody whose
Python is 3.11 or 3.12.
"""

import math
import subprocess
import sys
import venv
from pathlib import Path

import numpy as np
import pytest

from system.algo_trader.options.american import american_price, fast_american_greeks
from system.algo_trader.options.american_scheme import FAST
from system.algo_trader.options.black import greeks
from system.algo_trader.options.implied import implied_volatility
from system.algo_trader.tape.classify import classify, prevailing_quotes
from system.algo_trader.tape.columns import Quotes, Trades
from system.algo_trader.tape.sides import Rule

ROOT = Path(__file__).resolve().parents[3]
LOCK = ROOT / "requirements_judges_tape_lock.txt"
TRADES = 1_000_000
OPTIONS = 100_000
AMERICAN = 500
RATE, YIELD = 0.043, 0.013

TCLF = """
import sys
import numpy as np
from tclf.classical_classifier import ClassicalClassifier
rows = np.load(sys.argv[1])
names = ["trade_price", "bid_ex", "ask_ex", "price_ex_lag"]
judge = ClassicalClassifier(layers=[("lr", "ex")], features=names, strategy="const")
np.save(sys.argv[2], judge.fit(rows).predict(rows))
"""
VOLLIB = """
import sys
import numpy as np
from vollib.black_scholes_merton.implied_volatility import implied_volatility
rows = np.load(sys.argv[1]).tolist()
found = [implied_volatility(*row, "c" if call else "p") for *row, call in rows]
np.save(sys.argv[2], found)
"""
QUANTLIB = """
import sys
import numpy as np
import QuantLib as ql
today, count = ql.Date(1, 1, 2020), ql.Actual365Fixed()
ql.Settings.instance().evaluationDate = today
scheme = ql.QdFpAmericanEngine.highPrecisionScheme()
def flat(rate):
    return ql.YieldTermStructureHandle(ql.FlatForward(today, rate, count))
def price(spot, days, sigma, rate, pays, call):
    vol = ql.BlackConstantVol(today, ql.NullCalendar(), sigma, count)
    process = ql.BlackScholesMertonProcess(
        ql.QuoteHandle(ql.SimpleQuote(spot)), flat(pays), flat(rate),
        ql.BlackVolTermStructureHandle(vol),
    )
    payoff = ql.PlainVanillaPayoff(ql.Option.Call if call else ql.Option.Put, 100.0)
    option = ql.VanillaOption(payoff, ql.AmericanExercise(today, today + int(days)))
    option.setPricingEngine(ql.QdFpAmericanEngine(process, scheme))
    return option.NPV()
np.save(sys.argv[2], [price(*row) for row in np.load(sys.argv[1]).tolist()])
"""


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an environment that holds the judges of the lock and nothing else."""
    folder = tmp_path_factory.mktemp("judges")
    venv.create(folder, with_pip=True)
    python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    subprocess.run(
        [python, "-m", "pip", "install", "-q", "--require-hashes", "-r", LOCK],
        check=True,
        timeout=240,
    )
    return python


def asked(judge: Path, script: str, rows: np.ndarray, folder: Path) -> np.ndarray:
    np.save(folder / "asked.npy", rows)
    subprocess.run(
        [judge, "-c", script, folder / "asked.npy", folder / "told.npy"], check=True, timeout=240
    )
    found: np.ndarray = np.load(folder / "told.npy")
    return found


def last_other_price(price: np.ndarray) -> np.ndarray:
    """Return the last price before each trade that differs from its own, NaN before the first."""
    rows = np.arange(price.size)
    moved = np.concatenate([[False], price[1:] != price[:-1]])
    last_move = np.maximum.accumulate(np.where(moved, rows, 0))
    return np.where(last_move > 0, price[np.maximum(last_move - 1, 0)], np.nan)


def test_a_million_trades_have_the_side_that_tclf_tells(judge: Path, tmp_path: Path) -> None:
    draw = np.random.default_rng(88)
    middle = 4_000 + np.cumsum(draw.integers(-1, 2, TRADES))
    spread = draw.integers(1, 8, TRADES)
    spread[draw.random(TRADES) < 0.01] *= -1  # one quote in a hundred is crossed
    bid = middle - spread // 2
    ask = bid + spread
    # At, between and outside of the quote, the middle and repeated prices among them.
    price = bid + np.rint(draw.uniform(-0.4, 1.4, TRADES) * np.abs(spread)).astype(np.int64)
    again = draw.random(TRADES) < 0.2
    again[0] = False
    kept = np.maximum.accumulate(np.where(again, 0, np.arange(TRADES)))
    price = price[kept]
    time = np.arange(1, TRADES + 1) * 10
    trades = Trades.of(time, price, np.ones(TRADES), tick_size=1.0, sampled=False)
    quotes = Quotes.of(time - 1, bid, ask, tick_size=1.0)
    ours = classify(trades, prevailing_quotes(trades, quotes), Rule.LEE_READY).side
    rows = np.column_stack([price, bid, ask, last_other_price(price)]).astype(np.float64)
    theirs = asked(judge, TCLF, rows, tmp_path)
    assert min(np.count_nonzero(ours == side) for side in (-1, 1)) > TRADES // 4
    assert np.count_nonzero(2 * price == bid + ask) > TRADES // 20
    assert np.count_nonzero(ours != theirs) == 0


def test_options_with_a_yield_have_the_volatility_that_vollib_finds(
    judge: Path, tmp_path: Path
) -> None:
    draw = np.random.default_rng(21)
    years = np.exp(draw.uniform(math.log(1 / 365), math.log(2), OPTIONS))
    sigma = draw.uniform(0.05, 1.2, OPTIONS)
    spot = draw.uniform(20, 6_000, OPTIONS)
    forward = spot * np.exp((RATE - YIELD) * years)
    strike = forward * np.exp(draw.uniform(-2, 2, OPTIONS) * sigma * np.sqrt(years))
    call = draw.random(OPTIONS) < 0.5
    made = greeks(spot, strike, years, sigma, call, rate=RATE, dividend_yield=YIELD)
    discount = np.exp(-RATE * years)
    ours = implied_volatility(made.price, forward, strike, years, call, discount=discount)
    intrinsic = discount * np.maximum(np.where(call, forward - strike, strike - forward), 0)
    told = (made.price - intrinsic > 0.01) & (made.vega > 1e-4)
    assert np.count_nonzero(told) > 90_000
    same = [np.full(OPTIONS, each) for each in (RATE, YIELD)]
    rows = np.column_stack([made.price, spot, strike, years, *same, call])[told]
    theirs = asked(judge, VOLLIB, rows, tmp_path)
    assert np.count_nonzero(np.isnan(ours.volatility)) == np.count_nonzero(
        np.isnan(ours.volatility[~told])
    )
    assert np.max(np.abs(theirs - ours.volatility[told])) < 1e-8
    # Where time value or vega say too little about the volatility, the premium comes back.
    rest = ~told & np.isfinite(ours.volatility)
    again = greeks(
        spot, strike, years, ours.volatility, call, rate=RATE, dividend_yield=YIELD
    ).price
    assert np.max(np.abs(again - made.price)[rest]) < 1e-8
    # No volatility is missing but where rounding left no time value at all.
    missing = np.isnan(ours.volatility)
    assert np.max((made.price - intrinsic)[missing], initial=0) < 1e-9


def test_american_options_have_the_price_of_quantlibs_fixed_point_engine(
    judge: Path, tmp_path: Path
) -> None:
    draw = np.random.default_rng(62)
    days = np.rint(np.exp(draw.uniform(math.log(1), math.log(1_000), AMERICAN)))
    sigma = draw.uniform(0.06, 1.0, AMERICAN)
    rate, pays = draw.uniform(0.001, 0.09, AMERICAN), draw.uniform(0, 0.09, AMERICAN)
    spot = 100 * np.exp(draw.uniform(-3, 3, AMERICAN) * sigma * np.sqrt(days / 365))
    call = draw.random(AMERICAN) < 0.5
    given = (spot, 100.0, days / 365, sigma, call)
    ours = american_price(*given, rate=rate, dividend_yield=pays)
    fast = fast_american_greeks(*given, rate=rate, dividend_yield=pays, scheme=FAST).price
    rows = np.column_stack([spot, days, sigma, rate, pays, call]).astype(np.float64)
    theirs = asked(judge, QUANTLIB, rows, tmp_path)
    assert np.count_nonzero(np.isnan(ours)) == 0
    premium = ours - greeks(*given, rate=rate, dividend_yield=pays).price
    assert np.count_nonzero(premium > 0.01) > AMERICAN // 4
    assert np.quantile(np.abs(ours - theirs), 0.95) < 5e-5
    assert np.max(np.abs(ours - theirs)) < 2e-3
    assert np.quantile(np.abs(fast - theirs), 0.95) < 2e-3
