from pathlib import Path

import platformdirs
import pytest

from infrastructure.config import home_dir
from infrastructure.errors import ConfigError


def _home(**environment: str) -> Path:
    return home_dir(environment, variable="X_HOME", application="x")


def test_the_variable_wins_over_the_platform(tmp_path: Path) -> None:
    assert _home(X_HOME=str(tmp_path / "new")) == tmp_path / "new"
    assert _home() == Path(platformdirs.user_data_dir("x", appauthor=False))


def test_a_relative_path_or_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="absolute"):
        _home(X_HOME="some/where")
    (tmp_path / "f").write_text("")
    with pytest.raises(ConfigError, match="is a file"):
        _home(X_HOME=str(tmp_path / "f"))
