import http.client
import io
import socket
import ssl
import sys

import pytest

from infrastructure.clock import VirtualClock
from infrastructure.config import Secret
from infrastructure.errors import PortTaken
from infrastructure.schwab.oauth.application import SchwabApplication
from infrastructure.schwab.oauth.authorization import new_request
from system.algo_trader.sign_in import SignInDialogue, ask_terminal, show_on_terminal


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def browse(port: int, target: str) -> None:
    trusting = ssl.create_default_context()
    trusting.check_hostname = False
    trusting.verify_mode = ssl.CERT_NONE
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=trusting)
    connection.request("GET", target)
    connection.getresponse().read()
    connection.close()


def dialogue(callback_url: str, shown: list[str], typed: str = "") -> SignInDialogue:
    application = SchwabApplication(Secret("app-key"), Secret("app-secret"), callback_url)
    return SignInDialogue(
        application,
        prompt=lambda prompt: typed,
        announce=shown.append,
        clock=VirtualClock(1_700_000_000 * 10**9),
        listen_timeout_s=10,
    )


def test_a_callback_without_a_port_means_pasting_even_when_told_to_listen() -> None:
    shown: list[str] = []
    asking = dialogue("https://127.0.0.1", shown, "https://127.0.0.1/?code=1 ")
    request = new_request("https://schwab", asking.application, 0)
    assert asking.redirect_url(request, listen=True).reveal() == "https://127.0.0.1/?code=1"
    assert "names no port" in shown[0]
    assert request.url in shown[1]


def test_a_callback_with_a_port_is_listened_on() -> None:
    port = free_port()
    shown: list[str] = []

    def open_the_url(text: str) -> None:
        shown.append(text)
        browse(port, f"/?code=C0.x%40&state={request.state}")

    application = SchwabApplication(
        Secret("app-key"), Secret("app-secret"), f"https://127.0.0.1:{port}"
    )
    request = new_request("https://schwab", application, 0)
    asking = SignInDialogue(
        application,
        prompt=lambda prompt: "",
        announce=open_the_url,
        clock=VirtualClock(1_700_000_000 * 10**9),
        listen_timeout_s=10,
    )
    received = asking.redirect_url(request, listen=True).reveal()
    assert received == f"https://127.0.0.1:{port}/?code=C0.x%40&state={request.state}"
    assert "certificate" in shown[0]


def test_a_taken_port_is_said() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        asking = dialogue(f"https://127.0.0.1:{other.getsockname()[1]}", [])
        request = new_request("https://schwab", asking.application, 0)
        with pytest.raises(PortTaken, match="--listen"):
            asking.redirect_url(request, listen=True)


def test_the_terminal_is_asked_and_shown_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("https://127.0.0.1/?code=1\n"))
    assert ask_terminal("Redirect URL: ") == "https://127.0.0.1/?code=1"
    show_on_terminal("a text")
    assert capsys.readouterr().out == "Redirect URL: a text\n"


def test_a_python_without_line_editing_asks_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setitem(sys.modules, "readline", None)
    monkeypatch.setattr("sys.stdin", Terminal("https://127.0.0.1/?code=1\n"))
    assert ask_terminal("Redirect URL: ") == "https://127.0.0.1/?code=1"
