"""Subscribers get each row once, in order; the slow ones the newest, and how much they missed."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from system.algo_trader.api.live import hub as room
from system.algo_trader.api.live.hub import Batch, Hub, Subscription

T = TypeVar("T")


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(coroutine)


def plain(table: pa.Table) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


def frame(*rows: tuple[str, int]) -> pa.Table:
    symbols, values = zip(*rows, strict=True)
    return pa.table({"symbol": symbols, "value": values})


def values_of(batch: Batch) -> list[int]:
    return [row["value"] for row in batch.rows]


async def ready(subscription: Subscription) -> Batch:
    return await asyncio.wait_for(subscription.next(), 5.0)


async def waits(subscription: Subscription) -> bool:
    """Return whether nothing comes, once every callback that waits has run."""
    asked = asyncio.ensure_future(subscription.next())
    for _ in range(5):
        await asyncio.sleep(0)
    is_waiting = not asked.done()
    asked.cancel()
    return is_waiting


def joined(symbols: Sequence[str], **options: Any) -> tuple[Hub, Subscription]:
    hub, subscription = Hub(plain), Subscription(frozenset(symbols), **options)
    hub.join(subscription)
    return hub, subscription


def test_a_subscriber_gets_its_symbols_in_order() -> None:
    async def story() -> Batch:
        hub, subscription = joined("AB")
        hub.publish(frame(("A", 1), ("C", 2), ("B", 3)), "1-0")
        hub.publish(frame(("C", 4)), "2-0")
        hub.publish(frame(("A", 5)), "3-0")
        return await ready(subscription)

    batch = run(story())
    assert (values_of(batch), batch.entry, batch.missed) == ([1, 3, 5], "3-0", 0)
    assert all(set(row) == {"symbol", "value"} for row in batch.rows)


def test_rows_that_two_want_are_not_shared() -> None:
    async def story() -> list[Batch]:
        hub, first = joined("A")
        second = Subscription(frozenset("A"))
        hub.join(second)
        hub.publish(frame(("A", 1)), "1-0")
        batches = [await ready(first)]
        batches[0].rows[0]["value"] = 99
        return [*batches, await ready(second)]

    assert values_of(run(story())[1]) == [1]


def test_who_has_left_gets_nothing() -> None:
    async def story() -> bool:
        hub, subscription = joined("A")
        hub.leave(subscription)
        hub.publish(frame(("A", 1)), "1-0")
        return await waits(subscription)

    assert run(story())


def test_bars_of_other_timeframes_are_left_out() -> None:
    subscription = Subscription(frozenset("A"), timeframes=frozenset({"1m"}))
    assert subscription.wants({"symbol": "A", "timeframe": "1m"})
    assert not subscription.wants({"symbol": "A", "timeframe": "1d"})
    assert not subscription.wants({"symbol": "B", "timeframe": "1m"})


def test_a_conflating_subscriber_gets_the_newest_of_each_symbol_and_the_count() -> None:
    async def story() -> Batch:
        hub, subscription = joined("AB", conflate_s=0.001)
        for number in range(10):
            hub.publish(frame(("A", number), ("B", 100 + number)), f"{number + 1}-0")
        return await ready(subscription)

    batch = run(story())
    assert (values_of(batch), batch.missed, batch.entry) == ([9, 109], 18, "10-0")


@given(st.lists(st.lists(st.sampled_from("ABC"), min_size=1, max_size=5), max_size=30))
def test_nobody_who_is_too_slow_loses_the_newest_or_is_told_a_wrong_count(
    entries: list[list[str]],
) -> None:
    async def story(most: int) -> Batch | None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(room, "MOST_ROWS", most)
            hub, subscription = joined("ABC")
            number = 0
            for place, symbols in enumerate(entries):
                rows = [(symbol, number + each) for each, symbol in enumerate(symbols)]
                number += len(rows)
                hub.publish(frame(*rows), f"{place + 1}-0")
            return await ready(subscription) if entries else None

    batch = run(story(4))
    every = [symbol for symbols in entries for symbol in symbols]
    if batch is None:
        return
    assert len(batch.rows) + batch.missed == len(every)
    newest = {symbol: number for number, symbol in enumerate(every)}
    given_ = {row["symbol"]: row["value"] for row in batch.rows}
    assert given_ == newest
    assert values_of(batch) == sorted(values_of(batch))


def test_after_a_batch_the_count_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MOST_ROWS", 1)

    async def story() -> list[Batch]:
        hub, subscription = joined("A")
        hub.publish(frame(("A", 1), ("A", 2), ("A", 3)), "1-0")
        first = await ready(subscription)
        hub.publish(frame(("A", 4)), "2-0")
        return [first, await ready(subscription)]

    first, second = run(story())
    assert (values_of(first), first.missed) == ([3], 2)
    assert (values_of(second), second.missed) == ([4], 0)


async def _resumed(
    conflate_s: float, read_up_to: int, published_before_release: int, entries: int
) -> list[int]:
    """Resume while entries come: what is read of the stream first, then what the hub has."""
    hub, subscription = joined([], conflate_s=conflate_s)
    subscription.hold()
    subscription.symbols = frozenset("A")
    for number in range(1, published_before_release + 1):
        hub.publish(frame(("A", number)), f"{number}-0")
    found = list(range(1, read_up_to + 1))
    assert await waits(subscription)
    subscription.release(f"{read_up_to}-0", "A")
    for number in range(published_before_release + 1, entries + 1):
        hub.publish(frame(("A", number)), f"{number}-0")
    if read_up_to < entries:
        found += values_of(await ready(subscription))
    assert await waits(subscription)
    return found


@given(st.integers(0, 12), st.integers(0, 12), st.integers(0, 12))
def test_a_resumed_subscriber_gets_every_row_once(read: int, before: int, entries: int) -> None:
    found = run(_resumed(0.0, min(read, entries), min(before, entries), entries))
    assert found == list(range(1, entries + 1))


def test_resuming_one_symbol_takes_nothing_from_another() -> None:
    async def story() -> Batch:
        hub, subscription = joined("B")
        subscription.hold()
        subscription.symbols = frozenset("AB")
        hub.publish(frame(("A", 1), ("B", 2)), "1-0")
        subscription.release("1-0", "A")
        return await ready(subscription)

    assert values_of(run(story())) == [2]


def test_rows_held_back_do_not_come_by_a_wait_that_began_before() -> None:
    async def story() -> tuple[bool, Batch]:
        hub, subscription = joined("A", conflate_s=0.02)
        hub.publish(frame(("A", 1)), "1-0")
        asked = asyncio.ensure_future(subscription.next())
        await asyncio.sleep(0)
        subscription.hold()
        hub.publish(frame(("A", 2)), "2-0")
        await asyncio.sleep(0.06)
        came_early = asked.done()
        subscription.release("0")
        return came_early, await asyncio.wait_for(asked, 5.0)

    came_early, batch = run(story())
    assert not came_early
    assert values_of(batch) == [2]


@pytest.mark.parametrize("conflate_s", [0.0, 0.01])
def test_rows_that_were_sent_otherwise_are_not_missed(
    conflate_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "MOST_ROWS", 3)

    async def story() -> Batch:
        hub, subscription = joined("A", conflate_s=conflate_s)
        subscription.hold()
        for number in range(1, 11):
            hub.publish(frame(("A", number)), f"{number}-0")
        # The resuming has sent seven of the ten; of the other three one is left.
        subscription.release("7-0", "A")
        return await ready(subscription)

    batch = run(story())
    assert (values_of(batch), batch.missed) == ([10], 2)


def test_a_loss_is_told_once_over_its_whole_length() -> None:
    async def story() -> tuple[Batch, Batch]:
        hub, subscription = joined("A")
        hub.lose("3-0", "9-0")
        hub.lose("20-0", "25-0")
        first = await ready(subscription)
        hub.publish(frame(("A", 1)), "26-0")
        return first, await ready(subscription)

    first, second = run(story())
    assert (first.rows, first.gap) == ([], ("3-0", "25-0"))
    assert (values_of(second), second.gap) == ([1], None)
