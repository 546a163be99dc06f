"""Mark each test by its file's name; run unit tests when no marker is asked for; scan for tokens.

Whatever a test prints, logs or leaves in its temporary folders is searched for the token values
that the simulator hands out: one that is found turns the test, or the run, red.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

# The forms of an access token (issuer and 32 random bytes) and of a refresh token (64 of them).
TOKEN = re.compile(rb"I0\.[A-Za-z0-9_-]{20,}\.[A-Za-z0-9_-]{43}(@|%40)|[A-Za-z0-9_-]{86}(@|%40)")
THIRD_PARTY_STORES = ("token.json", "tokens.db")
"""Where other people's clients keep theirs, in plain."""
INSTALLED = "site-packages"
"""Folders of this name hold what a test installed: programs, in which any text may stand."""
LARGEST_SCANNED = 50_000_000

# Programs that a test starts with another HOME need not make again what is made here.
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
os.environ.setdefault("ALGO_TRADER_CACHE", str(CACHE / "algo_trader"))

KINDS = ("integration", "system", "soak")


def kind_of(file_name: str) -> str:
    for kind in KINDS:
        if file_name.endswith(f"_{kind}_test.py"):
            return kind
    return "unit"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        item.add_marker(kind_of(item.path.name))
    if config.option.markexpr or config.option.keyword:
        return
    named = [str(argument).split("::")[0] for argument in config.args]
    if any(argument.endswith("_test.py") for argument in named):
        return
    other = [item for item in items if kind_of(item.path.name) != "unit"]
    if other:
        config.hook.pytest_deselected(items=other)
        items[:] = [item for item in items if kind_of(item.path.name) == "unit"]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[Any]) -> Any:
    report: pytest.TestReport = yield
    for name, content in report.sections:
        if TOKEN.search(content.encode("utf-8", "replace")):
            report.outcome = "failed"
            report.longrepr = f"{item.nodeid}: a token's value is in what was captured: {name}"
            report.sections = [(each, "left out: it holds a token") for each, _ in report.sections]
            break
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    base = getattr(getattr(session.config, "_tmp_path_factory", None), "_basetemp", None)
    found = [] if base is None else sorted(files_with_tokens(base))
    if found:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        for path in found:
            print(f"\nERROR: a token's value is in the file {path}")


def files_with_tokens(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        try:
            if (
                path.is_symlink()
                or not path.is_file()
                or path.name in THIRD_PARTY_STORES
                or INSTALLED in path.parts
                or path.stat().st_size > LARGEST_SCANNED
            ):
                continue
            content = path.read_bytes()
        except OSError:
            continue
        if TOKEN.search(content):
            yield path
