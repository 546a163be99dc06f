"""The rules of the protocol, each with its tag: S, O, C, D or ?."""

from __future__ import annotations

import json
from typing import Any

import pytest

from infrastructure.simulators.schwab.streamer.forms import service_forms
from infrastructure.simulators.schwab.streamer.rules import StreamRules, unconflated
from infrastructure.simulators.schwab.streamer.testing import EQUITIES, Bench, Client, items_of

ALL = ",".join(str(number) for number in range(52))
LIST_OF_SERVICES = """
    LEVELONE_EQUITIES LEVELONE_OPTIONS LEVELONE_FUTURES LEVELONE_FUTURES_OPTIONS LEVELONE_FOREX
    NYSE_BOOK NASDAQ_BOOK OPTIONS_BOOK CHART_EQUITY CHART_FUTURES SCREENER_EQUITY SCREENER_OPTION
    ACCT_ACTIVITY
"""


def test_there_are_the_thirteen_services() -> None:
    assert set(service_forms()) == set(LIST_OF_SERVICES.split())  # [S]


def test_deviation_6_chart_equity_has_its_sequence_first_as_on_the_wire() -> None:
    # §0.6: the guide puts it at 6. [O]
    names = service_forms()["CHART_EQUITY"].names
    assert [names[str(n)] for n in range(1, 9)] == [
        "sequence",
        "openPrice",
        "highPrice",
        "lowPrice",
        "closePrice",
        "volume",
        "chartTime",
        "chartDay",
    ]


def test_login_tells_server_and_status() -> None:
    code, text = Client(Bench().streamer).log_in()
    assert code == 0
    assert text.startswith("server=")
    assert text.endswith(";status=NP")  # [S]


def test_bad_token_is_denied_with_code_3_and_the_connection_ends() -> None:
    client = Client(Bench().streamer)
    denied = client.log_in("expired")
    assert denied == (3, "Login Denied.: token is invalid or has expired.")  # [O]
    assert client.session.closing == 1000


def test_a_token_that_ends_after_login_does_not_end_the_stream() -> None:
    # LOGIN is checked once. [?]
    bench = Bench(StreamRules(interval_s=unconflated()))
    client = bench.client()
    client.ask(EQUITIES, "SUBS", keys="K1", fields=ALL)
    bench.streamer._tokens = type("None_", (), {"accepts": lambda *_: False})()
    bench.source.tell(bench.streamer, EQUITIES, "K1")
    bench.pass_s(0.1)
    assert client.items(EQUITIES)


def test_a_command_before_login_finds_no_stream() -> None:
    client = Client(Bench().streamer)
    assert client.ask(EQUITIES, "SUBS", keys="K1", fields=ALL)[0] == 20  # [S]


def test_a_command_with_other_ids_finds_no_stream() -> None:
    client = Bench().client()
    client.say(client.command(EQUITIES, "SUBS", keys="K1") | {"SchwabClientCorrelId": "other"})
    assert client.frames()[0]["response"][0]["content"]["code"] == 20  # [S]


@pytest.mark.parametrize(
    "message",
    ["{", "[]", "7", '{"requests":[]}', '{"requests":["x"]}', '{"service":"LEVELONE_EQUITIES"}'],
)
def test_what_is_no_command_is_bad_formatting(message: str) -> None:
    bench = Bench()
    client = bench.client()
    bench.streamer.receive(client.session, message)
    response = client.frames()[0]["response"][0]
    assert response["content"] == {"code": 21, "msg": "Bad command formatting"}  # [O]
    assert int(response["requestid"]) == 0


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("NONSENSE", {"keys": "K1", "fields": "0,1"}),
        ("SUBS", {"keys": "K1"}),
        ("SUBS", {"fields": "0,1"}),
        ("UNSUBS", {}),
        ("VIEW", {"keys": "K1"}),
    ],
)
def test_a_command_without_its_parameters_is_bad_formatting(
    name: str, parameters: dict[str, str]
) -> None:
    assert Bench().client().ask(EQUITIES, name, **parameters)[0] == 21


@pytest.mark.parametrize(
    "service",
    ["TIMESALE_EQUITY", "CHART_OPTIONS", "FOREX_BOOK", "FUTURES_BOOK", "QUOTE", "OPTION"],
)
def test_services_that_schwab_does_not_offer_answer_11(service: str) -> None:
    answer = Bench().client().ask(service, "SUBS", keys="K1", fields="0,1")
    assert answer == (11, "Service not available or temporary down.")  # [O]


