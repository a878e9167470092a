"""A current table as it stands, in numbers. Nothing is changed."""

from dataclasses import replace

from duckdb import DuckDBPyConnection

from csq_assets.dataconnect.audits import TableAudit
from csq_assets.warehouse.applied_state import TableState, read_state
from csq_assets.warehouse.engine import count, quote


def audit_table(connection: DuckDBPyConnection, table: str) -> TableAudit:
    """The numbers that a rebuild would give: keys are looked at over all rows."""
    state = read_state(connection, table)
    if state is None:
        return TableAudit(table, audited_all=True)
    key, duplicated = state.kind.key, 0
    if key:
        complete = " AND ".join(f"{column} IS NOT NULL" for column in key)
        duplicated = count(
            connection,
            f"SELECT count(*) FROM (SELECT user_id FROM csq_rows.{quote(table)} "
            f"WHERE shown AND {complete} GROUP BY {', '.join(key)} HAVING count(*) > 1)",
        )
    state = replace(state, duplicated_keys=duplicated)
    return count_rows(connection, table, state, audited_all=True)


def count_rows(
    connection: DuckDBPyConnection, table: str, state: TableState, *, audited_all: bool = False
) -> TableAudit:
    """The numbers as they stand. What is shown is counted, not derived."""
    shown = f"SELECT count(*) FROM csq_rows.{quote(table)} WHERE shown"
    return TableAudit(
        table,
        rows_delivered=state.rows_delivered,
        rows_kept=count(connection, shown),
        duplicates_total=state.duplicates,
        merged_total=state.merged,
        duplicated_keys=state.duplicated_keys,
        audited_all=audited_all,
    )
