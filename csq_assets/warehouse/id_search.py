"""Counts the rows of a relation in which a column holds the id of a forgotten user."""

import re

from duckdb import DuckDBPyConnection

from csq_assets.dataconnect.tombstones import Tombstones
from csq_assets.warehouse.engine import count, quote

_WHOLE = ("BIGINT", "UBIGINT", "INTEGER", "UINTEGER", "HUGEINT", "UHUGEINT")
_NO_ID = re.compile("BOOLEAN|DATE|TIME[A-Z_ ]*|INTERVAL|UUID|BIT")

# The values in a list, a struct, a map, in JSON, which leaves a colon, or in a text.
_PARTS = r"""regexp_split_to_array(value, '[\[\]{}(),;|="''\s]+')"""
_IS_NUMBER = r"regexp_full_match(part, ':?-?[0-9]{1,29}(\.[0-9]+)?([eE]\+?[0-9]{1,2})?')"
_NUMBER = "TRY_CAST(ltrim(part, ':') AS DECIMAL(38, 9))"


def may_hold_ids(kind: str) -> bool:
    """Whether a column of this type of DuckDB's can hold an id that `count_ids` finds."""
    return _NO_ID.fullmatch(kind) is None


def count_ids(
    connection: DuckDBPyConnection, relation: str, column: str, kind: str, tombstones: Tombstones
) -> int:
    """The rows of the relation, as SQL has it, whose value is such an id, or has one that stands by
    itself in it: in a list or another nested value, or between spaces, commas or quotes in a text. A
    whole number is found as it is written, `12.0` and `1.2e1` too.
    """
    matches = matching(relation, column, kind)
    statement = f"SELECT count(*) FROM {relation} WHERE {matches}"
    return count(connection, statement, values(tombstones))


def matching(relation: str, column: str, kind: str) -> str:
    """The condition of a row that holds such an id; `values` are its parameters. Each distinct value is
    hashed once."""
    value = quote(column)
    if kind not in _WHOLE:
        value = f"CAST({value} AS VARCHAR)"
    distinct = f"SELECT DISTINCT {value} AS value FROM {relation}"
    found = f"SELECT value, value AS number FROM ({distinct})"
    if kind not in _WHOLE:
        parts = f"SELECT value, unnest({_PARTS}) AS part FROM ({distinct})"
        numbers = f"SELECT value, {_NUMBER} AS number FROM ({parts}) WHERE {_IS_NUMBER}"
        found = (
            f"SELECT value, CAST(number AS HUGEINT) AS number FROM ({numbers}) WHERE number % 1 = 0"
        )
    return (
        f"{value} IN (SELECT value FROM ({found}) "
        "WHERE sha256($salt || CAST(number AS VARCHAR)) IN (SELECT unnest($digests)))"
    )


def values(tombstones: Tombstones) -> dict[str, object]:
    """The parameters of `matching`."""
    return {"salt": tombstones.salt, "digests": list(tombstones.asked_at)}
