"""Answers kept in front of the stores: found once for many, bounded, nobody's leaving hurts."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest

from system.algo_trader.api.http.answer_cache import LARGEST, AnswerCache, Kept
from system.algo_trader.api.operations.problem import Problem
from system.algo_trader.api.operations.rendering import Form, Rendered

T = TypeVar("T")
KEY = ("/candles", b"symbol=A", "application/json")


def kept(size: int = 10, checked_s: float = 0.0) -> Kept:
    return Kept(Rendered(Form.JSON, b"x" * size, "1", None, 0, False), b"etag", 0.0, checked_s)


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(coroutine)


def put(cache: AnswerCache, key: Any, answer: Kept) -> None:
    async def make() -> Kept:
        return answer

    run(cache.find(key, make))


def test_of_many_callers_one_finds_out() -> None:
    async def all_at_once() -> tuple[int, list[Kept]]:
        cache, made, gate = AnswerCache(), 0, asyncio.Event()

        async def make() -> Kept:
            nonlocal made
            made += 1
            await gate.wait()
            return kept()

        callers = [asyncio.ensure_future(cache.find(KEY, make)) for _ in range(20)]
        await asyncio.sleep(0)
        gate.set()
        found = await asyncio.gather(*callers)
        await cache.find(KEY, make)
        return made, found

    made, found = run(all_at_once())
    assert made == 2
    assert len({id(each) for each in found}) == 1


def test_a_caller_that_goes_away_takes_nothing_from_the_others() -> None:
    async def one_leaves() -> tuple[bool, Kept, int]:
        cache, made, gate = AnswerCache(), 0, asyncio.Event()

        async def make() -> Kept:
            nonlocal made
            made += 1
            await gate.wait()
            return kept()

        first, second = (asyncio.ensure_future(cache.find(KEY, make)) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.sleep(0)
        gate.set()
        return first.cancelled(), await second, made

    was_cancelled, found, made = run(one_leaves())
    assert was_cancelled
    assert found.etag == b"etag"
    assert made == 1


def test_all_callers_get_the_error_and_the_next_one_tries_anew() -> None:
    async def fails_once() -> list[Any]:
        cache, made = AnswerCache(), 0

        async def make() -> Kept:
            nonlocal made
            made += 1
            await asyncio.sleep(0)
            if made == 1:
                raise Problem(503, "away")
            return kept()

        both = await asyncio.gather(
            cache.find(KEY, make), cache.find(KEY, make), return_exceptions=True
        )
        return [*both, await cache.find(KEY, make)]

    first, second, third = run(fails_once())
    assert isinstance(first, Problem)
    assert first is second
    assert isinstance(third, Kept)


def test_questions_and_answers_together_stay_within_the_bound() -> None:
    cache = AnswerCache(most_bytes=100_000)
    keys = [("/candles", b"%08d" % number * 100, "application/json") for number in range(1000)]
    for key in keys:
        put(cache, key, kept())
    held = [key for key in keys if cache.known(key) is not None]
    assert 0 < sum(len(key[1]) for key in held) < 100_000
    assert held[-1][1].startswith(b"%08d" % 999)


def test_an_answer_in_the_place_of_another_counts_once() -> None:
    cache = AnswerCache(most_bytes=100_000)
    for _ in range(50):
        put(cache, KEY, kept(40_000))
    put(cache, ("/other", b"", "application/json"), kept(10))
    assert cache.known(KEY) is not None


def test_the_answer_that_was_not_asked_for_longest_goes_first() -> None:
    cache = AnswerCache(most_bytes=3 * 12_000)
    keys = [("/candles", b"%d" % number, "application/json") for number in range(4)]
    for key in keys[:3]:
        put(cache, key, kept(10_000))
    assert cache.fresh(keys[0], 0.1, 0.5) is not None
    put(cache, keys[3], kept(10_000))
    assert [cache.known(key) is not None for key in keys] == [True, False, True, True]


def test_a_giant_is_given_out_and_not_kept() -> None:
    cache = AnswerCache()
    put(cache, KEY, kept(LARGEST + 1))
    assert cache.known(KEY) is None


@pytest.mark.parametrize(("now_s", "is_fresh"), [(0.0, True), (0.49, True), (0.5, False)])
def test_an_answer_is_fresh_for_its_time(now_s: float, is_fresh: bool) -> None:
    cache = AnswerCache()
    put(cache, KEY, kept())
    assert (cache.fresh(KEY, now_s, 0.5) is not None) == is_fresh
    assert cache.hits == is_fresh
