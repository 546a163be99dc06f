"""The process that asks for `bench api`: many connections, one thread, no framework.

It reads one plan as a line of JSON from its input and answers with one line. A full answer is one
of status 200 with a content-length; anything else is an error and counted, never timed away.
"""

from __future__ import annotations

import json
import selectors
import socket
import sys
import time
from collections import Counter, deque
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

_READ: Final = 1 << 18
_END: Final = b"\r\n\r\n"
_LENGTH: Final = b"content-length:"
_GIVE_UP_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """Say what is asked.

    Attributes:
        port: On this machine.
        key: Of the service.
        paths: Asked in turn; `{n}` is replaced by a number that rises with each request.
        accept: The form of the answers.
        connections: Kept alive all the time, one request at a time each.
        seconds: How long requests begin.
        rate: Requests a second at instants that are fixed beforehand; 0 for as many as are
            answered.
        most: Requests after which none begins; 0 for no end.
    """

    port: int
    key: str
    paths: tuple[str, ...]
    accept: str = "application/json"
    connections: int = 100
    seconds: float = 5.0
    rate: float = 0.0
    most: int = 0


@dataclass(frozen=True, slots=True)
class LoadResult:
    """Say how it was answered.

    Attributes:
        sent: Requests.
        answered: Full answers of status 200.
        errors: What came instead, by status or in words.
        per_s: Answers a second.
        p50_ms: Until an answer was whole; since the instant at which it was meant to be sent, if
            a rate was asked for, else since it was sent.
        p95_ms: Likewise.
        p99_ms: Likewise.
        body_bytes: Mean length of a body.
        cores: What this process used.
    """

    sent: int
    answered: int
    errors: dict[str, int]
    per_s: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    body_bytes: float
    cores: float


class _Connection:
    """Hold one connection and the answer that comes over it.

    Args:
        port: On this machine.
    """

    __slots__ = ("began_s", "body", "got", "head", "socket", "wanted")

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.began_s = 0.0
        self.head = b""
        self.got = self.wanted = self.body = 0

    def ask(self, request: bytes, began_s: float) -> None:
        """Send a request; it fits into the empty buffer of the socket."""
        self.began_s = began_s
        self.head, self.got, self.wanted = b"", 0, 0
        self.socket.sendall(request)

    def read(self) -> bool:
        """Take what has come; return whether the answer is whole.

        Raises:
            ValueError: If it is no answer, or longer than it says.
            ConnectionError: If the other side has closed.
        """
        data = self.socket.recv(_READ)
        if not data:
            raise ConnectionResetError("closed")
        self.got += len(data)
        if not self.wanted:
            self.head = self.head + data if self.head else data
            end = self.head.find(_END)
            if end < 0:
                return False
            head = self.head[: end + 2].lower()
            at = head.find(_LENGTH)
            if at < 0:
                raise ValueError("no length")
            self.body = int(head[at + len(_LENGTH) : head.index(b"\r\n", at)])
            self.wanted = end + len(_END) + self.body
        if self.got > self.wanted:
            raise ValueError("too long")
        return self.got == self.wanted

    @property
    def status(self) -> str:
        """Return the status of the answer."""
        return self.head[9:12].decode("latin-1")


