"""Settle settings: defaults < TOML < .env files < environment < flags.

Files are only read. Nothing here writes a person's file.
"""

from __future__ import annotations

import io
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from infrastructure.config.secret import Secret
from infrastructure.config.setting import Origin, Setting, Settings
from infrastructure.errors import ConfigError

_Layer = tuple[Mapping[str, Any], Origin]


def load_settings(
    declared: Sequence[Setting],
    *,
    environment: Mapping[str, str],
    flags: Mapping[str, Any] | None = None,
    env_files: Iterable[Path] = (),
    toml_file: Path | None = None,
) -> Settings:
    """Return each declared setting's value and origin.

    Args:
        declared: The settings that exist.
        environment: The process environment; empty values count as not set.
        flags: Values from the command line by setting name; None counts as not set.
        env_files: .env files, the strongest last; absent files are passed over.
        toml_file: A TOML file; an absent one is passed over.

    Raises:
        ConfigError: If a file is malformed, a value cannot be parsed, or a TOML key is unknown.
    """
    by_name: dict[str, tuple[Any, Origin]] = {}
    deprecations: list[str] = []
    if toml_file is not None and toml_file.exists():
        _take_toml(declared, toml_file, by_name)
    for path in env_files:
        if path.exists():
            layer = _read_env_file(path)
            _take_variables(declared, layer, f"env file {path}", by_name, deprecations)
    _take_variables(declared, environment, "environment", by_name, deprecations)
    for name, value in (flags or {}).items():
        if value is not None:
            by_name[name] = (value, Origin("flag", f"--{name.replace('_', '-')}"))
    values: dict[str, Any] = {}
    origins: dict[str, Origin] = {}
    for setting in declared:
        raw, origin = by_name.get(setting.name, (setting.default, Origin("default")))
        values[setting.name] = _parsed(setting, raw, origin)
        origins[setting.name] = origin
    return Settings(tuple(declared), values, origins, tuple(deprecations))


def _parsed(setting: Setting, raw: Any, origin: Origin) -> Any:
    if raw is None or isinstance(raw, Secret):
        return raw
    if isinstance(raw, str):
        try:
            raw = setting.parse(raw)
        except ValueError as error:
            shown = "its value is not valid" if setting.secret else f"{raw!r} is not valid: {error}"
            raise ConfigError(
                f"{setting.variable} from {origin}: {shown}",
                next_step=f"Set {setting.variable}: {setting.description}",
            ) from None
    return Secret(str(raw)) if setting.secret else raw


def _take_variables(
    declared: Sequence[Setting],
    layer: Mapping[str, str],
    source: str,
    by_name: dict[str, tuple[Any, Origin]],
    deprecations: list[str],
) -> None:
    kind, _, place = source.partition(" file ")
    for setting in declared:
        for variable in (setting.variable, *setting.old_variables):
            value = layer.get(variable, "")
            if not value.strip():
                continue
            origin = Origin("env file", place) if place else Origin(kind, variable)
            by_name[setting.name] = (value.strip(), origin)
            if variable != setting.variable:
                deprecations.append(
                    f"{variable} ({source}) is an old name: use {setting.variable} instead"
                )
            break


def _read_env_file(path: Path) -> dict[str, str]:
    from dotenv.main import DotEnv
    from dotenv.parser import parse_stream

    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path} cannot be read as UTF-8 text ({error})",
            next_step="Write one NAME=value a line, or remove the file.",
        ) from None
    for binding in parse_stream(io.StringIO(text)):
        if binding.error:
            raise ConfigError(
                f"{path} line {binding.original.line} is not of the form NAME=value",
                next_step="Mend that line (quotes closed?), or remove it.",
            )
    read = DotEnv(None, stream=io.StringIO(text), interpolate=False).dict()
    return {name: value for name, value in read.items() if value is not None}


def _take_toml(
    declared: Sequence[Setting], path: Path, by_name: dict[str, tuple[Any, Origin]]
) -> None:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read: {error.strerror}",
            next_step="Make it a readable file, or remove it.",
        ) from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from None
    known = {setting.name: setting for setting in declared}
    for name, value in _flatten(document):
        if name not in known:
            raise ConfigError(
                f"{path} sets {name!r}, which is no setting",
                next_step=f"Known settings: {', '.join(known)}.",
            )
        by_name[name] = (_toml_text(value, name, path), Origin("toml", str(path)))


def _toml_text(value: Any, name: str, path: Path) -> str:
    """Return a TOML value as the text that the other layers would hold, so all parse alike."""
    if isinstance(value, list) and all(isinstance(part, str | int | float) for part in value):
        return ",".join(_toml_text(part, name, path) for part in value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise ConfigError(
        f"{path} sets {name!r} to a {type(value).__name__}, which no setting takes",
        next_step="Give text, a number, true or false, or a list of these.",
    )


def _flatten(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            yield from _flatten(value, f"{name}.")
        else:
            yield name, value
