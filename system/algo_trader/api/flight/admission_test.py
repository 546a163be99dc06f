"""Who is let in over Flight, and what a refusal says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pyarrow import flight

from infrastructure.clock import VirtualClock
from system.algo_trader.api.access.api_key import KeyScope
from system.algo_trader.api.access.audit import Audit
from system.algo_trader.api.access.caller import Caller
from system.algo_trader.api.access.doorkeeper import FAILURES_PER_MINUTE, Doorkeeper
from system.algo_trader.api.access.key_store import KeyStore
from system.algo_trader.api.flight.admission import AdmissionFactory, FlightAdmission
from system.algo_trader.api.flight.call import Call
from system.algo_trader.api.flight.refusal import refusal_of
from system.algo_trader.api.operations.problem import Problem

OWNER = "the-owners-secret"
TICKS = frozenset({KeyScope.READ_TICKS})


@pytest.fixture
def admission(tmp_path: Path) -> FlightAdmission:
    clock = VirtualClock(1_700_000_000 * 10**9)
    audit = Audit(tmp_path / "audit.jsonl", clock)
    keys = KeyStore(tmp_path / "keys.json", clock)
    return FlightAdmission(Doorkeeper(keys, OWNER, clock), audit)


def bearer(text: str) -> dict[str, list[str]]:
    return {"Authorization": [f"Bearer {text}"]}


def refused(admission: FlightAdmission, headers: Any) -> Problem:
    with pytest.raises(Problem) as caught:
        admission.caller_of(headers)
    return caught.value


def test_a_key_comes_in_by_either_header_with_its_scopes_only(admission: FlightAdmission) -> None:
    key, text = admission.doorkeeper.keys.create("notebook", TICKS)
    for headers in (
        bearer(text),
        {"x-api-key": [text.encode()]},
        {"authorization": [f"bearer {text}"]},
    ):
        caller = admission.caller_of(headers)
        assert (caller.key_id, caller.may("read:ticks"), caller.may("read:options")) == (
            key.key_id, True, False,
        )  # fmt: skip


def test_the_owner_comes_in_by_the_secret_of_this_service(admission: FlightAdmission) -> None:
    assert admission.caller_of(bearer(OWNER)).may("read:options")
    assert refused(admission, bearer(OWNER + "x")).status == 401


@pytest.mark.parametrize(
    "headers", [{}, {"authorization": ["Basic x"]}, bearer(""), bearer("ß" * 9)]
)
def test_without_a_valid_key_nobody_comes_in(admission: FlightAdmission, headers: Any) -> None:
    assert refused(admission, headers).status == 401


def test_those_who_guess_do_not_lock_out_a_right_key(admission: FlightAdmission) -> None:
    _, text = admission.doorkeeper.keys.create("notebook", TICKS)
    states = [refused(admission, bearer(f"at_{n}")).status for n in range(FAILURES_PER_MINUTE + 5)]
    assert (states[0], states[-1]) == (401, 429)
    assert admission.caller_of(bearer(text)).may("read:ticks")
    assert admission.caller_of(bearer(OWNER)).key_id == "local"


def test_too_many_calls_are_told_when_to_come_back(admission: FlightAdmission) -> None:
    _, text = admission.doorkeeper.keys.create("notebook", TICKS, rate_per_minute=60)
    for _ in range(10):
        admission.caller_of(bearer(text))
    problem = refused(admission, bearer(text))
    assert (problem.status, problem.retry_after_s) == (429, 2)


def test_a_revoked_key_is_a_wrong_one(admission: FlightAdmission) -> None:
    key, text = admission.doorkeeper.keys.create("notebook", TICKS)
    admission.doorkeeper.keys.revoke(key.key_id)
    assert refused(admission, bearer(text)).status == 401


def test_a_call_that_goes_on_learns_that_its_key_has_ended(admission: FlightAdmission) -> None:
    key, text = admission.doorkeeper.keys.create("notebook", TICKS)
    mine, of_the_owner = (
        AdmissionFactory(admission).start_call(None, bearer(used)) for used in (text, OWNER)
    )
    assert (mine.is_still_in(), of_the_owner.is_still_in()) == (True, True)
    admission.doorkeeper.keys.revoke(key.key_id)
    assert (mine.is_still_in(), of_the_owner.is_still_in()) == (False, True)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, flight.FlightServerError),
        (401, flight.FlightUnauthenticatedError),
        (403, flight.FlightUnauthorizedError),
        (404, flight.FlightServerError),
        (408, flight.FlightTimedOutError),
        (429, flight.FlightUnavailableError),
        (503, flight.FlightUnavailableError),
    ],
)
def test_a_refusal_is_an_error_of_its_kind_with_the_problem(status: int, kind: Any) -> None:
    error = refusal_of(Problem(status, "it is so", "limit", retry_after_s=3))
    assert type(error) is kind
    said = json.loads(error.extra_info)
    assert (said["status"], said["detail"], said["parameter"]) == (status, "it is so", "limit")


def test_the_middleware_refuses_with_errors_of_flight(admission: FlightAdmission) -> None:
    with pytest.raises(flight.FlightUnauthenticatedError, match="key"):
        AdmissionFactory(admission).start_call(None, {})


def test_what_no_caller_should_read_stays_inside(admission: FlightAdmission) -> None:
    call = Call(Caller("k", frozenset()), "ipv4:127.0.0.1:5", b"", admission.audit)
    with pytest.raises(flight.FlightServerError) as caught, call:
        raise RuntimeError("/home/somebody/secret")
    assert "somebody" not in str(caught.value) + str(caught.value.extra_info)
    assert caught.value.__suppress_context__
