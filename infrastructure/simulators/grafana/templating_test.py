import pytest

from infrastructure.simulators.grafana.templating import TemplateError, interpolate, references


@pytest.mark.parametrize(
    ("text", "value", "sql"),
    [
        ("${s:sqlstring}", "AAPL", "'AAPL'"),
        ("${s:sqlstring}", "O'REILLY", "'O''REILLY'"),
        ("IN (${s:sqlstring})", ["BRK.B", "/ES"], "IN ('BRK.B','/ES')"),
        ("${s:singlequote}", "O'R", "'O\\'R'"),
        ("${s:raw}", "1 minute", "1 minute"),
        ("${s:csv}", ["a", "b"], "a,b"),
    ],
)
def test_a_value_is_escaped_by_the_format_that_the_query_names(
    text: str, value: str | list[str], sql: str
) -> None:
    assert interpolate(text, {"s": value}) == sql


def test_macros_are_left_for_the_back_end() -> None:
    assert (
        interpolate("$__timeFilter(time) ${__interval}", {}) == "$__timeFilter(time) ${__interval}"
    )


@pytest.mark.parametrize("text", ["${s}", "$s", "${s:pipe}"])
def test_a_reference_without_a_safe_format_is_refused(text: str) -> None:
    with pytest.raises(TemplateError, match="needs one of the formats"):
        interpolate(text, {"s": "AAPL"})


def test_an_undefined_variable_is_refused() -> None:
    with pytest.raises(TemplateError, match="'gone', which is not defined"):
        interpolate("${gone:raw}", {"s": "AAPL"})


def test_references_are_listed_with_their_formats() -> None:
    assert references("${a:raw} $b $__from") == [("a", "raw"), ("b", None)]
