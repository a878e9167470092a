"""The defining SELECTs of delivered rows: who the user of each is, and which of them stay.

They read relations that their callers make, and say nothing of how DuckDB keeps rows. `dump_id` and
`ordinal`, the row's place in its dump, are together the order key: no two rows of a table share it.
"""

from collections.abc import Iterable


def arriving_ids(dump_id: int) -> str:
    """The ids of a dump's rows, users resolved. `delivered` holds them as delivered, and `ordinal`."""
    user_id = "coalesce(identity.user_id, delivered.user_id) AS user_id"
    return f"SELECT {user_id}, {_RAW}, {_places(dump_id)} {_FROM_DELIVERED}"


def arriving_rows(texts: Iterable[str], dump_id: int) -> str:
    """The rows of a dump that stay, as `verdict` says. `delivered` also holds `texts`."""
    own = (_RAW, _RESOLVED, _places(dump_id), _SHOWN)
    return (
        f"SELECT {', '.join([*own, *(f'delivered.{name}' for name in texts)])} {_FROM_DELIVERED} "
        f"LEFT JOIN (SELECT ordinal, stays, wins FROM verdict WHERE dump_id = {dump_id:d}) AS judged "
        "ON judged.ordinal = delivered.ordinal WHERE coalesce(judged.stays, TRUE)"
    )


def _places(dump_id: int) -> str:
    return (
        "delivered.event_id, delivered.session_id, "
        f"CAST({dump_id:d} AS BIGINT) AS dump_id, delivered.ordinal"
    )


_RAW = "delivered.user_id AS raw_user_id"
_RESOLVED = "identity.user_id AS resolved_user_id"  # the map holds only ids that change
_SHOWN = "coalesce(judged.wins, TRUE) AS shown"
_FROM_DELIVERED = (
    "FROM delivered LEFT JOIN csq_meta.user_identity AS identity "
    "ON identity.from_user_id = delivered.user_id"
)
