import json
import re
import socket
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from infrastructure.clock import VirtualClock
from infrastructure.errors import PortTaken
from infrastructure.simulators.schwab.desk import Desk
from infrastructure.simulators.schwab.market import ReplayMarket
from infrastructure.simulators.schwab.simulator import SchwabSimulator
from infrastructure.simulators.schwab.tls import self_signed
from infrastructure.simulators.schwab.wire_check import differences

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def test_every_answer_carries_a_correlation_id_and_says_simulated(desk: Desk) -> None:
    paths = ("/marketdata/v1/quotes", "/nowhere", "/v1/oauth/authorize", "/simulator/status")
    for path in paths:
        answer = desk.session.get(desk.simulator.base_url + path)
        assert UUID.fullmatch(answer.headers["Schwab-Client-CorrelId"])
        assert answer.headers["X-Simulated"] in ("replay", "synthetic")
        assert answer.headers["X-Simulated-Time"] == "2013-03-01T21:00:01Z"


def test_correlation_id_of_the_request_comes_back(signed_in: Desk) -> None:
    signed_in.session.headers["Schwab-Client-CorrelId"] = "my-id"
    assert signed_in.history().headers["Schwab-Client-CorrelId"] == "my-id"


def test_missing_authorization_header_is_400_with_its_name(desk: Desk) -> None:
    answer = desk.history()
    assert answer.status_code == 400
    assert differences(answer.json(), "ErrorResponse") == []
    (error,) = answer.json()["errors"]
    assert error["detail"] == "Missing header"
    assert error["source"] == {"header": "Authorization"}
    assert answer.headers["Schwab-Resource-Version"] == "1"


@pytest.mark.parametrize("value", ["Bearer nonsense", "Basic abc", "Bearer"])
def test_wrong_access_token_is_401(desk: Desk, value: str) -> None:
    desk.session.headers["Authorization"] = value
    answer = desk.get("/quotes", symbols="AAPL")
    assert answer.status_code == 401
    assert answer.json()["errors"][0]["status"] == 401
    assert answer.headers["Schwab-Resource-Version"] == "1"


def test_unknown_path_and_method_are_not_found(signed_in: Desk) -> None:
    assert signed_in.get("/nothing").status_code == 404
    url = f"{signed_in.simulator.base_url}/marketdata/v1/pricehistory"
    assert signed_in.session.post(url).status_code == 404
    assert signed_in.session.put(url).status_code == 404
    assert signed_in.session.delete(url).status_code == 404


def test_one_connection_serves_many_requests(signed_in: Desk) -> None:
    for _ in range(5):
        signed_in.get("/quotes", symbols="AAPL")
    pool = signed_in.session.get_adapter(signed_in.simulator.base_url).poolmanager  # type: ignore[attr-defined]
    (connections,) = [pool.pools[key] for key in pool.pools.keys()]  # noqa: SIM118
    assert connections.num_connections == 1
    assert connections.num_requests >= 5


def test_many_threads_are_answered_at_once(signed_in: Desk) -> None:
    statuses = []
    headers = dict(signed_in.session.headers)

    def ask() -> None:
        url = f"{signed_in.simulator.base_url}/marketdata/v1/AAPL/quotes"
        statuses.append(requests.get(url, headers=headers).status_code)

    threads = [threading.Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 16


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 503])
def test_next_requests_answer_with_the_error_asked_for(signed_in: Desk, status: int) -> None:
    signed_in.simulator.faults.answer(status, times=2)
    answers = [signed_in.get("/AAPL/quotes").status_code for _ in range(3)]
    assert answers == [status, status, 200]
    assert signed_in.simulator.requests.count(status=status) == 2


def test_faults_hit_only_the_route_they_name(signed_in: Desk) -> None:
    signed_in.simulator.faults.answer(429, route="pricehistory", retry_after_s=7)
    assert signed_in.get("/AAPL/quotes").status_code == 200
    assert signed_in.history().headers["Retry-After"] == "7"
    assert signed_in.history().status_code == 200


def test_edge_answers_access_denied_as_html(desk: Desk) -> None:
    desk.simulator.faults.answer(403, route="/oauth/token")
    answer = desk.refresh("x")
    assert answer.status_code == 403
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "Access Denied" in answer.text
    assert "You don't have permission to access" in answer.text
    assert "http://api.schwabapi.com/v1/oauth/token" in answer.text


def test_fault_may_bring_a_body_of_its_own(signed_in: Desk) -> None:
    signed_in.simulator.faults.answer(200, body="{not json")
    assert signed_in.history().text == "{not json"


def test_trader_maintenance_answers_its_recorded_message(desk: Desk) -> None:
    desk.simulator.faults.answer(500)
    answer = desk.session.get(f"{desk.simulator.base_url}/trader/v1/accounts")
    assert answer.json() == {
        "message": "Application encountered unexpected error that prevented fulfilling this request"
    }


def test_dropped_connection_reaches_the_client_as_one(signed_in: Desk) -> None:
    signed_in.simulator.faults.drop(times=1)
    with pytest.raises(requests.ConnectionError):
        signed_in.history()
    assert signed_in.simulator.requests.count(status=0) == 1
    assert signed_in.history().status_code == 200


