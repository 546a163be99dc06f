from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from pathlib import Path

from infrastructure.errors import CredentialsRejected, LineError, ServiceUnavailable, WriteRejected
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
    writer = SpoolWriter(spool, server, tmp_path / "q", first_wait_s=0.001, no_sync=True)
    assert writer.run()
    assert server.rows == wanted
    assert server.no_sync == {True}
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
