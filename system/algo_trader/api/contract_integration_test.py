"""The running service keeps what its OpenAPI document promises, whatever is asked of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from system.algo_trader.api.operations.catalogue import OPERATIONS
from system.algo_trader.testing.running_service import CHAIN_SYMBOL, RunningService, running_service

EXAMPLES: Final = 10
SQL_EXAMPLES: Final = 2
"""Each one starts a process."""
CONTROL: Final = "control_service"
"""It ends what the other cases ask; its own tests start and stop it."""
OTHERS: Final = (
    "health",
    "live",
    "ready",
    "metrics_text",
    "status",
    "openapi",
    "errors",
    "settle_error",
    "sql",
)
POSTED: Final = ("settle_error", "sql")
JUDGED: Final = (*(each.name for each in OPERATIONS), *OTHERS)
CHECKS: Final = (
    *(not_a_server_error, status_code_conformance, content_type_conformance),
    *(response_schema_conformance, response_headers_conformance),
)
PROBES: Final = ("health", "ready")
"""Their answer is a status: 503 where something is down, as on a machine that is too busy."""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    with running_service(tmp_path_factory.mktemp("home")) as running:
        yield running


def document(service: RunningService) -> dict[str, Any]:
    found: dict[str, Any] = service.get("/api/v1/openapi.json").json()
    return found


def everything(service: RunningService) -> dict[str, str]:
    return {"Authorization": f"Bearer {service.key('read:ticks', 'read:options', 'admin')}"}


@pytest.fixture(scope="module")
def operations(service: RunningService) -> dict[str, Any]:
    contract = schemathesis.openapi.from_dict(document(service))
    contract.config.update(base_url=service.url)
    made: list[Any] = list(contract.get_all_operations())
    found = (each.ok() for each in made)
    return {each.definition.raw["operationId"]: each for each in found}


@pytest.mark.parametrize("name", JUDGED)
@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda each: each.value)
def test_every_answer_is_as_the_document_says(
    service: RunningService, operations: dict[str, Any], name: str, mode: GenerationMode
) -> None:
    headers = everything(service)

    @seed(1)
    @settings(
        max_examples=SQL_EXAMPLES if name == "sql" else EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(operations[name].as_strategy(generation_mode=mode))
    def judge(case: Any) -> None:
        with requests.Session() as session:
            session.trust_env = False
            # One key, in one header: what a case makes up for the other is not sent.
            case.headers.pop("X-API-Key", None)
            answer = case.call(session=session, headers=headers, timeout=30)
        case.validate_response(answer, checks=checks_of(name))

    try:
        judge()
    except Unsatisfiable:
        assert mode is GenerationMode.NEGATIVE, "a question that is allowed can be made up"


@pytest.mark.parametrize(
    ("name", "symbol", "query"),
    [
        ("candles", None, {"symbol": "AAPL", "timeframe": "1m", "limit": "5"}),
        ("ticks_historical", None, {"symbols": "AAPL", "limit": "5"}),
        ("ticks_historical", None, {"symbols": "AAPL", "interval": "1m"}),
        ("option_chain", CHAIN_SYMBOL, {"limit": "5"}),
        ("gex", CHAIN_SYMBOL, {}),
        ("levels", "AAPL", {}),
        ("metrics", "AAPL", {}),
        ("tape", "AAPL", {"timeframe": "5m"}),
        ("quality", None, {}),
        *((name, None, {}) for name in OTHERS if name not in POSTED),
    ],
)
def test_an_answer_with_rows_is_as_the_document_says(
    service: RunningService,
    operations: dict[str, Any],
    name: str,
    symbol: str | None,
    query: dict[str, str],
) -> None:
    path = {} if symbol is None else {"symbol": symbol}
    case = operations[name].Case(path_parameters=path, query=query)
    answer = case.call(headers=everything(service), timeout=30)
    assert answer.status_code == 200 or (name in PROBES and answer.status_code == 503)
    case.validate_response(answer, checks=checks_of(name))


def checks_of(name: str) -> list[Any]:
    return [each for each in CHECKS if name not in PROBES or each is not not_a_server_error]


def test_the_document_has_every_operation_and_all_are_judged(service: RunningService) -> None:
    found = document(service)
    named = {each["operationId"] for path in found["paths"].values() for each in path.values()}
    assert named == {*JUDGED, CONTROL}


def test_only_what_strangers_may_ask_needs_no_key(service: RunningService) -> None:
    for path, methods in document(service)["paths"].items():
        for method, operation in methods.items():
            is_open = operation.get("security") == []
            asked = path.replace("{symbol}", "AAPL").replace("{error_id}", "1")
            asked = asked.replace("{name}", "nobody").replace("{action}", "start")
            url = f"{service.url}{asked.replace('{deed}', 'resolve')}"
            answer = requests.request(method, url, timeout=30)
            assert (answer.status_code == 401) == (not is_open), (method, path)


@pytest.mark.parametrize(
    ("name", "action", "status"),
    [("nobody", "start", 400), ("redis", "explode", 400), ("x" * 41, "start", 400),
     ("redis", "restart", 200), ("keep-fresh", "stop", 200)],
)  # fmt: skip
def test_services_are_controlled_as_the_document_says(
    service: RunningService, name: str, action: str, status: int
) -> None:
    url = f"{service.url}/api/v1/services/{name}/{action}"
    answer = requests.post(url, headers=everything(service), timeout=60)
    assert answer.status_code == status, answer.text
    if status == 200:
        assert set(answer.json()) == {"ok", "detail"}
    else:
        assert answer.json()["status"] == status
