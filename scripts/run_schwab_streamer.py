"""The old name of `algo-trader stream`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from system.algo_trader.main import main

if __name__ == "__main__":
    print("run_schwab_streamer.py is `algo-trader stream` now", file=sys.stderr)
    sys.exit(main(["stream", *sys.argv[1:]]))
