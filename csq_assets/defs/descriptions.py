"""What the UI says of each asset."""

from csq_assets.dataconnect.tables import PROPERTY_DEFINITIONS, USER_MIGRATIONS
from csq_assets.markdown import code

SYNC_REPORTS = (
    "Contentsquare's report on each of its syncs. "
    "The newest one decides whether new dumps are taken."
)
MANIFESTS = (
    "One document for each dump: its tables, their columns and Avro files, and whether the dump adds "
    "to what came before or replaces it."
)

USER_IDENTITY = (
    "Who a user is now: every id that was given up, with the id that it ends at, from all pairs of "
    "the newest user_migrations. In DuckDB: csq_meta.user_identity."
)
META = (
    "What csq_meta says of dumps that are in no table, of sync reports and of property definitions. "
    "Tables that no dump lists any more are dropped with it."
)
SNAPSHOT = "The copy of the DuckDB file for readers that stay connected, replaced by a rename."
ALL_EVENTS = "The events of all event tables, by user. In DuckDB: csq.all_events."

_RAW = {
    "users": "one row per visitor and change",
    "sessions": "one row per visit",
    "pageviews": "one row per page or screen",
    "user_migrations": "one row per merge of two users, the whole list each time",
    PROPERTY_DEFINITIONS: "the definitions of derived properties, as JSON",
}


def describe_raw(table: str) -> str:
    """One partition is one dump of the table."""
    rows = _RAW.get(table, "one row per event")
    return (
        f"{code(table)} as delivered, {rows}. A partition is one dump: decoded from exactly the files "
        "that its manifest lists, with nothing removed and nobody resolved."
    )


def describe_current(table: str) -> str:
    """The table as analysts query it."""
    made = (
        "as the newest dump that has it delivers it"
        if table == USER_MIGRATIONS
        else "as it stands: full resyncs obeyed, users resolved, duplicates gone"
    )
    relation = code(f'csq."{table}"')
    return f"{code(table)} {made}. In DuckDB: {relation}."


def describe_published(table: str, format_name: str) -> str:
    """The table for engines that cannot read the DuckDB file."""
    return (
        f"{code(table)} as it stands, as {format_name} for other engines. Only the buckets of users "
        "that changed are replaced, by one commit."
    )
