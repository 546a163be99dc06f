import socket
import threading
from collections.abc import Iterator

import pytest

from infrastructure.errors import NetworkError
from infrastructure.schwab.answer import Answer
from infrastructure.schwab.transport import Authorization, new_session, send


def ask(base_url: str) -> Answer:
    with new_session(base_url) as session:
        return send(
            session,
            "GET",
            f"{base_url}/x",
            what="a thing",
            auth=Authorization("Bearer", "the-token"),
            timeout_s=0.5,
            correlation_id="our-id",
        )


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


def url_of(server: socket.socket, scheme: str = "http") -> str:
    return f"{scheme}://127.0.0.1:{server.getsockname()[1]}"


def answering(server: socket.socket, *answers: bytes) -> threading.Thread:
    def serve() -> None:
        for answer in answers:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    return thread


def test_repr_of_an_authorization_shows_no_credentials() -> None:
    assert repr(Authorization("Basic", "c2VjcmV0")) == "Authorization('Basic', '********')"


def test_a_refused_connection_is_told_in_the_systems_words(server: socket.socket) -> None:
    url = url_of(server)
    server.close()
    with pytest.raises(NetworkError, match="Connection refused") as caught:
        ask(url)
    assert caught.value.correlation_id == "our-id"
    assert "the-token" not in str(caught.value)


def test_a_silent_server_is_told_with_the_waited_time(server: socket.socket) -> None:
    with pytest.raises(NetworkError, match=r"did not answer within 0\.5 s"):
        ask(url_of(server))


def test_an_answer_that_breaks_off_is_a_network_error(server: socket.socket) -> None:
    answering(server, b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
    with pytest.raises(NetworkError, match="No answer from"):
        ask(url_of(server))


def test_a_server_without_tls_is_told_as_such(server: socket.socket) -> None:
    answering(server, b"HTTP/1.1 200 OK\r\n\r\n")
    with pytest.raises(NetworkError, match="TLS certificate"):
        ask(url_of(server, "https"))


def test_a_body_in_a_broken_encoding_is_a_network_error(server: socket.socket) -> None:
    answering(server, b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope")
    with pytest.raises(NetworkError, match="No answer from"):
        ask(url_of(server))


def test_cookies_are_not_kept_and_no_proxy_is_used_for_loopback(
    server: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    thread = answering(
        server,
        b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 2\r\n\r\n{}",
    )
    with new_session(url_of(server)) as session:
        answer = send(
            session,
            "GET",
            f"{url_of(server)}/x",
            what="a thing",
            auth=Authorization("Bearer", "the-token"),
            timeout_s=5,
            correlation_id="our-id",
        )
        assert answer.json() == {}
        assert answer.correlation_id == "our-id"
        assert list(session.cookies) == []
    thread.join(timeout=5)
