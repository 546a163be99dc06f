"""Judge which folder things are kept in."""

from pathlib import Path

import platformdirs
import pytest

from infrastructure.caching import CACHE_VARIABLE, cache_folder


@pytest.mark.parametrize("named", [None, ""])
def test_by_default_it_is_the_users(named: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CACHE_VARIABLE, raising=False)
    if named is not None:
        monkeypatch.setenv(CACHE_VARIABLE, named)
    assert cache_folder("a") == platformdirs.user_cache_path("algo_trader") / "a"


def test_the_variable_names_another(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    assert cache_folder("a") == tmp_path / "a"
