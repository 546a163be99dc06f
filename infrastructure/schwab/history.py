"""Which price-history requests Schwab answers: the matrix of periods and frequencies.

Source: schwab-api.md §2.1, "Price-history validity". A request either names a period or a range of
times; Schwab's answer to both at once differs from report to report, so both are never sent.
"""

from __future__ import annotations

from dataclasses import dataclass

from infrastructure.errors import UsageError
from infrastructure.schwab.enums import FrequencyType, PeriodType, member
from infrastructure.schwab.symbols import checked_symbol, class_without_history

EARLIEST_MS = 10_000_000_000
"""1970-04-26: below this a number is seconds, not milliseconds."""
LATEST_MS = 100_000_000_000_000
"""Year 5138: above this a number is microseconds or nanoseconds."""


@dataclass(frozen=True, slots=True)
class PeriodRule:
    """What one period type allows.

    Attributes:
        periods: Allowed counts.
        default_period: Schwab's count when none is sent.
        frequency_types: Allowed candle units.
        default_frequency_type: Schwab's unit when none is sent.
    """

    periods: tuple[int, ...]
    default_period: int
    frequency_types: tuple[FrequencyType, ...]
    default_frequency_type: FrequencyType


_MINUTE, _DAILY = FrequencyType.MINUTE, FrequencyType.DAILY
_WEEKLY, _MONTHLY = FrequencyType.WEEKLY, FrequencyType.MONTHLY
PERIOD_RULES: dict[PeriodType, PeriodRule] = {
    PeriodType.DAY: PeriodRule((1, 2, 3, 4, 5, 10), 10, (_MINUTE,), _MINUTE),
    PeriodType.MONTH: PeriodRule((1, 2, 3, 6), 1, (_DAILY, _WEEKLY), _WEEKLY),
    PeriodType.YEAR: PeriodRule((1, 2, 3, 5, 10, 15, 20), 1, (_DAILY, _WEEKLY, _MONTHLY), _MONTHLY),
    PeriodType.YEAR_TO_DATE: PeriodRule((1,), 1, (_DAILY, _WEEKLY), _WEEKLY),
}
FREQUENCIES: dict[FrequencyType, tuple[int, ...]] = {
    FrequencyType.MINUTE: (1, 5, 10, 15, 30),
    FrequencyType.DAILY: (1,),
    FrequencyType.WEEKLY: (1,),
    FrequencyType.MONTHLY: (1,),
}


@dataclass(frozen=True, slots=True)
class PriceHistoryRequest:
    """Hold a request that Schwab's matrix allows, with every default spelled out.

    Attributes:
        symbol: In upper case.
        period_type: Unit of the span.
        period: Count of them; None when a range is asked for.
        frequency_type: Unit of a candle.
        frequency: Count of them.
        start_ms: First instant, milliseconds UTC; None when a period is asked for.
        end_ms: Last instant, milliseconds UTC; None leaves it to Schwab.
        extended_hours: Whether to include candles outside regular hours; None leaves it to Schwab.
        previous_close: Whether to ask for the previous close; None leaves it to Schwab.
    """

    symbol: str
    period_type: PeriodType
    period: int | None
    frequency_type: FrequencyType
    frequency: int
    start_ms: int | None
    end_ms: int | None
    extended_hours: bool | None
    previous_close: bool | None

    def params(self) -> dict[str, str]:
        """Return the query's parameters."""
        values: dict[str, str | int | bool | None] = {
            "symbol": self.symbol,
            "periodType": self.period_type.value,
            "period": self.period,
            "frequencyType": self.frequency_type.value,
            "frequency": self.frequency,
            "startDate": self.start_ms,
            "endDate": self.end_ms,
            "needExtendedHoursData": self.extended_hours,
            "needPreviousClose": self.previous_close,
        }
        return {name: _wire(value) for name, value in values.items() if value is not None}


