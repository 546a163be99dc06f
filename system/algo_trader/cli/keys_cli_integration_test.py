"""The verbs of the keys, run as a person runs them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from system.algo_trader.api.access.api_key import ApiKey
from system.algo_trader.api.access.key_store import KeyStore
from system.algo_trader.realm import Realm
from system.algo_trader.testing.command_line import CommandLine

DAY_NS = 86_400 * 10**9


@pytest.fixture
def line(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path)


def test_a_key_is_printed_once_alone_and_opens_the_realm_that_was_chosen(line: CommandLine) -> None:
    words = ("keys", "create", "--name", "mine", "--scope", "read:ticks", "--expires", "30d")
    made = line.run("--sim", *words, "--scope", "read:options", "--rate", "7")
    assert made.code == 0
    text = made.out.removesuffix("\n")
    found = KeyStore.of(Realm.sim(line.home)).find(text)
    assert isinstance(found, ApiKey)
    assert sorted(found.scopes) == ["read:options", "read:ticks"]
    assert found.rate_per_minute == 7
    assert found.expires_at_ns == found.created_at_ns + 30 * DAY_NS
    assert KeyStore.of(Realm.live(line.home)).find(text) == "unknown"
    assert made.err.count("own use") == 1
    secret = text.rpartition("_")[2]
    shown = [line.run("--sim", "keys", "list", *more).out for more in ((), ("--json",))]
    assert all("mine" in each and secret not in each for each in shown)
    holding = [
        each
        for each in line.home.rglob("*")
        if each.is_file() and secret in each.read_text("latin-1")
    ]
    assert holding == []


def test_json_is_alone_on_standard_output_and_a_revoked_key_says_so(line: CommandLine) -> None:
    made = line.run("--sim", "keys", "create", "--name", "m", "--scope", "admin", "--json").json()
    keys = KeyStore.of(Realm.sim(line.home))
    assert isinstance(keys.find(made["key"]), ApiKey)
    assert line.run("--sim", "keys", "revoke", made["key_id"]).code == 0
    listed = line.run("--sim", "keys", "list", "--json").json()
    assert [(each["key_id"], each["state"]) for each in listed] == [(made["key_id"], "revoked")]
    assert KeyStore.of(Realm.sim(line.home)).find(made["key"]) == "revoked"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("create", "--name", "a", "--scope", "trade"), "read:ticks, read:options, admin"),
        (("create", "--name", "a", "--scope", "admin", "--expires", "soon"), "no length of time"),
        (("create", "--name", "a", "--scope", "admin", "--expires", "9999999d"), "year 2255"),
        (("create", "--name", "a\x1b[2J", "--scope", "admin"), "can be printed"),
        (("create", "--name", "", "--scope", "admin"), "1 to 64 letters"),
        (("revoke", "nobody"), "keys list"),
    ],
)
def test_wrong_input_makes_no_key_and_says_what_to_do(
    line: CommandLine, words: tuple[str, ...], said: str
) -> None:
    done = line.run("--sim", "keys", *words)
    assert done.code == 2
    assert said in done.err
    assert "Traceback" not in done.err
    assert done.out == ""
    assert line.run("--sim", "keys", "list", "--json").json() == []


def test_a_damaged_file_is_said_and_kept(line: CommandLine) -> None:
    line.run("--sim", "keys", "create", "--name", "a", "--scope", "admin")
    path = Realm.sim(line.home).root / "api_keys.json"
    path.write_text("{")
    done = line.run("--sim", "keys", "create", "--name", "b", "--scope", "admin", "--json")
    assert done.code != 0
    assert "api_keys.json holds no keys" in json.dumps(done.err)
    assert path.read_text() == "{"
