"""Faults on demand, and the ledger that tells what each of them held back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from infrastructure.errors import InputError
from infrastructure.simulators.schwab.streamer.rules import StreamRules, unconflated
from infrastructure.simulators.schwab.streamer.session import ABRUPT
from infrastructure.simulators.schwab.streamer.testing import (
    EQUITIES,
    START_NS,
    Bench,
    Client,
    items_of,
)

CHART = "CHART_EQUITY"


@pytest.fixture
def bench() -> Bench:
    return Bench(StreamRules(interval_s=unconflated()))


@pytest.fixture
def client(bench: Bench) -> Client:
    client = bench.client()
    client.ask(CHART, "SUBS", keys="K1", fields="0,1,2")
    client.ask(EQUITIES, "SUBS", keys="K1,K2", fields="0,1,2,15")
    return client


def tell(bench: Bench, service: str, key: str = "K1", times: int = 1) -> None:
    for _ in range(times):
        bench.source.tell(bench.streamer, service, key)
        bench.pass_s(0.1)


def test_a_dropped_frame_leaves_a_hole_in_seq_and_a_run_in_the_ledger(
    bench: Bench, client: Client
) -> None:
    tell(bench, CHART)
    bench.streamer.faults.drop_frames(CHART, 2)
    tell(bench, CHART, times=3)
    assert [item["seq"] for item in client.items(CHART)] == [1, 4]
    (run,) = bench.streamer.ledger.withheld(CHART)
    assert (run.key, run.fate, run.first_seq, run.last_seq) == ("K1", "dropped frame", 2, 3)
    assert (run.first_number, run.last_number, run.items) == (3, 4, 2)


def test_a_duplicated_frame_comes_twice_with_one_seq_and_one_number(
    bench: Bench, client: Client
) -> None:
    bench.streamer.faults.duplicate_frames(CHART)
    tell(bench, CHART, times=2)
    assert [item["seq"] for item in client.items(CHART)] == [1, 1, 2]
    assert [copy.seq for copy in bench.streamer.ledger.copies()] == [1]
    assert sum(run.items for run in bench.streamer.ledger.runs(CHART)) == 3


@pytest.mark.parametrize("kind", ["drop_frames", "duplicate_frames"])
def test_only_sequenced_services_drop_and_duplicate(bench: Bench, kind: str) -> None:
    with pytest.raises(InputError, match="no sequence numbers"):
        getattr(bench.streamer.faults, kind)(EQUITIES)


def test_a_corrupt_frame_is_no_json_and_its_items_are_withheld(
    bench: Bench, client: Client
) -> None:
    bench.streamer.faults.corrupt_frames(EQUITIES)
    tell(bench, EQUITIES, times=2)
    bad, good = client.texts()
    with pytest.raises(json.JSONDecodeError):
        json.loads(bad)
    assert items_of([json.loads(good)], EQUITIES)[0]["1"] == 2
    assert [run.fate for run in bench.streamer.ledger.withheld()] == ["corrupt frame"]


def test_a_corrupt_frame_may_come_beside_the_right_one(bench: Bench, client: Client) -> None:
    bench.streamer.faults.corrupt_frames(extra=True)
    tell(bench, EQUITIES)
    texts = client.texts()
    assert len(texts) == 2
    assert items_of([json.loads(texts[1])], EQUITIES)[0]["1"] == 1
    assert not bench.streamer.ledger.withheld()


def test_a_dropped_interval_is_silent_and_its_changes_come_after_it(
    bench: Bench, client: Client
) -> None:
    bench.streamer.drop_interval(12)
    tell(bench, EQUITIES, times=5)
    tell(bench, CHART, times=2)
    bench.pass_s(11.5)
    frames = client.frames()
    # The last value of the key comes when the interval is over, though nothing new happens.
    assert [item["1"] for item in items_of(frames, EQUITIES)] == [5]
    assert not items_of(frames, CHART)
    fates = {(run.service, run.fate, run.items) for run in bench.streamer.ledger.withheld()}
    assert fates == {(EQUITIES, "dropped interval", 5), (CHART, "dropped interval", 2)}


def test_heartbeats_stop_in_a_dropped_interval(bench: Bench, client: Client) -> None:
    bench.streamer.drop_interval(25)
    bench.pass_s(24)
    assert not client.frames()
    bench.pass_s(10)
    assert any("notify" in frame for frame in client.frames())


def test_a_half_open_socket_says_and_hears_nothing(bench: Bench, client: Client) -> None:
    bench.streamer.half_open()
    tell(bench, EQUITIES, times=3)
    client.say(client.command(EQUITIES, "ADD", keys="K3", fields="0,1"))
    bench.pass_s(60)
    assert not client.frames()
    assert client.session.closing is None
    (run,) = bench.streamer.ledger.withheld(EQUITIES, "K1")
    assert (run.fate, run.items) == ("half-open socket", 3)


@pytest.mark.parametrize("fault", ["drop_connections", "half_open"])
def test_what_a_cut_client_misses_is_counted_until_it_subscribes_again(
    bench: Bench, client: Client, fault: str
) -> None:
    getattr(bench.streamer, fault)()
    tell(bench, EQUITIES, "K1", times=2)
    tell(bench, EQUITIES, "K2", times=3)
    again = bench.client()
    tell(bench, EQUITIES, "K1")
    again.ask(EQUITIES, "SUBS", keys="K1,K2", fields="0,1,2,15")
    assert {item["key"]: item["1"] for item in items_of(again.rest, EQUITIES)} == {
        "K1": 3,
        "K2": 3,
    }
    missed = {run.key: run.items for run in bench.streamer.ledger.withheld(EQUITIES)}
    assert missed == {"K1": 3, "K2": 3}
    tell(bench, EQUITIES, "K1")
    assert sum(run.items for run in bench.streamer.ledger.withheld(EQUITIES)) == 6
    # The chart was not asked for again: what comes of it is still missed.
    tell(bench, CHART)
    assert bench.streamer.ledger.withheld(CHART)


def test_a_dropped_connection_delivers_what_was_written_before(
    bench: Bench, client: Client
) -> None:
    bench.source.tell(bench.streamer, EQUITIES, "K1")
    bench.streamer.drop_connections()
    tell(bench, EQUITIES)
    assert [item["1"] for item in client.items(EQUITIES)] == [1]
    assert client.session.closing == ABRUPT
    assert sum(run.items for run in bench.streamer.ledger.withheld(EQUITIES)) == 1


def test_logout_ends_the_counting(bench: Bench, client: Client) -> None:
    bench.streamer.drop_connections()
    bench.pass_s(0.1)
    client.close()
    again = bench.client()
    again.ask("ADMIN", "LOGOUT")
    tell(bench, EQUITIES)
    assert not bench.streamer.ledger.withheld()


def test_clock_skew_moves_timestamps_and_heartbeats_but_not_the_fields(
    bench: Bench, client: Client
) -> None:
    def stamp() -> tuple[int, Any]:
        tell(bench, EQUITIES)
        frame = client.frames()[-1]["data"][0]
        return frame["timestamp"], frame["content"][0]["1"]

    first, one = stamp()
    bench.streamer.faults.skew_ms = -90_000
    second, two = stamp()
    assert second - first == -90_000 + 100
    assert (one, two) == (1, 2)
    bench.pass_s(10)
    (beat,) = [f["notify"][0]["heartbeat"] for f in client.frames() if "notify" in f]
    assert int(beat) == START_NS // 1_000_000 + 10_000 - 90_000


def test_commands_fail_by_the_code_that_was_asked_for(bench: Bench, client: Client) -> None:
    for code, name in ((22, "SUBS"), (24, "ADD"), (23, "UNSUBS"), (25, "VIEW"), (9, "SUBS")):
        bench.streamer.faults.fail_commands(CHART, name, code)
        assert client.ask(CHART, name, keys="K1", fields="0,1")[0] == code
    assert "K1" in client.session.subscriptions[CHART]
    with pytest.raises(InputError, match="no response code 77"):
        bench.streamer.faults.fail_commands(CHART, "SUBS", 77)


def test_connections_close_by_the_code_that_was_asked_for(bench: Bench, client: Client) -> None:
    bench.streamer.close_connections(1011)
    tell(bench, EQUITIES)
    assert not client.frames()
    assert client.session.closing == 1011
    assert bench.streamer.ledger.withheld(EQUITIES)[0].fate == "closed with 1011"


def test_an_administrator_stops_the_stream_with_code_30(bench: Bench, client: Client) -> None:
    bench.streamer.stop_streaming("Stop streaming by an administrator")
    content = client.frames()[-1]["response"][0]["content"]
    assert content == {"code": 30, "msg": "Stop streaming by an administrator"}


def test_clear_lets_everything_go_right_again(bench: Bench, client: Client) -> None:
    faults = bench.streamer.faults
    faults.drop_frames(CHART)
    faults.refuse_connects(3)
    faults.fail_commands(CHART, "SUBS", 22)
    faults.skew_ms = 5
    faults.clear()
    tell(bench, CHART)
    assert client.items(CHART)
    assert faults.next_connect() is None
    assert client.ask(CHART, "SUBS", keys="K1", fields="0,1")[0] == 0
    assert faults.skew_ms == 0
