"""What a stream is subscribed to: the truth that every connection is made equal to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from infrastructure.errors import UsageError
from infrastructure.schwab.streamer.commands import Command
from infrastructure.schwab.streamer.services import SPECS, Service


@dataclass(frozen=True, slots=True)
class Subscription:
    """The keys and fields of one service.

    Attributes:
        service: Which.
        keys: Its keys, in the order in which they were asked for.
        fields: The field numbers that it delivers.
    """

    service: Service
    keys: tuple[str, ...]
    fields: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """One command that takes a subscription to its new state.

    Attributes:
        service: Which.
        command: SUBS, ADD, UNSUBS or VIEW.
        keys: Keys that the command names.
        fields: Field numbers that it names.
        excess: Keys that were asked for and do not fit the service's limit.
    """

    service: Service
    command: Command
    keys: tuple[str, ...]
    fields: tuple[int, ...] = ()
    excess: tuple[str, ...] = ()


class Subscriptions:
    """Hold the wanted subscriptions of a stream."""

    def __init__(self) -> None:
        self._wanted: dict[Service, Subscription] = {}

    def __iter__(self) -> Iterator[Subscription]:
        return iter(self._wanted.values())

    def __getitem__(self, service: Service) -> Subscription:
        return self._wanted[service]

    def __contains__(self, service: object) -> bool:
        return service in self._wanted

    def subscribe(
        self, service: Service, keys: Iterable[str], fields: Iterable[int] | None = None
    ) -> Change:
        """Replace the whole key set of a service.

        Args:
            service: Which.
            keys: Its keys; repeated ones count once.
            fields: Field numbers; all of the service when None.

        Raises:
            UsageError: If there is no key, a key that cannot be sent, or an unknown field.
        """
        named = _checked_keys(service, keys)
        numbers = _checked_fields(service, fields)
        limit = SPECS[service].key_limit
        kept, excess = named[:limit], named[limit:]
        self._wanted[service] = Subscription(service, kept, numbers)
        return Change(service, Command.SUBS, kept, numbers, excess)

    def add(self, service: Service, keys: Iterable[str]) -> Change:
        """Append keys to a service; the first time it subscribes with all fields.

        Raises:
            UsageError: As `subscribe`, and for account activity, which Schwab does not let grow.
        """
        if service is Service.ACCT_ACTIVITY:
            raise UsageError(
                "Schwab has no ADD for ACCT_ACTIVITY", next_step="Subscribe to it with SUBS."
            )
        present = self._wanted.get(service)
        if present is None:
            return self.subscribe(service, keys)
        new = tuple(key for key in _checked_keys(service, keys) if key not in set(present.keys))
        room = SPECS[service].key_limit - len(present.keys)
        kept, excess = new[:room], new[room:]
        self._wanted[service] = Subscription(service, present.keys + kept, present.fields)
        return Change(service, Command.ADD, kept, present.fields, excess)

    def unsubscribe(self, service: Service, keys: Iterable[str] | None = None) -> Change:
        """Remove keys of a service, all when None.

        Raises:
            UsageError: If the service is not subscribed.
        """
        present = self._subscribed(service)
        gone = present.keys if keys is None else _checked_keys(service, keys)
        removed = set(gone)
        left = tuple(key for key in present.keys if key not in removed)
        if left:
            self._wanted[service] = Subscription(service, left, present.fields)
        else:
            del self._wanted[service]
        return Change(service, Command.UNSUBS, gone)

    def view(self, service: Service, fields: Iterable[int]) -> Change:
        """Change the fields that a service delivers for all its keys.

        Raises:
            UsageError: If the service is not subscribed, or a field is unknown.
        """
        present = self._subscribed(service)
        numbers = _checked_fields(service, fields)
        self._wanted[service] = Subscription(service, present.keys, numbers)
        return Change(service, Command.VIEW, present.keys, numbers)

    def drop(self, service: Service, keys: Iterable[str]) -> None:
        """Forget keys that the server refused, so that a replay does not ask for them again."""
        if service in self._wanted:
            self.unsubscribe(service, tuple(keys))

    def replay(self) -> Iterator[Change]:
        """Yield the commands that make a new connection equal to what is wanted.

        Each is made when it is asked for: what changes while the ones before it are being
        answered is in it, and is not undone by it.
        """
        for service in tuple(self._wanted):
            one = self._wanted.get(service)
            if one is not None:
                yield Change(service, Command.SUBS, one.keys, one.fields)

    def _subscribed(self, service: Service) -> Subscription:
        present = self._wanted.get(service)
        if present is None:
            subscribed = ", ".join(self._wanted) or "nothing"
            raise UsageError(
                f"{service} is not subscribed (subscribed: {subscribed})",
                next_step="Subscribe to it first.",
            )
        return present


def _checked_keys(service: Service, keys: Iterable[str]) -> tuple[str, ...]:
    named = tuple(dict.fromkeys(keys))
    if not named:
        raise UsageError(f"{service} needs at least one key")
    for key in named:
        if not key.strip() or "," in key:
            raise UsageError(f"{key!r} cannot be a key of {service}: it is empty or has a comma")
    return named


def _checked_fields(service: Service, fields: Iterable[int] | None) -> tuple[int, ...]:
    spec = SPECS[service]
    if fields is None:
        return spec.all_numbers
    numbers = tuple(sorted({0, *fields}))
    unknown = [number for number in numbers if not 0 <= number < len(spec.fields)]
    if unknown:
        raise UsageError(f"{service} has fields 0 to {len(spec.fields) - 1}, not {unknown[0]}")
    return numbers
