"""Run the stand-in Grafana by the GF_ variables that the real image reads."""

from __future__ import annotations

import os
import signal
import sys
import threading
from types import FrameType

from infrastructure.simulators.grafana.server import VERSION, ServerSettings, StandInGrafana


def main() -> int:
    """Serve until SIGTERM or Ctrl-C."""
    server = StandInGrafana(ServerSettings.from_environment(os.environ), os.environ)

    def stop(_signal: int, _frame: FrameType | None) -> None:
        threading.Thread(target=server.stop).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    print(f"stand-in Grafana {VERSION} (not Grafana) listens on {server.url}", flush=True)
    for line in server.log:
        print(line, flush=True)
    server.serve()
    return 0


if __name__ == "__main__":
    sys.exit(main())
