"""The base client of Redis against a real Valkey: alone, as a Cluster, behind a Sentinel."""

import contextlib
import datetime
import ipaddress
import os
import shutil
import signal
import socket
import socketserver
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from infrastructure.clients.redis_client import BaseRedisClient, StreamEntry
from infrastructure.errors import (
    ConfigError,
    CredentialsRejected,
    ForeignService,
    OperatorError,
    RetryableError,
    ServiceUnavailable,
    UsageError,
)
from infrastructure.redis.embedded import embedded_redis_spec, server_program, url_with_password
from infrastructure.supervision import Handle, Supervisor, module_command


def wait_until(met: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def server() -> Iterator[Handle]:
    folder = Path(tempfile.mkdtemp(prefix="at-"))
    with Supervisor(folder).ensure(embedded_redis_spec(folder / "redis", port=0)) as handle:
        yield handle
    shutil.rmtree(folder)


@pytest.fixture
def client(server: Handle) -> Iterator[BaseRedisClient]:
    with BaseRedisClient(url_with_password(server.endpoint), "ns") as client:
        yield client
        client.flushdb()


def free_port() -> int:
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if port < 55_000:  # a cluster node also listens on its port + 10000
            return port


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Callable[..., int]]:
    """Start bare Valkey servers on free ports."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*arguments: str, config: str = "") -> int:
        port = free_port()
        folder = tmp_path / str(port)
        folder.mkdir()
        (folder / "valkey.conf").write_text(
            f'port {port}\nbind 127.0.0.1\ndir "{folder}"\nsave ""\n{config}'
        )
        with (folder / "log").open("wb") as log:
            started.append(
                subprocess.Popen(
                    [server_program(), folder / "valkey.conf", *arguments], stdout=log, stderr=log
                )
            )

        def accepts() -> bool:
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0

        wait_until(accepts)
        return port

    yield start
    for one in started:
        one.kill()
        one.wait()


def test_a_real_server_says_what_it_is(client: BaseRedisClient, server: Handle) -> None:
    identity = client.identity()
    assert client.ping()
    assert (identity.product, identity.mode) == ("valkey", "standalone")
    assert identity.version == server.endpoint.version
    assert identity.process_id == server.endpoint.pid


def test_all_kinds_of_values_come_back(client: BaseRedisClient) -> None:
    client.set("text", "1.5", ttl=60)
    client.hmset("hash", {"bid": 1.25, "name": "Ä"}, ttl=60)
    client.sadd("set", "a", "b")
    client.rpush("list", "1", "2", "3")
    client.set_json("json", {"a": [1, None]})
    assert client.get("text") == "1.5"
    assert client.ttl("text") == pytest.approx(60, abs=2)
    assert client.hgetall("hash") == {"bid": "1.25", "name": "Ä"}
    assert client.ttl("hash") == pytest.approx(60, abs=2)
    assert client.smembers("set") == {"a", "b"}
    assert client.lrange("list", 0, -1) == ["1", "2", "3"]
    assert client.get_json("json") == {"a": [1, None]}
    assert client.keys() == ["hash", "json", "list", "set", "text"]
    assert client.pipeline_execute([("incrby", "n", 2)]) == [2]


def test_a_blocking_read_gets_what_is_added_meanwhile(client: BaseRedisClient) -> None:
    writer = threading.Timer(0.1, lambda: client.xadd("s", {"n": 1}))
    writer.start()
    answer = client.xread({"s": "$"}, block_ms=4000)
    writer.join()
    ((name, entries),) = answer.items()
    assert name == "s"
    assert [entry.fields for entry in entries] == [{"n": b"1"}]


def test_entries_of_a_killed_consumer_are_claimed_by_another(client: BaseRedisClient) -> None:
    client.xgroup_create("orders", "g", after="0")
    added = client.xadd("orders", {"n": 1}, max_length=1000)
    assert client.xreadgroup("g", "dead", {"orders": ">"}, block_ms=100) == {
        "orders": [StreamEntry(added, {"n": b"1"})]
    }
    assert client.xreadgroup("g", "dead", {"orders": "0"}) == {
        "orders": [StreamEntry(added, {"n": b"1"})]
    }
    assert client.xclaim("orders", "g", "alive", added, idle_ms=0) == [
        StreamEntry(added, {"n": b"1"})
    ]
    assert client.xack("orders", "g", added) == 1
    assert client.xreadgroup("g", "alive", {"orders": "0"}) == {"orders": []}


def test_messages_reach_a_listener(client: BaseRedisClient) -> None:
    with client.subscribe("market_data:ticks") as heard:
        assert client.publish("market_data:ticks", "tick") == 1
        message = heard.receive(5)
        assert message is not None
        assert message.data == b"tick"


CONTENDER = """
import sys
from infrastructure.clients.redis_client import BaseRedisClient
with BaseRedisClient(sys.stdin.readline().strip(), "ns") as client:
    for _ in range(25):
        with client.lock("counter", ttl=10, wait_s=60, retry_interval=0.002) as held:
            before = int(client.get("count") or 0)
            client.rpush("tokens", held.token)
            client.set("count", before + 1)
