"""The archive on a disk that is full, then read-only: refused in a sentence, completed after."""

import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from shutil import rmtree, which
from typing import Any

import pytest

from system.algo_trader.testing.command_line import CommandLine

ROWS = 60_000
SCRIPT = """
mount -t tmpfs -o size={size} tmpfs "$HOME" || exit 99
cd "$HOME"
run() {{
    name=$1; shift
    "{python}" -m system.algo_trader.main "$@" > "{out}/$name.json" 2> "{out}/$name.err"
    echo $? > "{out}/$name.code"
}}
take="store import {out}/trades.csv --symbol ZZZ --json"
run small store import {out}/few.csv --symbol ZZZ --json
run full $take
run whole archive verify --json
mount -o remount,ro "$HOME" || exit 99
run readonly $take
run quota store quota 5GB --json
run status store status --json
run verify archive verify --json
run query archive query "SELECT count(*) AS n FROM trades"
mount -o remount,rw,size=64m "$HOME" || exit 99
run again $take
run after archive verify --json
run rows archive query "SELECT count(*) AS n, sum(size)::BIGINT AS s FROM trades"
find "$HOME" -name "*.new" -o -name ".draft*" -o -name unfinished > "{out}/strays"
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="at-"))
    yield made
    rmtree(made)


def write_trades(path: Path, count: int) -> int:
    """Write trades of one second each over several days; return the sum of their sizes."""
    rng = random.Random(5)
    first, total = 1_700_000_000, 0
    with path.open("w", encoding="utf-8") as file:
        file.write("ts_event_ns,price,size\n")
        for number in range(count):
            size = rng.randrange(1, 10**6)
            total += size
            file.write(f"{first + 7 * number}000000000,{rng.random() * 1e4!r},{size}\n")
    return total


@pytest.mark.parametrize("size", ["200k", "600k"])
def test_an_import_onto_a_full_disk_stores_nothing_half_and_completes_later(
    folder: Path, size: str
) -> None:
    assert os.geteuid() == 0, "this test mounts a tmpfs: run it as root"
    assert which("unshare"), "this test needs unshare of util-linux: apt-get install util-linux"
    home, out = folder / "home", folder / "out"
    home.mkdir()
    out.mkdir()
    total = write_trades(out / "trades.csv", ROWS)
    write_trades(out / "few.csv", 10)
    script = SCRIPT.format(size=size, python=sys.executable, out=out)
    subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "sh", "-c", script],
        env=CommandLine(home).environment(),
        check=True,
    )

    def code(name: str) -> str:
        said = (out / f"{name}.err").read_text()
        assert "Traceback" not in said
        return (out / f"{name}.code").read_text().strip()

    def answer(name: str) -> Any:
        assert code(name) == "0", (out / f"{name}.err").read_text()
        return json.loads((out / f"{name}.json").read_text())

    assert answer("small")["new"] == 10
    assert code("full") == "3"
    assert "no space left" in (out / "full.err").read_text()
    assert answer("whole")["damages"] == answer("whole")["strays"] == []
    for name in ("readonly", "quota"):
        assert code(name) == "3"
        assert "Read-only file system" in (out / f"{name}.err").read_text()
    assert [each["rows"] for each in answer("status")["datasets"]] == [10]
    assert answer("verify")["damages"] == []
    assert answer("query") == [{"n": 10}]
    assert answer("again")["new"] + answer("again")["unchanged"] == ROWS
    assert answer("after")["damages"] == answer("after")["strays"] == []
    assert answer("rows") == [{"n": ROWS, "s": total}]
    assert (out / "strays").read_text() == ""
