"""Brings `csq_meta.user_identity` to what the newest `user_migrations` says."""

from dataclasses import replace

from duckdb import DuckDBPyConnection
from pydantic import TypeAdapter

from csq_assets.dataconnect.audits import IdentityAudit
from csq_assets.dataconnect.tables import USER_IDENTITY
from csq_assets.warehouse.applied_state import identity_version
from csq_assets.warehouse.engine import count, first_row, insert_rows, transaction
from csq_assets.warehouse.identity_pairs import follow_pairs
from csq_assets.warehouse.identity_sql import CAST_PAIRS, PAIRS_IN_FORCE, RESOLVED_IDS
from csq_assets.warehouse.partition_files import DumpContent, open_partitions
from csq_assets.warehouse.publications import forget_publications
from csq_assets.warehouse.scratch import IDENTITY_SCRATCH, scratch

_AUDITS = TypeAdapter(IdentityAudit)


def refresh_identity(
    connection: DuckDBPyConnection, migrations: DumpContent | None, *, rebuild: bool = False
) -> IdentityAudit:
    """Bring the identity map to what `migrations`, the newest applied `user_migrations`, says.

    None where no dump has any: then nobody is merged. Ids that resolve to another one than before are
    noted for every table, whose next refresh moves their rows. With nothing new, the numbers as they
    stand. Raises StorageError, after which nothing has changed.
    """
    wanted = (migrations.dump_id, migrations.content) if migrations else (None, None)
    with transaction(connection):
        known = first_row(connection, "SELECT dump_id, content FROM csq_ledger.identity")
        if known is None and migrations is None:
            return IdentityAudit()
        if known == wanted and not rebuild:
            return read_identity(connection)
        with scratch(connection, IDENTITY_SCRATCH):
            audit = _read_pairs(connection, migrations)
            changed = _store(connection)
        _forget_old_changes(connection)
        audit = replace(
            audit,
            changed=changed > 0,
            users_changed=changed,
            users_resolved=count(connection, "SELECT count(*) FROM csq_meta.user_identity"),
        )
        version = identity_version(connection) + (changed > 0)
        forget_publications(connection, USER_IDENTITY)
        connection.execute("DELETE FROM csq_ledger.identity")
        connection.execute(
            "INSERT INTO csq_ledger.identity VALUES (?, ?, ?, ?)",
            [version, *wanted, _AUDITS.dump_json(audit).decode()],
        )
        return audit


def read_identity(connection: DuckDBPyConnection) -> IdentityAudit:
    """The numbers of the last refresh, as they stand."""
    known = first_row(connection, "SELECT audit FROM csq_ledger.identity")
    if known is None:
        return IdentityAudit()
    return replace(_AUDITS.validate_json(known[0]), changed=False, users_changed=0)


def _read_pairs(connection: DuckDBPyConnection, migrations: DumpContent | None) -> IdentityAudit:
    """Fill `pairs`, `hops` and `followed`, and count what is wrong with them."""
    with open_partitions([migrations] if migrations else []) as partitions:
        for partition in partitions:
            texts = partition.select({"from_user_id": "from_text", "to_user_id": "to_text"})
            with partition.reading():
                connection.execute(f"INSERT INTO pairs WITH delivered AS ({texts}) {CAST_PAIRS}")
    connection.execute(f"INSERT INTO hops {PAIRS_IN_FORCE}")
    # Most pairs do not lead on, and stay in DuckDB.
    followed, audit = follow_pairs(lambda select: connection.execute(select).fetchall())
    insert_rows(connection, "followed", followed)
    return replace(audit, dump_id=migrations.dump_id if migrations else None)


def _store(connection: DuckDBPyConnection) -> int:
    """Write what differs from the map as it was, and note those users; gives their number."""
    changed = count(
        connection,
        "INSERT INTO differing SELECT "
        "coalesce(known.from_user_id, resolved.from_user_id) AS from_user_id, resolved.user_id "
        f"FROM csq_meta.user_identity AS known FULL JOIN ({RESOLVED_IDS}) AS resolved "
        "ON resolved.from_user_id = known.from_user_id "
        "WHERE known.user_id IS DISTINCT FROM resolved.user_id",
    )
    if changed:
        connection.execute(
            "DELETE FROM csq_meta.user_identity "
            "WHERE from_user_id IN (SELECT from_user_id FROM differing)"
        )
        connection.execute(
            "INSERT INTO csq_meta.user_identity SELECT * FROM differing WHERE user_id IS NOT NULL"
        )
        connection.execute(
            "INSERT INTO csq_ledger.identity_changes SELECT ?, from_user_id FROM differing",
            [identity_version(connection) + 1],
        )
    return changed


def _forget_old_changes(connection: DuckDBPyConnection) -> None:
    """Drop the changes that every table has followed."""
    connection.execute(
        "DELETE FROM csq_ledger.identity_changes "
        "WHERE version <= (SELECT min(identity_version) FROM csq_ledger.tables)"
    )
