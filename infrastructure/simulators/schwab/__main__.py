"""Run the simulator: `python -m infrastructure.simulators.schwab --help`."""

import sys

from infrastructure.simulators.schwab.command import run

if __name__ == "__main__":
    sys.exit(run())
