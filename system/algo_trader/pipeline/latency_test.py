"""Judge quantiles against NumPy's of the durations themselves."""

import numpy as np
import pytest

from system.algo_trader.pipeline.latency import ERROR, Latencies


@pytest.mark.parametrize("share", [0.5, 0.9, 0.99, 0.999])
def test_quantiles_are_right_to_the_stated_error(share: float) -> None:
    durations = np.random.default_rng(5).lognormal(14, 1.5, 20_000).astype(np.int64)
    latencies = Latencies()
    for duration in durations.tolist():
        latencies.add(duration)
    exact = float(np.quantile(durations, share, method="inverted_cdf")) / 1e6
    found = latencies.quantile_ms(share)
    assert found is not None
    assert exact <= found <= exact * (1 + ERROR) * (1 + 1e-9)
    assert len(latencies) == 20_000


def test_without_durations_there_is_no_quantile() -> None:
    assert Latencies().quantile_ms(0.5) is None


def test_a_duration_below_the_least_counts_as_the_least() -> None:
    latencies = Latencies()
    latencies.add(-5)
    assert latencies.quantile_ms(1.0) == 0.001
