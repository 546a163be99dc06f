from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from pathlib import Path

import pytest

from infrastructure.errors import (
    CredentialsRejected,
    DiskFull,
    LineError,
    ServiceUnavailable,
    WriteRejected,
)
from infrastructure.influxdb.spool import Spool
from infrastructure.influxdb.writer import SpoolWriter

LIMIT = 10**6


class Server:
    """Hold rows by their line, fail so often, refuse lines that hold `bad`."""

    def __init__(self, failures: list[Exception] | None = None) -> None:
        self.rows: set[bytes] = set()
        self.no_sync: set[bool] = set()
        self._failures = failures or []
        self._lock = threading.Lock()

    def write_lines(
        self, lines: bytes | Iterable[bytes], *, no_sync: bool = False, accept_partial: bool = True
    ) -> object:
        assert isinstance(lines, bytes)
        with self._lock:
            self.no_sync.add(no_sync)
            if self._failures:
                raise self._failures.pop()
            refused = []
            for number, line in enumerate(lines.splitlines(), 1):
                if b"bad" in line:
                    refused.append(LineError(number, "no such type", line[:20].decode()))
                else:
                    self.rows.add(line)
        if refused:
            raise WriteRejected("partial write", line_errors=tuple(refused))
        return None


def test_every_block_arrives_after_an_outage(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "s", LIMIT)
    server = Server([ServiceUnavailable("down")] * 9 + [CredentialsRejected("token")] * 3)
    wanted = {f"m v={number} {number}".encode() for number in range(20)}
    for line in sorted(wanted):
        spool.put(line + b"\n")
    writer = SpoolWriter(spool, server, tmp_path / "q", first_wait_s=0.001)
    assert writer.run()
    assert server.rows == wanted
    assert server.no_sync == {False}
    assert len(spool) == 0
    assert writer.last_failure is not None


def test_refused_lines_are_kept_with_their_reason_once_and_the_others_arrive(
    tmp_path: Path,
) -> None:
    spool, server = Spool(tmp_path / "s", LIMIT), Server()
    for _ in range(2):
        spool.put(b"m v=1 1\nm v=bad 2\nm v=3 3\n")
        assert SpoolWriter(spool, server, tmp_path / "q").run()
    assert server.rows == {b"m v=1 1", b"m v=3 3"}
    rows = [json.loads(line) for line in (tmp_path / "q").read_text().splitlines()]
    assert rows == [{"line": "m v=bad 2", "reason": "no such type"}]


def test_a_slow_request_holds_back_no_other(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "s", LIMIT)
    released, others = threading.Event(), threading.Semaphore(0)

    class Slow(Server):
        def write_lines(
            self,
            lines: bytes | Iterable[bytes],
            *,
            no_sync: bool = False,
            accept_partial: bool = True,
        ) -> object:
            if lines == b"m v=0 0\n":
                assert released.wait(30)
            super().write_lines(lines, no_sync=no_sync, accept_partial=accept_partial)
            others.release()
            return None

    server = Slow()
    writer = SpoolWriter(spool, server, tmp_path / "q", in_flight=2, batch_bytes=1)
    receipt = writer.write(b"m v=%d %d\n" % (number, number) for number in range(20))
    for _ in range(19):
        assert others.acquire(timeout=30)
    assert len(server.rows) == 19
    released.set()
    done = writer.settled(receipt)
    assert (done.points, done.waiting, done.refused) == (20, {}, 0)
    writer.close()


def test_small_blocks_go_together_and_those_without_sync_apart(tmp_path: Path) -> None:
    spool, requests = Spool(tmp_path / "s", LIMIT), []
    begun, released = threading.Event(), threading.Event()

    class Seen(Server):
        def write_lines(
            self,
            lines: bytes | Iterable[bytes],
            *,
            no_sync: bool = False,
            accept_partial: bool = True,
        ) -> object:
            requests.append((lines, no_sync))
            begun.set()
            assert released.wait(30)
            return None

    writer = SpoolWriter(spool, Seen(), tmp_path / "q", in_flight=1, first_wait_s=0.001)
    writer.write([b"m v=0 0\n"])
    # The first is under way until all others are in the spool.
    assert begun.wait(30)
    writer.write([b"m v=1 1\n", b"m v=2 2"])
    writer.write([b"m v=3 3\n", b"m v=4 4\n"], no_sync=True)
    writer.write([b"m v=5 5\n"])
    released.set()
    assert writer.run()
    assert requests == [
        (b"m v=0 0\n", False),
        (b"m v=1 1\nm v=2 2\n", False),
        (b"m v=3 3\nm v=4 4\n", True),
        (b"m v=5 5\n", False),
    ]


