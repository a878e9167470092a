"""Numbers that mean an instant: epoch seconds, milliseconds or microseconds, told by size."""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECONDS_FROM, _MICROSECONDS_FROM = 10**11, 10**14


def instant_from_epoch(number: float) -> datetime:
    """The instant, in UTC. Numbers from 10^11 on are milliseconds, from 10^14 on microseconds.

    Raises OverflowError where no calendar reaches.
    Source: export-format.md, "Time values"; contract.md, "Merged users".
    """
    size = abs(number)
    if size >= _MICROSECONDS_FROM:
        return _EPOCH + timedelta(microseconds=number)
    if size >= _MILLISECONDS_FROM:
        return _EPOCH + timedelta(milliseconds=number)
    return _EPOCH + timedelta(seconds=number)
