"""The old name of `algo-trader auth keep-fresh`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from system.algo_trader.main import main

if __name__ == "__main__":
    print("schwab_token_rotator.py is `algo-trader auth keep-fresh` now", file=sys.stderr)
    sys.exit(main(["auth", "keep-fresh", *sys.argv[1:]]))
