"""Refuses a lake that is not the one that the DuckDB file was filled from, or that somebody is being
forgotten in."""

from collections.abc import Collection

from duckdb import DuckDBPyConnection

from csq_assets.dataconnect.tables import PROPERTY_DEFINITIONS
from csq_assets.errors import SettingsError, StorageError
from csq_assets.lake.locations import Lake
from csq_assets.warehouse.applied_state import adopt_lake, lake_identity, read_dump_ids
from csq_assets.warehouse.definitions_table import refresh_property_definitions
from csq_assets.warehouse.staleness import read_applied
from csq_assets.warehouse.table_refresh import drop_table


def refuse_other_lake(
    lake: Lake, known_dumps: Collection[int], remembered: str | None, applied: Collection[int]
) -> None:
    """Raise SettingsError where the lake would take rows away that nobody meant to lose.

    `known_dumps` are those of the lake's ledger; `remembered` is the identity of the lake that the
    DuckDB file was filled from, and `applied` are the dumps that it has. Source: contract.md, "Lake".
    """
    if remembered is not None and remembered != lake.documents.identity():
        raise _refused(lake, "is not the lake that the DuckDB file was filled from")
    missing = sorted(set(applied) - set(known_dumps))
    if missing:
        dumps = f"dump {missing[0]}" if len(missing) == 1 else f"{len(missing)} dumps"
        raise _refused(lake, f"knows nothing of {dumps} that the DuckDB file has")


def check_lake(connection: DuckDBPyConnection, lake: Lake, known_dumps: Collection[int]) -> None:
    """Refuse another lake; of a file that was filled from none, remember this one."""
    remembered = lake_identity(connection)
    refuse_other_lake(lake, known_dumps, remembered, read_dump_ids(connection))
    if remembered is None:
        adopt_lake(connection, lake.documents.ensure_identity())


def accept_lake(connection: DuckDBPyConnection, lake: Lake, known_dumps: Collection[int]) -> None:
    """Let the file be filled from this lake from now on. Tables with dumps that the lake does not have
    are dropped; the next refresh makes them from the lake."""
    for table, dumps in read_applied(connection).contents.items():
        if table != PROPERTY_DEFINITIONS and not set(known_dumps).issuperset(dumps):
            drop_table(connection, table)
    refresh_property_definitions(connection, ())
    adopt_lake(connection, lake.documents.ensure_identity())


def refuse_unfinished_forgetting(lake: Lake) -> None:
    """Raise StorageError while somebody may not be forgotten everywhere: what is made of the lake now
    may bring them back."""
    if lake.documents.tombstones().unfinished:
        raise StorageError(
            "csq forget did not come to its end, so this may bring back whom it is to forget",
            remedy="Run csq forget, without an id: it finishes what was asked, or says what is left.",
        )


def _refused(lake: Lake, because: str) -> SettingsError:
    return SettingsError(
        f"{lake.store.objects.url} {because}",
        where={"setting": "CSQ_LAKE_URL"},
        remedy="Correct CSQ_LAKE_URL or CSQ_DUCKDB_PATH, or mount the folder. If this is meant, run "
        "csq rebuild --accept-lake. If files of its ledger were lost, run csq doctor --repair.",
    )
