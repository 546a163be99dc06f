"""A server comes back at its port if nobody has taken it meanwhile."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from infrastructure.supervision.port_file import port_of_before, remember_port


def test_a_free_port_is_that_of_before_and_a_taken_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "port.json"
    assert port_of_before(path) == 0
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        remember_port(path, port)
        assert port_of_before(path) == 0
    assert port_of_before(path) == port


@pytest.mark.parametrize(
    "content", ["", "[]", '{"port": "x"}', '{"port": 99999999}', '{"port": -1}']
)
def test_what_is_no_port_is_none(tmp_path: Path, content: str) -> None:
    path = tmp_path / "port.json"
    path.write_text(content)
    assert port_of_before(path) == 0
