"""Names and origins that are ours, and all that are not."""

from __future__ import annotations

import pytest

from system.algo_trader.api.access.origin_guard import (
    allowed_hosts,
    host_is_allowed,
    origin_is_ours,
)

OURS = allowed_hosts("127.0.0.1", 8877, ("box.example",))


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1:8877", "localhost:8877", "LocalHost:8877", "[::1]:8877", "box.example:8877"],
)
def test_our_names_are_allowed(host: str) -> None:
    assert host_is_allowed(host, OURS)


@pytest.mark.parametrize(
    "host",
    [None, "", "evil.example", "evil.example:8877", "127.0.0.1", "127.0.0.1:8878", "localhost",
     "127.0.0.1.:8877", "localhost.:8877", "127.0.0.1:8877.evil.example", "127.0.0.1:8877@evil",
     "a@127.0.0.1:8877", "127.1:8877", "0.0.0.0:8877", "2130706433:8877", "::1:8877", "[::]:8877",
     "127.0.0.1:08877", "127.0.0.1:8877,evil.example", "127.0.0.1:8877/", "xn--localhost:8877"],
)  # fmt: skip
def test_other_names_are_refused(host: str | None) -> None:
    assert not host_is_allowed(host, OURS)


def test_a_default_port_may_be_left_out_and_a_wildcard_adds_no_name() -> None:
    assert host_is_allowed("localhost", allowed_hosts("127.0.0.1", 443))
    assert not host_is_allowed("0.0.0.0:8877", allowed_hosts("0.0.0.0", 8877))
    assert host_is_allowed("[fd00::1]:8877", allowed_hosts("fd00::1", 8877))


@pytest.mark.parametrize(
    ("origin", "site", "is_ours"),
    [
        (None, None, True),
        (None, "none", True),
        (None, "same-origin", True),
        (None, "same-site", False),
        (None, "cross-site", False),
        ("http://localhost:8877", "same-origin", True),
        ("HTTP://LOCALHOST:8877", None, True),
        ("http://localhost:8877", "cross-site", False),
        ("https://localhost:8877", None, False),
        ("http://localhost", None, False),
        ("http://localhost:8878", None, False),
        ("http://127.0.0.1:8877", None, False),
        ("http://evil.example", None, False),
        ("http://localhost:8877.evil.example", None, False),
        ("null", None, False),
        ("", None, False),
    ],
)
def test_origins(origin: str | None, site: str | None, is_ours: bool) -> None:
    assert origin_is_ours(origin, site, "localhost:8877", "http") == is_ours
