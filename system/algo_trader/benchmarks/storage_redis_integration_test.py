"""Judge that the way through Redis has its line, and that both sides get all ticks out."""

from system.algo_trader.benchmarks.storage_redis import run, ticks


def test_the_way_of_ticks_has_its_line_with_a_peer_over_a_real_server() -> None:
    [row] = run(1_050)
    assert row.budget == 2e5
    assert row.ours > 0
    assert row.peer is not None
    assert row.peer_name is not None
    assert "XADD" in row.peer_name
    assert sum(frame.num_rows for frame in ticks(1_050)) == 1_050
