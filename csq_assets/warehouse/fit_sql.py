"""Which texts fit a type, and what they are in it, as SQL over a column of texts."""

from csq_assets.dataconnect.column_meanings import InstantMeaning
from csq_assets.dataconnect.column_types import ColumnType, Fit
from csq_assets.warehouse.engine import quote_text
from csq_assets.warehouse.instant_sql import from_epoch, instant

_TIMESTAMP_PATTERN = (
    "[0-9]{4}-[0-9]{2}-[0-9]{2}[T ]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]{1,6})?Z?"
)
_WHOLE_PATTERN = " *[+-]?[0-9]+ *"
# A DOUBLE has room for every whole number of 15 digits.
_IS_EXACT = "length(:text) <= CASE WHEN :text LIKE '-%' THEN 16 ELSE 15 END"
_FIRST_DAY, _LAST_DAY = "0001-01-01", "9999-12-31"
_FIRST_INSTANT, _LAST_INSTANT = -62_135_596_800_000_000, 253_402_300_799_999_999
_WHOLE = "CAST(TRY_CAST(:text AS BIGINT) AS VARCHAR) = :text"
_NUMBER, _DATE = "TRY_CAST(:text AS DOUBLE)", "TRY_CAST(:text AS DATE)"
_IS_TIMESTAMP = f"regexp_full_match(:text, '{_TIMESTAMP_PATTERN}') AND :text >= '0001'"
_PREDICATES = {
    Fit.BOOLEAN: ":text IN ('true', 'false')",
    Fit.BIGINT: _WHOLE,
    Fit.DOUBLE: f"CASE WHEN {_WHOLE} THEN {_IS_EXACT} "
    f"ELSE CAST({_NUMBER} AS VARCHAR) = :text AND isfinite({_NUMBER}) AND :text <> '-0.0' END",
    Fit.CENTS: "regexp_full_match(:text, '-?(0|[1-9][0-9]{0,12})[.][0-9]{2}') AND :text <> '-0.00'",
    Fit.DATE: f"CAST({_DATE} AS VARCHAR) = :text "
    f"AND {_DATE} BETWEEN DATE '{_FIRST_DAY}' AND DATE '{_LAST_DAY}'",
    Fit.TIMESTAMP: f"{_IS_TIMESTAMP} AND TRY_CAST(:text AS TIMESTAMP) IS NOT NULL",
}
# From 1973 to the year 5138, in whichever unit: what is delivered most, told at a fourth of the cost.
_IS_USUAL_EPOCH = f"{_WHOLE} AND TRY_CAST(:text AS BIGINT) BETWEEN {10**8} AND {10**17}"
# What counts from the start of a session is less than this; what counts from 1970 is more since 1973.
_NO_DURATION = "TIMESTAMP '1973-03-03 09:46:40'"


def fits(text: str, fit: Fit, meaning: InstantMeaning | None) -> str:
    """Whether the text fits: it casts, and casts back to the same meaning. Not true where it is null.

    Numbers must be spelled as they are printed, so `007`, `+1` and `1.50` do not fit, and different
    texts stay different values; numbers without a point have at most 15 digits as a DOUBLE. A TIMESTAMP
    is a whole ISO 8601 text without a zone, or in UTC; an epoch is none.
    """
    if fit is Fit.INSTANT:
        least = _NO_DURATION if meaning is InstantMeaning.DISPUTED else f"TIMESTAMP '{_FIRST_DAY}'"
        usual = _IS_USUAL_EPOCH.replace(":text", text)
        return f"CASE WHEN {usual} THEN TRUE ELSE {timestamp(text)} >= {least} END"
    return _PREDICATES[fit].replace(":text", text)


def is_usual_instant(text: str) -> str:
    """Whether the text is an instant in one of the forms that are delivered most, whatever its column
    means. DuckDB plans this in a fraction of the time that all forms take.
    """
    iso = f"{_IS_TIMESTAMP} AND :text >= '1974' AND TRY_CAST(:text AS TIMESTAMP) IS NOT NULL"
    return f"({iso} OR {_IS_USUAL_EPOCH})".replace(":text", text)  # a number fails the former early


def typed(text: str, kind: ColumnType, meaning: InstantMeaning | None) -> str:
    """The text in a type that every value of its column fits."""
    if kind is ColumnType.VARCHAR:
        return text
    if kind is ColumnType.TIMESTAMP and meaning is not None:
        return timestamp(text)
    return f"TRY_CAST({text} AS {kind})"


def pinned(text: str, kind: ColumnType) -> str:
    """The text in a type that somebody chose, null where it does not fit. Spelling does not count. No
    whole number is rounded; fractions are, to the nearest DOUBLE, and those of seconds to microseconds.
    """
    match kind:
        case ColumnType.VARCHAR:
            return text
        case ColumnType.TIMESTAMP:
            return timestamp(f"trim({text})")
        case ColumnType.BOOLEAN:
            return f"CASE lower(trim({text})) WHEN 'true' THEN TRUE WHEN 'false' THEN FALSE END"
        case ColumnType.BIGINT:
            pattern = _WHOLE_PATTERN
        case ColumnType.DOUBLE:
            pattern = " *[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)? *"
        case ColumnType.DATE:
            pattern = " *[0-9]{4}-[0-9]{2}-[0-9]{2} *"
    cast = f"TRY_CAST(trim({text}) AS {kind})"
    within = {
        ColumnType.DOUBLE: f" AND isfinite({cast}) "
        f"AND (NOT regexp_full_match({text}, '{_WHOLE_PATTERN}') "
        f"OR TRY_CAST(trim({text}) AS HUGEINT) = TRY_CAST({cast} AS HUGEINT))",
        ColumnType.DATE: f" AND {cast} >= DATE '{_FIRST_DAY}'",
    }.get(kind, "")
    return f"CASE WHEN regexp_full_match({text}, {quote_text(pattern)}){within} THEN {cast} END"


def timestamp(text: str) -> str:
    """The instant that the text means, as a TIMESTAMP in UTC; null where it means none, or one that no
    calendar reaches. The usual forms are cast: that takes a twentieth of the time of reading them.
    """
    epoch = f"TRY_CAST({text} AS BIGINT)"
    return (
        f"CASE WHEN {_IS_TIMESTAMP.replace(':text', text)} THEN TRY_CAST({text} AS TIMESTAMP) "
        f"WHEN CAST({epoch} AS VARCHAR) = {text} THEN {_from_microseconds(from_epoch(epoch))} "
        f"ELSE {_from_microseconds(instant(text))} END"
    )


def _from_microseconds(number: str) -> str:
    # In a list, as a name for the number: written out twice, it would be worked out twice.
    within = f"BETWEEN {_FIRST_INSTANT} AND {_LAST_INSTANT}"
    return f"make_timestamp(list_filter([{number}], lambda number: number {within})[1])"
