import pytest

from infrastructure.errors import UsageError
from system.algo_trader.cli.durations import duration_ns


def test_lengths_of_time_are_read() -> None:
    found = [duration_ns(text, "--every") for text in ("30s", "1.5m", "2h", "250ms", "3us", "7ns")]
    assert found == [30 * 10**9, 90 * 10**9, 7200 * 10**9, 250 * 10**6, 3000, 7]
    assert duration_ns("0", "--lag", may_be_zero=True) == 0
    assert duration_ns("0ms", "--lag", may_be_zero=True) == 0


@pytest.mark.parametrize("text", ["30", "s", "-1s", "0s", "0", "1w", "", "1e3s", "nan"])
def test_anything_else_is_refused_with_the_option_that_asks(text: str) -> None:
    with pytest.raises(UsageError, match="is no length of time"):
        duration_ns(text, "--every")