def test_one_bare_command_and_several_wrapped_ones_are_answered_in_order() -> None:
    client = Bench().client()
    client.say(client.command(EQUITIES, "SUBS", keys="K1", fields="0,1"))  # bare [C]
    assert "response" in client.frames()[0]
    wrapped = [
        client.command(EQUITIES, "ADD", keys=" K2,  K3", fields="0, 1"),
        client.command("CHART_EQUITY", "SUBS", keys="K1", fields="0,1,2"),
    ]
    wrapped[1]["requestid"] = 77
    client.say({"requests": wrapped})
    responses = [f["response"][0] for f in client.frames() if "response" in f]
    assert [each["command"] for each in responses] == ["ADD", "SUBS"]
    assert responses[1]["requestid"] == "77"  # numbers come back as text [S]
    held = client.session.subscriptions[EQUITIES]
    assert held.keys() == {"K1", "K2", "K3"}  # stray spaces are tolerated [C]
    assert held["K2"].fields == ("1",)


@pytest.mark.parametrize(
    ("name", "code"), [("SUBS", 26), ("ADD", 28), ("VIEW", 29), ("UNSUBS", 27)]
)
def test_success_is_0_in_practice_or_the_guides_own_code(name: str, code: int) -> None:
    parameters = {"keys": "K1", "fields": "0,1"}
    for zero, expected in ((True, 0), (False, code)):
        client = Bench(StreamRules(success_code_zero=zero)).client()
        assert client.ask(EQUITIES, name, **parameters) == (
            expected,
            f"{name} command succeeded",
        )  # [O]


def test_first_frame_is_full_and_later_ones_carry_only_changes() -> None:
    bench = Bench()
    client = bench.client()
    client.ask(EQUITIES, "SUBS", keys="K1", fields=ALL)
    (full,) = items_of(client.rest, EQUITIES)
    assert {str(n) for n in range(1, 52)} <= full.keys()
    assert full["key"] == "K1"
    assert full["delayed"] is False
    assert "0" not in full  # the key is told by name [O]
    bench.source.tell(bench.streamer, EQUITIES, "K1")
    bench.pass_s(1.1)
    (change,) = client.items(EQUITIES)
    assert "15" not in change
    assert "assetMainType" not in change
    assert change["3"] == 1


def test_data_of_an_add_names_the_command_subs() -> None:
    client = Bench().client()
    client.ask(EQUITIES, "ADD", keys="K1", fields=ALL)  # valid as the first command [S]
    assert client.rest[0]["data"][0]["command"] == "SUBS"  # [S]


def test_updates_within_a_second_come_as_one_change() -> None:
    bench = Bench()
    client = bench.client()
    client.ask(EQUITIES, "SUBS", keys="K1", fields="0,1,2")
    for _ in range(30):
        bench.source.tell(bench.streamer, EQUITIES, "K1")
        bench.pass_s(0.1)
    seen = [item["1"] for item in client.items(EQUITIES)]
    assert len(seen) <= 4  # about one a second [O]
    bench.pass_s(1.1)
    seen += [item["1"] for item in client.items(EQUITIES)]
    assert seen[-1] == 30
    assert sum(run.updates for run in bench.streamer.ledger.runs()) == 31


def test_books_come_whole_each_time() -> None:
    bench = Bench()
    client = bench.client()
    client.ask("NYSE_BOOK", "SUBS", keys="K1", fields="0,1,2,3")
    for _ in range(2):
        bench.source.tell(bench.streamer, "NYSE_BOOK", "K1")
        bench.pass_s(1.1)
        assert client.items("NYSE_BOOK")[0].keys() == {"key", "1", "2", "3"}  # [O]


@pytest.mark.parametrize(("service", "seconds"), [("SCREENER_EQUITY", 10), ("SCREENER_OPTION", 5)])
def test_screeners_come_at_once_and_then_in_their_own_time(service: str, seconds: int) -> None:
    bench = Bench()
    client = bench.client()
    client.ask(service, "SUBS", keys="K1", fields="0,1,2,3,4")
    assert items_of(client.rest, service)  # with the answer [O]
    bench.source.tell(bench.streamer, service, "K1")
    bench.pass_s(seconds - 0.5)
    assert not client.items(service)
    bench.pass_s(0.6)
    assert client.items(service)  # [O]


