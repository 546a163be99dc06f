"""The process that writes ticks into Redis for `bench api`, at a rate, until told to end."""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path

from system.algo_trader.benchmarks.api_home import FRAME_TICKS, frames
from system.algo_trader.clients.redis_client import AlgoTraderRedisClient
from system.algo_trader.realm import Realm
from system.algo_trader.storage.hot_keys import TICK_CHANNEL, TICKS


def main() -> None:
    """Write what one line of input asks for; say how many ticks were written.

    The line names the `home`, the `url` of its Redis, ticks a second (`rate`) and the `frames`
    after which it ends by itself; 0 for no end but a second line.
    """
    plan = json.loads(sys.stdin.readline())
    ending = threading.Event()

    def listen() -> None:
        sys.stdin.readline()
        ending.set()

    if not plan["frames"]:
        threading.Thread(target=listen, daemon=True).start()
    written, began_s = 0, time.monotonic()
    source = frames()
    with (
        AlgoTraderRedisClient(plan["url"], Realm.sim(Path(plan["home"]))) as redis,
        redis.frame_bus(TICKS, TICK_CHANNEL) as bus,
    ):
        while not ending.is_set() and not 0 < plan["frames"] <= written:
            bus.write([next(source)])
            written += 1
            due_s = began_s + written * FRAME_TICKS / plan["rate"]
            ending.wait(max(0.0, due_s - time.monotonic()))
    took_s = time.monotonic() - began_s
    print(json.dumps({"ticks": written * FRAME_TICKS, "took_s": took_s}), flush=True)


if __name__ == "__main__":
    main()
