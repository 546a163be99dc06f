"""The benchmark of the stream's client: every size beside its peers, on one and the same state."""

from system.algo_trader.benchmarks.stream import FRAME_SIZES, RATIO, run


def test_every_size_of_frame_is_measured_beside_websockets_and_schwab_py() -> None:
    rows = run(2_000)
    assert len(rows) == 2 * len(FRAME_SIZES)
    assert [row.ratio_budget for row in rows] == [RATIO, None] * len(FRAME_SIZES)
    for row in rows:
        assert row.ours > 0
        assert row.ratio is not None