def test_sequenced_services_count_from_the_connect_and_lose_nothing_to_conflation() -> None:
    bench = Bench()
    client = bench.client()
    client.ask("CHART_EQUITY", "SUBS", keys="K1,K2", fields="0,1,2")
    first = items_of(client.rest, "CHART_EQUITY")
    for _ in range(5):
        bench.source.tell(bench.streamer, "CHART_EQUITY", "K2")
    bench.pass_s(0.1)
    items = first + client.items("CHART_EQUITY")
    assert [item["seq"] for item in items] == list(range(7))  # [O]
    again = bench.client()
    again.ask("CHART_EQUITY", "SUBS", keys="K1", fields="0,1,2")
    assert items_of(again.rest, "CHART_EQUITY")[0]["seq"] == 0


def test_subs_replaces_the_keys_even_by_unknown_ones() -> None:
    bench = Bench()
    client = bench.client()
    client.ask(EQUITIES, "SUBS", keys="K1,K2", fields=ALL)
    assert client.ask(EQUITIES, "SUBS", keys="NOSUCH", fields=ALL)[0] == 0  # silent [O]
    bench.source.tell(bench.streamer, EQUITIES, "K1")
    bench.pass_s(1.1)
    assert not client.items(EQUITIES)  # [S]


def test_add_appends_unsubs_removes_and_services_are_independent() -> None:
    bench = Bench()
    client = bench.client()
    client.ask(EQUITIES, "SUBS", keys="K1", fields=ALL)
    client.ask(EQUITIES, "ADD", keys="K2", fields=ALL)
    client.ask("NYSE_BOOK", "SUBS", keys="K1", fields="0,1")
    client.ask(EQUITIES, "UNSUBS", keys="K1")
    assert client.ask(EQUITIES, "UNSUBS", keys="MISSING")[0] == 0  # [?]
    for service, key in ((EQUITIES, "K1"), (EQUITIES, "K2"), ("NYSE_BOOK", "K1")):
        bench.source.tell(bench.streamer, service, key)
    bench.pass_s(1.1)
    frames = client.frames()
    assert [item["key"] for item in items_of(frames, EQUITIES)] == ["K2"]
    assert [item["key"] for item in items_of(frames, "NYSE_BOOK")] == ["K1"]


def test_view_changes_the_fields_of_every_key_and_tells_the_new_ones() -> None:
    bench = Bench()
    client = bench.client()
    client.ask(EQUITIES, "SUBS", keys="K1,K2", fields="0,1")
    assert client.ask(EQUITIES, "VIEW", fields="0,2,3", keys="ignored")[0] == 0
    bench.pass_s(1.1)
    items = items_of(client.rest, EQUITIES) + client.items(EQUITIES)
    assert [set(item) - {"key"} for item in items] == [{"2", "3"}] * 2


def test_the_501st_key_is_discarded_by_code_19() -> None:
    client = Bench().client()
    keys = ",".join(f"K{number}" for number in range(501))
    code, text = client.ask(EQUITIES, "SUBS", keys=keys, fields="0,1")
    assert code == 19
    assert text.endswith("(LEVELONE_EQUITIES=500, DISCARDED=1)")
    assert len(client.session.subscriptions[EQUITIES]) == 500  # [O]


def test_screeners_hold_ten_keys_and_add_shares_the_count() -> None:
    client = Bench().client()
    client.ask("SCREENER_EQUITY", "SUBS", keys=",".join(f"K{n}" for n in range(9)), fields="0,1")
    code, text = client.ask("SCREENER_EQUITY", "ADD", keys="K9,K10", fields="0,1")
    assert code == 19
    assert text.endswith("(SCREENER_EQUITY=10, DISCARDED=1)")  # [O]
    assert [item["key"] for item in items_of(client.rest, "SCREENER_EQUITY")] == ["K9"]


