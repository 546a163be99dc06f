from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.clock import ns_from_utc, parse_rfc3339, rfc3339, utc_from_ns

YEAR_0001 = ns_from_utc(datetime(1, 1, 1, tzinfo=UTC))
YEAR_9999 = ns_from_utc(datetime(9999, 12, 31, tzinfo=UTC))


@given(st.integers(YEAR_0001, YEAR_9999))
def test_rfc3339_text_parses_back_to_the_same_nanosecond(ns: int) -> None:
    assert parse_rfc3339(rfc3339(ns)) == ns


@given(st.datetimes(timezones=st.just(UTC)))
def test_aware_datetimes_round_trip(moment: datetime) -> None:
    assert utc_from_ns(ns_from_utc(moment)) == moment


def test_known_instants() -> None:
    assert rfc3339(0) == "1970-01-01T00:00:00Z"
    assert parse_rfc3339("2013-03-01T16:00:00-05:00") == 1_362_171_600_000_000_000
    assert rfc3339(1_362_171_600_000_000_001) == "2013-03-01T21:00:00.000000001Z"
    assert rfc3339(-1) == "1969-12-31T23:59:59.999999999Z"


def test_naive_datetimes_are_refused() -> None:
    with pytest.raises(ValueError, match="aware"):
        ns_from_utc(datetime(2020, 1, 1))


@pytest.mark.parametrize("text", ["2013-03-01", "2013-03-01T16:00:00", "yesterday", ""])
def test_texts_without_a_zone_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="RFC 3339"):
        parse_rfc3339(text)