"""


def test_processes_that_contend_for_a_lock_hold_it_one_after_the_other_with_growing_tokens(
    client: BaseRedisClient, server: Handle
) -> None:
    _, env = module_command("none")
    contenders = [
        subprocess.Popen(
            [sys.executable, "-c", CONTENDER],
            stdin=subprocess.PIPE,
            env={**os.environ, **env},
            text=True,
        )
        for _ in range(3)
    ]
    for one in contenders:
        assert one.stdin is not None
        one.stdin.write(url_with_password(server.endpoint) + "\n")
        one.stdin.close()
    assert [one.wait(60) for one in contenders] == [0, 0, 0]
    tokens = [int(token) for token in client.lrange("tokens", 0, -1)]
    assert client.get("count") == "75"
    assert len(tokens) == 75
    assert tokens == sorted(set(tokens))


def test_a_lock_ends_by_itself_when_its_holder_is_gone(client: BaseRedisClient) -> None:
    first = client.acquire_lock("refresh", ttl=0.2)
    with pytest.raises(RetryableError):
        client.acquire_lock("refresh")
    with client.lock("refresh", wait_s=10) as second:
        assert second.token > first.token
        assert not client.release_lock(first)
        assert not client.extend_lock(first)


def test_a_wrong_password_is_named_and_not_shown(server: Handle) -> None:
    url = server.endpoint.url.replace("://", "://:hunter2@")
    with pytest.raises(CredentialsRejected, match="user or password") as caught:
        BaseRedisClient(url, "ns").get("a")
    assert "hunter2" not in str(caught.value)
    with pytest.raises(CredentialsRejected):
        BaseRedisClient(server.endpoint.url, "ns").get("a")


def test_nothing_at_the_port_is_retryable() -> None:
    started = time.monotonic()
    with pytest.raises(ServiceUnavailable, match="cannot be reached"):
        BaseRedisClient(f"redis://127.0.0.1:{free_port()}", "ns").ping()
    assert time.monotonic() - started < 2


def test_a_server_that_accepts_and_says_nothing_times_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = BaseRedisClient(
            f"redis://127.0.0.1:{silent.getsockname()[1]}", "ns", timeout_s=0.2
        )
        with pytest.raises(ServiceUnavailable, match="did not answer"):
            client.ping()


def test_a_server_of_another_protocol_is_foreign() -> None:
    with socket.create_server(("127.0.0.1", 0)) as web:

        def answer() -> None:
            connection, _ = web.accept()
            with connection:
                connection.recv(1024)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                connection.recv(1024)

        thread = threading.Thread(target=answer)
        thread.start()
        client = BaseRedisClient(f"redis://127.0.0.1:{web.getsockname()[1]}", "ns")
        with pytest.raises(ForeignService, match="does not speak the Redis protocol"):
            client.ping()
        client.close()
        thread.join()


def test_a_client_goes_on_after_its_server_was_killed_and_came_back() -> None:
    folder = Path(tempfile.mkdtemp(prefix="at-"))
    supervisor = Supervisor(folder)
    spec = embedded_redis_spec(folder / "redis")
    with supervisor.ensure(spec) as handle:
        client = BaseRedisClient(url_with_password(handle.endpoint), "ns")
        client.set("a", "1")
        os.kill(handle.endpoint.pid, signal.SIGKILL)
        wait_until(lambda: supervisor.status("redis").state == "stopped")
        with pytest.raises(ServiceUnavailable):
            client.get("a")
        with supervisor.ensure(spec):
            assert client.get("a") == "1"
        client.close()
    shutil.rmtree(folder)


def test_full_memory_refuses_writes_and_evicts_nothing(valkey: Callable[..., int]) -> None:
    port = valkey(config="maxmemory 2mb\nmaxmemory-policy noeviction\n")
    client = BaseRedisClient(f"redis://127.0.0.1:{port}", "ns")

    def fill() -> None:
        for number in range(10_000):
            client.set(f"k{number}", "x" * 10_000)

    with pytest.raises(OperatorError, match="out of memory"):
        fill()
    assert client.get("k0") == "x" * 10_000
    client.close()


def test_a_read_only_replica_is_told_from_its_master(valkey: Callable[..., int]) -> None:
    master = valkey()
    replica = valkey(config=f"replicaof 127.0.0.1 {master}\n")
    client = BaseRedisClient(f"redis://127.0.0.1:{replica}", "ns")
    with pytest.raises(ServiceUnavailable, match="read-only replica"):
        client.set("a", "1")
    client.close()


def test_a_cluster_serves_the_whole_client(valkey: Callable[..., int]) -> None:
    port = valkey(config="cluster-enabled yes\n")
    with redis.Redis(port=port) as node:
        node.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        wait_until(lambda: b"cluster_state:ok" in node.execute_command("CLUSTER", "INFO"))
    with BaseRedisClient(f"redis+cluster://127.0.0.1:{port}", "ns") as client:
        assert client.ping()
        assert client.identity().mode == "cluster"
        for number in range(20):
            client.set(f"k{number}", number)
        assert client.get("k7") == "7"
        assert len(client.keys()) == 20
        client.hmset("h", {"a": 1}, ttl=50)
        with client.lock("refresh") as held:
            assert held.token == 1
        client.xadd("s", {"n": 1})
        assert client.xlen("s") == 1
        assert client.pipeline_execute([("get", "k1"), ("get", "k2")], transaction=False) == [
            b"1",
            b"2",
        ]
        with pytest.raises(UsageError, match="different nodes"):
            client.pipeline_execute([("set", "k1", "x"), ("set", "k2", "y")])
        assert client.delete("k1", "k2") == 2
        assert client.flushdb() == 21
        assert client.keys() == []


def test_a_cluster_that_is_not_there_is_retryable() -> None:
    with pytest.raises(ServiceUnavailable):
        BaseRedisClient(f"redis+cluster://127.0.0.1:{free_port()}", "ns").ping()


def test_sentinels_lead_to_the_master(valkey: Callable[..., int]) -> None:
    master = valkey(config="requirepass pw\nmasterauth pw\n")
    sentinel = valkey(
        "--sentinel",
        config=f"sentinel monitor main 127.0.0.1 {master} 1\nsentinel auth-pass main pw\n",
    )
    with BaseRedisClient(f"redis+sentinel://:pw@127.0.0.1:{sentinel}/main/1", "ns") as client:
        assert client.identity().mode == "standalone"
        client.set("a", "1")
        assert client.get("a") == "1"
    with (
        BaseRedisClient(f"redis+sentinel://:pw@127.0.0.1:{sentinel}/other", "ns") as stranger,
        pytest.raises(ServiceUnavailable, match="no such master"),
    ):
        stranger.ping()


def certificate_of_localhost(folder: Path) -> tuple[Path, Path]:
    """Make a self-signed certificate for 127.0.0.1 and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    authority, private = folder / "ca.pem", folder / "key.pem"
    authority.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return authority, private


def test_a_tls_url_encrypts_and_refuses_an_unknown_certificate(
    valkey: Callable[..., int], tmp_path: Path
) -> None:
    authority, private = certificate_of_localhost(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority, private)
    plain_port = valkey()

    class Tunnel(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with (
                contextlib.suppress(OSError),
                context.wrap_socket(self.request, server_side=True) as outside,
                socket.create_connection(("127.0.0.1", plain_port)) as inside,
            ):
                while command := outside.recv(65536):
                    inside.sendall(command)
                    outside.sendall(inside.recv(65536))

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Tunnel) as tunnel:
        threading.Thread(target=tunnel.serve_forever).start()
        url = f"rediss://127.0.0.1:{tunnel.server_address[1]}"
        with BaseRedisClient(f"{url}?ssl_ca_certs={authority}", "ns") as trusting:
            trusting.set("a", "over TLS")
            assert trusting.get("a") == "over TLS"
        with (
            BaseRedisClient(url, "ns") as doubting,
            pytest.raises(ConfigError, match=r"certificate .* is not trusted"),
        ):
            doubting.ping()
        tunnel.shutdown()
