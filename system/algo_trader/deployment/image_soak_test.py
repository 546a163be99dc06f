"""The image as a person builds it, with every locked wheel: some minutes, and the network."""

import json
import shutil
import tempfile
from pathlib import Path

from infrastructure.simulators.docker_engine import TemporaryDockerEngine
from system.algo_trader.deployment.trial_image import CONFINED, TAG, build_image

# The compiled parts, each used once, with the kernels' machine code kept in the volume.
WORK = """
import datafusion, duckdb, fastapi, granian, mcp, pandas, plotly, scipy
from pathlib import Path
from infrastructure.compiling import kernel
import system.algo_trader.tape.classify_kernels
print(len(list(Path.home().glob(".cache/algo_trader/kernels/*"))))
"""


def test_the_whole_lock_is_installed_and_works_confined() -> None:
    folder = Path(tempfile.mkdtemp(prefix="at-"))
    with TemporaryDockerEngine() as engine:
        build_image(engine, folder / "context")
        run = ("run", "--rm", *CONFINED)
        assert json.loads(engine.docker(*run, TAG, "health", "--json"))["state"] == "degraded"
        kept = engine.docker(*run, "--entrypoint=python", TAG, "-c", WORK)
        assert int(kept) > 0
    shutil.rmtree(folder)
