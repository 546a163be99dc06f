import pytest

from infrastructure.simulators.schwab.messages import Request, Response
from infrastructure.simulators.schwab.router import Router


@pytest.fixture
def router() -> Router:
    made = Router()
    for pattern in ("/v1/quotes", "/v1/{symbol}/quotes", "/v1/orders/{order}"):
        made.add("GET", pattern, lambda *_: Response(200), "market")
    return made


@pytest.mark.parametrize(
    ("path", "pattern", "values"),
    [
        ("/v1/quotes", "/v1/quotes", {}),
        ("/v1/quotes/", "/v1/quotes", {}),
        ("/v1/%2FES/quotes", "/v1/{symbol}/quotes", {"symbol": "/ES"}),
        ("/v1/%2524SPX/quotes", "/v1/{symbol}/quotes", {"symbol": "%24SPX"}),
        ("/v1/orders/7/", "/v1/orders/{order}", {"order": "7"}),
    ],
)
def test_path_finds_its_route_and_decodes_its_values_once(
    router: Router, path: str, pattern: str, values: dict[str, str]
) -> None:
    found = router.find("GET", path)
    assert found is not None
    assert (found[0].pattern, found[1]) == (pattern, values)


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/v1/quotes"), ("GET", "/v1//ES/quotes"), ("GET", "/v1/orders//"), ("GET", "/")],
)
def test_what_no_route_matches_is_found_by_nothing(router: Router, method: str, path: str) -> None:
    assert router.find(method, path) is None


def test_route_is_named_by_method_and_pattern(router: Router) -> None:
    assert router.routes()[0].name == "GET /v1/quotes"


def test_path_that_begins_with_two_slashes_is_no_host() -> None:
    assert Request("GET", "//ES/quotes?fields=quote").path == "//ES/quotes"
    assert Request("GET", "//ES/quotes?fields=quote").query == {"fields": "quote"}