def test_a_failing_server_keeps_no_writer_waiting_and_one_that_is_back_gets_all(
    tmp_path: Path,
) -> None:
    spool = Spool(tmp_path / "s", LIMIT)
    server = Server([ServiceUnavailable("down")] * 10**6)
    writer = SpoolWriter(spool, server, tmp_path / "q", first_wait_s=0.001)
    first = writer.settled(writer.write([b"m v=1 1\n"]))
    assert sum(first.waiting.values()) == 1
    assert str(writer.failing) == "down"
    writer.write([b"m v=2 2\nm v=3 3\n"])
    assert spool.waiting()[:2] == (2, 3)
    assert writer.drain().points == 3
    server._failures.clear()
    assert writer.drain().points == 0
    assert writer.failing is None
    assert server.rows == {b"m v=1 1", b"m v=2 2", b"m v=3 3"}
    writer.close()


def test_a_block_that_is_refused_as_a_whole_holds_back_no_other(tmp_path: Path) -> None:
    class Strict(Server):
        def write_lines(
            self,
            lines: bytes | Iterable[bytes],
            *,
            no_sync: bool = False,
            accept_partial: bool = True,
        ) -> object:
            assert isinstance(lines, bytes)
            if b"poison" in lines:
                raise WriteRejected("too much", status=413)
            return super().write_lines(lines)

    spool, server = Spool(tmp_path / "s", LIMIT), Strict()
    for number in range(9):
        spool.put(b"poison v=1 7\n" if number == 4 else b"m v=%d %d\n" % (number, number))
    assert SpoolWriter(spool, server, tmp_path / "q", first_wait_s=0.001).run()
    assert len(server.rows) == 8
    rows = [json.loads(line) for line in (tmp_path / "q").read_text().splitlines()]
    assert rows == [{"line": "poison v=1 7", "reason": "too much"}]


def test_a_limit_of_the_server_keeps_its_block_for_the_operator(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "s", LIMIT)
    server = Server([WriteRejected("too many columns", status=422)] * 10**6)
    writer = SpoolWriter(spool, server, tmp_path / "q", first_wait_s=0.001)
    done = writer.settled(writer.write([b"m v=1 1\n"]))
    assert sum(done.waiting.values()) == 1
    assert isinstance(writer.failing, WriteRejected)
    assert not (tmp_path / "q").exists()
    writer.close()


def test_a_full_spool_holds_its_writer_back_until_the_server_takes_some(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "s", 120)
    server = Server()
    writer = SpoolWriter(spool, server, tmp_path / "q", batch_bytes=1)
    lines = [b"m v=%d %d\n" % (number, number) for number in range(50)]
    done = writer.settled(writer.write(lines, room_wait_s=30))
    assert (done.points, done.waiting) == (50, {})
    assert len(server.rows) == 50
    writer.close()
    down = Server([ServiceUnavailable("down")] * 10**6)
    writer = SpoolWriter(spool, down, tmp_path / "q", first_wait_s=0.001)
    with pytest.raises(DiskFull, match="wait for their server"):
        writer.write(lines, room_wait_s=0.0)
    writer.close()
    assert [block.lines for block in spool.oldest(99)] == lines[: len(spool)]


def test_a_receipt_counts_the_refused_lines_of_its_own_blocks(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "s", LIMIT)
    server = Server([ServiceUnavailable("down")] * 4)
    writer = SpoolWriter(spool, server, tmp_path / "q", first_wait_s=0.001)
    mine = writer.write([b"m v=1 1\nm v=bad 2\n", b"m v=3 3\n"])
    other = writer.write([b"m v=4 4\nm v=bad 5\nm v=bad 6\n"])
    # Each failure may end a drain, and each drain meets one of them at least.
    for _ in range(5):
        writer.drain()
    assert (writer.settled(mine).refused, writer.settled(other).refused) == (1, 2)
    assert writer.settled(mine).reason == "partial write"
    writer.close()


def test_what_a_stopped_writer_has_not_sent_stays_for_the_next_process(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "s", LIMIT)
    spool.put(b"m v=1 1\n")
    writer = SpoolWriter(spool, Server(), tmp_path / "q")
    writer.stop()
    assert not writer.run()
    spool.close()
    again, server = Spool(tmp_path / "s", LIMIT), Server()
    assert SpoolWriter(again, server, tmp_path / "q").run()
    assert server.rows == {b"m v=1 1"}
