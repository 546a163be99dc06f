"""The folder below which a system keeps everything of its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from infrastructure.errors import ConfigError


def home_dir(environment: Mapping[str, str], *, variable: str, application: str) -> Path:
    """Return the absolute home folder; it is not made here.

    Args:
        environment: The process environment or a test's stand-in.
        variable: The variable that overrides the platform's default.
        application: The folder's name below the platform's data folder.

    Raises:
        ConfigError: If the variable names a relative path or an existing file.
    """
    named = environment.get(variable, "").strip()
    if named:
        path = Path(named).expanduser()
        if not path.is_absolute():
            raise ConfigError(
                f"{variable} is {named!r}, but must be an absolute path",
                next_step=f"Set {variable} to a folder such as /home/me/{application}.",
            )
    else:
        import platformdirs

        path = Path(platformdirs.user_data_dir(application, appauthor=False))
    if path.exists() and not path.is_dir():
        raise ConfigError(
            f"the home folder {path} is a file",
            next_step=f"Set {variable} to a folder, or move that file away.",
        )
    return path
