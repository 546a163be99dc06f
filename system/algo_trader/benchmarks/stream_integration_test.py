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
    sizes = (1, 5, 20)
    rows = {row.name: row for row in stream_latency.run(2_000, 1.0, sizes)}
    for size in sizes:
        what = f"at 2,000 updates/s, {size} a frame"
        for share in ("p50", "p99"):
            row = rows[f"{share} socket to state {what}"]
            assert row.ours > 0
            assert row.ratio is not None
        for name in ("sent", "received"):
            row = rows[f"updates {name} {what}"]
            assert row.ours == row.peer == 2_000
        row = rows[f"updates lost, by their numbers, {what}"]
        assert row.ours == row.peer == 0
