"""Tell a webhook of errors that have been open for too long, each once an opening."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from infrastructure.errors import RetryableError, StackError
from infrastructure.logging import get_logger
from infrastructure.notification.webhook import JsonWebhook
from infrastructure.supervision import Backoff
from system.algo_trader.health.error_entry import ErrorEntry

if TYPE_CHECKING:
    from infrastructure.clock import Clock
    from system.algo_trader.health.error_registry import ErrorRegistry
    from system.algo_trader.realm import Realm
    from system.algo_trader.settings import AppSettings

EVENT: Final = "error escalated"
VARIABLE: Final = "ERROR_WEBHOOK_URL"
TRIES: Final = 3
WAITS: Final = Backoff(first_s=1.0, factor=4.0)
"""One second before the second try, four before the third."""
_log = get_logger("health.escalation")


def webhook_of(settings: AppSettings) -> JsonWebhook | None:
    """Return the webhook of some settings, None when none is set.

    Raises:
        ConfigError: If its URL is none.
    """
    url = settings.error_webhook_url
    return None if url is None else JsonWebhook(url, VARIABLE)


def escalate_due(
    registry: ErrorRegistry,
    webhook: JsonWebhook | None,
    *,
    after_s: float,
    realm: Realm,
    clock: Clock,
) -> list[ErrorEntry]:
    """Escalate what is due, and return it; several processes may call this at any time.

    A webhook that fails, and a Redis that does not answer, stop nothing: the one is a warning, and
    after the other a later call does what this one could not. It takes as long as the webhook does.

    Args:
        registry: The errors.
        webhook: Who is told; None for nobody: then an error is only marked.
        after_s: How long an error is open before it is escalated, seconds.
        realm: Whose errors they are.
        clock: Waits between tries.
    """
    done: list[ErrorEntry] = []
    try:
        now_ns = clock.now_ns()
        after_ns = round(after_s * 1e9)
        for each in registry.entries("open"):
            if not each.is_due(now_ns, after_ns):
                continue
            claimed = registry.claim_escalation(each.id, after_s)
            if claimed is None:
                continue
            failure = None if webhook is None else _tell(webhook, claimed, realm, clock)
            note = None if failure is None else f"the webhook was not told: {failure}"
            marked = registry.escalated(claimed.id, note)
            if marked is not None:
                done.append(marked)
            if failure is not None:
                # The others are left to a later call: this one has waited long enough.
                break
    except StackError as error:
        _log.debug("errors could not be escalated: %s", error)
    return done


def _tell(webhook: JsonWebhook, entry: ErrorEntry, realm: Realm, clock: Clock) -> str | None:
    """Post an error, and return why that failed, None when it did not."""
    document: dict[str, Any] = {
        "event": EVENT,
        "realm": realm.name,
        "is_synthetic": realm.is_simulated,
        "error": entry.as_dict(),
    }
    for attempt in range(1, TRIES + 1):
        try:
            webhook.post(document)
            return None
        except RetryableError as error:
            if attempt == TRIES:
                _log.warning("the error %s is open, and nobody could be told: %s", entry.id, error)
                return error.message
        clock.sleep(WAITS.wait_s(attempt))
    return None
