"""The benchmarks of the stream's client: every line beside its peers, on one and the same state."""

from system.algo_trader.benchmarks import stream_latency
from system.algo_trader.benchmarks.stream import FRAME_SIZES, RATIO, run


def test_every_size_of_frame_is_measured_beside_websockets_and_schwab_py() -> None:
    rows = run(2_000)
    assert len(rows) == 2 * len(FRAME_SIZES) + 2
    assert [row.ratio_budget for row in rows].count(RATIO) == len(FRAME_SIZES)
    for row in rows:
        assert row.ours > 0
        assert row.ratio is not None


def test_delays_and_losses_are_measured_over_a_socket_beside_websockets() -> None:
    rows = {row.name.split(",")[0]: row for row in stream_latency.run(2_000, 1.0, 10)}
    for share in ("p50", "p99"):
        row = rows[f"{share} socket to state at 2"]
        assert row.ours > 0
        assert row.peer is not None
    assert rows["updates sent"].ours == rows["updates received"].ours == 2_000
    assert rows["updates lost"].ours == 0