def price_history_request(
    symbol: str,
    *,
    period_type: PeriodType | str | None = None,
    period: int | None = None,
    frequency_type: FrequencyType | str | None = None,
    frequency: int | None = None,
    start_ms: int | None = None,
    end_ms: int | None = None,
    extended_hours: bool | None = None,
    previous_close: bool | None = None,
) -> PriceHistoryRequest:
    """Return the checked request, with defaults filled in as Schwab documents them.

    A missing period type is the one that fits the candle unit: day for minutes, year for the rest.

    Args:
        symbol: An equity, ETF or index.
        period_type: day, month, year or ytd.
        period: How many of them; not together with a range.
        frequency_type: minute, daily, weekly or monthly.
        frequency: 1, 5, 10, 15 or 30 minutes, else 1.
        start_ms: First instant, milliseconds UTC.
        end_ms: Last instant, milliseconds UTC; needs `start_ms`.
        extended_hours: Whether to include candles outside regular hours.
        previous_close: Whether to ask for the previous close.

    Raises:
        UsageError: If Schwab would refuse or misread it; the sentence says why.
    """
    text = checked_symbol(symbol)
    without = class_without_history(text)
    if without is not None:
        raise UsageError(
            f"{text!r} is a {without}, and Schwab keeps candles for equities, ETFs and indices only"
        )
    unit = None if frequency_type is None else _frequency_type(frequency_type)
    span = _span(period_type, unit)
    rule = PERIOD_RULES[span]
    unit = unit or rule.default_frequency_type
    if unit not in rule.frequency_types:
        raise UsageError(
            f"period_type {span.value!r} has no {unit.value} candles, only "
            f"{_either(rule.frequency_types)}",
            next_step=f"Use {unit.value} candles with period_type {_spans_with(unit)}.",
        )
    count = FREQUENCIES[unit][0] if frequency is None else frequency
    if type(count) is not int or count not in FREQUENCIES[unit]:
        raise UsageError(
            f"frequency={count!r} is none of {_either(FREQUENCIES[unit])}, which Schwab has for "
            f"{unit.value} candles"
        )
    _check_range(start_ms, end_ms, period)
    if period is not None and (type(period) is not int or period not in rule.periods):
        raise UsageError(
            f"period={period!r} is none of {_either(rule.periods)}, which Schwab has for "
            f"period_type {span.value!r}"
        )
    if period is None and start_ms is None:
        period = rule.default_period
    return PriceHistoryRequest(
        symbol=text,
        period_type=span,
        period=period,
        frequency_type=unit,
        frequency=count,
        start_ms=start_ms,
        end_ms=end_ms,
        extended_hours=extended_hours,
        previous_close=previous_close,
    )


def _frequency_type(value: FrequencyType | str) -> FrequencyType:
    return member(FrequencyType, value, "frequency_type")


def _span(period_type: PeriodType | str | None, unit: FrequencyType | None) -> PeriodType:
    if period_type is not None:
        return member(PeriodType, period_type, "period_type")
    return PeriodType.DAY if unit in (None, FrequencyType.MINUTE) else PeriodType.YEAR


def _check_range(start_ms: int | None, end_ms: int | None, period: int | None) -> None:
    for name, value in (("start_ms", start_ms), ("end_ms", end_ms)):
        if value is None:
            continue
        if type(value) is not int or not EARLIEST_MS <= value <= LATEST_MS:
            raise UsageError(
                f"{name}={value!r} is no instant in milliseconds since 1970-01-01T00:00:00Z",
                next_step="Give whole milliseconds, such as 1362009600000 for 2013-02-28.",
            )
        if period is not None:
            raise UsageError(
                f"period={period} and {name}={value} are both given, and Schwab ignores one or the "
                "other",
                next_step="Give a period, or a start and end, not both.",
            )
    if end_ms is not None and start_ms is None:
        raise UsageError("end_ms is given without start_ms", next_step="Give start_ms too.")
    if start_ms is not None and end_ms is not None and start_ms >= end_ms:
        raise UsageError(f"start_ms={start_ms} is not before end_ms={end_ms}")


def _spans_with(unit: FrequencyType) -> str:
    return _either([span for span, rule in PERIOD_RULES.items() if unit in rule.frequency_types])


def _either(values: tuple[object, ...] | list[PeriodType]) -> str:
    words = [str(value) for value in values]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _wire(value: str | int | bool) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
