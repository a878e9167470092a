"""Which instant a number means."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csq_assets.dataconnect.instants import instant_from_epoch, instant_from_text

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.mark.edge(44)
@pytest.mark.parametrize("number", [1714000000, 1714000000000, 1714000000000000, 1714000000.0])
def test_the_unit_is_told_by_size(number: float) -> None:
    assert instant_from_epoch(number) == datetime(2024, 4, 24, 23, 6, 40, tzinfo=UTC)


@pytest.mark.parametrize(
    ("number", "since_epoch"),
    [
        (0, timedelta()),
        (10**11 - 1, timedelta(seconds=10**11 - 1)),
        (10**11, timedelta(milliseconds=10**11)),
        (10**14 - 1, timedelta(milliseconds=10**14 - 1)),
        (10**14, timedelta(microseconds=10**14)),
        (-1, -timedelta(seconds=1)),
        (-(10**11), -timedelta(milliseconds=10**11)),
        (0.25, timedelta(milliseconds=250)),
    ],
)
def test_where_one_unit_ends_the_next_begins(number: float, since_epoch: timedelta) -> None:
    assert instant_from_epoch(number) == EPOCH + since_epoch


@pytest.mark.parametrize("number", [10**19, -(10**19), 10**400, float("inf")])
def test_no_calendar_reaches_that_far(number: float) -> None:
    with pytest.raises(OverflowError):
        instant_from_epoch(number)


@given(st.datetimes(datetime(2001, 1, 1), datetime(2200, 1, 1)))  # noqa: DTZ001
def test_microseconds_are_exact(moment: datetime) -> None:
    instant = moment.replace(tzinfo=UTC)
    number = (instant - EPOCH) // timedelta(microseconds=1)
    assert instant_from_epoch(number) == instant


@pytest.mark.edge(44)
def test_a_text_is_an_instant_in_utc() -> None:
    assert instant_from_text("2024-04-25T01:06:40.5+02:00") == datetime(
        2024, 4, 24, 23, 6, 40, 500_000, tzinfo=UTC
    )
    assert instant_from_text("1714000000000") == datetime(2024, 4, 24, 23, 6, 40, tzinfo=UTC)
    assert instant_from_text("soon") is None


@pytest.mark.parametrize("text", ["9999-12-31T24:00", "0001-01-01T00:00+01", "9" * 18])
def test_no_calendar_reaches_that_far_in_a_text(text: str) -> None:
    with pytest.raises(OverflowError):
        instant_from_text(text)
