"""Mark each test by its file's name and run the unit tests when no marker is asked for."""

import pytest

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
