import http.client
import socket
import ssl
import threading
from collections.abc import Iterator

import pytest

from infrastructure.config import Secret
from infrastructure.errors import ConfigError, PortTaken, SignInFailed
from infrastructure.schwab.oauth.application import SchwabApplication
from infrastructure.schwab.oauth.listener import RedirectListener

STATE = "state-of-this-sign-in"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def application(callback_url: str) -> SchwabApplication:
    return SchwabApplication(Secret("app-key"), Secret("app-secret"), callback_url)


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def listener(port: int) -> Iterator[RedirectListener]:
    with RedirectListener(application(f"https://127.0.0.1:{port}"), STATE) as listening:
        yield listening


def browse(port: int, target: str, method: str = "GET") -> tuple[int, str, dict[str, str]]:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=context)
    try:
        connection.request(method, target)
        response = connection.getresponse()
        return response.status, response.read().decode(), dict(response.getheaders())
    finally:
        connection.close()


def test_the_browsers_redirect_is_caught_whole(listener: RedirectListener, port: int) -> None:
    target = f"/?code=C0.one-time%40&session=s&state={STATE}"
    status, page, headers = browse(port, target)
    assert listener.wait(5).reveal() == f"https://127.0.0.1:{port}{target}"
    assert status == 200
    assert "Back to the terminal" in page
    assert "one-time" not in page
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/favicon.ico", 404),
        ("/", 400),
        (f"/?state={STATE}", 400),
        ("/?code=C0.forged%40&state=another-state", 400),
        ("/?code=C0.forged%40", 400),
        (f"/?code=1&code=2&state={STATE}", 400),
        (f"/other?code=C0.forged%40&state={STATE}", 404),
        (f"/{'a' * 9000}", 414),
    ],
)
def test_other_requests_are_turned_away_and_the_sign_in_goes_on(
    listener: RedirectListener, port: int, target: str, status: int
) -> None:
    assert browse(port, target)[0] == status
    browse(port, f"/?code=C0.mine%40&state={STATE}")
    assert "C0.mine" in listener.wait(5).reveal()


def test_the_first_redirect_counts(listener: RedirectListener, port: int) -> None:
    browse(port, f"/?code=C0.first%40&state={STATE}")
    browse(port, f"/?code=C0.second%40&state={STATE}")
    assert "C0.first" in listener.wait(5).reveal()


def test_a_refusal_is_caught_even_without_a_state(listener: RedirectListener, port: int) -> None:
    browse(port, "/?error=access_denied")
    assert "access_denied" in listener.wait(5).reveal()


def test_other_methods_are_not_served(listener: RedirectListener, port: int) -> None:
    assert browse(port, f"/?code=C0.mine%40&state={STATE}", "POST")[0] == 501


def test_silent_and_plain_connections_do_not_block_the_redirect(
    listener: RedirectListener, port: int
) -> None:
    with (
        socket.create_connection(("127.0.0.1", port)),
        socket.create_connection(("127.0.0.1", port)) as plain,
    ):
        plain.sendall(b"GET / HTTP/1.0\r\n\r\n")
        browse(port, f"/?code=C0.mine%40&state={STATE}")
        assert "C0.mine" in listener.wait(5).reveal()


def test_the_certificate_names_the_callbacks_address(listener: RedirectListener, port: int) -> None:
    pem = ssl.get_server_certificate(("127.0.0.1", port), timeout=5)
    trusting = ssl.create_default_context(cadata=pem)
    with (
        socket.create_connection(("127.0.0.1", port), timeout=5) as plain,
        trusting.wrap_socket(plain, server_hostname="127.0.0.1") as wrapped,
    ):
        assert wrapped.version() in ("TLSv1.2", "TLSv1.3")


def test_nobody_coming_is_a_failed_sign_in(listener: RedirectListener) -> None:
    with pytest.raises(SignInFailed, match="No redirect arrived") as caught:
        listener.wait(0.01)
    assert "pasted" in str(caught.value)


def test_a_taken_port_is_named(port: int) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        with pytest.raises(PortTaken, match=str(port)):
            RedirectListener(application(f"https://127.0.0.1:{port}"), STATE)


def test_a_callback_without_a_port_cannot_be_listened_on() -> None:
    with pytest.raises(ConfigError, match="names no port"):
        RedirectListener(application("https://127.0.0.1"), STATE)


def test_closing_frees_the_port_and_ends_the_thread(port: int) -> None:
    before = threading.active_count()
    with RedirectListener(application(f"https://127.0.0.1:{port}/cb"), STATE):
        assert browse(port, f"/cb?code=1&state={STATE}")[0] == 200
    with socket.socket() as next_one:
        next_one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        next_one.bind(("127.0.0.1", port))
    assert threading.active_count() <= before + 1
