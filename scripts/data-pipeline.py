"""The old name of `algo-trader serve --with-pipeline`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from system.algo_trader.main import main

if __name__ == "__main__":
    print("data-pipeline.py is `algo-trader serve --with-pipeline` now", file=sys.stderr)
    sys.exit(main(["serve", "--with-pipeline", *sys.argv[1:]]))
