"""BUILD files follow the imports: names, deps, circles, data and who may use what."""

from pathlib import Path

import pytest

from scripts.build_files import build_files, main
from scripts.build_graph import BuildError, Graph

LOCK = """\
numpy==2.4.6 \\
    --hash=sha256:0
python-dotenv==1.2.4
redis[hiredis]==8.1.0
pytest==9.2.0
uvicorn==0.54.0
websockets==15.0
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "requirements_lock.txt").write_text(LOCK)
    (tmp_path / "system").mkdir()
    plant(tmp_path, "infrastructure/__init__.py")
    plant(tmp_path, "infrastructure/tape/__init__.py")
    return tmp_path


def plant(root: Path, path: str, text: str = "") -> None:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def text_of(root: Path, package: str) -> str:
    return build_files(Graph(root))[Path(package) / "BUILD.bazel"]


def test_a_module_is_a_library_with_its_package_and_imports_as_deps(root: Path) -> None:
    plant(root, "infrastructure/tape/reader.py", "import json\nimport numpy as np\nimport dotenv\n")
    graph = Graph(root)
    reader = graph.targets["//infrastructure/tape:reader"]
    wanted = {"//infrastructure/tape:tape", "@pypi//numpy", "@pypi//python_dotenv"}
    assert (reader.rule, reader.srcs, reader.deps) == ("py_library", ["reader.py"], wanted)
    assert graph.unresolved == []


def test_what_a_distribution_does_not_ask_for_comes_along(root: Path) -> None:
    plant(root, "infrastructure/tape/server.py", "import uvicorn\n")
    deps = Graph(root).targets["//infrastructure/tape:server"].deps
    assert {"@pypi//uvicorn", "@pypi//websockets"} <= deps


def test_an_import_inside_a_function_is_a_dep_and_one_for_type_checkers_is_none(root: Path) -> None:
    plant(root, "infrastructure/tape/a.py", "")
    plant(root, "infrastructure/tape/b.py", "")
    late = "def go():\n    from infrastructure.tape import a\n"
    typing = (
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import infrastructure.tape.b\n"
    )
    plant(root, "infrastructure/tape/c.py", late + typing)
    deps = Graph(root).targets["//infrastructure/tape:c"].deps
    assert deps == {"//infrastructure/tape:tape", "//infrastructure/tape:a"}


def test_what_a_package_re_exports_belongs_to_its_target(root: Path) -> None:
    plant(root, "infrastructure/tape/__init__.py", "from infrastructure.tape.reader import read\n")
    plant(root, "infrastructure/tape/reader.py", "read = 1\n")
    targets = Graph(root).targets
    assert targets["//infrastructure/tape:tape"].srcs == ["__init__.py", "reader.py"]
    assert targets["//infrastructure/tape:reader"].actual == "//infrastructure/tape:tape"


def test_a_circle_over_folders_is_an_error_that_names_both_files(root: Path) -> None:
    plant(root, "infrastructure/tape/reader.py", "import infrastructure.ink.pen\n")
    plant(root, "infrastructure/ink/__init__.py")
    plant(root, "infrastructure/ink/pen.py", "import infrastructure.tape.reader\n")
    with pytest.raises(BuildError, match=r"(?s)ink/pen\.py needs .*tape/reader\.py needs"):
        Graph(root)


@pytest.mark.parametrize(
    ("file", "rule"),
    [
        ("x_test.py", "py_unit_test"),
        ("x_integration_test.py", "py_integration_test"),
        ("x_system_test.py", "py_system_test"),
        ("x_soak_test.py", "py_soak_test"),
    ],
)
def test_a_test_file_is_a_test_of_its_kind(root: Path, file: str, rule: str) -> None:
    plant(root, f"infrastructure/tape/{file}", "import pytest\n")
    name = file.removesuffix(".py")
    assert Graph(root).targets[f"//infrastructure/tape:{name}"].rule == rule


def test_a_target_is_open_to_its_users_only(root: Path) -> None:
    plant(root, "infrastructure/tape/reader.py", "")
    plant(root, "infrastructure/ink/__init__.py")
    plant(root, "infrastructure/ink/pen.py", "import infrastructure.tape.reader\n")
    targets = Graph(root).targets
    assert targets["//infrastructure/tape:reader"].visibility == ["//infrastructure/ink:__pkg__"]
    assert targets["//infrastructure/ink:pen"].visibility == []


def test_files_beside_a_module_reach_the_modules_that_read_files(root: Path) -> None:
    plant(root, "infrastructure/tape/forms/a.json", "{}")
    plant(root, "infrastructure/tape/reader.py", "here = __file__\n")
    plant(root, "infrastructure/tape/blind.py", "")
    targets = Graph(root).targets
    assert targets["//infrastructure/tape:files"].globs == ["forms/*.json"]
    assert targets["//infrastructure/tape:reader"].data == {"//infrastructure/tape:files"}
    assert targets["//infrastructure/tape:blind"].data == set()


def test_a_module_named_by_a_string_is_a_dep_unless_that_makes_a_circle(root: Path) -> None:
    plant(root, "infrastructure/ink/__init__.py")
    plant(root, "infrastructure/ink/pen.py", "import infrastructure.tape.reader\n")
    plant(root, "infrastructure/tape/reader.py", "command = ['-m', 'infrastructure.ink.pen']\n")
    plant(root, "infrastructure/tape/starter.py", "command = ['-m', 'infrastructure.ink.pen']\n")
    targets = Graph(root).targets
    assert "//infrastructure/ink:pen" in targets["//infrastructure/tape:starter"].deps
    assert "//infrastructure/ink:pen" not in targets["//infrastructure/tape:reader"].deps


def test_what_imports_pytest_is_for_tests_only(root: Path) -> None:
    plant(root, "infrastructure/tape/conftest.py", "import pytest\n")
    plant(root, "infrastructure/tape/x_test.py", "")
    targets = Graph(root).targets
    conftest = "//infrastructure/tape:conftest"
    assert targets[conftest].testonly
    assert conftest in targets["//infrastructure/tape:x_test"].deps


def test_a_check_fails_until_the_files_are_written(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--check", "--root", str(root)]) == 1
    assert "infrastructure/tape/BUILD.bazel is missing" in capsys.readouterr().err
    assert main(["--write", "--root", str(root)]) == 0
    assert main(["--check", "--root", str(root)]) == 0
    plant(root, "infrastructure/tape/reader.py", "")
    assert main(["--check", "--root", str(root)]) == 1


def test_a_file_without_sources_is_named_and_removed(root: Path) -> None:
    main(["--write", "--root", str(root)])
    plant(root, "infrastructure/gone/BUILD.bazel")
    assert main(["--check", "--root", str(root)]) == 1
    main(["--write", "--root", str(root)])
    assert not (root / "infrastructure/gone/BUILD.bazel").exists()


@pytest.mark.parametrize("line", ["import pandas", "import infrastructure.nothing"])
def test_an_import_that_leads_nowhere_fails_by_file_and_line(
    root: Path, capsys: pytest.CaptureFixture[str], line: str
) -> None:
    plant(root, "infrastructure/tape/reader.py", f"\n{line}\n")
    assert main(["--write", "--root", str(root)]) == 2
    assert "infrastructure/tape/reader.py:2" in capsys.readouterr().err


def test_labels_and_lists_are_laid_out_as_buildifier_does(root: Path) -> None:
    plant(root, "infrastructure/ink/__init__.py")
    plant(root, "infrastructure/tape/reader.py", "import numpy, redis\nimport infrastructure.ink\n")
    wanted = """\
py_library(
    name = "reader",
    srcs = ["reader.py"],
    deps = [
        ":tape",
        "//infrastructure/ink",
        "@pypi//numpy",
        "@pypi//redis",
    ],
)
"""
    assert wanted in text_of(root, "infrastructure/tape")