def test_cleared_faults_do_nothing(signed_in: Desk) -> None:
    signed_in.simulator.faults.drop(times=100)
    signed_in.simulator.faults.latency_s = 60
    signed_in.simulator.faults.clear()
    assert signed_in.history().status_code == 200


def test_latency_makes_a_client_time_out_and_stopping_waits_for_nobody(
    bokeh_market: ReplayMarket,
) -> None:
    simulator = SchwabSimulator(bokeh_market)
    simulator.start()
    simulator.faults.latency_s = 3_600
    with pytest.raises(requests.ReadTimeout):
        requests.get(f"{simulator.base_url}/simulator/status", timeout=0.2)
    began = time.monotonic()
    simulator.stop()
    assert time.monotonic() - began < 5


def test_requests_above_the_limit_wait_for_the_minute_to_pass(bokeh_market: ReplayMarket) -> None:
    clock = VirtualClock(0)
    with SchwabSimulator(bokeh_market, clock=clock, requests_per_minute=3) as simulator:
        desk = Desk(simulator, clock, requests.Session())
        desk.sign_in()
        statuses = [desk.get("/AAPL/quotes").status_code for _ in range(4)]
        assert statuses == [200, 200, 200, 429]
        clock.advance(seconds=60)
        statuses = []
        for wait_s in (0, 30, 0, 30, 0):
            clock.advance(seconds=wait_s)
            statuses.append(desk.get("/AAPL/quotes").status_code)
        # The minute slides: after 60 s only the first of the three is forgotten.
        assert statuses == [200, 200, 200, 200, 429]


def test_failing_handler_answers_500_and_the_server_lives(
    signed_in: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(symbol: str) -> None:
        raise RuntimeError("planted")

    with monkeypatch.context() as patch:
        patch.setattr(signed_in.simulator.market, "daily", fail)
        assert signed_in.get("/AAPL/quotes").status_code == 500
    assert signed_in.get("/AAPL/quotes").status_code == 200


def test_oversized_and_unmeasured_bodies_are_refused(desk: Desk) -> None:
    url = urlsplit(desk.simulator.base_url)
    for length in ("99999999", "-1", "many"):
        with socket.create_connection((url.hostname or "", url.port or 0), timeout=5) as client:
            head = f"POST /v1/oauth/token HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n"
            client.sendall(head.encode())
            assert client.recv(4096).startswith(b"HTTP/1.1 413")


def test_https_is_trusted_through_its_own_certificate_only(
    bokeh_market: ReplayMarket, tmp_path: Path
) -> None:
    identity = self_signed(tmp_path / "tls")
    assert identity.key.stat().st_mode & 0o777 == 0o600
    with SchwabSimulator(bokeh_market, tls=identity) as simulator, requests.Session() as session:
        assert simulator.base_url.startswith("https://127.0.0.1:")
        with pytest.raises(requests.exceptions.SSLError):
            session.get(f"{simulator.base_url}/simulator/status")
        # REQUESTS_CA_BUNDLE of the machine would go before the session's own.
        session.trust_env = False
        session.verify = str(identity.certificate)
        desk = Desk(simulator, VirtualClock(0), session)
        desk.sign_in()
        assert desk.history().status_code == 200


def test_certificate_is_made_once_and_again_for_another_host(tmp_path: Path) -> None:
    first = self_signed(tmp_path).certificate.read_bytes()
    assert self_signed(tmp_path).certificate.read_bytes() == first
    assert self_signed(tmp_path, ("127.0.0.1", "other")).certificate.read_bytes() != first
    (tmp_path / "simulator.crt").write_text("not a certificate")
    assert self_signed(tmp_path).certificate.read_bytes().startswith(b"-----BEGIN")


def test_taken_port_is_told_and_other_machines_are_not_served(bokeh_market: ReplayMarket) -> None:
    with SchwabSimulator(bokeh_market) as simulator:
        port = urlsplit(simulator.base_url).port or 0
        with pytest.raises(PortTaken, match=str(port)):
            SchwabSimulator(bokeh_market, port=port).start()
    with pytest.raises(ValueError, match="this machine"):
        SchwabSimulator(bokeh_market, host="0.0.0.0")
    with pytest.raises(RuntimeError, match="not started"):
        simulator.base_url  # noqa: B018


def test_status_names_the_product_and_the_markets_date(desk: Desk) -> None:
    body = desk.session.get(f"{desk.simulator.base_url}/simulator/status").json()
    assert body["product"] == "schwab-simulator"
    assert body["market_date"] == "2013-03-01"
    assert body["is_simulated"] is True
    assert json.dumps(body).count(desk.simulator.app.secret) == 0


def test_price_history_keeps_to_the_published_schema(signed_in: Desk) -> None:
    body = signed_in.history(periodType="month", needPreviousClose="true").json()
    assert differences(body, "CandleList") == []
    assert differences({"candles": [{"open": "1"}], "more": 1}, "CandleList") == [
        "CandleList.candles[0].open: '1' is no number",
        "CandleList.more: unknown key",
    ]
