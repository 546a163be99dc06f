"""Merging, sequences, subscriptions and the bounded queue, without a network."""

import asyncio
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.errors import UsageError
from infrastructure.schwab.streamer.commands import (
    Command,
    Request,
    StreamerInfo,
    encode_requests,
)
from infrastructure.schwab.streamer.continuity import Continuity, Gap, GapReason
from infrastructure.schwab.streamer.delivery import EventQueue
from infrastructure.schwab.streamer.frames import decode_frame
from infrastructure.schwab.streamer.refusal import discarded_keys
from infrastructure.schwab.streamer.services import SPECS, Service
from infrastructure.schwab.streamer.state import Batch, ServiceState
from infrastructure.schwab.streamer.subscriptions import Subscriptions

EQUITIES = SPECS[Service.LEVELONE_EQUITIES]
CHART = SPECS[Service.CHART_EQUITY]
INFO = StreamerInfo("wss://stream.example/ws", "customer", "correl", "N9", "APIAPP")

updates = st.builds(
    lambda key, values: {"key": key, **{str(number): value for number, value in values.items()}},
    st.sampled_from(["AAPL", "MSFT", "$SPX"]),
    st.dictionaries(st.integers(1, 51), st.integers(0, 9) | st.floats(0, 9), max_size=6),
)


@given(st.lists(st.lists(updates, max_size=8), max_size=12))
def test_merged_state_is_what_writing_every_value_in_order_gives(
    frames: list[list[dict[str, Any]]],
) -> None:
    state, naive = ServiceState(EQUITIES), {}  # type: ignore[var-annotated]
    for frame in frames:
        state.merge(msgspec.json.decode(msgspec.json.encode(frame)))
        for update in frame:
            for word, value in update.items():
                naive.setdefault(update["key"], {})[word] = value
    assert set(state.keys()) == set(naive)
    for key, expected in naive.items():
        record = state.latest(key)
        assert record is not None
        assert record.pop("key") == key
        del expected["key"]
        assert record == {EQUITIES.fields[int(word)].name: v for word, v in expected.items()}


def test_merging_leaves_the_updates_of_earlier_batches_as_they_came() -> None:
    state = ServiceState(EQUITIES)
    first = {"key": "AAPL", "1": 10.0}
    state.merge([first])
    state.merge([{"key": "AAPL", "1": 11.0}])
    assert first == {"key": "AAPL", "1": 10.0}


def test_a_chart_bar_begins_with_its_sequence() -> None:
    state = ServiceState(CHART)
    state.merge([{"seq": 3, "key": "AAPL", "1": 425, "2": 1.0, "5": 1.5, "7": 1700000000000}])
    bar = state.latest("AAPL")
    assert bar == {
        "seq": 3,
        "key": "AAPL",
        "sequence": 425,
        "open_price": 1.0,
        "close_price": 1.5,
        "chart_time": 1700000000000,
    }


def test_every_service_numbers_its_fields_without_a_hole_and_names_each_once() -> None:
    assert len(SPECS) == 13
    for spec in SPECS.values():
        assert [field.number for field in spec.fields] == list(range(len(spec.fields)))
        assert len(spec.by_name) == len(spec.fields)
        assert {field.kind for field in spec.fields} <= set("fibso")
    assert EQUITIES.by_name["last_mic_id"].number == 41
    assert SPECS[Service.LEVELONE_OPTIONS].by_name["delta"].number == 28


@given(st.lists(st.integers(1, 40), unique=True, min_size=2).map(sorted))
def test_missing_sequence_numbers_are_counted_and_repeated_ones_left_out(seqs: list[int]) -> None:
    watch = Continuity(CHART)
    applied, missing = [], 0
    for seq in seqs:
        for _ in range(2):
            kept, gaps = watch.take([{"key": "AAPL", "seq": seq}], seq * 1000)
            applied += [update["seq"] for update in kept]
            missing += sum(gap.missing or 0 for gap in gaps)
    assert applied == seqs
    assert missing == seqs[-1] - seqs[0] + 1 - len(seqs)
    assert watch.duplicates == len(seqs)


def test_a_lost_connection_is_a_gap_from_the_last_update_to_the_next() -> None:
    watch = Continuity(EQUITIES)
    watch.take([{"key": "AAPL"}], 5_000_000_000)
    watch.connection_lost(7_000_000_000)
    watch.connection_lost(8_000_000_000)
    _, gaps = watch.take([{"key": "AAPL"}], 9_500_000_000)
    assert gaps == [
        Gap(Service.LEVELONE_EQUITIES, GapReason.DISCONNECTED, 5_000_000_000, 9_500_000_000)
    ]
    assert gaps[0].length_s == 4.5
    assert watch.take([{"key": "AAPL"}], 9_600_000_000)[1] == []


def test_sequences_begin_anew_with_a_connection() -> None:
    watch = Continuity(CHART)
    watch.take([{"key": "AAPL", "seq": 7}], 1)
    watch.connection_lost(2)
    kept, gaps = watch.take([{"key": "AAPL", "seq": 0}], 3)
    assert [one["seq"] for one in kept] == [0]
    assert [gap.reason for gap in gaps] == [GapReason.DISCONNECTED]


def test_keys_and_fields_that_are_delivered_no_more_leave_the_state() -> None:
    state = ServiceState(EQUITIES)
    state.merge([{"key": "A", "cusip": "1", "1": 1.0, "2": 2.0}, {"key": "B", "1": 3.0}])
    state.keep(("A", "C"), (0, 2))
    assert state.records() == {"A": {"key": "A", "cusip": "1", "2": 2.0}}