def test_account_activity_begins_with_subscribed_and_knows_its_first_key_only() -> None:
    bench = Bench()
    client = bench.client()
    client.ask("ACCT_ACTIVITY", "SUBS", keys="Account Activity,other", fields="0,1,2,3")
    (first,) = items_of(client.rest, "ACCT_ACTIVITY")
    assert first == {"seq": 0, "key": "Account Activity", "1": "", "2": "SUBSCRIBED", "3": ""}
    bench.streamer.publish_account_activity("1", "OrderCreated", '{"BaseEvent":{}}')
    bench.streamer.publish_account_activity("1", "OrderAccepted", "{}")
    bench.pass_s(0.1)
    items = client.items("ACCT_ACTIVITY")
    assert [(i["seq"], i["2"]) for i in items] == [(1, "OrderCreated"), (2, "OrderAccepted")]
    assert items[0]["3"] == '{"BaseEvent":{}}'
    assert client.ask("ACCT_ACTIVITY", "ADD", keys="x", fields="0,1")[0] == 24  # [C][?]
    client.ask("ACCT_ACTIVITY", "UNSUBS", keys="Account Activity")
    bench.streamer.publish_account_activity("1", "OrderFillCompleted", "{}")
    bench.pass_s(0.1)
    assert not client.items("ACCT_ACTIVITY")


def test_heartbeats_come_every_ten_seconds_with_their_time_as_text() -> None:
    bench = Bench()
    client = bench.client()
    client.ask(EQUITIES, "SUBS", keys="K1", fields="0,1")
    bench.pass_s(35)
    beats = [f["notify"][0]["heartbeat"] for f in client.frames() if "notify" in f]
    assert len(beats) == 3
    assert all(isinstance(beat, str) for beat in beats)  # [S]
    assert int(beats[1]) - int(beats[0]) == 10_000  # [?]


def test_a_second_login_ends_the_older_stream_with_code_12() -> None:
    bench = Bench()
    older = bench.client()
    older.ask(EQUITIES, "SUBS", keys="K1", fields=ALL)
    newer = bench.client()
    content = older.frames()[-1]["response"][0]["content"]
    assert content["code"] == 12
    assert older.session.closing == 1000
    assert newer.session.closing is None  # [O]
    bench.source.tell(bench.streamer, EQUITIES, "K1")
    bench.pass_s(1.1)
    assert not older.frames()


@pytest.mark.parametrize("kind", ["response", "notify"])
def test_a_stream_without_a_subscription_ends_after_30_seconds_with_code_30(kind: Any) -> None:
    bench = Bench(StreamRules(stop_frame=kind))
    client = bench.client()
    bench.pass_s(29)
    assert client.session.closing is None
    bench.pass_s(1.5)
    content = client.frames()[-1][kind][0]["content"]
    assert content["code"] == 30
    assert client.session.closing == 1000  # [O]


def test_a_connection_without_login_ends() -> None:
    bench = Bench(StreamRules(login_s=5))
    client = Client(bench.streamer)
    bench.pass_s(5.1)
    assert client.session.closing == 1008  # [?]


def test_a_client_that_does_not_read_is_stopped_with_code_30() -> None:
    bench = Bench(StreamRules(high_water_bytes=500, slow_s=3, heartbeat_s=1e9))
    client = bench.client()
    client.ask(EQUITIES, "SUBS", keys="K1", fields=ALL)
    for _ in range(70):
        bench.source.tell(bench.streamer, EQUITIES, "K1")
        bench.pass_s(0.1)
    frames = client.frames()
    # What does not fit is conflated, not queued.
    assert len(items_of(frames, EQUITIES)) <= 3
    assert frames[-1]["response"][0]["content"]["code"] == 30  # [S]


def test_logout_says_success_and_closes_with_1000() -> None:
    client = Bench().client()
    assert client.ask("ADMIN", "LOGOUT") == (0, "SUCCESS")
    assert client.session.closing == 1000  # [O]


def test_a_response_carries_the_command_and_its_ids() -> None:
    client = Bench().client()
    client.say(client.command(EQUITIES, "SUBS", keys="K1", fields="0,1"))
    (response,) = client.frames()[0]["response"]
    assert response.keys() == {
        "service",
        "command",
        "requestid",
        "SchwabClientCorrelId",
        "timestamp",
        "content",
    }
    assert response["SchwabClientCorrelId"] == client.streamer.identity.correlation_id
    assert json.dumps(response["requestid"]) == '"2"'
