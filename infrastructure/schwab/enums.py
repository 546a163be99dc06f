"""The words that Schwab's requests take; a misspelt one is refused with the nearest right one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from enum import StrEnum
from typing import TypeVar

from infrastructure.errors import UsageError

E = TypeVar("E", bound=StrEnum)


class PeriodType(StrEnum):
    """Unit of a price history's span."""

    DAY = "day"
    MONTH = "month"
    YEAR = "year"
    YEAR_TO_DATE = "ytd"


class FrequencyType(StrEnum):
    """Unit of one candle."""

    MINUTE = "minute"
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


class CandleTimeframe(StrEnum):
    """Lengths of candles that Schwab has."""

    MINUTE = "1m"
    MINUTES_5 = "5m"
    MINUTES_10 = "10m"
    MINUTES_15 = "15m"
    MINUTES_30 = "30m"
    DAY = "1d"
    WEEK = "1w"
    MONTH = "1mo"

    @property
    def frequency_type(self) -> FrequencyType:
        """The unit of Schwab's parameter."""
        units = {
            "1d": FrequencyType.DAILY,
            "1w": FrequencyType.WEEKLY,
            "1mo": FrequencyType.MONTHLY,
        }
        return units.get(self.value, FrequencyType.MINUTE)

    @property
    def frequency(self) -> int:
        """The count of that unit."""
        return int(self.value[:-1]) if self.is_minutes else 1

    @property
    def period_type(self) -> PeriodType:
        """The period type with which Schwab takes this unit."""
        return PeriodType.DAY if self.is_minutes else PeriodType.YEAR

    @property
    def is_minutes(self) -> bool:
        """Whether it is shorter than a day."""
        return self.frequency_type is FrequencyType.MINUTE


class QuoteField(StrEnum):
    """Blocks of a quote."""

    QUOTE = "quote"
    FUNDAMENTAL = "fundamental"
    EXTENDED = "extended"
    REFERENCE = "reference"
    REGULAR = "regular"
    ALL = "all"


class Market(StrEnum):
    """Markets that have hours."""

    EQUITY = "equity"
    OPTION = "option"
    BOND = "bond"
    FUTURE = "future"
    FOREX = "forex"


class Projection(StrEnum):
    """Ways to look an instrument up."""

    SYMBOL_SEARCH = "symbol-search"
    SYMBOL_REGEX = "symbol-regex"
    DESC_SEARCH = "desc-search"
    DESC_REGEX = "desc-regex"
    SEARCH = "search"
    FUNDAMENTAL = "fundamental"


def member(kind: type[E], value: str | E, parameter: str) -> E:
    """Return the enum member for a member, its wire word or its name, in any case.

    Args:
        kind: The enum.
        value: What the caller gave.
        parameter: The caller's parameter, for the sentence.

    Raises:
        UsageError: If there is no such word; the sentence names the nearest.
    """
    if isinstance(value, kind):
        return value
    text = str(value)
    by_word = {choice.value.lower(): choice for choice in kind}
    by_word.update({choice.name.lower(): choice for choice in kind})
    found = by_word.get(text.lower())
    if found is not None:
        return found
    words = [choice.value for choice in kind]
    near = difflib.get_close_matches(text.lower(), sorted(by_word), n=1, cutoff=0.6)
    hint = f"Did you mean {by_word[near[0]].value!r}?" if near else None
    raise UsageError(f"{parameter}={text!r} is none of {', '.join(words)}", next_step=hint)


def listed_words(words: str | Iterable[str]) -> list[str]:
    """Return words, given as an iterable or as one text with commas, as a list."""
    if isinstance(words, str):
        return [word.strip() for word in words.split(",") if word.strip()]
    return list(words)
