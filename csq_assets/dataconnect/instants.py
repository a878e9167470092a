"""Which instant a delivered number or text means. `warehouse.instant_sql` says the same as SQL."""

import re
from datetime import UTC, date, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECONDS_FROM, MICROSECONDS_FROM = 10**11, 10**14

# Texts that may mean an instant: epochs, and ISO 8601 with RFC 3339. Ranges are checked afterwards.
EPOCH_PATTERN = "-?[0-9]+([.][0-9]+)?"
_DATE = "[0-9]{4}(-[0-9]{2}-[0-9]{2}|-[0-9]{3}|-W[0-9]{2}-[1-7]|[0-9]{4}|[0-9]{3}|W[0-9]{2}[1-7])"
_CLOCK = "([0-9]{2}(:[0-9]{2}(:[0-9]{2})?)?|[0-9]{4}([0-9]{2})?)([.,][0-9]+)?"
_ZONE = "( ?(Z|z|[+-][0-9]{2}(:?[0-9]{2})?)| UTC| GMT)?"
ISO_PATTERN = f"{_DATE}([Tt ]{_CLOCK}{_ZONE}| UTC| GMT)?"
_HOURS, _SIXTY = frozenset(range(24)), frozenset(range(60))
FRACTION_DIGITS = 15  # more are cut off


def instant_from_epoch(number: float) -> datetime:
    """The instant, in UTC. Numbers from 10^11 on are milliseconds, from 10^14 on microseconds.

    Raises OverflowError where no calendar reaches.
    Source: export-format.md, "Time values"; contract.md, "Merged users".
    """
    size = abs(number)
    if size >= MICROSECONDS_FROM:
        return _EPOCH + timedelta(microseconds=number)
    if size >= MILLISECONDS_FROM:
        return _EPOCH + timedelta(milliseconds=number)
    return _EPOCH + timedelta(seconds=number)


def instant_from_text(text: str) -> datetime | None:
    """The instant that the text means, in UTC; None where it is not an instant.

    Raises OverflowError where no calendar reaches. Source: contract.md, "Merged users".
    """
    microseconds = microseconds_from_text(text)
    return None if microseconds is None else _EPOCH + timedelta(microseconds=microseconds)


def microseconds_from_text(text: str) -> int | None:
    """The same in microseconds since 1970, rounded down to them."""
    if re.fullmatch(EPOCH_PATTERN, text):
        return _from_epoch(text)
    return _from_iso(text) if re.fullmatch(ISO_PATTERN, text) else None


def _from_epoch(text: str) -> int | None:
    """The unit's fraction is cut to millionths, towards zero."""
    whole, _, fraction = text.partition(".")
    number, sign = int(whole), -1 if text.startswith("-") else 1
    if not -(2**63) <= number < 2**63:
        return None
    millionths = int(fraction[:6].ljust(6, "0"))
    if abs(number) >= MICROSECONDS_FROM:
        return number
    if abs(number) >= MILLISECONDS_FROM:
        return number * 1000 + sign * (millionths // 1000)
    return number * 1_000_000 + sign * millionths


def _from_iso(text: str) -> int | None:
    day_text = re.split("[Tt ]", text, maxsplit=1)[0]
    rest = text[len(day_text) + 1 :]
    clock = re.match("[0-9:]*", rest)[0].replace(":", "")  # pyright: ignore[reportOptionalSubscript]
    fraction = re.search("[.,]([0-9]+)", rest)
    zone = re.search("[+-][0-9:]+$", rest)
    day = _day(day_text.replace("-", ""))
    hour, minute, second = (int(clock[at : at + 2] or 0) for at in (0, 2, 4))
    part = int(fraction[1][:FRACTION_DIGITS].ljust(FRACTION_DIGITS, "0")) if fraction else 0
    digits = zone[0].replace(":", "") if zone else "+00"
    zone_hour, zone_minute = int(digits[1:3]), int(digits[3:] or 0)
    ahead = (zone_hour * 60 + zone_minute) * (-1 if digits.startswith("-") else 1)
    minutes = hour * 60 + minute - ahead
    if day is None or not {minute, zone_minute} <= _SIXTY or zone_hour not in _HOURS:
        return None
    if hour not in _HOURS and (hour, minute, second, part) != (24, 0, 0, 0):
        return None
    # A leap second ends a day in UTC.
    if second not in _SIXTY and (second, minutes % 1440) != (60, 1439):
        return None
    seconds_of_unit = {6: 1, 4: 60}.get(len(clock), 3600)
    whole = ((day * 1440 + minutes) * 60 + second) * 1_000_000
    return whole + part * seconds_of_unit // 10 ** (FRACTION_DIGITS - 6)


def _day(text: str) -> int | None:
    """Days since 1970, of a calendar, week or ordinal date without its hyphens."""
    year = int(text[:4])
    try:
        if text[4] == "W":
            found = date.fromisocalendar(year, int(text[5:7]), int(text[7]))
        elif len(text) == len("YYYYDDD"):
            found = date(year, 1, 1) + timedelta(days=int(text[4:]) - 1)
            if found.year != year:
                return None
        else:
            found = date(year, int(text[4:6]), int(text[6:]))
    except (ValueError, OverflowError):
        return None
    return (found - _EPOCH.date()).days
