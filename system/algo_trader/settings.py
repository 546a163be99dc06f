"""This system's settings: every name, its variable and its default, once."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from infrastructure.config import Origin, Secret, Setting, Settings, home_dir, load_settings
from infrastructure.errors import ConfigError

APPLICATION = "algo_trader"
HOME_VARIABLE = "ALGO_TRADER_HOME"
SCHWAB_URL = "https://api.schwabapi.com"
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


def _url(*schemes: str) -> Any:
    def parse(text: str) -> str:
        parts = urlsplit(text)
        if parts.scheme not in schemes or not (parts.hostname or parts.path.strip("/")):
            raise ValueError(f"expected a URL that begins with {' or '.join(schemes)}://")
        if parts.scheme in ("http", "https"):
            _ = parts.port  # raises ValueError for one that is no port
        return text

    return parse


def _on_off(text: str) -> bool:
    words = {"on": True, "1": True, "true": True, "off": False, "0": False, "false": False}
    if text.lower() not in words:
        raise ValueError("expected on or off")
    return words[text.lower()]


def _level(text: str) -> str:
    if text.upper() not in LOG_LEVELS:
        raise ValueError(f"expected one of {', '.join(LOG_LEVELS)}")
    return text.upper()


def _symbols(text: str) -> tuple[str, ...]:
    named = dict.fromkeys(part.strip().upper() for part in text.split(",") if part.strip())
    if not named:
        raise ValueError("expected symbols with commas between them")
    return tuple(named)


def _channel(text: str) -> str:
    if not re.fullmatch(r"[\w:.-]{1,100}", text):
        raise ValueError("expected letters, digits and : . - _")
    return text


def _port(text: str) -> int:
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise ValueError("expected a port from 1 to 65535")
    return int(text)


def _dollars(text: str) -> float:
    amount = float(text)
    if not 0 < amount < float("inf"):
        raise ValueError("expected an amount in dollars above 0")
    return amount


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds < float("inf"):
        raise ValueError("expected seconds above 0")
    return seconds


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise ValueError("expected a whole number from 1")
    return int(text)


_REDIS_SCHEMES = (
    "redis",
    "rediss",
    "unix",
    "redis+sentinel",
    "rediss+sentinel",
    "redis+cluster",
    "rediss+cluster",
)

DECLARED: tuple[Setting, ...] = (
    Setting("home", HOME_VARIABLE, "The folder for everything that is stored here."),
    Setting(
        "schwab_api_key",
        "SCHWAB_API_KEY",
        "The app key of your application at developer.schwab.com.",
        secret=True,
        old_variables=("SCHWAB_CLIENT_ID", "OAUTH_CLIENT_ID"),
    ),
    Setting(
        "schwab_secret",
        "SCHWAB_SECRET",
        "The secret of that application.",
        secret=True,
        old_variables=("SCHWAB_CLIENT_SECRET", "OAUTH_CLIENT_SECRET"),
    ),
    Setting(
        "schwab_callback_url",
        "SCHWAB_CALLBACK_URL",
        "The callback URL, exactly as registered there.",
        default="https://127.0.0.1",
        parse=_url("https", "HTTPS"),
    ),
    Setting(
        "schwab_refresh_token",
        "SCHWAB_REFRESH_TOKEN",
        "A refresh token to take over once; sign in with `auth login` instead.",
        secret=True,
    ),
    Setting(
        "schwab_pkce",
        "SCHWAB_PKCE",
        "on or off: send a PKCE challenge at sign-in (unverified at the real Schwab).",
        default=True,
        parse=_on_off,
    ),
    Setting(
        "schwab_base_url",
        "SCHWAB_BASE_URL",
        "Where the Schwab API answers.",
        default=SCHWAB_URL,
        parse=_url("https", "http"),
    ),
    Setting(
        "token_enc_key",
        "TOKEN_ENC_KEY",
        "The key that encrypts stored tokens; without it a key file is made.",
        secret=True,
    ),
    Setting(
        "redis_url",
        "REDIS_URL",
        "A Redis server; without it one is found or embedded.",
        parse=_url(*_REDIS_SCHEMES),
    ),
    Setting("redis_host", "REDIS_HOST", "The old name's host; use REDIS_URL."),
    Setting("redis_port", "REDIS_PORT", "The old name's port; use REDIS_URL.", parse=_port),
    Setting(
        "influxdb3_host_url",
        "INFLUXDB3_HOST_URL",
        "An InfluxDB 3 server; without it one is found or embedded.",
        parse=_url("http", "https"),
    ),
    Setting("influxdb3_auth_token", "INFLUXDB3_AUTH_TOKEN", "That server's token.", secret=True),
    Setting(
        "grafana_url",
        "GRAFANA_URL",
        "A Grafana server.",
        default="http://localhost:3000",
        parse=_url("http", "https"),
    ),
    Setting("grafana_token", "GRAFANA_TOKEN", "A Grafana service-account token.", secret=True),
    Setting("sec_user_agent", "SEC_USER_AGENT", "Name and e-mail that the SEC asks for."),
    Setting(
        "symbols",
        "ALGO_TRADER_SYMBOLS",
        "Symbols of the main job, with commas, in place of the watchlist.",
        parse=_symbols,
        old_variables=("SCHWAB_SYMBOLS",),
    ),
    Setting(
        "probe_default_ports",
        "ALGO_TRADER_PROBE_DEFAULT_PORTS",
        "on or off: look for our own servers at the default ports.",
        default=True,
        parse=_on_off,
    ),
    Setting(
        "tick_channel",
        "ALGO_TRADER_TICK_CHANNEL",
        "The Redis channel that frames of ticks are published on.",
        default="market_data:ticks",
        parse=_channel,
        old_variables=("SCHWAB_TICK_CHANNEL",),
    ),
    Setting(
        "level2_channel",
        "ALGO_TRADER_LEVEL2_CHANNEL",
        "The Redis channel that order books are published on.",
        default="market_data:level2",
        parse=_channel,
        old_variables=("SCHWAB_LEVEL2_CHANNEL",),
    ),
    Setting(
        "notify_url",
        "ALGO_TRADER_NOTIFY_URL",
        "Where warnings go: ntfy+https://, slack+https://, discord+https:// or smtp://.",
        secret=True,
    ),
    Setting(
        "error_escalation_s",
        "ERROR_ESCALATION_S",
        "How long an error is open before the webhook is told, seconds.",
        default=900.0,
        parse=_seconds,
    ),
    Setting(
        "error_webhook_url",
        "ERROR_WEBHOOK_URL",
        "A webhook that is told, by POST of JSON, of errors that stay open.",
        secret=True,
        parse=_url("http", "https"),
    ),
    Setting(
        "trading.accounts",
        "TRADING_ACCOUNTS",
        "Account numbers that may trade at the real Schwab; --arm-live is needed besides.",
        secret=True,
    ),
    Setting(
        "trading.max_notional",
        "TRADING_MAX_NOTIONAL",
        "A real order has to be worth less, in dollars.",
        parse=_dollars,
    ),
    Setting(
        "trading.max_orders_per_minute",
        "TRADING_MAX_ORDERS_PER_MINUTE",
        "Real orders of any 60 seconds.",
        parse=_count,
    ),
    Setting("log_level", "LOG_LEVEL", "How much is logged.", default="WARNING", parse=_level),
    Setting(
        "log_json",
        "LOG_JSON",
        "on or off: log lines as JSON.",
        default=False,
        parse=_on_off,
    ),
)


@dataclass(frozen=True)
class AppSettings:
    """This system's settled settings, typed; `settled` keeps the origins."""

    settled: Settings
    home: Path
    workspace: Path
    schwab_api_key: Secret | None
    schwab_secret: Secret | None
    schwab_callback_url: str
    schwab_refresh_token: Secret | None
    schwab_pkce: bool
    schwab_base_url: str
    token_enc_key: Secret | None
    redis_url: str | None
    influxdb3_host_url: str | None
    influxdb3_auth_token: Secret | None
    grafana_url: str
    grafana_token: Secret | None
    sec_user_agent: str | None
    symbols: tuple[str, ...] | None
    probe_default_ports: bool
    notify_url: Secret | None
    log_level: str
    log_json: bool
    tick_channel: str = "market_data:ticks"
    level2_channel: str = "market_data:level2"
    error_escalation_s: float = 900.0
    error_webhook_url: Secret | None = None
    trading_accounts: Secret | None = None
    trading_max_notional: float | None = None
    trading_max_orders_per_minute: int | None = None

    @property
    def named_accounts(self) -> frozenset[str]:
        """The account numbers that may trade at the real Schwab."""
        named = self.trading_accounts
        return frozenset() if named is None else frozenset(re.findall(r"\d+", named.reveal()))

    @property
    def has_credentials(self) -> bool:
        """Whether both the app key and the secret are set.

        Raises:
            ConfigError: If only one of them is.
        """
        key, secret = self.schwab_api_key is not None, self.schwab_secret is not None
        if key != secret:
            missing = "SCHWAB_SECRET" if key else "SCHWAB_API_KEY"
            present = "SCHWAB_API_KEY" if key else "SCHWAB_SECRET"
            raise ConfigError(
                f"{present} is set, but {missing} is not",
                next_step=f"Set {missing} too, or unset {present} to use the local simulator.",
            )
        return key


