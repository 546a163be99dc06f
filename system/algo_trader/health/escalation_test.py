"""Errors that stay open are told once an opening; nothing that fails stops anything."""

from pathlib import Path
from typing import Any

import fakeredis
import pytest

from infrastructure.clock import VirtualClock
from infrastructure.config import Secret
from infrastructure.errors import NetworkError, ServiceUnavailable
from infrastructure.notification.webhook import JsonWebhook
from system.algo_trader.clients.redis_client import AlgoTraderRedisClient
from system.algo_trader.health.error_entry import ErrorEntry
from system.algo_trader.health.error_registry import CLAIM_NS, ErrorRegistry
from system.algo_trader.health.escalation import escalate_due, webhook_of
from system.algo_trader.health.occurrence import Occurrence
from system.algo_trader.realm import Realm
from system.algo_trader.settings import load

REALM = Realm.sim(Path("home"))
AFTER_S = 900.0


class Webhook(JsonWebhook):
    """Note what is posted; fail as often as told."""

    def __init__(self) -> None:
        super().__init__(Secret("http://127.0.0.1:1/hook"), "ERROR_WEBHOOK_URL")
        self.posted: list[dict[str, Any]] = []
        self.failures = 0

    def post(self, document: Any) -> None:
        self.posted.append(document)
        if self.failures:
            self.failures -= 1
            raise ServiceUnavailable("the webhook answered 503")


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(1_000_000_000_000)


@pytest.fixture
def webhook() -> Webhook:
    return Webhook()


@pytest.fixture
def registry(clock: VirtualClock) -> ErrorRegistry:
    server = fakeredis.FakeRedis(server=fakeredis.FakeServer())
    redis = AlgoTraderRedisClient("redis://h", REALM, connect=lambda address, wait: server)
    return ErrorRegistry(redis, clock)


def record(registry: ErrorRegistry, clock: VirtualClock, message: str = "gone") -> str:
    return registry.record(Occurrence.of(NetworkError(message), "stream", clock.now_ns())).id


def escalate(
    registry: ErrorRegistry, webhook: JsonWebhook | None, clock: VirtualClock
) -> list[ErrorEntry]:
    return escalate_due(registry, webhook, after_s=AFTER_S, realm=REALM, clock=clock)


def test_an_open_error_is_told_once_after_its_time(
    registry: ErrorRegistry, webhook: Webhook, clock: VirtualClock
) -> None:
    id = record(registry, clock)
    clock.advance(seconds=AFTER_S)
    record(registry, clock)
    assert escalate(registry, webhook, clock) == []
    clock.advance(seconds=1)
    [entry] = escalate(registry, webhook, clock)
    assert (entry.id, entry.escalated_at_ns) == (id, clock.now_ns())
    [posted] = webhook.posted
    assert (posted["event"], posted["realm"]) == ("error escalated", "sim")
    assert posted["is_synthetic"] is True
    assert (posted["error"]["id"], posted["error"]["count"]) == (id, 2)
    clock.advance(seconds=10 * AFTER_S)
    assert escalate(registry, webhook, clock) == []


def test_acknowledged_and_resolved_errors_are_told_to_nobody_until_they_open_again(
    registry: ErrorRegistry, webhook: Webhook, clock: VirtualClock
) -> None:
    registry.acknowledge(record(registry, clock, "known"))
    id = record(registry, clock, "mended")
    clock.advance(seconds=AFTER_S + 1)
    assert len(escalate(registry, webhook, clock)) == 1
    registry.resolve(id)
    clock.advance(seconds=AFTER_S + 1)
    assert escalate(registry, webhook, clock) == []
    record(registry, clock, "mended")
    assert escalate(registry, webhook, clock) == []
    clock.advance(seconds=AFTER_S + 1)
    assert [each.id for each in escalate(registry, webhook, clock)] == [id]


def test_a_webhook_is_tried_three_times_after_growing_waits(
    registry: ErrorRegistry, webhook: Webhook, clock: VirtualClock
) -> None:
    record(registry, clock)
    clock.advance(seconds=AFTER_S + 1)
    webhook.failures, begun_ns = 2, clock.now_ns()
    [entry] = escalate(registry, webhook, clock)
    assert (len(webhook.posted), clock.now_ns() - begun_ns) == (3, 5 * 10**9)
    assert entry.notes == ()


def test_a_webhook_that_fails_is_one_warning_a_note_and_no_more_tries(
    registry: ErrorRegistry,
    webhook: Webhook,
    clock: VirtualClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    record(registry, clock)
    clock.advance(seconds=AFTER_S + 1)
    webhook.failures = 99
    [entry] = escalate(registry, webhook, clock)
    assert [note.text for note in entry.notes] == [
        "the webhook was not told: the webhook answered 503"
    ]
    assert [each.levelname for each in caplog.records] == ["WARNING"]
    assert escalate(registry, webhook, clock) == []
    assert len(webhook.posted) == 3


def test_without_a_webhook_an_error_is_marked(registry: ErrorRegistry, clock: VirtualClock) -> None:
    record(registry, clock)
    clock.advance(seconds=AFTER_S + 1)
    assert len(escalate(registry, None, clock)) == 1
    assert escalate(registry, None, clock) == []


def test_what_a_process_began_and_did_not_end_is_taken_over(
    registry: ErrorRegistry, webhook: Webhook, clock: VirtualClock
) -> None:
    id = record(registry, clock)
    clock.advance(seconds=AFTER_S + 1)
    assert registry.claim_escalation(id, AFTER_S) is not None
    assert registry.claim_escalation(id, AFTER_S) is None
    assert escalate(registry, webhook, clock) == []
    clock.advance(CLAIM_NS)
    assert len(escalate(registry, webhook, clock)) == 1


def test_a_redis_that_is_away_stops_nothing(clock: VirtualClock, webhook: Webhook) -> None:
    redis = AlgoTraderRedisClient("redis://127.0.0.1:1/0", REALM, timeout_s=0.1)
    assert escalate(ErrorRegistry(redis, clock), webhook, clock) == []


def test_the_webhook_and_the_time_are_settings(tmp_path: Path) -> None:
    environment = {"ALGO_TRADER_HOME": str(tmp_path)}
    settings = load(environment=environment, workspace=tmp_path)
    assert webhook_of(settings) is None
    assert settings.error_escalation_s == 900
    environment |= {
        "ERROR_WEBHOOK_URL": "https://h/secret-path",
        "ERROR_ESCALATION_S": "60",
    }
    settings = load(environment=environment, workspace=tmp_path)
    assert webhook_of(settings) is not None
    assert settings.error_escalation_s == 60
    assert "secret-path" not in repr(settings)