class _Run:
    """Carry out a plan.

    Args:
        plan: What is asked.
    """

    def __init__(self, plan: LoadPlan) -> None:
        self._plan = plan
        self._sent = 0
        self._times: list[float] = []
        self._bytes = 0
        self._errors: Counter[str] = Counter()
        self._selector = selectors.DefaultSelector()
        self._open = [_Connection(plan.port) for _ in range(plan.connections)]
        for each in self._open:
            self._selector.register(each.socket, selectors.EVENT_READ, each)
        rest = (
            f" HTTP/1.1\r\nHost: 127.0.0.1:{plan.port}\r\nX-API-Key: {plan.key}\r\n"
            f"Accept: {plan.accept}\r\n\r\n"
        )
        self._requests = [f"GET {path}{rest}".encode() for path in plan.paths]
        self._is_fixed = "{n}" not in "".join(plan.paths)

    def run(self) -> LoadResult:
        """Ask, wait for the last answer and count."""
        began_s, cpu_s = time.perf_counter(), time.process_time()
        if self._plan.rate:
            self._at_a_rate(began_s)
        else:
            self._as_answered(began_s)
        took_s = time.perf_counter() - began_s
        times = np.array(self._times or [0.0]) * 1e3
        p50, p95, p99 = (float(each) for each in np.percentile(times, [50, 95, 99]))
        count = len(self._times)
        return LoadResult(
            sent=self._sent,
            answered=count,
            errors=dict(self._errors),
            per_s=count / took_s,
            p50_ms=p50,
            p95_ms=p95,
            p99_ms=p99,
            body_bytes=self._bytes / max(count, 1),
            cores=(time.process_time() - cpu_s) / took_s,
        )

    def _as_answered(self, began_s: float) -> None:
        """Ask again over each connection as soon as it has its answer."""
        waiting = 0
        until_s, now = began_s + self._plan.seconds, time.perf_counter
        for each in self._open:
            if self._may_begin():
                self._ask(each, now())
                waiting += 1
        while waiting:
            found = self._selector.select(_GIVE_UP_S)
            if not found:
                self._errors["no answer"] += waiting
                return
            for key, _ in found:
                if not self._is_whole(key.data):
                    continue
                at_s = now()
                if key.data.socket.fileno() >= 0 and at_s < until_s and self._may_begin():
                    self._ask(key.data, at_s)
                else:
                    waiting -= 1

    def _at_a_rate(self, began_s: float) -> None:
        """Ask at fixed instants; what finds no free connection waits, and its time runs."""
        plan, now = self._plan, time.perf_counter
        total = round(plan.rate * plan.seconds)
        idle, planned = deque(self._open), 0
        due: deque[float] = deque()
        is_busy = 0
        while planned < total or due or is_busy:
            at_s = now()
            while planned < total and began_s + planned / plan.rate <= at_s:
                due.append(began_s + planned / plan.rate)
                planned += 1
            while due and idle:
                self._ask(idle.popleft(), due.popleft())
                is_busy += 1
            wait_s = _GIVE_UP_S
            if planned < total:
                wait_s = max(0.0, began_s + planned / plan.rate - now())
            found = self._selector.select(wait_s)
            if not found and planned == total:
                self._errors["no answer"] += is_busy + len(due)
                return
            for key, _ in found:
                if self._is_whole(key.data):
                    is_busy -= 1
                    if key.data.socket.fileno() >= 0:
                        idle.append(key.data)

    def _may_begin(self) -> bool:
        return not self._plan.most or self._sent < self._plan.most

    def _ask(self, connection: _Connection, began_s: float) -> None:
        request = self._requests[self._sent % len(self._requests)]
        if not self._is_fixed:
            request = request.replace(b"{n}", b"%d" % self._sent)
        self._sent += 1
        connection.ask(request, began_s)

    def _is_whole(self, connection: _Connection) -> bool:
        """Read; return whether the request is over, well or not."""
        try:
            if not connection.read():
                return False
        except (OSError, ValueError) as error:
            self._errors[str(error)] += 1
            self._selector.unregister(connection.socket)
            connection.socket.close()
            return True
        if connection.status == "200":
            self._times.append(time.perf_counter() - connection.began_s)
            self._bytes += connection.body
        else:
            self._errors[connection.status] += 1
        return True

    def close(self) -> None:
        """Close every connection."""
        self._selector.close()
        for each in self._open:
            each.socket.close()


def main() -> None:
    """Carry out one plan a line until the input ends."""
    for line in sys.stdin:
        values: dict[str, Any] = json.loads(line)
        run = _Run(LoadPlan(**{**values, "paths": tuple(values["paths"])}))
        try:
            result = run.run()
        finally:
            run.close()
        print(json.dumps(asdict(result)), flush=True)


if __name__ == "__main__":
    main()
