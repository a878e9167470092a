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
    found = connection.execute(
        "SELECT dump_id, content FROM csq_ledger.dumps WHERE table_name = ?", [PROPERTY_DEFINITIONS]
    )
    known = set(found.fetchall())
    new = [dump for dump in dumps if (dump.dump_id, dump.content) not in known]
    gone = known - {(dump.dump_id, dump.content) for dump in dumps}
    if not new and not gone:
        return
    with transaction(connection), open_partitions(new) as partitions:
        for dump_id, _ in gone:
            connection.execute(
                "DELETE FROM csq_meta.property_definitions WHERE dump_id = ?", [dump_id]
            )
            connection.execute(
                "DELETE FROM csq_ledger.dumps WHERE table_name = ? AND dump_id = ?",
                [PROPERTY_DEFINITIONS, dump_id],
            )
        for partition in partitions:
            dump_id, document = partition.dump.dump_id, partition.select({"document": "document"})
            with partition.reading():
                connection.execute(
                    "INSERT INTO csq_meta.property_definitions "
                    f"SELECT CAST(? AS BIGINT), document FROM ({document})",
                    [dump_id],
                )
            connection.execute(
                "INSERT INTO csq_ledger.dumps VALUES (?, ?, ?, 1, [])",
                [PROPERTY_DEFINITIONS, dump_id, partition.dump.content],
            )
