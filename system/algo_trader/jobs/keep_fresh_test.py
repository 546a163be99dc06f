"""The sign-in is refreshed ahead of its end, and a person is warned in time and once."""

from typing import Any

import pytest

from infrastructure.clock import VirtualClock
from infrastructure.errors import (
    NetworkError,
    RefreshTokenExpired,
    ServiceUnavailable,
    StackError,
)
from system.algo_trader.jobs.keep_fresh import KeepFresh
from system.algo_trader.sign_in import SignInStatus

DAY_S = 86_400
NOW_NS = 1_700_000_000 * 10**9


class SignedIn:
    """A sign-in of a virtual clock: access tokens of 30 minutes, seven days in all."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.signed_in_ns = clock.now_ns()
        self.access_until_ns = clock.now_ns() + 1800 * 10**9
        self.failure: StackError | None = None
        self.refreshed_at: list[float] = []

    def refresh_ahead(self, left_s: float) -> bool:
        if self.clock.now_ns() + left_s * 1e9 < self.access_until_ns:
            return False
        if self.failure is not None:
            raise self.failure
        self.refreshed_at.append((self.clock.now_ns() - self.signed_in_ns) / 1e9)
        self.access_until_ns = self.clock.now_ns() + 1800 * 10**9
        return True

    def status(self) -> SignInStatus:
        age_s = (self.clock.now_ns() - self.signed_in_ns) / 1e9
        ends_ns = self.signed_in_ns + 7 * DAY_S * 10**9
        return SignInStatus("live", "signed in", self.signed_in_ns, 0, ends_ns, age_s)


class Notices:
    def __init__(self) -> None:
        self.texts: list[str] = []
        self.failure: StackError | None = None

    def send(self, title: str, text: str) -> None:
        if self.failure is not None:
            raise self.failure
        self.texts.append(text)


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(NOW_NS)


def rounds(job: KeepFresh, clock: VirtualClock, days: float) -> None:
    end_ns = clock.now_ns() + int(days * DAY_S * 10**9)
    while clock.now_ns() < end_ns:
        clock.sleep(job.once().wait_s)


def test_the_access_token_never_expires_between_two_looks(clock: VirtualClock) -> None:
    sign_in = SignedIn(clock)
    job = KeepFresh(sign_in, clock)
    for _ in range(200):
        job.once()
        assert sign_in.access_until_ns > clock.now_ns()
        clock.sleep(1)
        clock.sleep(job.once().wait_s - 1)
        assert sign_in.access_until_ns > clock.now_ns()
    assert len(sign_in.refreshed_at) > 150


def test_a_person_is_warned_at_days_5_6_and_6_and_a_half_once_each(clock: VirtualClock) -> None:
    notices = Notices()
    rounds(KeepFresh(SignedIn(clock), clock, [notices]), clock, 6.9)
    ages = [text.split(" is ")[1].split(" days")[0] for text in notices.texts]
    assert ages == ["5.0", "6.0", "6.5"]
    assert all("algo-trader auth login" in text for text in notices.texts)


def test_the_age_at_which_signing_in_is_due_can_be_chosen(clock: VirtualClock) -> None:
    notices = Notices()
    job = KeepFresh(SignedIn(clock), clock, [notices], refresh_interval_s=2 * DAY_S)
    rounds(job, clock, 4)
    assert len(notices.texts) == 1


def test_a_new_sign_in_is_warned_of_anew(clock: VirtualClock) -> None:
    notices, sign_in = Notices(), SignedIn(clock)
    job = KeepFresh(sign_in, clock, [notices])
    rounds(job, clock, 5.5)
    sign_in.signed_in_ns = clock.now_ns()
    rounds(job, clock, 5.5)
    assert len(notices.texts) == 2


def test_a_dead_sign_in_is_told_at_once_and_once(clock: VirtualClock) -> None:
    notices, sign_in = Notices(), SignedIn(clock)
    sign_in.failure = RefreshTokenExpired("The sign-in is over", next_step="Sign in again.")
    job = KeepFresh(sign_in, clock, [notices])
    rounds(job, clock, 0.5)
    assert notices.texts == ["The sign-in is over. Sign in again."]


def test_a_failure_that_passes_is_tried_again_within_a_minute(clock: VirtualClock) -> None:
    sign_in = SignedIn(clock)
    sign_in.failure = NetworkError("no network")
    clock.sleep(1700)
    done = KeepFresh(sign_in, clock).once()
    assert (done.wait_s, done.refreshed, done.error) == (60.0, False, sign_in.failure)


def test_a_notice_that_did_not_arrive_is_sent_again(clock: VirtualClock) -> None:
    notices, sign_in = Notices(), SignedIn(clock)
    clock.sleep(5.1 * DAY_S)
    notices.failure = ServiceUnavailable("down")
    job = KeepFresh(sign_in, clock, [notices])
    job.once()
    notices.failure = None
    job.once()
    job.once()
    assert len(notices.texts) == 1


def test_the_tokens_age_is_measured_and_a_dead_store_does_not_matter(clock: VirtualClock) -> None:
    rows: list[dict[str, Any]] = []
    sign_in = SignedIn(clock)
    clock.sleep(100)
    KeepFresh(sign_in, clock, write_metric=rows.append).once()
    [row] = rows
    assert (row["job"], row["token_age_s"], row["failed"]) == ("auth", 100.0, False)

    def dead(row: dict[str, Any]) -> None:
        raise ServiceUnavailable("InfluxDB is down")

    assert KeepFresh(sign_in, clock, write_metric=dead).once().error is None
