"""Brings a table to what contract.md, section 5, says of the dumps that count, in one transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from duckdb import DuckDBPyConnection

from csq_assets.dataconnect.audits import TableAudit
from csq_assets.dataconnect.tables import ID_COLUMNS, USER_MIGRATIONS, TableKind, kind_of
from csq_assets.warehouse.applied_state import (
    AppliedDump,
    TableState,
    forget_state,
    identity_version,
    read_state,
    write_state,
)
from csq_assets.warehouse.columns import new_columns, stored_columns
from csq_assets.warehouse.deduplication import Deduplication
from csq_assets.warehouse.engine import insert_rows, transaction
from csq_assets.warehouse.meta import DumpRow, record_dumps
from csq_assets.warehouse.partition_files import DumpContent, keep_single_open, read_columns
from csq_assets.warehouse.row_store import (
    Arrived,
    add_columns,
    append_arriving,
    apply_verdict,
    create_rows,
    drop_rows,
    find_moved,
    read_arriving,
)
from csq_assets.warehouse.scratch import TABLE_SCRATCH, empty_scratch, scratch
from csq_assets.warehouse.table_audit import count_rows
from csq_assets.warehouse.views import hide_table, show_all_events, show_table

# Where more rows move than half the table has, and so many, a replay is faster and takes less memory.
_MANY_ROWS = 100_000
# DuckDB copies the description of every column for each column that is added.
_MANY_COPIES = 100_000


def refresh_table(
    connection: DuckDBPyConnection,
    table: str,
    dumps: Sequence[DumpContent],
    *,
    dump_rows: Sequence[DumpRow],
    now: datetime,
    rebuild: bool = False,
) -> TableAudit:
    """Bring `csq.<table>` to what `dumps`, those that its plan applies, and the identity map say, and
    the table's rows of `csq_meta.dumps` to `dump_rows`.

    If all that was applied before still counts, only new rows and those of users that changed are
    touched; else, and if asked to `rebuild`, the table is replayed. Without dumps it is dropped.
    Readers see the table before or after. Raises StorageError, after which nothing has changed.
    """
    with transaction(connection):
        known = read_state(connection, table)
        state, audit = _refresh(connection, table, known, dumps, rebuild=rebuild)
        before, after = (each.contents if each else {} for each in (known, state))
        record_dumps(connection, table, dump_rows, before=before, after=after, now=now)
        return audit


def drop_table(connection: DuckDBPyConnection, table: str) -> TableAudit:
    """Remove the table and its rows of `csq_meta.dumps`, as if no dump had ever listed it."""
    with transaction(connection):
        connection.execute("DELETE FROM csq_meta.dumps WHERE table_name = ?", [table])
        return _drop(connection, table, read_state(connection, table))


@dataclass(frozen=True, slots=True, eq=False)
class _Work:
    """What a refresh has to do: `new` dumps onto `before`, which is empty for a replay."""

    before: TableState
    counting: tuple[DumpContent, ...]
    columns: Mapping[int, tuple[str, ...]]  # of each of them
    new: tuple[DumpContent, ...]
    replay: bool = False

    def anew(self) -> "_Work":
        """The same by a replay."""
        before = TableState(self.before.kind)
        return _Work(before, self.counting, self.columns, new=self.counting, replay=True)


def _refresh(
    connection: DuckDBPyConnection,
    table: str,
    known: TableState | None,
    dumps: Sequence[DumpContent],
    *,
    rebuild: bool,
) -> tuple[TableState | None, TableAudit]:
    if not dumps:
        return None, _drop(connection, table, known)
    work = _plan_work(table, known, dumps, rebuild=rebuild)
    version = identity_version(connection)
    if known and not work.new and not work.replay and known.identity_version == version:
        duplicated = known.duplicated_keys
        return known, count_rows(connection, table, known, duplicated_keys=duplicated)
    with scratch(connection, TABLE_SCRATCH):
        state, audit = _apply(connection, table, work, version)
    write_state(connection, table, known, state)
    replayed = audit.change == "replayed"  # which may store columns under other names
    if known is None or replayed or list(known.columns.items()) != list(state.columns.items()):
        show_table(connection, table, state)
        if known and TableKind.EVENTS in (state.kind, known.kind):
            show_all_events(connection)
    return state, audit


def _plan_work(
    table: str, known: TableState | None, dumps: Sequence[DumpContent], *, rebuild: bool
) -> _Work:
    """Append where all that was applied still counts: the order key says which row wins, so a late
    increment needs no replay. What was dropped as a duplicate can only be restored by one.
    """
    counting = tuple(sorted(dumps, key=lambda dump: dump.dump_id))
    applied = {(dump.dump_id, dump.content): dump for dump in (known.dumps if known else ())}
    if table == USER_MIGRATIONS:
        counting = counting[-1:]
    fresh = [dump for dump in counting if (dump.dump_id, dump.content) not in applied]
    columns = {dump_id: dump.columns for (dump_id, _), dump in applied.items()}
    columns |= read_columns(fresh)
    kind = kind_of(table, columns[counting[-1].dump_id])
    work = _Work(known or TableState(kind), counting, columns, tuple(fresh))
    still_count = len(fresh) == len(counting) - len(applied)
    if known is None or known.kind is not kind or not still_count or rebuild:
        return replace(work, before=TableState(kind)).anew()
    return work


def _apply(
    connection: DuckDBPyConnection, table: str, work: _Work, version: int
) -> tuple[TableState, TableAudit]:
    """Find what arrives and what moves, decide over it, write it, and count."""
    before = work.before
    moved = 0 if work.replay else find_moved(connection, table, before.identity_version)
    if moved > _MANY_ROWS and moved > before.rows_delivered // 2:
        return _apply_anew(connection, table, work, version)
    rules = Deduplication(connection, table, before.kind, replayed=work.replay)
    with keep_single_open(work.new) as dumps:
        arrived = read_arriving(connection, dumps, with_ids=bool(before.kind.key))
        stored = _store_columns(connection, table, arrived, replay=work.replay)
        if stored is None:
            return _apply_anew(connection, table, work, version)
        rules.decide()
        apply_verdict(connection, table)
        append_arriving(connection, table, arrived, stored)
    outcome = rules.finish(stored)
    applied = (
        AppliedDump(dump.dump_id, dump.content, found.rows, work.columns[dump.dump_id])
        for dump, found in zip(work.new, arrived, strict=True)
    )
    state = replace(
        before,
        identity_version=version,
        dumps=tuple(sorted((*before.dumps, *applied), key=lambda dump: dump.dump_id)),
        duplicates=before.duplicates + outcome.duplicates,
        merged=outcome.merged,
        duplicated_keys=outcome.duplicated_keys,
    )
    rows_in = sum(found.rows for found in arrived)
    audit = count_rows(
        connection,
        table,
        state,
        duplicated_keys=outcome.duplicated_keys,
        audited_all=work.replay,
    )
    return state, replace(
        audit,
        change="replayed" if work.replay else "appended",
        rows_in=rows_in,
        rows_new=rows_in - outcome.rows_updated - outcome.rows_lost,
        rows_updated=outcome.rows_updated,
        rows_reresolved=moved,
        duplicates_dropped=outcome.duplicates,
        users_merged=outcome.merged - before.merged,
    )


def _apply_anew(
    connection: DuckDBPyConnection, table: str, work: _Work, version: int
) -> tuple[TableState, TableAudit]:
    empty_scratch(connection, TABLE_SCRATCH)
    return _apply(connection, table, work.anew(), version)


def _store_columns(
    connection: DuckDBPyConnection, table: str, arrived: Sequence[Arrived], *, replay: bool
) -> Mapping[str, str] | None:
    """Make room for all columns before the first row; gives their stored names. None where there are
    so many new ones that a replay is cheaper.
    """
    if replay:
        connection.execute("DELETE FROM csq_ledger.columns WHERE table_name = ?", [table])
    stored = stored_columns(connection, table)
    new = new_columns(stored, (name for found in arrived for name in found.columns))
    texts = [name for column, name in new.items() if column not in ID_COLUMNS]
    if replay:
        create_rows(connection, table, texts)
    elif len(texts) * (len(texts) + len(stored)) > _MANY_COPIES:
        return None
    else:
        add_columns(connection, table, texts)
    named = [(table, column, name) for column, name in new.items()]
    insert_rows(connection, "csq_ledger.columns", named)
    return {**stored, **new}


def _drop(connection: DuckDBPyConnection, table: str, known: TableState | None) -> TableAudit:
    if known is None:
        return TableAudit(table)
    hide_table(connection, table)
    drop_rows(connection, table)
    forget_state(connection, table)
    if known.kind is TableKind.EVENTS:
        show_all_events(connection)
    return TableAudit(table, change="dropped")
