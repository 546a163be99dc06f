"""How many streams there may be, and which of them end early."""

from __future__ import annotations

import pytest

from infrastructure.clock import VirtualClock
from system.algo_trader.api.flight.streams import (
    MOST_OF_A_KEY,
    MOST_STREAMS,
    STILL_S,
    Stream,
    Streams,
)
from system.algo_trader.api.operations.problem import Problem


class Keys:
    """Hold which keys are valid."""

    def __init__(self) -> None:
        self.ended: set[str] = set()

    def begin(self, streams: Streams, key_id: str) -> Stream:
        return streams.begin(key_id, lambda: key_id not in self.ended)


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(1_700_000_000 * 10**9)


@pytest.fixture
def streams(clock: VirtualClock) -> Streams:
    return Streams(clock)


@pytest.fixture
def keys() -> Keys:
    return Keys()


def refused(streams: Streams, key_id: str) -> Problem:
    with pytest.raises(Problem) as caught:
        streams.begin(key_id, lambda: True)
    return caught.value


def full(streams: Streams, keys: Keys) -> list[Stream]:
    return [keys.begin(streams, f"k{n // MOST_OF_A_KEY}") for n in range(MOST_STREAMS)]


def test_one_key_leaves_places_for_others(streams: Streams, keys: Keys) -> None:
    mine = [keys.begin(streams, "mine") for _ in range(MOST_OF_A_KEY)]
    problem = refused(streams, "mine")
    assert (problem.status, problem.retry_after_s) == (429, 1)
    keys.begin(streams, "other")
    streams.end(mine[0])
    keys.begin(streams, "mine")


def test_all_keys_together_have_no_more_than_there_are(streams: Streams, keys: Keys) -> None:
    held = full(streams, keys)
    problem = refused(streams, "another")
    assert (problem.status, problem.retry_after_s) == (503, 1)
    streams.end(held[0])
    keys.begin(streams, "another")


def test_the_streams_of_a_key_that_ended_break_off_and_give_their_places(
    streams: Streams, keys: Keys
) -> None:
    held = full(streams, keys)
    keys.ended.add("k0")
    streams.look()
    with pytest.raises(Problem, match="this key has ended") as caught:
        held[0].asked()
    assert caught.value.status == 401
    held[-1].asked()
    keys.begin(streams, "another")


def test_a_stream_that_stands_still_gives_its_place_but_counts_for_its_key(
    streams: Streams, keys: Keys, clock: VirtualClock
) -> None:
    held = full(streams, keys)
    for each in held:
        each.given()
    clock.advance(seconds=STILL_S - 1)
    held[-1].asked()
    held[-1].given()
    clock.advance(seconds=1)
    streams.look()
    with pytest.raises(Problem, match="for 60 seconds") as caught:
        held[0].asked()
    assert caught.value.status == 408
    held[-1].asked()
    keys.begin(streams, "another")
    assert refused(streams, "k0").status == 429


def test_the_time_that_a_page_takes_is_not_the_callers(
    streams: Streams, keys: Keys, clock: VirtualClock
) -> None:
    stream = keys.begin(streams, "mine")
    clock.advance(seconds=2 * STILL_S)
    streams.look()
    stream.asked()
    stream.given()
    stream.asked()
    clock.advance(seconds=2 * STILL_S)
    streams.look()
    stream.asked()


def test_no_stream_goes_on_or_begins_at_the_end(streams: Streams, keys: Keys) -> None:
    stream = keys.begin(streams, "mine")
    streams.close()
    with pytest.raises(Problem, match="the service ends"):
        stream.asked()
    assert refused(streams, "mine").status == 503
