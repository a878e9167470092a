"""A current table as it stands, in numbers. Nothing is changed."""

from duckdb import DuckDBPyConnection

from csq_assets.dataconnect.audits import TableAudit
from csq_assets.warehouse.applied_state import TableState, read_state
from csq_assets.warehouse.engine import count, quote


def audit_table(connection: DuckDBPyConnection, table: str) -> TableAudit:
    """The numbers that a rebuild would give: keys are looked at over all rows."""
    state = read_state(connection, table)
    if state is None:
        return TableAudit(table, audited_all=True)
    duplicated = _count_duplicated(connection, table, state.kind.key)
    return count_rows(connection, table, state, duplicated_keys=duplicated, audited_all=True)


def count_rows(
    connection: DuckDBPyConnection,
    table: str,
    state: TableState,
    *,
    duplicated_keys: int,
    audited_all: bool = False,
) -> TableAudit:
    """The numbers as they stand. What is shown is counted, not derived."""
    shown = f"SELECT count(*) FROM csq_rows.{quote(table)} WHERE shown"
    return TableAudit(
        table,
        rows_delivered=state.rows_delivered,
        rows_kept=count(connection, shown),
        duplicates_total=state.duplicates,
        merged_total=state.merged,
        duplicated_keys=duplicated_keys,
        audited_all=audited_all,
    )


def _count_duplicated(connection: DuckDBPyConnection, table: str, key: tuple[str, ...]) -> int:
    if not key:
        return 0
    complete = " AND ".join(f"{column} IS NOT NULL" for column in key)
    return count(
        connection,
        f"SELECT count(*) FROM (SELECT user_id FROM csq_rows.{quote(table)} "
        f"WHERE shown AND {complete} GROUP BY {', '.join(key)} HAVING count(*) > 1)",
    )
