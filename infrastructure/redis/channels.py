"""Publish and subscribe. Channels carry no namespace, and nobody keeps what they carried."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, NamedTuple

from infrastructure.errors import UsageError
from infrastructure.redis.errors import in_our_tree
from infrastructure.redis.session import RedisSession


class Message(NamedTuple):
    """What came over a channel.

    Attributes:
        channel: Its name.
        data: The message as sent.
    """

    channel: str
    data: bytes


class Subscription:
    """Channels that are listened to. Made by `Channels.subscribe`."""

    def __init__(self, place: str, theirs: Any) -> None:
        self._place = place
        self._theirs = theirs

    def receive(self, timeout_s: float) -> Message | None:
        """Return the next message, None when none came in so many seconds."""
        with in_our_tree(self._place, "SUBSCRIBE"):
            answer = self._theirs.get_message(ignore_subscribe_messages=True, timeout=timeout_s)
        if answer is None:
            return None
        return Message(answer["channel"].decode(), answer["data"])


class Channels(RedisSession):
    """Send messages to whoever listens now."""

    def publish(self, channel: str, message: str | bytes) -> int:
        """Send a message and return how many listeners got it; on a Cluster, those of one node."""
        with self.asking(f"PUBLISH {channel}") as server:
            return int(server.publish(channel, message))

    @contextlib.contextmanager
    def subscribe(self, *channels: str) -> Iterator[Subscription]:
        """Listen to channels for the length of a block; nothing sent in it is missed.

        Raises:
            UsageError: If no channel is named.
        """
        if not channels:
            raise UsageError("a subscription names no channel, expected one at least")
        place = str(self.address)
        with self.asking(f"SUBSCRIBE {' '.join(channels)}") as server:
            theirs = server.pubsub()
            theirs.subscribe(*channels)
        try:
            with in_our_tree(place, "SUBSCRIBE"):
                for _ in channels:
                    theirs.get_message(timeout=self.timeout_s)
            yield Subscription(place, theirs)
        finally:
            theirs.close()
