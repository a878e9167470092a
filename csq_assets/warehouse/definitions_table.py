"""`csq_meta.property_definitions`: each dump's document, as delivered."""

from collections.abc import Sequence

from duckdb import DuckDBPyConnection

from csq_assets.dataconnect.tables import PROPERTY_DEFINITIONS
from csq_assets.warehouse.engine import transaction
from csq_assets.warehouse.partition_files import DumpContent, open_partitions


def refresh_property_definitions(
    connection: DuckDBPyConnection, dumps: Sequence[DumpContent]
) -> None:
    """Bring the table, and what is recorded as applied, to what `dumps` say. A dump that is applied
    already is not read again.

    The partition of each has one row, with a column `document`.
    """
    applied = dict(
        connection.execute(
            "SELECT dump_id, content FROM csq_ledger.dumps WHERE table_name = ?",
            [PROPERTY_DEFINITIONS],
        ).fetchall()
    )
    changed = [dump for dump in dumps if applied.get(dump.dump_id) != dump.content]
    gone = applied.keys() - {dump.dump_id for dump in dumps}
    if not changed and not gone:
        return
    with transaction(connection), open_partitions(changed) as partitions:
        for dump_id in (*gone, *(dump.dump_id for dump in changed)):
            connection.execute(
                "DELETE FROM csq_meta.property_definitions WHERE dump_id = ?", [dump_id]
            )
            connection.execute(
                "DELETE FROM csq_ledger.dumps WHERE table_name = ? AND dump_id = ?",
                [PROPERTY_DEFINITIONS, dump_id],
            )
        for partition in partitions:
            dump = partition.dump
            document = partition.select({"document": "document"})
            with partition.reading():
                connection.execute(
                    "INSERT INTO csq_meta.property_definitions "
                    f"SELECT CAST({dump.dump_id:d} AS BIGINT), document FROM ({document})"
                )
            connection.execute(
                "INSERT INTO csq_ledger.dumps VALUES (?, ?, ?, 1, [])",
                [PROPERTY_DEFINITIONS, dump.dump_id, dump.content],
            )
