"""Silences, judged by the intervals that were written here."""

from __future__ import annotations

import numpy as np

from system.algo_trader.quality.cadence import CLOSED, Cadence, CadencePolicy, Silence

S = 1_000_000_000
FIRST, SECOND = np.array([0]), np.array([1])
POLICY = CadencePolicy(floor_s=10.0, factor=4.0, learned=5, keep=1.0)
OPEN = np.zeros(2, dtype=np.int64)


def taught() -> Cadence:
    """Two sources: one heard each second, the other every 30 s, up to 300 s."""
    cadence = Cadence(2, POLICY)
    cadence.look(0, OPEN)
    for second in range(301):
        cadence.heard(FIRST, second * S)
        if second % 30 == 0:
            cadence.heard(SECOND, second * S)
    return cadence


def test_each_is_measured_by_its_own_cadence() -> None:
    cadence = taught()
    cadence.look(310 * S, OPEN)
    assert cadence.suspected.tolist() == [False, False]
    cadence.look(310 * S + 1, OPEN)
    assert cadence.suspected.tolist() == [True, False]
    cadence.look(420 * S + 1, OPEN)
    assert cadence.suspected.tolist() == [True, True]


def test_a_silence_ends_when_it_is_heard_again_and_teaches_nothing() -> None:
    cadence = taught()
    cadence.look(400 * S, OPEN)
    assert cadence.heard(FIRST, 401 * S) == [Silence(0, 300 * S, 401 * S)]
    assert cadence.heard(FIRST, 402 * S) == []
    cadence.look(413 * S, OPEN)
    assert cadence.suspected[0]


def test_nobody_is_suspected_before_enough_was_seen() -> None:
    cadence = Cadence(2, POLICY)
    cadence.look(0, OPEN)
    for second in range(5):
        cadence.heard(FIRST, second * S)
    cadence.look(1000 * S, OPEN)
    assert not cadence.suspected.any()


def test_a_closed_session_is_no_silence_and_ends_one() -> None:
    cadence = taught()
    cadence.look(320 * S, OPEN)
    closed = np.full(2, CLOSED)
    assert cadence.look(330 * S, closed) == [Silence(0, 300 * S, 330 * S)]
    cadence.look(9000 * S, closed)
    assert not cadence.suspected.any()
    # The next session counts from its start, not from the evening before.
    opened = np.full(2, 9100 * S)
    cadence.look(9109 * S, opened)
    assert not cadence.suspected.any()
    cadence.look(9111 * S, opened)
    assert cadence.suspected.tolist() == [True, False]
    assert cadence.heard(FIRST, 9112 * S) == [Silence(0, 9100 * S, 9112 * S)]


def test_what_is_known_otherwise_is_no_suspicion() -> None:
    cadence = taught()
    cadence.look(400 * S, OPEN)
    cadence.excuse(FIRST, 400 * S)
    assert cadence.heard(FIRST, 401 * S) == []
    cadence.look(402 * S, OPEN)
    assert not cadence.suspected[0]


def test_a_source_heard_twice_in_a_frame_counts_like_one_heard_once() -> None:
    cadence = taught()
    cadence.look(320 * S, OPEN)
    assert len(cadence.heard(np.array([0, 0, 1]), 321 * S)) == 1
