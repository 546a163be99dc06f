"""The old name of `algo-trader auth login`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from system.algo_trader.main import main

if __name__ == "__main__":
    print("schwab_oauth_helper.py is `algo-trader auth login` now", file=sys.stderr)
    sys.exit(main(["auth", "login", *sys.argv[1:]]))
