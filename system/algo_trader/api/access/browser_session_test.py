"""The owner's browser: links that open once, sessions that end, tokens for changes."""

from __future__ import annotations

import pytest

from infrastructure.clock import VirtualClock
from system.algo_trader.api.access.browser_session import (
    IDLE_S,
    LINK_LIVES_S,
    LONGEST_S,
    MOST_SESSIONS,
    Sessions,
    cookie_header,
    cookie_of,
)


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(1_700_000_000_000_000_000)


@pytest.fixture
def sessions(clock: VirtualClock) -> Sessions:
    return Sessions(clock)


def opened(sessions: Sessions) -> str:
    found = sessions.open(sessions.link_token())
    assert found is not None
    return found[0]


def test_a_link_opens_once(sessions: Sessions) -> None:
    token = sessions.link_token()
    assert sessions.open(token) is not None
    assert sessions.open(token) is None


@pytest.mark.parametrize(("age_s", "opens"), [(LINK_LIVES_S, True), (LINK_LIVES_S + 1e-9, False)])
def test_a_link_lives_two_minutes(
    sessions: Sessions, clock: VirtualClock, age_s: float, opens: bool
) -> None:
    token = sessions.link_token()
    clock.advance(seconds=age_s)
    assert (sessions.open(token) is not None) == opens


@pytest.mark.parametrize("token", ["", "x", "x" * 10_000, "\ud800", "\0"])
def test_what_is_no_link_opens_nothing(sessions: Sessions, token: str) -> None:
    sessions.link_token()
    assert sessions.open(token) is None
    assert sessions.find(token) is None


def test_an_idle_session_ends_and_use_keeps_it_until_its_longest(
    sessions: Sessions, clock: VirtualClock
) -> None:
    idle, used = opened(sessions), opened(sessions)
    for _ in range(int(LONGEST_S // (IDLE_S / 2))):
        clock.advance(seconds=IDLE_S / 2)
        assert sessions.find(used) is not None
    assert sessions.find(idle) is None
    clock.advance(seconds=1)
    assert sessions.find(used) is None


def test_a_closed_session_is_gone_and_another_stays(sessions: Sessions) -> None:
    first, second = opened(sessions), opened(sessions)
    sessions.close(first)
    assert sessions.find(first) is None
    assert sessions.find(second) is not None


def test_of_too_many_sessions_the_one_used_longest_ago_ends(sessions: Sessions) -> None:
    cookies = [opened(sessions) for _ in range(MOST_SESSIONS)]
    assert sessions.find(cookies[0]) is not None
    opened(sessions)
    assert sessions.find(cookies[0]) is not None
    assert sessions.find(cookies[1]) is None


def test_a_change_takes_the_token_of_its_own_session(sessions: Sessions) -> None:
    first, second = (sessions.find(opened(sessions)) for _ in range(2))
    assert first is not None
    assert second is not None
    assert first.accepts(first.csrf_token)
    for token in (None, "", second.csrf_token, first.csrf_token + "x", "é", "x" * 10_000):
        assert not first.accepts(token)


@pytest.mark.parametrize("is_secure", [False, True])
def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(is_secure: bool) -> None:
    header = cookie_header("value", is_secure=is_secure)
    name, _, rest = header.partition("=")
    attributes = set(rest.split("; ")[1:])
    assert {"Path=/", "HttpOnly", "SameSite=Strict"} <= attributes
    assert ("Secure" in attributes) == is_secure == name.startswith("__Host-")
    assert not any(each.startswith("Domain") for each in attributes)
    assert cookie_of(f"a=b; {name}=value; c=d", is_secure=is_secure) == "value"
    assert cookie_of(f"a=b; {name}=value", is_secure=not is_secure) is None


@pytest.mark.parametrize("header", [None, "", ";;;", "=", "x" * 9000, "algo_trader_session"])
def test_a_header_without_the_cookie_has_none(header: str | None) -> None:
    assert not cookie_of(header, is_secure=False)