def workspace_dir(environment: Mapping[str, str]) -> Path:
    """Return the checkout's root: Bazel's word, else the nearest MODULE.bazel, else here."""
    named = environment.get("BUILD_WORKSPACE_DIRECTORY")
    if named:
        return Path(named)
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "MODULE.bazel").exists():
            return folder
    return here


def load(
    flags: Mapping[str, Any] | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    workspace: Path | None = None,
) -> AppSettings:
    """Settle the settings of this process.

    Args:
        flags: Values from the command line by setting name.
        environment: Stands for the process environment in tests.
        workspace: Stands for the checkout's root in tests.

    Raises:
        ConfigError: If any file or value is wrong; the sentence names it.
    """
    environment = os.environ if environment is None else environment
    root = workspace_dir(environment) if workspace is None else workspace
    files = (root / "artificer.env", root / "system" / "algo_trader" / "algo_trader.env")
    first = load_settings(DECLARED, environment=environment, flags=flags, env_files=files)
    home = _home(first, environment)
    settled = load_settings(
        DECLARED,
        environment=environment,
        flags=flags,
        env_files=files,
        toml_file=home / "config.toml",
    )
    settled = _with_home(_with_old_redis_names(settled), home)
    values = dict(settled.values)
    del values["redis_host"], values["redis_port"]
    values["home"] = home
    fields = {name.replace(".", "_"): value for name, value in values.items()}
    return AppSettings(settled=settled, workspace=root, **fields)


def _home(first: Settings, environment: Mapping[str, str]) -> Path:
    named = first["home"]
    chosen = {**environment, HOME_VARIABLE: named} if named else environment
    return home_dir(chosen, variable=HOME_VARIABLE, application=APPLICATION)


def _with_home(settled: Settings, home: Path) -> Settings:
    return replace(settled, values={**settled.values, "home": str(home)})


def _with_old_redis_names(settled: Settings) -> Settings:
    host = settled["redis_host"]
    if host is None or settled["redis_url"] is not None:
        return settled
    url = f"redis://{host}:{settled['redis_port'] or 6379}/0"
    return Settings(
        settled.declared,
        {**settled.values, "redis_url": url},
        {**settled.origins, "redis_url": Origin(settled.origins["redis_host"].kind, "REDIS_HOST")},
        (*settled.deprecations, "REDIS_HOST/REDIS_PORT are old names: use REDIS_URL instead"),
    )
