"""Which keys a refused command leaves out."""

from __future__ import annotations

import re

from infrastructure.schwab.streamer.subscriptions import Change, Subscriptions

_DISCARDED = re.compile(r"DISCARDED=(\d+)")


def discarded_keys(change: Change, subscriptions: Subscriptions, message: str) -> tuple[str, ...]:
    """Return the keys that a refusal concerns.

    A full service answers code 19 with a message that ends `(SCREENER_EQUITY=10, DISCARDED=1)`:
    the last keys of the command are left out, and the first ones stay active. Any other refusal
    concerns the whole command.

    Args:
        change: The command that was refused.
        subscriptions: What is wanted, for a command without keys of its own.
        message: The server's reason.
    """
    keys = change.keys
    if not keys and change.service in subscriptions:
        keys = subscriptions[change.service].keys
    match = _DISCARDED.search(message)
    if match is None:
        return keys
    count = min(int(match[1]), len(keys))
    return keys[len(keys) - count :]
