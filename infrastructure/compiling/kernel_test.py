"""Judge that compiled functions keep IEEE arithmetic and need no cache folder."""

import math
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from infrastructure.compiling.kernel import kernel, source_digest


def inverse(x: float) -> float:
    return 1.0 / x


def test_division_by_zero_is_infinity_and_nan_stays_nan() -> None:
    compiled = kernel(inverse)
    assert compiled(4.0) == 0.25
    assert compiled(0.0) == math.inf
    assert math.isnan(compiled(math.nan))


def test_a_function_without_a_file_is_compiled_without_a_cache() -> None:
    made: dict[str, Any] = {}
    exec("def double(x):\n    return 2.0 * x\n", made)
    double: Callable[[float], float] = kernel(made["double"])
    assert double(1.5) == 3.0


INNER = (
    "from infrastructure.compiling.kernel import kernel\n\n\n@kernel\ndef step(x):\n"
    "    return x + {}\n"
)
OUTER = (
    "from infrastructure.compiling.kernel import kernel\n"
    "from infrastructure.made.inner import step\n\n\n@kernel\ndef twice(x):\n"
    "    return step(step(x))\n\n\nprint(twice(0))\n"
)


def run_outer(root: Path, cache: Path) -> int:
    """Run the module that calls another one's kernel, in a process of its own."""
    words = (
        "import infrastructure",
        f"infrastructure.__path__.append({str(root / 'infrastructure')!r})",
        "import infrastructure.made.outer",
    )
    made = subprocess.run(
        [sys.executable, "-c", "; ".join(words)],
        env={**os.environ, "NUMBA_CACHE_DIR": str(cache), "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    return int(float(made.stdout))


def test_a_change_in_another_file_s_kernel_is_noticed(tmp_path: Path) -> None:
    folder = tmp_path / "infrastructure" / "made"
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / "outer.py").write_text(OUTER)
    (folder / "inner.py").write_text(INNER.format(1))
    assert run_outer(tmp_path, tmp_path / "cache") == 2
    (folder / "inner.py").write_text(INNER.format(10))
    assert run_outer(tmp_path, tmp_path / "cache") == 20


def test_the_same_source_elsewhere_needs_no_compiling(tmp_path: Path) -> None:
    for place in ("here", "there"):
        folder = tmp_path / place / "infrastructure" / "made"
        folder.mkdir(parents=True)
        (folder / "__init__.py").touch()
        (folder / "outer.py").write_text(OUTER)
        (folder / "inner.py").write_text(INNER.format(1))
    cache = tmp_path / "cache"
    assert run_outer(tmp_path / "here", cache) == 2
    made = sorted(path for path in cache.rglob("*") if path.is_file())
    assert {path.suffix for path in made} == {".nbi", ".nbc"}
    assert run_outer(tmp_path / "there", cache) == 2
    assert sorted(path for path in cache.rglob("*") if path.is_file()) == made


def test_two_processes_never_write_the_same_file_of_code(tmp_path: Path) -> None:
    """Each compiles for another type, with an index in which the other's is not yet."""
    folder = tmp_path / "infrastructure" / "made"
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / "inner.py").write_text(INNER.format(1))
    names = []
    for number, given in enumerate(("0", "0.5")):
        text = OUTER.replace("twice(0)", f"twice({given})")
        (folder / "outer.py").write_text(text)
        cache = tmp_path / f"cache{number}"
        run_outer(tmp_path, cache)
        names.append({path.name for path in cache.rglob("*step*.nbc")})
    assert all(names)
    assert not names[0] & names[1]


def test_the_digest_follows_imports_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "infrastructure" / "made"
    folder.mkdir(parents=True)
    for name in ("a", "b", "c", "d"):
        (folder / f"{name}.py").write_text("")
    (folder / "a.py").write_text("from infrastructure.made.b import f\n")
    (folder / "b.py").write_text("from infrastructure.made.c import g\n")

    def digest() -> str:
        return source_digest("infrastructure.made.a", folder / "a.py")

    first = digest()
    (folder / "d.py").write_text("x = 1\n")
    assert digest() == first
    (folder / "c.py").write_text("x = 1\n")
    assert digest() != first
