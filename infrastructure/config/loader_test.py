from pathlib import Path
from typing import Any

import pytest

from infrastructure.config import Secret, Setting, Settings, load_settings
from infrastructure.errors import ConfigError

DECLARED = (
    Setting("port", "PORT", "A port.", default=1, parse=int),
    Setting("key", "KEY", "A key.", secret=True, old_variables=("OLD_KEY",)),
    Setting("trading.limit", "LIMIT", "A limit.", parse=float),
)


def _load(tmp_path: Path, **layers: Any) -> Settings:
    toml, env = tmp_path / "c.toml", tmp_path / ".env"
    if "toml" in layers:
        toml.write_text(layers["toml"])
    if "env" in layers:
        env.write_text(layers["env"])
    return load_settings(
        DECLARED,
        environment=layers.get("environment", {}),
        flags=layers.get("flags"),
        env_files=[env],
        toml_file=toml,
    )


def test_each_layer_overrides_the_one_below_and_is_named_as_origin(tmp_path: Path) -> None:
    layers: dict[str, Any] = {}
    for name, value, expected, kind in [
        ("nothing", None, 1, "default"),
        ("toml", "port = 2", 2, "toml"),
        ("env", "export PORT=3", 3, "env file"),
        ("environment", {"PORT": "4"}, 4, "environment"),
        ("flags", {"port": 5}, 5, "flag"),
    ]:
        layers[name] = value
        layers.pop("nothing", None)
        settled = _load(tmp_path, **layers)
        assert settled["port"] == expected
        assert settled.origins["port"].kind == kind


def test_toml_tables_are_dotted_names(tmp_path: Path) -> None:
    assert _load(tmp_path, toml="[trading]\nlimit = 2.5")["trading.limit"] == 2.5


def test_secrets_are_wrapped_and_shown_masked(tmp_path: Path) -> None:
    settled = _load(tmp_path, env="KEY=abcdef")
    assert settled["key"] == Secret("abcdef")
    assert settled.shown("key") == "********"
    assert "abcdef" not in repr(settled)


def test_old_names_work_with_one_line_each(tmp_path: Path) -> None:
    settled = _load(tmp_path, environment={"OLD_KEY": "abcdef"})
    assert settled["key"].reveal() == "abcdef"
    assert settled.deprecations == ("OLD_KEY (environment) is an old name: use KEY instead",)
    assert _load(tmp_path, environment={"OLD_KEY": "a", "KEY": "b"}).deprecations == ()


def test_empty_variables_count_as_not_set(tmp_path: Path) -> None:
    assert _load(tmp_path, environment={"PORT": " "})["port"] == 1


def test_toml_values_of_any_type_are_parsed_as_the_other_layers_are(tmp_path: Path) -> None:
    declared = (
        Setting("on", "ON", "A switch.", parse=lambda text: text == "true"),
        Setting("names", "NAMES", "Names.", parse=lambda text: tuple(text.split(","))),
        Setting("key", "KEY", "A key.", secret=True),
    )
    toml = tmp_path / "c.toml"
    toml.write_text('on = true\nnames = ["a", "b"]\nkey = 123456\n')
    settled = load_settings(declared, environment={}, toml_file=toml)
    assert (settled["on"], settled["names"]) == (True, ("a", "b"))
    assert settled["key"] == Secret("123456")


def test_a_toml_folder_is_no_file_to_read(tmp_path: Path) -> None:
    (tmp_path / "c.toml").mkdir()
    with pytest.raises(ConfigError, match="cannot be read"):
        _load(tmp_path)


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ({"toml": "port = true"}, ["PORT", "c.toml", "true"]),
        ({"toml": "port = 1979-05-27"}, ["port", "c.toml", "date"]),
        ({"toml": "port = [{a = 1}]"}, ["port", "c.toml", "list"]),
        ({"environment": {"PORT": "many"}}, ["PORT", "environment", "many"]),
        ({"env": "this is no assignment\n"}, [".env", "line 1"]),
        ({"env": 'A=1\nKEY="unclosed\n'}, [".env", "line 2"]),
        ({"toml": "port = "}, ["c.toml", "TOML"]),
        ({"toml": "prot = 1"}, ["prot", "port"]),
    ],
)
def test_wrong_input_is_one_sentence_that_names_its_place(
    tmp_path: Path, layers: dict[str, Any], words: list[str]
) -> None:
    with pytest.raises(ConfigError) as caught:
        _load(tmp_path, **layers)
    for word in words:
        assert word in str(caught.value)


def test_a_secret_that_cannot_be_parsed_is_not_echoed(tmp_path: Path) -> None:
    declared = (Setting("pin", "PIN", "Digits.", parse=int, secret=True),)
    with pytest.raises(ConfigError) as caught:
        load_settings(declared, environment={"PIN": "hunter2hunter2"})
    assert "hunter2" not in str(caught.value)


def test_binary_env_files_are_refused_and_left_as_they_are(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"\xff\xfe\x00PORT")
    with pytest.raises(ConfigError, match="UTF-8"):
        _load(tmp_path)
    assert (tmp_path / ".env").read_bytes() == b"\xff\xfe\x00PORT"


def test_values_are_not_interpolated(tmp_path: Path) -> None:
    assert _load(tmp_path, env="KEY='a$PORT{b}'")["key"].reveal() == "a$PORT{b}"
