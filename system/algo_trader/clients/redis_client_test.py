"""This system's Redis client: names of keys, ciphertext only, the watchlist, the last run."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import fakeredis
import pytest

from infrastructure.errors import CorruptStore, ServiceUnavailable, UsageError
from system.algo_trader.clients.redis_client import AlgoTraderRedisClient
from system.algo_trader.realm import Realm

CIPHERTEXT = b"\x00\xff gAAAA"


@pytest.fixture
def server() -> fakeredis.FakeServer:
    return fakeredis.FakeServer()


def client_of(server: fakeredis.FakeServer, realm: Realm) -> AlgoTraderRedisClient:
    def connect(*_: Any) -> fakeredis.FakeRedis:
        return fakeredis.FakeRedis(server=server, protocol=2)

    return AlgoTraderRedisClient("redis://host", realm, connect=connect)


@pytest.fixture
def client(server: fakeredis.FakeServer) -> AlgoTraderRedisClient:
    return client_of(server, Realm.live(Path("/home")))


@pytest.fixture
def raw(server: fakeredis.FakeServer) -> fakeredis.FakeRedis:
    return fakeredis.FakeRedis(server=server, decode_responses=True)


def test_tokens_have_the_names_that_users_know(
    client: AlgoTraderRedisClient, server: fakeredis.FakeServer
) -> None:
    client.save_access_token(CIPHERTEXT, 1800)
    client.save_refresh_token(CIPHERTEXT)
    raw = fakeredis.FakeRedis(server=server)
    assert sorted(raw.keys()) == [
        b"algo_trader:schwab_access_token",
        b"algo_trader:schwab_refresh_token",
    ]
    assert raw.get("algo_trader:schwab_access_token") == CIPHERTEXT
    assert raw.ttl("algo_trader:schwab_access_token") in (1799, 1800)
    assert raw.ttl("algo_trader:schwab_refresh_token") == -1


def test_tokens_come_back_and_are_forgotten(client: AlgoTraderRedisClient) -> None:
    assert client.load_access_token() is None
    assert client.load_refresh_token() is None
    client.store_access_token(CIPHERTEXT, 60)
    client.store_refresh_token(CIPHERTEXT)
    assert client.get_access_token() == CIPHERTEXT
    assert client.get_refresh_token() == CIPHERTEXT
    client.delete_tokens()
    assert client.load_access_token() is None
    assert client.load_refresh_token() is None


@pytest.mark.parametrize("token", ["a plain token", b"", None])
def test_a_token_that_is_no_ciphertext_is_refused(
    client: AlgoTraderRedisClient, raw: fakeredis.FakeRedis, token: Any
) -> None:
    saves: list[Callable[[], None]] = [
        lambda: client.save_access_token(token, 60),
        lambda: client.save_refresh_token(token),
    ]
    for save in saves:
        with pytest.raises(UsageError, match="ciphertext only") as caught:
            save()
        assert "a plain token" not in str(caught.value)
    assert raw.keys() == []


def test_an_expired_access_token_is_not_kept(client: AlgoTraderRedisClient) -> None:
    with pytest.raises(UsageError, match="more than 0 s"):
        client.save_access_token(CIPHERTEXT, 0)


def test_the_realms_share_nothing(server: fakeredis.FakeServer) -> None:
    live, sim = (client_of(server, make(Path("/home"))) for make in (Realm.live, Realm.sim))
    sim.save_access_token(CIPHERTEXT, 60)
    sim.watchlist_add(["IBM"])
    assert live.load_access_token() is None
    assert "IBM" not in live.watchlist()
    assert sim.namespace == "algo_trader_sim"


def test_the_watchlist_begins_with_the_default(client: AlgoTraderRedisClient) -> None:
    assert client.watchlist() == ("AAPL", "MSFT", "GOOG")


def test_symbols_are_added_in_order_once_and_in_capitals(client: AlgoTraderRedisClient) -> None:
    assert client.watchlist_add([" ibm", "aapl", "$SPX", "BRK/B"]) == 3
    assert client.watchlist_add(["/ESZ26", "IBM"]) == 1
    assert client.watchlist() == ("AAPL", "MSFT", "GOOG", "IBM", "$SPX", "BRK/B", "/ESZ26")
    assert client.watchlist_add([]) == 0


def test_an_emptied_watchlist_stays_empty_and_can_be_filled_again(
    client: AlgoTraderRedisClient,
) -> None:
    assert client.watchlist_remove(["MSFT", "AAPL", "NONE", "GOOG"]) == 3
    assert client.watchlist() == ()
    assert client.watchlist_add(["IBM", "FB"]) == 2
    assert client.watchlist() == ("IBM", "FB")


@pytest.mark.parametrize("symbol", ["", "  ", "A;B", "ÄPFEL", "X" * 40, "a\nb"])
def test_what_cannot_be_a_symbol_changes_nothing(
    client: AlgoTraderRedisClient, symbol: str
) -> None:
    for edit in (client.watchlist_add, client.watchlist_remove):
        with pytest.raises(UsageError, match="cannot be a symbol"):
            edit(["IBM", symbol])
    assert client.watchlist() == ("AAPL", "MSFT", "GOOG")


def test_the_last_run_is_kept(client: AlgoTraderRedisClient) -> None:
    assert client.load_last_run() is None
    client.save_last_run({"rows": 3000, "market_date": "2013-02-28"})
    assert client.load_last_run() == {"rows": 3000, "market_date": "2013-02-28"}
    client.set_json("last_run", [1])
    with pytest.raises(CorruptStore, match="no JSON object"):
        client.load_last_run()


def test_reports_and_quotes_of_options_have_known_names_and_short_lives(
    client: AlgoTraderRedisClient, raw: fakeredis.FakeRedis
) -> None:
    assert client.load_gex("$SPX") is None
    assert client.load_options("$SPX", "2024-10-18") is None
    client.save_gex("$spx", {"spot": 4000.0})
    client.save_options("$SPX", "2024-10-18", {"bid": [1.0, None]})
    assert client.load_gex("$SPX") == {"spot": 4000.0}
    assert client.load_options("$SPX", "2024-10-18") == {"bid": [1.0, None]}
    assert 0 < raw.pttl("algo_trader:gex:$SPX") <= 30_000
    assert 30_000 < raw.pttl("algo_trader:options:$SPX:2024-10-18") <= 60_000
    client.set_json("gex:$SPX", [1])
    with pytest.raises(CorruptStore, match="no JSON object"):
        client.load_gex("$SPX")


def test_redis_being_down_is_raised(server: fakeredis.FakeServer) -> None:
    client = client_of(server, Realm.live(Path("/home")))
    server.connected = False
    calls: list[Callable[[], Any]] = [
        client.load_access_token,
        client.load_refresh_token,
        client.delete_tokens,
        client.watchlist,
        client.load_last_run,
        lambda: client.save_access_token(CIPHERTEXT, 9),
        lambda: client.watchlist_add(["IBM"]),
    ]
    for call in calls:
        with pytest.raises(ServiceUnavailable):
            call()
