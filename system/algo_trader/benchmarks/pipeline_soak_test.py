"""Ten minutes of the whole pipeline: nothing lost, and memory as it was.

PIPELINE_SOAK_S in the environment says how many seconds it lasts, ten minutes without it.
"""

import os

import pytest

from system.algo_trader.benchmarks.pipeline_counts import Plan
from system.algo_trader.benchmarks.pipeline_run import measure

SECONDS = float(os.environ.get("PIPELINE_SOAK_S", "600"))


@pytest.mark.timeout(SECONDS + 600)
def test_ten_minutes_of_ten_thousand_updates_a_second() -> None:
    counted = measure(Plan(seconds=SECONDS, bursts=5))
    print(counted)
    assert counted.lost == 0
    assert counted.gaps == 0
    assert counted.rss_growth < 0.05
