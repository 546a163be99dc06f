import pytest

from infrastructure.logging import register_secret
from infrastructure.schwab.answer import Answer, error_details, shortened

NOW_NS = 1_700_000_000 * 10**9  # 2023-11-14T22:13:20Z


def answer(body: bytes = b"", **headers: str) -> Answer:
    lower = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status=400, body=body, headers=lower, what="a thing")


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        ("Tue, 14 Nov 2023 22:14:20 GMT", 60.0),
        ("Tue, 14 Nov 2023 22:14:20", 60.0),
        ("Tue, 14 Nov 2023 22:00:00 GMT", 0.0),
        ("soon", None),
        ("", None),
        ("-5", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_date(value: str, seconds: float | None) -> None:
    assert answer(retry_after=value).retry_after_s(NOW_NS) == seconds


def test_no_retry_after_is_none() -> None:
    assert answer().retry_after_s(NOW_NS) is None


@pytest.mark.parametrize("body", [b"  <!DOCTYPE html><p>", b"<HTML>", b"\n<head>"])
def test_pages_are_told_from_answers(body: bytes) -> None:
    assert answer(body).is_html


@pytest.mark.parametrize("body", [b"{}", b"404 Not Found", b"", b"<xml/>", b"\xff\xfe"])
def test_other_bodies_are_no_pages_and_broken_json_is_none(body: bytes) -> None:
    assert not answer(body).is_html
    if body != b"{}":
        assert answer(body).json() is None


@pytest.mark.parametrize(
    ("payload", "text"),
    [
        (
            {
                "errors": [
                    {
                        "id": "x",
                        "status": "400",
                        "title": "Bad Request",
                        "detail": "Missing header",
                        "source": {"header": "Authorization"},
                    }
                ]
            },
            "Bad Request Missing header (Authorization)",
        ),
        (
            {"errors": [{"title": "T", "source": {"pointer": ["/a", "/b"]}}, 5, "text"]},
            "T (/a, /b); text",
        ),
        ({"message": "m", "errors": ["one", "two"]}, "m; one; two"),
        ({"fault": {"faultstring": "Body buffer overflow"}}, "Body buffer overflow"),
        ({"error": "invalid_client", "error_description": "Unauthorized"}, "invalid_client: "),
        ({"error": "e"}, "e"),
        ({}, ""),
        ([], ""),
        (None, ""),
    ],
)
def test_every_known_error_shape_gives_one_line(payload: object, text: str) -> None:
    assert error_details(payload).startswith(text)
    assert bool(error_details(payload)) is bool(text)


def test_foreign_text_is_one_line_short_and_without_secrets() -> None:
    register_secret("a-very-secret-value")
    text = shortened("a\nb\t a-very-secret-value " + "x" * 500)
    assert text.startswith("a b ******** x")
    assert len(text) == 240


def test_repr_shows_no_body_and_no_headers() -> None:
    assert "secret" not in repr(answer(b"secret", cookie="secret"))
