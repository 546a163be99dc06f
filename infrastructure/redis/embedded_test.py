"""The embedded Redis is configured to keep its data and to let nobody else in."""

import json
import stat
from pathlib import Path

import pytest

from infrastructure.errors import CorruptStore, StoreNewer
from infrastructure.redis.embedded import (
    configuration,
    embedded_redis_spec,
    explain,
    password_file,
    refuse_newer_data,
    url_with_password,
)
from infrastructure.supervision import Endpoint


def test_a_socket_server_opens_no_port(tmp_path: Path) -> None:
    text = configuration(tmp_path, socket_path=tmp_path / "s", port=0, password="pw")
    lines = dict(line.split(" ", 1) for line in text.splitlines())
    assert lines["port"] == "0"
    assert lines["bind"] == "127.0.0.1"
    assert lines["unixsocketperm"] == "600"
    assert (lines["appendonly"], lines["appendfsync"]) == ("yes", "everysec")
    assert lines["maxmemory-policy"] == "noeviction"


def test_awkward_letters_are_escaped_in_the_configuration() -> None:
    text = configuration(Path('/a "b"\n'), socket_path=None, port=7, password="\\")
    assert 'dir "/a \\x22b\\x22\\x0a/data"\n' in text
    assert 'requirepass "\\x5c"\n' in text
    assert "unixsocket" not in text


def test_a_password_is_made_once_and_kept_private(tmp_path: Path) -> None:
    path = password_file(tmp_path)
    word = path.read_text()
    assert len(word.strip()) >= 32
    path.chmod(0o644)
    assert password_file(tmp_path).read_text() == word
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.write_text("\n")
    assert len(password_file(tmp_path).read_text().strip()) >= 32


@pytest.mark.parametrize("before", ["9.0.0", "9.1.9", "8.12.1"])
def test_data_of_an_older_or_the_same_minor_version_are_taken_over(
    tmp_path: Path, before: str
) -> None:
    marker = tmp_path / "store.json"
    marker.write_text(json.dumps({"version": before}))
    refuse_newer_data(tmp_path, "9.1.2")
    assert json.loads(marker.read_text()) == {"product": "valkey", "version": "9.1.2"}


@pytest.mark.parametrize("before", ["9.2.0", "10.0.0", "9.10.0"])
def test_data_of_a_newer_minor_version_are_refused(tmp_path: Path, before: str) -> None:
    marker = tmp_path / "store.json"
    marker.write_text(json.dumps({"version": before}))
    with pytest.raises(StoreNewer, match=before):
        refuse_newer_data(tmp_path, "9.1.2")
    assert json.loads(marker.read_text()) == {"version": before}


def test_the_log_is_read_for_what_a_person_can_do() -> None:
    assert isinstance(explain("# Can't handle RDB format version 999"), StoreNewer)
    assert isinstance(
        explain("# Bad file format reading the append only file x: make a backup"), CorruptStore
    )
    assert explain("# Failed listening on port 1") is None


def test_the_command_has_no_secret_and_a_wanted_port_is_tried_once(tmp_path: Path) -> None:
    spec = embedded_redis_spec(tmp_path, port=7000)
    assert spec.argv[-2:] == ("--port", "7000")
    assert spec.attempts == 1
    assert embedded_redis_spec(tmp_path).attempts > 1
    assert "password" not in " ".join(spec.argv)


def test_the_password_goes_into_the_url_for_a_client(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("word\n")
    endpoint = Endpoint("unix:///s", 1, "t", "valkey", "9", secret_file=str(secret))
    assert url_with_password(endpoint) == "unix://:word@/s"
    assert url_with_password(Endpoint("redis://h/0", 1, "t", "valkey", "9")) == "redis://h/0"
