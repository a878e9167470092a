"""The schemas of the DuckDB file and the tables that are in every one of them."""

from duckdb import DuckDBPyConnection

from csq_assets.errors import StorageError
from csq_assets.warehouse.all_events_sql import NO_EVENTS
from csq_assets.warehouse.engine import first_row, transaction
from csq_assets.warehouse.typed_sql import NO_SESSIONS, TYPED_EVENTS

SCHEMAS = ("csq", "csq_typed", "csq_meta", "csq_rows", "csq_ledger")
FORMAT = 3

# For analysts. `csq.all_events` is redefined as event tables are added and dropped.
_PUBLIC = f"""
CREATE TABLE IF NOT EXISTS csq_meta.user_identity (from_user_id BIGINT, user_id BIGINT);
CREATE TABLE IF NOT EXISTS csq_meta.dumps (
    dump_id BIGINT, table_name VARCHAR, incremental BOOLEAN, files BIGINT, rows BIGINT,
    status VARCHAR, applied_at TIMESTAMP
);
CREATE TABLE IF NOT EXISTS csq_meta.sync_reports (
    report VARCHAR, start_time TIMESTAMP, finish_time TIMESTAMP, status VARCHAR,
    next_sync_at TIMESTAMP, error VARCHAR
);
CREATE TABLE IF NOT EXISTS csq_meta.property_definitions (dump_id BIGINT, document VARCHAR);
CREATE TABLE IF NOT EXISTS csq_meta.column_types (
    table_name VARCHAR, column_name VARCHAR, type VARCHAR, since_dump BIGINT, reason VARCHAR
);
CREATE VIEW IF NOT EXISTS csq.all_events AS {NO_EVENTS};
"""

# What has been applied: written in the transaction that applies it.
_LEDGER = f"""
CREATE TABLE IF NOT EXISTS csq_ledger.format (version INTEGER);
CREATE TABLE IF NOT EXISTS csq_ledger.lake (identity VARCHAR);
CREATE TABLE IF NOT EXISTS csq_ledger.tables (
    table_name VARCHAR, kind VARCHAR, identity_version BIGINT,
    duplicates BIGINT, merged BIGINT, duplicated_keys BIGINT
);
CREATE TABLE IF NOT EXISTS csq_ledger.dumps (
    table_name VARCHAR, dump_id BIGINT, content VARCHAR, rows BIGINT, columns VARCHAR[]
);
CREATE TABLE IF NOT EXISTS csq_ledger.columns (
    table_name VARCHAR, delivered VARCHAR, stored VARCHAR
);
CREATE TABLE IF NOT EXISTS csq_ledger.facts (
    table_name VARCHAR, dump_id BIGINT, content VARCHAR, rules INTEGER,
    columns VARCHAR[], fits UTINYINT[]
);
CREATE TABLE IF NOT EXISTS csq_ledger.typed (table_name VARCHAR, definition VARCHAR);
CREATE TABLE IF NOT EXISTS csq_ledger.pins (
    table_name VARCHAR, column_name VARCHAR, type VARCHAR
);
CREATE TABLE IF NOT EXISTS csq_ledger.widened (
    table_name VARCHAR, column_name VARCHAR, before VARCHAR, after VARCHAR, since_dump BIGINT
);
CREATE TABLE IF NOT EXISTS csq_ledger.all_events (table_name VARCHAR);
CREATE TABLE IF NOT EXISTS csq_ledger.identity (
    version BIGINT, dump_id BIGINT, content VARCHAR, audit VARCHAR
);
CREATE TABLE IF NOT EXISTS csq_ledger.identity_changes (version BIGINT, user_id BIGINT);
CREATE TABLE IF NOT EXISTS csq_ledger.published (name VARCHAR, target VARCHAR);
CREATE TABLE IF NOT EXISTS csq_ledger.marts (built_from VARCHAR);
CREATE VIEW IF NOT EXISTS csq_ledger.session_starts AS {NO_SESSIONS};
CREATE VIEW IF NOT EXISTS csq_typed.all_events AS {TYPED_EVENTS};
"""


def create_schemas(connection: DuckDBPyConnection) -> None:
    """Create what is missing.

    Raises StorageError where a version with other internal tables wrote the file.
    """
    with transaction(connection):
        for schema in SCHEMAS:
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        connection.execute(_PUBLIC)
        connection.execute(_LEDGER)
        found = first_row(connection, "SELECT version FROM csq_ledger.format")
        if found is None:
            connection.execute("INSERT INTO csq_ledger.format VALUES (?)", [FORMAT])
        elif found[0] != FORMAT:
            raise StorageError(
                f"the DuckDB file has format {found[0]}, this version of csq_assets has {FORMAT}",
                remedy="Move the file away and run csq rebuild: it rebuilds everything from the lake.",
            )
