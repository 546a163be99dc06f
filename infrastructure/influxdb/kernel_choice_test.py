"""Short commands pay for no compilation, and a folder that cannot be written stops no kernel."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from infrastructure.compiling.kernel import kernel
from infrastructure.influxdb import encode, parse, schema

SHORT_COMMAND = f"""
import sys
import pyarrow as pa
from {encode.__name__} import encode_lines
from {parse.__name__} import parse_lines
from {schema.__name__} import Column, TableSchema
schema = TableSchema("prices", (), (Column("price", "float"),))
rows = pa.table(dict(price=[1.5] * 20_000, time=list(range(20_000))))
for block in encode_lines(schema, rows):
    parse_lines(block, now_ns=0)
print("numba" in sys.modules)
"""


def test_a_short_command_does_not_load_the_compiler() -> None:
    places = [os.path.abspath(place) for place in sys.path]
    ran = subprocess.run(
        [sys.executable, "-c", SHORT_COMMAND],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(places)},
    )
    assert (ran.returncode, ran.stdout.strip()) == (0, "False"), ran.stderr


def test_a_kernel_compiles_where_no_cache_can_be_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    import numba

    compile_anew = numba.njit

    def without_a_folder(*functions: Any, **options: Any) -> Callable[..., object]:
        if options.pop("cache", False):
            raise RuntimeError("cannot cache function: no locator available")
        return compile_anew(*functions, **options)  # type: ignore[no-any-return]

    monkeypatch.setattr(numba, "njit", without_a_folder)
    assert kernel(lambda number: number + 1)(1) == 2
