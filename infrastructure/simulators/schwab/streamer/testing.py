"""A streamer on a virtual clock and a client without a socket, for the tests of this folder."""

from __future__ import annotations

import json
from typing import Any, Final

from infrastructure.clock import VirtualClock
from infrastructure.simulators.schwab.streamer.forms import service_forms
from infrastructure.simulators.schwab.streamer.pace import StartedTime
from infrastructure.simulators.schwab.streamer.rules import StreamRules
from infrastructure.simulators.schwab.streamer.session import Session
from infrastructure.simulators.schwab.streamer.sources import Publish
from infrastructure.simulators.schwab.streamer.streamer import Streamer

START_NS: Final = 1_362_148_200_000_000_000
GOOD_TOKEN: Final = "good"
EQUITIES: Final = "LEVELONE_EQUITIES"


class OneToken:
    """Accept one access token."""

    def accepts(self, access_token: str) -> bool:
        """Return whether it is that one."""
        return access_token == GOOD_TOKEN


class Counting:
    """Know every key that begins with K, and tell numbers of it when asked to.

    Update number n of a key has n in every field, so that a client can tell what it missed.
    """

    def __init__(self) -> None:
        self.counts: dict[tuple[str, str], int] = {}

    def open(self, service: str, key: str, now_ns: int, publish: Publish) -> bool:
        """Publish update 0."""
        if not key.startswith("K"):
            return False
        self.counts[service, key] = 0
        publish(
            service, key, self.values(service, 0), {"delayed": False, "assetMainType": "EQUITY"}
        )
        return True

    def advance(self, now_ns: int, publish: Publish) -> None:
        """Tell nothing by itself."""

    def tell(self, streamer: Streamer, service: str, key: str) -> None:
        """Publish the next update."""
        self.counts[service, key] += 1
        streamer.publish(service, key, self.values(service, self.counts[service, key]))

    def values(self, service: str, number: int) -> dict[str, Any]:
        """Return update `number`: it in every field, but for a text that never changes."""
        names = service_forms()[service].names
        return {each: "same" if each == "15" else number for each in names if each != "0"}


class Bench:
    """A streamer whose time a test moves."""

    def __init__(self, rules: StreamRules | None = None) -> None:
        self.clock = VirtualClock(START_NS)
        self.source = Counting()
        time = StartedTime(START_NS, self.clock)
        self.streamer = Streamer(OneToken(), time, self.clock, [self.source], rules=rules)

    def pass_s(self, seconds: float) -> None:
        """Let time pass in steps of 100 ms."""
        for _ in range(round(seconds * 10)):
            self.clock.advance(seconds=0.1)
            self.streamer.pump()

    def client(self) -> Client:
        """Return a logged-in client."""
        client = Client(self.streamer)
        client.log_in()
        return client


class Client:
    """Say commands and read frames of one session."""

    def __init__(self, streamer: Streamer) -> None:
        self.streamer = streamer
        self.session: Session = streamer.connect()
        self._number = 0

    def command(self, service: str, name: str, **parameters: str) -> dict[str, Any]:
        """Return a command as clients write it."""
        self._number += 1
        identity = self.streamer.identity
        return {
            "service": service,
            "command": name,
            "requestid": str(self._number),
            "SchwabClientCustomerId": identity.customer_id,
            "SchwabClientCorrelId": identity.correlation_id,
            "parameters": parameters,
        }

    def ask(self, service: str, name: str, **parameters: str) -> tuple[int, str]:
        """Say a command and return code and text of its answer, which comes first."""
        self.say({"requests": [self.command(service, name, **parameters)]})
        frames = self.frames()
        self.rest = frames[1:]
        content = frames[0]["response"][0]["content"]
        return content["code"], content["msg"]

    def say(self, content: Any) -> None:
        """Send something as JSON."""
        self.streamer.receive(self.session, json.dumps(content))

    def log_in(self, token: str = GOOD_TOKEN) -> tuple[int, str]:
        """Say LOGIN."""
        identity = self.streamer.identity
        return self.ask(
            "ADMIN",
            "LOGIN",
            Authorization=token,
            SchwabClientChannel=identity.channel,
            SchwabClientFunctionId=identity.function_id,
        )

    def texts(self) -> list[str]:
        """Return the frames that are out, as they are on the wire."""
        return [each.text or "" for each in self.streamer.take(self.session)]

    def frames(self) -> list[dict[str, Any]]:
        """Return the frames that are out, decoded."""
        return [json.loads(text) for text in self.texts()]

    def items(self, service: str) -> list[dict[str, Any]]:
        """Return the items of a service that are out; other frames are forgotten."""
        return items_of(self.frames(), service)

    def close(self) -> None:
        """Lose the connection, as a socket does."""
        self.streamer.disconnected(self.session)


def items_of(frames: list[dict[str, Any]], service: str) -> list[dict[str, Any]]:
    """Return the items of a service in frames, in their order."""
    return [
        item
        for frame in frames
        for part in frame.get("data", ())
        if part["service"] == service
        for item in part["content"]
    ]
