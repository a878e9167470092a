"""Kinds of table, their keys and ids, and the names they take in Dagster and DuckDB."""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Self

from csq_assets.dataconnect.manifest import TableDump
from csq_assets.errors import NameClashError

USERS, SESSIONS, USER_MIGRATIONS = "users", "sessions", "user_migrations"
BUILT_IN_TABLES = (USERS, SESSIONS, "pageviews", USER_MIGRATIONS)
PROPERTY_DEFINITIONS = "property_definitions"
ALL_EVENTS = "all_events"
USER_IDENTITY = "user_identity"  # the identity map

ID_COLUMNS = ("user_id", "event_id", "session_id")  # Int64; every other delivered column is String
DUMP_ID, SOURCE_FILE, SOURCE_ROW = "_dump_id", "_source_file", "_source_row"
RAW_USER_ID = "_raw_user_id"
OWN_COLUMNS = (DUMP_ID, SOURCE_FILE, SOURCE_ROW)

# Of Iceberg, of engines that read it, and of its format 3: in lower case.
ICEBERG_COLUMNS = frozenset(
    (
        "_file",
        "_pos",
        "_deleted",
        "_spec_id",
        "_partition",
        "_row_id",
        "_last_updated_sequence_number",
    )
)
_RESERVED_COLUMNS = frozenset((*OWN_COLUMNS, RAW_USER_ID))
_RESERVED_TABLES = frozenset((ALL_EVENTS, PROPERTY_DEFINITIONS))
_RENAME = "Rename it at Contentsquare, or put the table into CSQ_SKIP_TABLES."


class TableKind(Enum):
    """What a table is. `key` are the columns whose values identify a row, none where rows have no key.

    Source: contract.md, "What a row is".
    """

    key: tuple[str, ...]

    USERS = USERS, ("user_id",)
    SESSIONS = SESSIONS, ("user_id", "session_id")
    USER_MIGRATIONS = USER_MIGRATIONS, ()
    EVENTS = "events", ("user_id", "event_id")
    OTHER = "other", ()

    def __new__(cls, value: str, key: tuple[str, ...]) -> Self:
        kind = object.__new__(cls)
        kind._value_ = value
        kind.key = key
        return kind


def kind_of(table: str, columns: Iterable[str]) -> TableKind:
    """The kind of `table`: its name decides, or for a custom table the manifest's columns."""
    if table in (USERS, SESSIONS, USER_MIGRATIONS):
        return TableKind(table)
    return TableKind.EVENTS if set(TableKind.EVENTS.key) <= set(columns) else TableKind.OTHER


def may_hold_events(table: str) -> bool:
    """Whether a table of this name is an event table once it has the columns."""
    return kind_of(table, TableKind.EVENTS.key) is TableKind.EVENTS


def key_columns(table: str, columns: Iterable[str]) -> tuple[str, ...]:
    """The ids that every file of the table must have."""
    return kind_of(table, columns).key


def is_full_resync(table: str, *, incremental: bool) -> bool:
    """Whether such a dump makes the earlier ones void. `user_migrations` is always complete, whatever
    its manifest says (edge case 61)."""
    return not incremental or table == USER_MIGRATIONS


def catalog_name(table: str) -> str:
    """The table's name for other engines: many know lower-case letters, digits and `_` alone."""
    return asset_name(table).lower()


def asset_name(table: str) -> str:
    """The last part of the table's asset keys. Names in other scripts get a digest, as their
    characters all become `_`.

    Source: contract.md, "Dagster names".
    """
    name = re.sub(r"[^A-Za-z0-9_]", "_", table)
    if any(character.isalnum() and not character.isascii() for character in table):
        return f"{name}_{hashlib.sha256(table.encode()).hexdigest()[:8]}"
    return name


KEY_PREFIX = "csq"  # of assets, unless a setting names another one
SYNC_REPORTS_ASSET, MANIFESTS_ASSET = "csq/sync_reports", "csq/manifests"
IDENTITY_ASSET, ALL_EVENTS_ASSET = "csq/user_identity", f"csq/current/{ALL_EVENTS}"
META_ASSET, SNAPSHOT_ASSET = "csq/meta", "csq/snapshot"
MART_ASSETS, PUBLISHED_ASSETS = "csq/marts", "csq/published"


def with_prefix(asset: str, prefix: str) -> str:
    """The asset as the UI names it where `prefix` is not `csq`. Others keep their names."""
    own = asset == KEY_PREFIX or asset.startswith(f"{KEY_PREFIX}/")
    return prefix + asset.removeprefix(KEY_PREFIX) if own else asset


def raw_asset(table: str) -> str:
    """The asset of a table's decoded dumps, as a person writes its key."""
    return f"csq/raw/{asset_name(table)}"


def current_asset(table: str) -> str:
    """The asset of a current table, as a person writes its key."""
    return f"csq/current/{asset_name(table)}"


def published_asset(table: str) -> str:
    """The asset of a relation that is published for other engines, as a person writes its key."""
    return f"{PUBLISHED_ASSETS}/{asset_name(table)}"


def mart_asset(model: str) -> str:
    """The asset of a model in a dbt project, as a person writes its key."""
    return f"{MART_ASSETS}/{asset_name(model)}"


def is_reserved_table(table: str) -> bool:
    """Whether the table's name is one of our own, in any case or in an asset key."""
    return asset_name(table).lower() in _RESERVED_TABLES


def refuse_unusable_columns(dump: TableDump, columns: Iterable[str]) -> None:
    """Raise NameClashError for the first of `columns` that would overwrite one of our own, or that
    has no name at all, which no table takes."""
    for column in columns:
        problem = "" if column else "a column has no name"
        if column.lower() in _RESERVED_COLUMNS:
            problem = f'the column\'s name "{column}" is one that csq_assets uses itself'
        if problem:
            where = {"dump": dump.dump_id, "table": dump.table}
            raise NameClashError(problem, where=where, remedy=_RENAME)


@dataclass(frozen=True, slots=True)
class Names:
    """Which tables have a name of their own, first seen first, and which were refused, and why."""

    kept: tuple[str, ...]
    refused: dict[str, NameClashError]


def claim_names(tables: Iterable[str]) -> Names:
    """Give names to tables in the order in which they were seen: lowest dump first, then manifest
    order. Where two would meet, in an asset key or in DuckDB, the first keeps it; our own names are
    given to none.

    Source: contract.md, "Dagster names"; export-format.md, edge case 65.
    """
    holders: dict[str, str] = {}
    kept: list[str] = []
    refused: dict[str, NameClashError] = {}
    for table in dict.fromkeys(tables):
        wanted = (f"asset key {asset_name(table)}", f"relation {table.lower()}")
        rival = next((holders[name] for name in wanted if name in holders), None)
        if is_reserved_table(table):
            problem = "its name is one that csq_assets uses itself"
        elif rival is not None:
            problem = (
                f'its name cannot be told apart from that of table "{rival}", which came first'
            )
        else:
            kept.append(table)
            holders.update(dict.fromkeys(wanted, table))
            continue
        refused[table] = NameClashError(problem, where={"table": table}, remedy=_RENAME)
    return Names(tuple(kept), refused)
