"""The instant that a delivered text means, as SQL: microseconds since 1970, null where it means none.

Spelled with what every engine has. Where patterns are anchored, a test of the characters goes along,
as engines disagree whether `$` may stand before a line break.
"""

_NUMBER = "^-?[0-9]+([.][0-9]+)?$"
_ISO = (
    "^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.,][0-9]+)?)?"
    " ?(Z|[+-][0-9]{2}(:?[0-9]{2})?)?)?$"
)
_MILLISECONDS_FROM, _MICROSECONDS_FROM = 10**11, 10**14


def instant(text: str) -> str:
    """An expression over the column `text`.

    A number is epoch seconds, from 10^11 on milliseconds, from 10^14 on microseconds. A date alone is
    its midnight; a text without a zone is UTC.
    Source: contract.md, "Merged users"; export-format.md, "Time values".
    """
    is_number = f"regexp_matches({text}, '{_NUMBER}') AND NOT regexp_matches({text}, '[^0-9.-]')"
    is_iso = f"regexp_matches({text}, '{_ISO}') AND NOT regexp_matches({text}, '[^0-9T :.,+Z-]')"
    return (
        f"CASE WHEN {is_number} THEN {_from_epoch(text)} WHEN {is_iso} THEN {_from_iso(text)} END"
    )


def _from_epoch(text: str) -> str:
    whole = f"TRY_CAST(regexp_extract({text}, '^(-?[0-9]+)', 1) AS BIGINT)"
    fraction = _fraction(text)  # in millionths of the unit
    sign = f"CASE WHEN {text} LIKE '-%' THEN -1 ELSE 1 END"
    return (
        f"CASE WHEN {whole} >= {_MICROSECONDS_FROM} OR {whole} <= -{_MICROSECONDS_FROM} THEN {whole} "
        f"WHEN {whole} >= {_MILLISECONDS_FROM} OR {whole} <= -{_MILLISECONDS_FROM} "
        f"THEN {whole} * 1000 + {sign} * CAST(floor({fraction} / 1000) AS BIGINT) "
        f"ELSE {whole} * 1000000 + {sign} * {fraction} END"
    )


def _from_iso(text: str) -> str:
    """Null where a part is out of its range. The time begins at character 12, if there is one."""
    days = f"date_diff('day', DATE '1970-01-01', TRY_CAST(substr({text}, 1, 10) AS DATE))"
    hour, minute = _digits(f"substr({text}, 12, 2)"), _digits(f"substr({text}, 15, 2)")
    second = _digits(f"CASE WHEN substr({text}, 17, 1) = ':' THEN substr({text}, 18, 2) END")
    zone = f"regexp_extract(substr({text}, 17), '([+-][0-9:]+)$', 1)"
    zone_hour = _digits(f"substr({zone}, 2, 2)")
    zone_minute = _digits(f"regexp_extract({zone}, '^...:?([0-9]{{2}})$', 1)")
    ahead = f"CASE WHEN {zone} LIKE '-%' THEN -1 ELSE 1 END * ({zone_hour} * 60 + {zone_minute})"
    return (
        f"CASE WHEN {text} >= '0001' AND {hour} < 24 AND {minute} < 60 AND {second} < 60 "
        f"AND {zone_hour} < 24 AND {zone_minute} < 60 "
        f"THEN ((({days} * 24 + {hour}) * 60 + {minute} - ({ahead})) * 60 + {second}) * 1000000 "
        f"+ {_fraction(text)} END"
    )


def _fraction(text: str) -> str:
    """The digits after a point or comma, cut to millionths."""
    digits = f"regexp_extract({text}, '[.,]([0-9]+)', 1)"
    return _digits(f"substr(concat({digits}, '000000'), 1, 6)")


def _digits(text: str) -> str:
    """The number, 0 where there is none."""
    return f"coalesce(TRY_CAST({text} AS BIGINT), 0)"
