"""Judge implied volatility by Jaeckel's own algorithm, run by py_lets_be_rational elsewhere."""

import math
import subprocess
import sys
import venv
from pathlib import Path

import numpy as np
import pytest

from system.algo_trader.options.black import greeks_on_forward
from system.algo_trader.options.implied import implied_volatility

ROOT = Path(__file__).resolve().parents[3]
LOCK = ROOT / "requirements_judges_lock.txt"
RATE = 0.043
OPTIONS = 100_000

JUDGE = """
import sys
import numpy as np
from py_lets_be_rational import implied_volatility_from_a_transformed_rational_guess as solve
rows = np.load(sys.argv[1])
np.save(sys.argv[2], [solve(*row) for row in rows.tolist()])
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


def test_100_000_seeded_options_have_the_volatility_that_lets_be_rational_finds(
    judge: Path, tmp_path: Path
) -> None:
    draw = np.random.default_rng(20)
    years = np.exp(draw.uniform(math.log(0.25 / 365), math.log(540 / 365), OPTIONS))
    sigma = draw.uniform(0.05, 1.2, OPTIONS)
    forward = 6000 * np.exp(0.03 * years)
    strike = forward * np.exp(draw.uniform(-5, 5, OPTIONS) * sigma * np.sqrt(years))
    call = draw.random(OPTIONS) < 0.5
    discount = np.exp(-RATE * years)
    model = greeks_on_forward(forward, strike, years, sigma, call, rate=RATE)
    ours = implied_volatility(model.price, forward, strike, years, call, discount=discount)
    intrinsic = discount * np.maximum(np.where(call, forward - strike, strike - forward), 0)
    told = (model.price - intrinsic > 0.01) & (model.vega > 1e-4)
    assert np.count_nonzero(told) > 70_000
    assert np.count_nonzero(np.isnan(ours.volatility[told])) == 0
    columns = (model.price / discount, forward, strike, years, np.where(call, 1.0, -1.0))
    np.save(tmp_path / "asked.npy", np.column_stack(columns)[told])
    subprocess.run(
        [judge, "-c", JUDGE, tmp_path / "asked.npy", tmp_path / "told.npy"],
        check=True,
        timeout=240,
    )
    theirs = np.load(tmp_path / "told.npy")
    assert np.max(np.abs(theirs - ours.volatility[told])) < 1e-8
