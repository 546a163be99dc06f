import io
import json
import logging
import re
from collections.abc import Iterator

import pytest

from infrastructure.logging import configure, correlation, get_logger, redact, register_secret


@pytest.fixture(autouse=True)
def _restore_root() -> Iterator[None]:
    root = logging.getLogger("algo_trader")
    before = (list(root.handlers), root.level, root.propagate)
    yield
    root.handlers[:], root.level, root.propagate = before[0], before[1], before[2]


def test_a_human_line_has_time_level_name_message_and_correlation_id() -> None:
    stream = io.StringIO()
    configure(level="INFO", stream=stream)
    with correlation("run-1"):
        get_logger("feeds").info("fetched %d bars", 3)
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z \| INFO     \| feeds \| "
        r"fetched 3 bars \[run-1\]\n",
        stream.getvalue(),
    )


def test_a_json_line_parses_and_carries_the_exception() -> None:
    stream = io.StringIO()
    configure(level="DEBUG", json_lines=True, stream=stream)
    try:
        raise RuntimeError("boom")
    except RuntimeError:
        get_logger("x").exception("failed")
    entry = json.loads(stream.getvalue())
    assert (entry["level"], entry["logger"], entry["message"]) == ("ERROR", "x", "failed")
    assert "RuntimeError: boom" in entry["exception"]


def test_a_second_configure_replaces_the_first() -> None:
    first, second = io.StringIO(), io.StringIO()
    configure(level="INFO", stream=first)
    configure(level="INFO", stream=second)
    get_logger("x").info("once")
    assert first.getvalue() == ""
    assert second.getvalue().count("once") == 1


def test_a_second_configure_leaves_handlers_of_others() -> None:
    other = logging.NullHandler()
    logging.getLogger("algo_trader").addHandler(other)
    configure(level="INFO", stream=io.StringIO())
    assert other in logging.getLogger("algo_trader").handlers


def test_lower_levels_are_left_out() -> None:
    stream = io.StringIO()
    configure(level="WARNING", stream=stream)
    get_logger("x").info("quiet")
    assert stream.getvalue() == ""


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(ValueError, match="LOUD"):
        configure(level="LOUD")


def test_registered_secrets_are_masked_also_url_encoded_and_in_tracebacks() -> None:
    register_secret("C0.abc/def@ghi")
    stream = io.StringIO()
    configure(level="INFO", stream=stream)
    try:
        raise RuntimeError("bad C0.abc/def@ghi")
    except RuntimeError:
        get_logger("x").exception("got C0.abc%2Fdef%40ghi")
    assert "abc" not in stream.getvalue()


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer s3cr3tvalue",
        '{"refresh_token": "s3cr3tvalue"}',
        "access_token=s3cr3tvalue&x=1",
        "https://127.0.0.1/?code=s3cr3tvalue&session=1",
        "redis://user:s3cr3tvalue@host:6379/0",
        "password=s3cr3tvalue",
    ],
)
def test_secret_shapes_are_masked_without_registration(text: str) -> None:
    shown = redact(text)
    assert "s3cr3t" not in shown
    assert "********" in shown


def test_plain_words_are_left_alone() -> None:
    text = "AAPL 1d 252 bars from https://api.example:443/v1?symbol=AAPL"
    assert redact(text) == text
