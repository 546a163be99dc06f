from pathlib import Path

import pytest

from infrastructure.errors import ConfigError
from system.algo_trader.settings import AppSettings, load


def _load(tmp_path: Path, **environment: str) -> AppSettings:
    chosen = {"ALGO_TRADER_HOME": str(tmp_path / "home"), **environment}
    return load(environment=chosen, workspace=tmp_path)


def test_the_system_env_file_overrides_the_root_env_file(tmp_path: Path) -> None:
    (tmp_path / "artificer.env").write_text("LOG_LEVEL=ERROR\nSEC_USER_AGENT=a@b\n")
    folder = tmp_path / "system" / "algo_trader"
    folder.mkdir(parents=True)
    (folder / "algo_trader.env").write_text("export LOG_LEVEL=DEBUG\n")
    settings = _load(tmp_path)
    assert (settings.log_level, settings.sec_user_agent) == ("DEBUG", "a@b")


def test_the_home_folder_may_be_named_in_an_env_file_and_holds_the_toml(tmp_path: Path) -> None:
    (tmp_path / "artificer.env").write_text(f"ALGO_TRADER_HOME={tmp_path / 'elsewhere'}\n")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "config.toml").write_text('log_level = "INFO"\n')
    settings = load(environment={}, workspace=tmp_path)
    assert settings.home == tmp_path / "elsewhere"
    assert settings.log_level == "INFO"


def test_old_names_work_and_say_so(tmp_path: Path) -> None:
    settings = _load(
        tmp_path,
        SCHWAB_CLIENT_ID="k" * 32,
        OAUTH_CLIENT_SECRET="s" * 16,
        REDIS_HOST="db",
        REDIS_PORT="6380",
        SCHWAB_SYMBOLS="SPY, QQQ",
        SCHWAB_TICK_CHANNEL="my:ticks",
        SCHWAB_LEVEL2_CHANNEL="my:books",
    )
    assert settings.has_credentials
    assert settings.redis_url == "redis://db:6380/0"
    assert settings.symbols == ("SPY", "QQQ")
    assert (settings.tick_channel, settings.level2_channel) == ("my:ticks", "my:books")
    assert len(settings.settled.deprecations) == 6


def test_half_of_the_credentials_is_an_error_that_names_the_other_half(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="SCHWAB_SECRET is not"):
        _ = _load(tmp_path, SCHWAB_API_KEY="k").has_credentials
    assert not _load(tmp_path).has_credentials


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SCHWAB_CALLBACK_URL", "http://127.0.0.1"),
        ("REDIS_URL", "localhost:6379"),
        ("INFLUXDB3_HOST_URL", "localhost:8181"),
        ("SCHWAB_PKCE", "perhaps"),
        ("LOG_LEVEL", "loud"),
        ("ALGO_TRADER_HOME", "relative/folder"),
        ("REDIS_PORT", "70000"),
    ],
)
def test_wrong_values_name_their_variable(tmp_path: Path, variable: str, value: str) -> None:
    with pytest.raises(ConfigError, match=variable):
        _load(tmp_path, **{variable: value})


def test_symbols_are_named_once_in_capitals_and_not_none_of_them(tmp_path: Path) -> None:
    assert _load(tmp_path, ALGO_TRADER_SYMBOLS="aapl, AAPL,msft,").symbols == ("AAPL", "MSFT")
    with pytest.raises(ConfigError, match="expected symbols"):
        _load(tmp_path, ALGO_TRADER_SYMBOLS=" , ")


def test_the_home_folder_is_shown_when_nobody_named_it(tmp_path: Path) -> None:
    settled = load(environment={"HOME": str(tmp_path)}, workspace=tmp_path).settled
    assert settled.shown("home").endswith("algo_trader")
    assert str(settled.origins["home"]) == "default"
