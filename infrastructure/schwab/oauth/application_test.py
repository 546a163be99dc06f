import pytest

from infrastructure.config import Secret
from infrastructure.errors import ConfigError
from infrastructure.schwab.oauth.application import SchwabApplication, is_loopback


def application(callback_url: str = "https://127.0.0.1:8182") -> SchwabApplication:
    return SchwabApplication(Secret("app-key"), Secret("app-secret"), callback_url)


@pytest.mark.parametrize(
    "callback_url",
    [
        "https://127.0.0.1",
        "https://127.0.0.1:8182",
        "HTTPS://127.0.0.1/",
        "https://example.com/schwab/callback?tenant=1",
        "https://[::1]:8182/",
    ],
)
def test_callbacks_that_the_portal_takes_are_kept_byte_for_byte(callback_url: str) -> None:
    assert application(callback_url).callback_url == callback_url


@pytest.mark.parametrize(
    ("callback_url", "reason"),
    [
        ("http://127.0.0.1", "https only"),
        ("https://localhost:8182", "register 127.0.0.1"),
        ("https://127.0.0.1,https://example.com", "a list"),
        ("https://127.0.0.1/ ", "blanks"),
        ("https://127.0.0.1/#here", "fragment"),
        ("https://user:word@127.0.0.1", "plain host"),
        ("https://127.0.0.1:0", "port 0"),
        ("https://127.0.0.1:99999", "out of range"),
        ("https:///path", "plain host"),
        ("https://127.0.0.1/" + "a" * 250, "256 characters"),
        ("", "https only"),
    ],
)
def test_callbacks_that_the_portal_refuses_are_refused_with_the_reason(
    callback_url: str, reason: str
) -> None:
    with pytest.raises(ConfigError, match=reason) as caught:
        application(callback_url)
    assert "SCHWAB_CALLBACK_URL" in str(caught.value)


@pytest.mark.parametrize("key", ["", " padded", "line\nbreak", "umläut"])
def test_a_key_that_was_copied_badly_is_refused_without_showing_it(key: str) -> None:
    with pytest.raises(ConfigError, match="SCHWAB_API_KEY") as caught:
        SchwabApplication(Secret(key), Secret("app-secret"), "https://127.0.0.1")
    assert not key or key not in str(caught.value)


def test_the_basic_credentials_are_base64_of_key_and_secret() -> None:
    # The worked example of RFC 7617 §2.
    known = SchwabApplication(Secret("Aladdin"), Secret("open sesame"), "https://127.0.0.1")
    assert known.basic_credentials() == "QWxhZGRpbjpvcGVuIHNlc2FtZQ=="


def test_only_a_loopback_callback_with_a_port_can_be_listened_on() -> None:
    assert application("https://127.0.0.1:8182/cb").listen_address == ("127.0.0.1", 8182)
    assert application("https://[::1]:8182").listen_address == ("::1", 8182)
    assert application("https://127.0.0.1").listen_address is None
    assert application("https://example.com:8182").listen_address is None


def test_repr_shows_neither_key_nor_secret() -> None:
    assert "app-" not in repr(application())


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("10.0.0.1", False),
        ("api.schwabapi.com", False),
        ("", False),
    ],
)
def test_loopback_hosts_are_known(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected
