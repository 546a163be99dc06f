"""The systemd units name what the command line has, agree with each other, and give way in time."""

import re
from pathlib import Path
from typing import Any

import pytest
import typer

from infrastructure.errors import ConfigError
from system.algo_trader.cli.app import build
from system.algo_trader.deployment.unit_file import UnitFile, parse_unit, read_units
from system.algo_trader.processes.order import DRAIN_S, NAMES, VERBS
from system.algo_trader.settings import DECLARED

FOLDER = Path(__file__).resolve().parents[3] / "deploy/systemd"
UNITS = {unit.name: unit for unit in read_units(FOLDER)}
VERB_UNITS = [unit for name, unit in UNITS.items() if "-servers." not in name]
PROGRAM = "/opt/algo-trader/bin/algo-trader"
HARDENING = {
    "NoNewPrivileges": "yes",
    "CapabilityBoundingSet": "",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "PrivateDevices": "yes",
    "ProtectKernelTunables": "yes",
    "RestrictAddressFamilies": "AF_INET AF_INET6 AF_UNIX",
    "RestrictNamespaces": "yes",
    "SystemCallFilter": "@system-service",
    "UMask": "0077",
}
COMING = {"algo-trader-serve.service"}
"""Units whose verb the command line does not have yet: it goes red when the verb comes."""


def by_name(unit: UnitFile) -> str:
    return unit.name


def marked(unit: UnitFile) -> object:
    coming = pytest.mark.xfail(strict=True, reason="empty COMING: the command line has this verb")
    return pytest.param(unit, id=unit.name, marks=[coming] if unit.name in COMING else [])


def commands(unit: UnitFile) -> list[list[str]]:
    return unit.commands("ExecStart") + unit.commands("ExecStop")


def verb_of(words: list[str]) -> tuple[str, list[str]]:
    """Follow words down the command line; return the verb and the options and arguments left."""
    command: Any = typer.main.get_command(build())
    rest = [word for word in words if not word.startswith("$")]
    verb: list[str] = []
    while hasattr(command, "commands"):
        assert rest, f"{verb} is a group, no verb"
        assert rest[0] in command.commands, f"there is no verb {[*verb, rest[0]]}"
        command = command.commands[rest[0]]
        verb.append(rest.pop(0))
    known = {name for parameter in command.params for name in parameter.opts}
    assert {word for word in rest if word.startswith("--")} <= known
    return " ".join(verb), rest


@pytest.mark.parametrize("unit", [marked(unit) for unit in UNITS.values()])
def test_every_command_is_a_verb_with_options_that_it_takes(unit: UnitFile) -> None:
    for words in commands(unit):
        assert words[0] == PROGRAM
        verb_of(words[1:])


def test_a_verb_that_is_not_there_is_noticed() -> None:
    with pytest.raises(AssertionError, match="no verb"):
        verb_of(["candles", "synch"])
    with pytest.raises(AssertionError):
        verb_of(["candles", "sync", "--no-such-option"])


def test_everything_that_can_be_kept_running_has_a_unit() -> None:
    assert set(UNITS) == {f"algo-trader-{name}.service" for name in (*NAMES, "serve", "servers")}
    for name, verb in VERBS.items():
        words = UNITS[f"algo-trader-{name}.service"].commands("ExecStart")[0]
        assert tuple(words[2 : 2 + len(verb)]) == verb


def test_the_servers_outlive_the_processes_that_use_them() -> None:
    servers = UNITS["algo-trader-servers.service"]
    assert servers.value("Service", "RemainAfterExit") == "yes"
    (start,), (stop,) = servers.commands("ExecStart"), servers.commands("ExecStop")
    assert verb_of(start[1:]) == ("services start", ["redis", "influxdb"])
    assert verb_of(stop[1:]) == ("services stop", ["redis", "influxdb"])
    for unit in VERB_UNITS:
        assert servers.name in unit.value("Unit", "After").split()
        assert servers.name in unit.value("Unit", "Wants").split()


@pytest.mark.parametrize("unit", UNITS.values(), ids=by_name)
def test_a_unit_is_confined_to_its_state(unit: UnitFile) -> None:
    assert {key: unit.value("Service", key) for key in HARDENING} == HARDENING
    # numba's compiled kernels are memory that was written.
    assert unit.values("Service", "MemoryDenyWriteExecute") == []
    state = f"/var/lib/{unit.value('Service', 'StateDirectory')}"
    assert f"ALGO_TRADER_HOME={state}" in unit.values("Service", "Environment")
    assert unit.value("Service", "WorkingDirectory") == state
    assert unit.values("Service", "ReadWritePaths") == []


def test_all_units_share_one_user_one_home_and_one_confinement() -> None:
    shared = {
        (key, value)
        for unit in VERB_UNITS
        for section, key, value in unit.entries
        if section == "Service" and key not in ("ExecStart", "TimeoutStopSec")
    }
    for unit in VERB_UNITS:
        assert shared <= {(key, value) for _, key, value in unit.entries}
    user = UNITS["algo-trader-serve.service"].value("Service", "User")
    made = (FOLDER / "algo-trader.sysusers.conf").read_text(encoding="utf-8")
    assert re.search(rf"^u {user} - \".*\" /var/lib/{user}$", made, re.MULTILINE)


@pytest.mark.parametrize("unit", VERB_UNITS, ids=by_name)
def test_a_unit_waits_for_the_drain_and_starts_anew_only_where_that_helps(unit: UnitFile) -> None:
    assert float(unit.value("Service", "TimeoutStopSec")) >= DRAIN_S + 10
    assert unit.value("Service", "KillMode") == "mixed"
    assert unit.value("Service", "Restart") == "on-failure"
    # SIGTERM's own exit code, and those that want a person: system/algo_trader/main.py
    assert unit.value("Service", "SuccessExitStatus") == "143"
    assert unit.value("Service", "RestartPreventExitStatus") == "2 4"
    steps = int(unit.value("Service", "RestartSteps"))
    longest = float(unit.value("Service", "RestartMaxDelaySec"))
    burst = int(unit.value("Unit", "StartLimitBurst"))
    # All waits fit into the interval, so that it gives up at last.
    assert burst * longest < float(unit.value("Unit", "StartLimitIntervalSec"))
    assert (float(unit.value("Service", "RestartSec")), steps) == (1.0, 6)


def test_only_loopback_is_bound() -> None:
    words = UNITS["algo-trader-serve.service"].commands("ExecStart")[0]
    assert words[words.index("--host") + 1] == "127.0.0.1"


def test_the_example_names_only_variables_that_somebody_reads() -> None:
    text = (FOLDER / "algo_trader.env.example").read_text(encoding="utf-8")
    named = set(re.findall(r"^#?([A-Z0-9_]+)=", text, re.MULTILINE))
    used = {word[1:] for unit in VERB_UNITS for words in commands(unit) for word in words}
    assert named <= {setting.variable for setting in DECLARED} | used
    assert {word for word in used if word.startswith("ALGO_TRADER_")} <= named


@pytest.mark.parametrize("text", ["Type=exec", "[Service]\nType", "[Service]\nA=b \\\n c"])
def test_what_is_no_line_of_a_unit_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"x\.service:"):
        parse_unit("x.service", text)


def test_a_key_that_stands_twice_has_no_one_value() -> None:
    unit = parse_unit("x.service", "[Service]\nEnvironment=A=1\nEnvironment=B=2\n")
    assert unit.values("Service", "Environment") == ["A=1", "B=2"]
    with pytest.raises(ConfigError, match="2 lines Environment="):
        unit.value("Service", "Environment")