def test_what_is_wanted_follows_subs_add_view_and_unsubs() -> None:
    wanted = Subscriptions()
    wanted.subscribe(Service.LEVELONE_EQUITIES, ["A", "B", "A"], [3, 1])
    change = wanted.add(Service.LEVELONE_EQUITIES, ["B", "C"])
    assert (change.command, change.keys) == (Command.ADD, ("C",))
    wanted.view(Service.LEVELONE_EQUITIES, [2])
    wanted.unsubscribe(Service.LEVELONE_EQUITIES, ["A"])
    [replay] = wanted.replay()
    assert (replay.command, replay.keys, replay.fields) == (Command.SUBS, ("B", "C"), (0, 2))
    wanted.unsubscribe(Service.LEVELONE_EQUITIES)
    assert list(wanted.replay()) == []


def test_a_replay_has_what_is_changed_while_it_runs() -> None:
    wanted = Subscriptions()
    wanted.subscribe(Service.LEVELONE_EQUITIES, ["A"])
    wanted.subscribe(Service.CHART_EQUITY, ["A"])
    wanted.subscribe(Service.NYSE_BOOK, ["A"])
    replay = wanted.replay()
    assert next(replay).service is Service.LEVELONE_EQUITIES
    wanted.subscribe(Service.CHART_EQUITY, ["B"], [1])
    wanted.unsubscribe(Service.NYSE_BOOK)
    assert [(one.service, one.keys) for one in replay] == [(Service.CHART_EQUITY, ("B",))]


def test_keys_past_a_services_limit_are_named_and_not_sent() -> None:
    wanted = Subscriptions()
    keys = [f"S{number}" for number in range(498)]
    wanted.subscribe(Service.LEVELONE_EQUITIES, keys)
    change = wanted.add(Service.LEVELONE_EQUITIES, ["X", "Y", "Z"])
    assert (change.keys, change.excess) == (("X", "Y"), ("Z",))
    screener = wanted.subscribe(Service.SCREENER_EQUITY, [f"K{number}" for number in range(12)])
    assert screener.excess == ("K10", "K11")


@pytest.mark.parametrize("key", ["", " ", "A,B"])
def test_keys_that_would_break_the_wire_are_refused(key: str) -> None:
    with pytest.raises(UsageError):
        Subscriptions().subscribe(Service.NYSE_BOOK, [key])


def test_unknown_fields_unsubscribed_services_and_adding_to_account_activity_are_refused() -> None:
    wanted = Subscriptions()
    with pytest.raises(UsageError, match="fields 0 to 8"):
        wanted.subscribe(Service.CHART_EQUITY, ["A"], [9])
    with pytest.raises(UsageError, match="not subscribed"):
        wanted.view(Service.CHART_EQUITY, [1])
    with pytest.raises(UsageError, match="no ADD"):
        wanted.add(Service.ACCT_ACTIVITY, ["A"])


def test_a_full_screener_discards_the_last_keys_of_the_command() -> None:
    wanted = Subscriptions()
    change = wanted.subscribe(Service.SCREENER_EQUITY, ["A", "B", "C"])
    message = "SUBS command failed (SCREENER_EQUITY=10, DISCARDED=1)"
    assert discarded_keys(change, wanted, message) == ("C",)
    assert discarded_keys(change, wanted, "Service not available") == ("A", "B", "C")


def test_commands_have_the_guides_form() -> None:
    request = Request(4, "LEVELONE_EQUITIES", Command.SUBS, ("AAPL", "MSFT"), (0, 1, 2))
    assert msgspec.json.decode(encode_requests([request], INFO)) == {
        "requests": [
            {
                "requestid": "4",
                "service": "LEVELONE_EQUITIES",
                "command": "SUBS",
                "SchwabClientCustomerId": "customer",
                "SchwabClientCorrelId": "correl",
                "parameters": {"keys": "AAPL,MSFT", "fields": "0,1,2"},
            }
        ]
    }
    assert "customer" not in repr(INFO)


@pytest.mark.parametrize("text", [b"", b"{", b'{"data":[{"service":1}]}', b"\xff{}", b"[1]"])
def test_a_frame_that_is_none_is_a_value_error(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode_frame(text)


def batch(seq: int, key: str = "AAPL", service: Service = Service.LEVELONE_EQUITIES) -> Batch:
    update = {"key": key, "1": seq, str(2 + seq % 2): seq}
    return Batch(SPECS[service], seq, seq, (update,))


def drained(queue: EventQueue) -> list[Any]:
    async def read() -> list[Any]:
        queue.close()
        events = []
        while (event := await queue.get()) is not None:
            events.append(event)
        return events

    return asyncio.run(read())


def test_a_slow_reader_gets_the_newest_of_every_field_and_the_count_of_the_rest() -> None:
    queue = EventQueue(limit=3)
    for seq in range(10):
        queue.put(batch(seq))
    *ahead, last = drained(queue)
    assert [one.updates[0]["1"] for one in ahead] == [0, 1, 2]
    assert last.updates == ({"key": "AAPL", "1": 9, "2": 8, "3": 9},)
    assert last.conflated == queue.conflated == 6


def test_sequenced_updates_are_never_conflated_and_a_flood_of_them_becomes_a_gap() -> None:
    queue = EventQueue(limit=2)
    for seq in range(20):
        queue.put(batch(seq, service=Service.CHART_EQUITY))
    events = drained(queue)
    kept = [one for one in events if isinstance(one, Batch)]
    [gap] = [one for one in events if isinstance(one, Gap)]
    assert [one.updates[0]["1"] for one in kept] == list(range(len(kept)))
    assert gap.reason is GapReason.OVERFLOW
    assert gap.missing == queue.dropped == 20 - len(kept)
