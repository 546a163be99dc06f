"""Judge what of the time without a connection is a gap."""

import pytest

from system.algo_trader.feeds.live import GapEvent
from system.algo_trader.pipeline.presence import CONNECTED_LATE, STOPPED_WITHOUT, Presence

S = 1_000_000_000
BEGUN = 1_710_163_800 * S
PATIENCE = 5 * S


def presence() -> Presence:
    return Presence(BEGUN, PATIENCE)


@pytest.mark.parametrize(("after", "gaps"), [(PATIENCE, 0), (PATIENCE + 1, 2)])
def test_a_first_connection_may_take_its_time_and_no_longer(after: int, gaps: int) -> None:
    found = presence().connected(["A", "B"], BEGUN + after)
    expected = [GapEvent(name, CONNECTED_LATE, BEGUN, BEGUN + after, None) for name in "AB"]
    assert found == expected[:gaps]


def test_who_never_connected_has_missed_everything() -> None:
    [gap] = presence().ended(["A"], BEGUN + 60 * S)
    assert gap == GapEvent("A", STOPPED_WITHOUT, BEGUN, BEGUN + 60 * S, None)
    assert presence().ended(["A"], BEGUN + PATIENCE) == []


def test_later_connections_are_late_for_nobody() -> None:
    mine = presence()
    assert mine.connected(["A"], BEGUN + S) == []
    mine.cut(BEGUN + 20 * S)
    assert mine.connected(["A"], BEGUN + 90 * S) == []
    assert mine.ended(["A"], BEGUN + 99 * S) == []


def test_data_speak_for_a_connection_of_which_nobody_told() -> None:
    mine = presence()
    mine.heard(BEGUN + 60 * S)
    assert mine.connected(["A"], BEGUN + 61 * S) == []
    assert mine.ended(["A"], BEGUN + 99 * S) == []


def test_an_end_while_cut_is_a_gap_since_the_last_data() -> None:
    mine = presence()
    mine.connected(["A"], BEGUN)
    mine.heard(BEGUN + 10 * S)
    mine.cut(BEGUN + 16 * S)
    mine.cut(BEGUN + 18 * S)
    assert mine.ended(["A"], BEGUN + 16 * S) == []
    [gap] = mine.ended(["A"], BEGUN + 30 * S)
    assert (gap.start_ns, gap.end_ns) == (BEGUN + 10 * S, BEGUN + 30 * S)
