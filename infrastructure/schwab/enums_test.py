import pytest

from infrastructure.errors import UsageError
from infrastructure.schwab.enums import Market, PeriodType, Projection, member


@pytest.mark.parametrize("value", [PeriodType.YEAR_TO_DATE, "ytd", "YTD", "year_to_date"])
def test_members_words_and_names_are_understood_in_any_case(value: str) -> None:
    assert member(PeriodType, value, "period_type") is PeriodType.YEAR_TO_DATE


def test_a_wrong_word_names_the_parameter_and_every_choice() -> None:
    with pytest.raises(UsageError) as caught:
        member(Market, "crypto", "markets")
    assert "markets='crypto' is none of equity, option, bond, future, forex" in str(caught.value)
    assert caught.value.next_step is None


def test_a_near_word_brings_the_right_one() -> None:
    with pytest.raises(UsageError, match="Did you mean 'symbol-search'"):
        member(Projection, "symbol_serach", "projection")
