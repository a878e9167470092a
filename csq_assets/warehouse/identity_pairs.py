"""Where the pairs of `user_migrations` lead, and what is wrong with them, whatever the engine."""

from collections.abc import Callable
from typing import Any

from csq_assets.dataconnect.audits import IdentityAudit
from csq_assets.dataconnect.identity import close_pairs
from csq_assets.warehouse.identity_sql import PAIRS_TO_FOLLOW

_EXAMPLES = 10
_REFUSED = "FROM pairs WHERE from_user_id IS NULL OR to_user_id IS NULL"
_CONTESTED = "FROM hops WHERE contested"


def follow_pairs(
    query: Callable[[str], list[tuple[Any, ...]]],
) -> tuple[list[tuple[int, int]], IdentityAudit]:
    """Follow the pairs that lead on to their end: `followed`; and count what there is.

    `query` gives the rows of a SELECT, written for DuckDB, from `pairs` and `hops`, which hold what
    `CAST_PAIRS` and `PAIRS_IN_FORCE` give.
    """
    hops = query(PAIRS_TO_FOLLOW)
    identity = close_pairs((start, end) for start, end in hops)
    ((pairs,),) = query("SELECT count(*) FROM pairs")
    ((refused,),) = query(f"SELECT count(*) {_REFUSED}")
    ((contested,),) = query(f"SELECT count(*) {_CONTESTED}")
    texts = query(f"SELECT from_text, to_text {_REFUSED} ORDER BY place LIMIT {_EXAMPLES}")
    ids = query(f"SELECT from_user_id {_CONTESTED} ORDER BY from_user_id LIMIT {_EXAMPLES}")
    return [(start, identity.resolve(start)) for start, _ in hops], IdentityAudit(
        pairs=pairs,
        refused=refused,
        refused_examples=tuple(f"{_shown(start)} → {_shown(end)}" for start, end in texts),
        contested=contested,
        contested_examples=tuple(user_id for (user_id,) in ids),
        cycles=len(identity.cycles),
        cycle_examples=identity.cycles[:_EXAMPLES],
    )


def _shown(text: str | None) -> str:
    return "null" if text is None else f'"{text}"'
