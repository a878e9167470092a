"""The instant that a delivered text means, as SQL: microseconds since 1970, null where it means none.

It says the same as `dataconnect.instants`, with what every engine has. Where patterns are anchored, a
test of the characters goes along, as engines disagree whether `$` may stand before a line break.
"""

from csq_assets.dataconnect.instants import (
    EPOCH_PATTERN,
    FRACTION_DIGITS,
    ISO_PATTERN,
    MICROSECONDS_FROM,
    MILLISECONDS_FROM,
)

_LAST_DAY = 2_932_896  # 9999-12-31


def instant(text: str) -> str:
    """An expression over the column `text`. Source: contract.md, "Merged users"."""
    return (
        f"CASE WHEN {_matches(text, EPOCH_PATTERN, '0-9.-')} THEN {_from_epoch(text)} "
        f"WHEN {_matches(text, ISO_PATTERN, '0-9TtWZzUCGM :.,+-')} THEN {_from_iso(text)} END"
    )


def from_epoch(number: str) -> str:
    """The same of a BIGINT: seconds, milliseconds or microseconds."""
    return (
        f"CASE WHEN {_is_from(number, MICROSECONDS_FROM)} THEN {number} "
        f"WHEN {_is_from(number, MILLISECONDS_FROM)} THEN {number} * 1000 "
        f"ELSE {number} * 1000000 END"
    )


def _is_from(number: str, size: int) -> str:
    return f"{number} >= {size} OR {number} <= -{size}"


def _matches(text: str, pattern: str, characters: str) -> str:
    return (
        f"regexp_matches({text}, '^({pattern})$') AND NOT regexp_matches({text}, '[^{characters}]')"
    )


def _from_epoch(text: str) -> str:
    """The unit's fraction is cut to millionths, towards zero."""
    whole = f"TRY_CAST(regexp_extract({text}, '^(-?[0-9]+)', 1) AS BIGINT)"
    fraction = _fraction(text, digits=6)
    sign = f"CASE WHEN {text} LIKE '-%' THEN -1 ELSE 1 END"
    return (
        f"{from_epoch(whole)} + CASE WHEN {_is_from(whole, MICROSECONDS_FROM)} THEN 0 "
        f"WHEN {_is_from(whole, MILLISECONDS_FROM)} "
        f"THEN {sign} * CAST(floor({fraction} / 1000) AS BIGINT) ELSE {sign} * {fraction} END"
    )


def _from_iso(text: str) -> str:
    """Null where a part is out of its range."""
    day_text = f"regexp_extract({text}, '^([0-9W-]+)', 1)"
    rest = f"substr({text}, length({day_text}) + 2)"
    clock = f"replace(regexp_extract({rest}, '^([0-9:]+)', 1), ':', '')"
    zone = f"replace(regexp_extract({rest}, '([+-][0-9:]+)$', 1), ':', '')"
    day = _day(f"replace({day_text}, '-', '')")
    hour, minute, second = (_number(f"substr({clock}, {at}, 2)") for at in (1, 3, 5))
    part = _fraction(rest, digits=FRACTION_DIGITS)
    zone_hour, zone_minute = (_number(f"substr({zone}, {at}, 2)") for at in (2, 4))
    ahead = f"CASE WHEN {zone} LIKE '-%' THEN -1 ELSE 1 END * ({zone_hour} * 60 + {zone_minute})"
    minutes = f"({hour} * 60 + {minute} - ({ahead}))"
    unit = f"CASE length({clock}) WHEN 6 THEN 1 WHEN 4 THEN 60 ELSE 3600 END"
    return (
        f"CASE WHEN {minute} < 60 AND {zone_hour} < 24 AND {zone_minute} < 60 "
        f"AND ({hour} < 24 OR {hour} = 24 AND {minute} = 0 AND {second} = 0 AND {part} = 0) "
        # A leap second ends a day in UTC.
        f"AND ({second} < 60 OR {second} = 60 AND mod({minutes} + 2880, 1440) = 1439) "
        f"THEN (({day} * 1440 + {minutes}) * 60 + {second}) * 1000000 "
        f"+ {part} * ({unit}) // {10 ** (FRACTION_DIGITS - 6)} END"
    )


def _day(basic: str) -> str:
    """Days since 1970, of a calendar, week or ordinal date without its hyphens."""
    year = f"substr({basic}, 1, 4)"
    first, fourth, last = (
        _days(f"concat({year}, '-{day}')") for day in ("01-01", "01-04", "12-31")
    )
    calendar = _days(f"concat({year}, '-', substr({basic}, 5, 2), '-', substr({basic}, 7, 2))")
    ordinal, week = _number(f"substr({basic}, 5, 3)"), _number(f"substr({basic}, 6, 2)")
    # Week 1 is that of January 4th; a year has the weeks whose Thursday it has.
    monday = f"({fourth} - mod({fourth} + 3 + 700000 * 7, 7) + ({week} - 1) * 7)"
    by_week = f"{monday} + {_number(f'substr({basic}, 8, 1)')} - 1"
    return (
        f"CASE WHEN {year} = '0000' THEN NULL WHEN {basic} LIKE '%W%' THEN "
        f"CASE WHEN {week} > 0 AND {monday} + 3 <= {last} AND {by_week} <= {_LAST_DAY} "
        f"THEN {by_week} END "
        f"WHEN length({basic}) = 7 THEN "
        f"CASE WHEN {ordinal} > 0 AND {first} + {ordinal} - 1 <= {last} "
        f"THEN {first} + {ordinal} - 1 END "
        f"ELSE {calendar} END"
    )


def _days(text: str) -> str:
    return f"date_diff('day', DATE '1970-01-01', TRY_CAST({text} AS DATE))"


def _fraction(text: str, *, digits: int) -> str:
    """The digits after a point or comma, cut or filled to so many."""
    found = f"regexp_extract({text}, '[.,]([0-9]+)', 1)"
    return _number(f"substr(concat({found}, '{'0' * digits}'), 1, {digits})")


def _number(text: str) -> str:
    """The number, 0 where there is none."""
    return f"coalesce(TRY_CAST({text} AS BIGINT), 0)"
