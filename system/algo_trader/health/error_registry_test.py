"""Entries through their states, and what goes when there are too many."""

from pathlib import Path

import fakeredis
import msgspec
import pytest

from infrastructure.clock import VirtualClock, rfc3339
from infrastructure.errors import CorruptStore, NetworkError, UsageError
from system.algo_trader.clients.redis_client import AlgoTraderRedisClient
from system.algo_trader.health.error_entry import CAME_AGAIN, MOST_NOTES, ErrorEntry
from system.algo_trader.health.error_registry import ErrorRegistry
from system.algo_trader.health.occurrence import Occurrence
from system.algo_trader.realm import Realm

START_NS = 1_767_225_600_123_456_789


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(START_NS)


@pytest.fixture
def redis() -> AlgoTraderRedisClient:
    server = fakeredis.FakeRedis(server=fakeredis.FakeServer())
    return AlgoTraderRedisClient(
        "redis://127.0.0.1:1/0", Realm.sim(Path("home")), connect=lambda address, wait: server
    )


@pytest.fixture
def registry(redis: AlgoTraderRedisClient, clock: VirtualClock) -> ErrorRegistry:
    return ErrorRegistry(redis, clock)


def seen(message: str, clock: VirtualClock, process: str = "stream") -> Occurrence:
    return Occurrence.of(NetworkError(message), process, clock.now_ns())


def test_the_same_error_again_is_counted_and_keeps_its_first_time(
    registry: ErrorRegistry, clock: VirtualClock
) -> None:
    registry.record(seen("port 1 is gone", clock))
    clock.advance(seconds=5)
    registry.record(seen("port 2 is gone", clock))
    registry.record(seen("something else", clock, "gex"))
    entry = next(each for each in registry.entries() if each.process == "stream")
    assert (entry.count, entry.state, entry.message) == (2, "open", "port 2 is gone")
    assert (entry.first_seen_ns, entry.last_seen_ns) == (START_NS, START_NS + 5 * 10**9)
    assert registry.counts() == {"open": 2, "acknowledged": 0, "resolved": 0}


def test_an_entry_lives_in_the_realms_namespace(
    registry: ErrorRegistry, redis: AlgoTraderRedisClient, clock: VirtualClock
) -> None:
    made = registry.record(seen("gone", clock))
    with redis.asking("HGET") as server:
        assert server.keys("*") == [b"algo_trader_sim:errors"]
        held = server.hget("algo_trader_sim:errors", made.id)
    assert msgspec.json.decode(held, type=ErrorEntry) == made


def test_an_acknowledged_error_stays_so_when_it_comes_again(
    registry: ErrorRegistry, clock: VirtualClock
) -> None:
    id = registry.record(seen("gone", clock)).id
    clock.advance(seconds=1)
    assert registry.acknowledge(id, "I look at it").state == "acknowledged"
    clock.advance(seconds=1)
    entry = registry.record(seen("gone", clock))
    assert (entry.state, entry.count) == ("acknowledged", 2)
    assert [note.text for note in entry.notes] == ["I look at it"]
    assert entry.since_ns == START_NS + 10**9


def test_a_resolved_error_that_comes_again_is_open_and_says_so(
    registry: ErrorRegistry, clock: VirtualClock
) -> None:
    id = registry.record(seen("gone", clock)).id
    registry.escalated(id)
    clock.advance(seconds=1)
    assert registry.resolve(id, "cable").state == "resolved"
    clock.advance(seconds=1)
    entry = registry.record(seen("gone", clock))
    assert (entry.state, entry.count, entry.escalated_at_ns) == ("open", 2, None)
    assert [note.text for note in entry.notes] == ["cable", CAME_AGAIN]
    assert entry.since_ns == clock.now_ns()
    assert entry.first_seen_ns == START_NS


def test_what_happened_before_it_was_resolved_and_is_told_late_opens_nothing(
    registry: ErrorRegistry, clock: VirtualClock
) -> None:
    id = registry.record(seen("gone", clock)).id
    clock.advance(seconds=1)
    late = seen("gone", clock)
    clock.advance(seconds=1)
    registry.resolve(id)
    entry = registry.record(late)
    assert (entry.state, entry.count) == ("resolved", 2)


def test_a_wrong_id_and_a_resolved_one_are_refused_in_a_sentence(
    registry: ErrorRegistry, clock: VirtualClock
) -> None:
    for act in (registry.acknowledge, registry.resolve, registry.entry):
        with pytest.raises(UsageError, match="no error 'nope'"):
            act("nope")
    id = registry.record(seen("gone", clock)).id
    registry.resolve(id)
    with pytest.raises(UsageError, match="is resolved"):
        registry.acknowledge(id)
    assert registry.entry(id).state == "resolved"


def test_entries_are_chosen_by_state_the_last_seen_first(
    registry: ErrorRegistry, clock: VirtualClock
) -> None:
    ids = []
    for word in ("one", "two", "three"):
        ids.append(registry.record(seen(word, clock)).id)
        clock.advance(seconds=1)
    registry.acknowledge(ids[1])
    assert [each.id for each in registry.entries()] == ids[::-1]
    assert [each.id for each in registry.entries("open")] == [ids[2], ids[0]]
    assert [each.id for each in registry.entries(limit=1)] == [ids[2]]


def test_for_a_new_error_the_oldest_resolved_one_goes_and_then_the_oldest(
    redis: AlgoTraderRedisClient, clock: VirtualClock
) -> None:
    registry = ErrorRegistry(redis, clock, most=4)
    ids = {}
    for word in ("a", "b", "c", "d"):
        ids[word] = registry.record(seen(word, clock)).id
        clock.advance(seconds=1)
    for word in ("c", "b"):
        registry.resolve(ids[word])
    gone: list[str] = []
    for word in ("e", "f", "g"):
        before = {each.message for each in registry.entries()}
        registry.record(seen(word, clock))
        clock.advance(seconds=1)
        gone += before - {each.message for each in registry.entries()}
        assert len(registry.entries()) == 4
    assert gone == ["b", "c", "a"]
    registry.record(seen("d", clock))
    assert len(registry.entries()) == 4


def test_notes_are_kept_without_secrets_and_not_without_end(
    registry: ErrorRegistry, clock: VirtualClock
) -> None:
    id = registry.record(seen("gone", clock)).id
    for number in range(MOST_NOTES + 5):
        registry.acknowledge(id, f"password=hunter{number}")
    notes = registry.entry(id).notes
    assert len(notes) == MOST_NOTES
    assert notes[-1].text == "password=********"


def test_an_entry_is_plain_values_with_instants_as_text(
    registry: ErrorRegistry, clock: VirtualClock
) -> None:
    id = registry.record(seen("gone", clock)).id
    now = rfc3339(START_NS)
    assert registry.acknowledge(id, "seen").as_dict() == {
        "id": id,
        "process": "stream",
        "kind": "NetworkError",
        "message": "gone",
        "next_step": None,
        "severity": "medium",
        "count": 1,
        "first_seen": now,
        "last_seen": now,
        "state": "acknowledged",
        "since": now,
        "notes": [{"at": now, "text": "seen"}],
        "escalated_at": None,
    }


def test_what_is_no_entry_is_named_as_damaged(
    registry: ErrorRegistry, redis: AlgoTraderRedisClient
) -> None:
    with redis.asking("HSET") as server:
        server.hset("algo_trader_sim:errors", "x", "{}")
    with pytest.raises(CorruptStore, match="cannot be read"):
        registry.entries()
