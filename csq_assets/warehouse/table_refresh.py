"""Brings a table to what contract.md, section 5, says of the dumps that count, in one transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from duckdb import DuckDBPyConnection

from csq_assets.dataconnect.audits import TableAudit
from csq_assets.dataconnect.column_types import NO_PINS, Pins
from csq_assets.dataconnect.tables import TableKind, kind_of
from csq_assets.warehouse.applied_state import (
    AppliedDump,
    TableState,
    forget_state,
    identity_version,
    read_state,
    write_state,
)
from csq_assets.warehouse.column_facts import ColumnFacts
from csq_assets.warehouse.columns import new_columns, stored_columns
from csq_assets.warehouse.deduplication import Deduplication
from csq_assets.warehouse.engine import quote, transaction
from csq_assets.warehouse.meta import DumpRow, record_dumps
from csq_assets.warehouse.partition_files import DumpContent, keep_single_open, read_columns
from csq_assets.warehouse.row_store import (
    add_columns,
    append_arriving,
    apply_verdict,
    find_moved,
    read_arriving,
)
from csq_assets.warehouse.scratch import TABLE_SCRATCH, empty_scratch, scratch
from csq_assets.warehouse.table_audit import count_rows
from csq_assets.warehouse.type_refresh import forget_types, refresh_types
from csq_assets.warehouse.views import show_all_events, show_table

# Where more rows move than half the table has, and so many, a replay is faster and takes less memory.
_MANY_ROWS = 100_000
# DuckDB copies the description of every column for each column that is added.
_MANY_COPIES = 100_000


@dataclass(frozen=True, slots=True, eq=False)
class _Target:
    """What a table is to be: the dumps that make it, in numeric order, with their columns."""

    table: str
    kind: TableKind
    dumps: Sequence[DumpContent]
    columns: Mapping[int, tuple[str, ...]]
    identity_version: int
    facts: ColumnFacts


def refresh_table(  # noqa: PLR0913  # what it is to be, and how
    connection: DuckDBPyConnection,
    table: str,
    dumps: Sequence[DumpContent],
    *,
    dump_rows: Sequence[DumpRow],
    now: datetime,
    rebuild: bool = False,
    pins: Pins = NO_PINS,
) -> TableAudit:
    """Bring `csq.<table>` to what `dumps`, those that its plan applies, and the identity map say,
    `csq_typed.<table>` to the types that follow or that `pins` name, and the table's rows of
    `csq_meta.dumps` to `dump_rows`.

    If all that was applied before still counts, only new rows and those of users that changed are
    touched; else, and if asked to `rebuild`, the table is replayed. Without dumps it is dropped.
    Readers see the table before or after. Raises StorageError, after which nothing has changed.
    """
    with transaction(connection):
        known = read_state(connection, table)
        if dumps:
            facts = ColumnFacts(connection, table, anew=rebuild)
            state, audit = _refresh(connection, table, known, dumps, facts, rebuild=rebuild)
            facts.keep(dumps)
            refresh_types(connection, table, facts, known, state, pins)
        else:
            state, audit = None, _drop(connection, table, known)
        before, after = (each.contents if each else {} for each in (known, state))
        record_dumps(connection, table, dump_rows, before=before, after=after, now=now)
        return audit


def drop_table(connection: DuckDBPyConnection, table: str) -> TableAudit:
    """Remove the table and its rows of `csq_meta.dumps`, as if no dump had ever listed it."""
    with transaction(connection):
        connection.execute("DELETE FROM csq_meta.dumps WHERE table_name = ?", [table])
        return _drop(connection, table, read_state(connection, table))


def _refresh(
    connection: DuckDBPyConnection,
    table: str,
    known: TableState | None,
    dumps: Sequence[DumpContent],
    facts: ColumnFacts,
    *,
    rebuild: bool,
) -> tuple[TableState, TableAudit]:
    """Append where all that was applied still counts: the order key says which row wins, so a late
    increment needs no replay. What was dropped as a duplicate can only be restored by one.
    """
    dumps = sorted(dumps, key=lambda dump: dump.dump_id)
    applied = known.dumps if known else ()
    same = {(dump.dump_id, dump.content) for dump in applied}
    new = [dump for dump in dumps if (dump.dump_id, dump.content) not in same]
    columns = {dump.dump_id: dump.columns for dump in applied} | read_columns(new)
    kind = kind_of(table, columns[dumps[-1].dump_id])
    target = _Target(table, kind, dumps, columns, identity_version(connection), facts)

    still_count = len(dumps) - len(new) == len(applied)
    appends = known is not None and known.kind is kind and still_count and not rebuild
    if known and appends and not new and known.identity_version == target.identity_version:
        return known, count_rows(connection, table, known)
    with scratch(connection, TABLE_SCRATCH):
        state, audit = _apply(connection, target, known if appends else None)
    write_state(connection, table, known, state)
    replayed = audit.change == "replayed"  # which may store columns under other names
    if known is None or replayed or list(known.columns.items()) != list(state.columns.items()):
        show_table(connection, table, state)
        if known and TableKind.EVENTS in (kind, known.kind):
            show_all_events(connection)
    return state, audit


def _apply(
    connection: DuckDBPyConnection, target: _Target, known: TableState | None
) -> tuple[TableState, TableAudit]:
    """Find what arrives and what moves, decide over it, write it onto what is `known`, and count.

    With nothing known, it is a replay; and where that costs less, it becomes one.
    """
    table, kind, replayed = target.table, target.kind, known is None
    before = known or TableState(kind)
    rules = Deduplication(connection, table, kind, replayed=replayed)
    applied_before = before.contents
    new = [dump for dump in target.dumps if dump.dump_id not in applied_before]
    with keep_single_open(new) as dumps:
        arrived = read_arriving(connection, dumps, with_ids=bool(kind.key))
        stored = {} if replayed else stored_columns(connection, table)
        added = new_columns(stored, (name for found in arrived for name in found.columns))
        moved = 0 if replayed else find_moved(connection, table, rules.key, before.identity_version)
        copies = len(added) * (len(stored) + len(added))
        many_move = moved > max(_MANY_ROWS, before.rows_delivered // 2)
        if not replayed and (many_move or copies > _MANY_COPIES):
            empty_scratch(connection, TABLE_SCRATCH)
            return _apply(connection, target, None)
        add_columns(connection, table, added, replayed=replayed)
        stored |= added
        rules.decide()
        apply_verdict(connection, table)
        append_arriving(connection, table, arrived, stored, target.facts)
    outcome = rules.finish(stored)
    applied = [
        AppliedDump(dump.dump_id, dump.content, found.rows, target.columns[dump.dump_id])
        for dump, found in zip(new, arrived, strict=True)
    ]
    state = replace(
        before,
        identity_version=target.identity_version,
        dumps=tuple(sorted((*before.dumps, *applied), key=lambda dump: dump.dump_id)),
        duplicates=before.duplicates + outcome.duplicates,
        merged=outcome.merged,
        duplicated_keys=outcome.duplicated_keys,
    )
    rows_in = sum(dump.rows for dump in applied)
    return state, replace(
        count_rows(connection, table, state, audited_all=replayed),
        change="replayed" if replayed else "appended",
        rows_in=rows_in,
        rows_new=rows_in - outcome.rows_updated - outcome.rows_lost,
        rows_updated=outcome.rows_updated,
        rows_reresolved=moved,
        duplicates_dropped=outcome.duplicates,
        users_merged=outcome.merged - before.merged,
    )


def _drop(connection: DuckDBPyConnection, table: str, known: TableState | None) -> TableAudit:
    if known is None:
        return TableAudit(table)
    connection.execute(f"DROP VIEW IF EXISTS csq.{quote(table)}")
    forget_types(connection, table)
    connection.execute(f"DROP TABLE IF EXISTS csq_rows.{quote(table)}")
    forget_state(connection, table)
    if known.kind is TableKind.EVENTS:
        show_all_events(connection)
    return TableAudit(table, change="dropped")
