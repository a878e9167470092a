"""Users that became one: one row, merged from the newest row of each of their ids."""

from collections.abc import Sequence

from csq_assets.warehouse.engine import quote
from csq_assets.warehouse.instant_sql import instant


def merged_users(
    columns: Sequence[str], *, joindate: str | None = None, last_modified: str | None = None
) -> str:
    """Merge the rows of `companions`, which has `columns` beside user_id (resolved), raw_user_id,
    dump_id and ordinal. `joindate` and `last_modified` are the names of those columns, if there.

    Each column takes the first value that is not null: the resolved user's own row first, then the
    newest dump, then the later row. `joindate` is the earliest instant and `last_modified` the latest;
    of equal ones the first counts. Texts that are not instants come after all others, by text.
    Source: contract.md, "Merged users"; export-format.md, edge cases 44 and 46.
    """
    placed = [f"row_number() OVER (PARTITION BY user_id ORDER BY {_PRECEDENCE}) AS place"]
    aged: list[str] = []
    orders = dict.fromkeys(columns, "place")
    for column, name, way in ((joindate, "joindate", "ASC"), (last_modified, "modified", "DESC")):
        if column is not None:
            placed.append(f"{instant(quote(column))} AS {name}_at")
            aged.append(f"{_aged(quote(column), f'{name}_at', way)} AS {name}_place")
            orders[column] = f"{name}_place"
    merged = [
        f"min_by({quote(column)}, {order}) FILTER (WHERE NOT {quote(column)} IS NULL)"
        f" AS {quote(column)}"
        for column, order in orders.items()
    ]
    return (
        f"WITH placed AS (SELECT *, {', '.join(placed)} FROM companions), "
        f"aged AS (SELECT {', '.join(['*', *aged])} FROM placed) "
        f"SELECT {', '.join(['user_id', 'max(dump_id) AS dump_id', *merged])} "
        "FROM aged GROUP BY user_id"
    )


_PRECEDENCE = "CASE WHEN raw_user_id = user_id THEN 0 ELSE 1 END, dump_id DESC, ordinal DESC"


def _aged(column: str, at: str, way: str) -> str:
    """Places by instant, then by text where there is none, then by precedence."""
    text = f"CASE WHEN {at} IS NULL THEN {column} END"
    return (
        f"row_number() OVER (PARTITION BY user_id ORDER BY CASE WHEN {at} IS NULL THEN 1 ELSE 0 END, "
        f"{at} {way}, {text} {way}, place)"
    )
