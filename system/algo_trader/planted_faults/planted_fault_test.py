"""The list of faults is fresh: every line and every test of it is still there."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest

from system.algo_trader.planted_faults.planted_fault import (
    ROOT,
    CopiedTree,
    PlantedFault,
    lines_found,
    planted_faults,
)

FAULTS = planted_faults()


def test_there_are_ten_of_the_client_and_ten_of_the_simulator() -> None:
    assert Counter(fault.side for fault in FAULTS) == {"client": 10, "simulator": 10}
    places = {"client": "infrastructure/schwab/", "simulator": "infrastructure/simulators/schwab/"}
    assert all(fault.file.startswith(places[fault.side]) for fault in FAULTS)
    assert len({(fault.file, fault.line) for fault in FAULTS}) == len(FAULTS)


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.what for fault in FAULTS])
def test_a_faults_line_stands_in_its_file_once_and_its_test_is_there(fault: PlantedFault) -> None:
    assert lines_found(fault) == 1, fault.file
    assert fault.line != fault.replacement
    file, _, name = fault.test.partition("::")
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, file
    source = (ROOT / fault.file).read_text(encoding="utf-8").splitlines()
    source[source.index(fault.line)] = fault.replacement
    # A file that Python cannot read would fail every test, and show nothing.
    ast.parse("\n".join(source))


def small_root(tmp_path: Path, value: int) -> Path:
    root = tmp_path / "root"
    (root / "infrastructure").mkdir(parents=True)
    (root / "system").mkdir()
    (root / "conftest.py").touch()
    (root / "pyproject.toml").write_text('[tool.pytest.ini_options]\npythonpath = ["."]\n')
    (root / "infrastructure" / "thing.py").write_text(f"VALUE = 1\nOTHER = {value}\n")
    (root / "infrastructure" / "thing_test.py").write_text(
        "from infrastructure.thing import VALUE\n\n\ndef test_it():\n    assert VALUE == 1\n"
    )
    return root


def test_a_fault_is_planted_noticed_and_taken_out_again(tmp_path: Path) -> None:
    root = small_root(tmp_path, 1)
    (tmp_path / "copy").mkdir()
    tree = CopiedTree(tmp_path / "copy", root)
    test = "infrastructure/thing_test.py::test_it"
    seen = PlantedFault("client", "", "infrastructure/thing.py", "VALUE = 1", "VALUE = 2", test)
    unseen = PlantedFault("client", "", "infrastructure/thing.py", "OTHER = 1", "OTHER = 2", test)
    assert tree.failing([test]) is None
    assert tree.is_noticed(seen)
    assert not tree.is_noticed(unseen)
    assert tree.failing([test]) is None
    assert (root / "infrastructure" / "thing.py").read_text() == "VALUE = 1\nOTHER = 1\n"
    missing = PlantedFault("c", "", "infrastructure/thing.py", "VALUE = 1", "VALUE = 2", test + "x")
    with pytest.raises(RuntimeError, match="did not run"):
        tree.is_noticed(missing)
