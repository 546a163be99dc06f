"""A reader of the stream `ticks` in a process of its own, for runs longer than the stream is.

It reads the home folder and Redis' URL as JSON from its first line of standard input, then counts
rows as a consumer does until the second line comes, and prints how many there were.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from system.algo_trader.clients.redis_client import AlgoTraderRedisClient
from system.algo_trader.realm import Realm
from system.algo_trader.storage.hot_keys import TICKS


class ReaderProcess:
    """Read along from the beginning.

    Args:
        home: The home folder.
        redis_url: With its password.
    """

    def __init__(self, home: Path, redis_url: str) -> None:
        places = os.pathsep.join(place for place in sys.path if place)
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            env={**os.environ, "PYTHONPATH": places},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._say(json.dumps({"home": str(home), "url": redis_url}))

    def rows(self) -> int:
        """Return how many rows there were, once nothing more comes."""
        self._say("end")
        assert self._process.stdout is not None
        return int(self._process.stdout.readline())

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()


def main() -> None:
    """Count until told to end and nothing is left."""
    places = json.loads(sys.stdin.readline())
    ending = threading.Event()

    def listen() -> None:
        sys.stdin.readline()
        ending.set()

    threading.Thread(target=listen, daemon=True).start()
    rows = 0

    def count(table: Any) -> None:
        nonlocal rows
        rows += table.num_rows

    with AlgoTraderRedisClient(places["url"], Realm.sim(Path(places["home"]))) as redis:
        reader = redis.frame_reader(TICKS, "bench", "bench")
        while True:
            is_last = ending.is_set()
            while reader.drain(count, count=500):
                pass
            if is_last:
                break
            ending.wait(0.5)
    print(rows, flush=True)


if __name__ == "__main__":
    main()
