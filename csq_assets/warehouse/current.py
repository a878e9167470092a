"""Brings a table to what contract.md, section 5, says of the dumps in force, in one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from duckdb import DuckDBPyConnection

from csq_assets.dataconnect.tables import TableKind, kind_of
from csq_assets.warehouse.audit import TableAudit
from csq_assets.warehouse.engine import count, quote, transaction
from csq_assets.warehouse.ingest import DumpContent, keep_single_open
from csq_assets.warehouse.keys import NewestOfKey
from csq_assets.warehouse.ledger import (
    AppliedDump,
    TableState,
    forget_state,
    identity_version,
    read_state,
    write_state,
)
from csq_assets.warehouse.reduction import KeepAll, Reduction
from csq_assets.warehouse.rows import (
    create_rows,
    drop_rows,
    find_arriving,
    find_moved,
    forget_moved,
    scratch,
    write_arriving,
    write_verdict,
)
from csq_assets.warehouse.users import MergedUsers
from csq_assets.warehouse.views import hide_table, show_all_events, show_table

# Where more rows move than half the table has, and so many, a replay is faster and takes less memory.
_MANY_ROWS = 100_000


def refresh_table(
    connection: DuckDBPyConnection,
    table: str,
    dumps: Sequence[DumpContent],
    *,
    rebuild: bool = False,
) -> TableAudit:
    """Make `csq.<table>` what `dumps`, those that its plan applies, and the identity map say.

    Only rows that came, and those of users that changed, are touched, if all that was applied before
    still counts; else, and if asked to `rebuild`, the table is replayed. Without dumps it is dropped.
    Readers see the table before or after. Raises StorageError, after which nothing has changed.
    """
    with transaction(connection):
        before = read_state(connection, table)
        if not dumps:
            return _drop(connection, table, before)
        work = _plan_work(table, before, dumps, rebuild=rebuild)
        version = identity_version(connection)
        if before is not None and work.is_nothing and before.identity_version == version:
            return _standing(connection, table, before)
        with scratch(connection):
            return _refresh(connection, table, work, version)


def drop_table(connection: DuckDBPyConnection, table: str) -> TableAudit:
    """Remove the table, as if no dump had ever brought it."""
    return refresh_table(connection, table, ())


@dataclass(frozen=True, slots=True, eq=False)
class _Work:
    """What a refresh has to do. `before` is the state that it starts from, empty for a replay;
    `known` is that of the ledger.
    """

    known: TableState | None
    before: TableState
    counting: tuple[DumpContent, ...]
    new: tuple[DumpContent, ...]
    replay: bool = False

    @property
    def is_nothing(self) -> bool:
        return not self.new and not self.replay

    def anew(self) -> "_Work":
        """The same by a replay."""
        before = TableState(self.before.kind, self.before.columns, identity_version=0, dumps=())
        return _Work(self.known, before, self.counting, new=self.counting, replay=True)


def _plan_work(
    table: str, known: TableState | None, dumps: Sequence[DumpContent], *, rebuild: bool
) -> _Work:
    """Append where all that was applied still counts: the order key says which row wins, so that a
    late increment needs no replay. What was dropped as a duplicate can only come back by one.
    """
    newest = max(dumps, key=lambda dump: dump.dump_id)
    kind = kind_of(table, newest.columns)
    counting = (newest,) if kind is TableKind.USER_MIGRATIONS else tuple(dumps)
    counting = tuple(sorted(counting, key=lambda dump: dump.dump_id))
    before = TableState(kind, newest.columns, identity_version=0, dumps=())
    if known is not None and known.kind is kind and not rebuild:
        applied = {(dump.dump_id, dump.content) for dump in known.dumps}
        if applied <= {(dump.dump_id, dump.content) for dump in counting}:
            new = [dump for dump in counting if (dump.dump_id, dump.content) not in applied]
            before = replace(known, columns=newest.columns)
            return _Work(known, before, counting, tuple(new))
    return _Work(known, before, counting, counting).anew()


def _refresh(connection: DuckDBPyConnection, table: str, work: _Work, version: int) -> TableAudit:
    """Find what arrives and what moves, judge it, write it, and the ledger with it."""
    before = work.before
    if work.replay:
        create_rows(connection, table)
    moved = find_moved(connection, table, version if work.replay else before.identity_version)
    if moved > _MANY_ROWS and moved > before.rows_delivered // 2:
        forget_moved(connection)
        return _refresh(connection, table, work.anew(), version)
    reduction = _reduction(connection, table, before.kind, replayed=work.replay)
    with keep_single_open(work.new) as dumps:
        arrived = find_arriving(connection, dumps)
        reduction.judge()
        write_verdict(connection, table)
        write_arriving(connection, table, arrived)
    outcome = reduction.finish()
    applied = [AppliedDump(found.dump.dump_id, found.dump.content, found.rows) for found in arrived]
    state = TableState(
        kind=before.kind,
        columns=before.columns,
        identity_version=version,
        dumps=(*before.dumps, *applied),
        duplicates=before.duplicates + outcome.duplicates,
        merged=before.merged + outcome.merged,
        duplicated_keys=outcome.duplicated_keys,
    )
    _write_state(connection, table, work, state)
    rows_in = sum(found.rows for found in arrived)
    return replace(
        _standing(connection, table, state),
        change="replayed" if work.replay else "appended",
        rows_in=rows_in,
        rows_new=rows_in - outcome.rows_updated - outcome.rows_lost,
        rows_updated=outcome.rows_updated,
        rows_reresolved=moved,
        duplicates_dropped=outcome.duplicates,
        users_merged=outcome.merged,
        judged_all=work.replay,
    )


def _reduction(
    connection: DuckDBPyConnection, table: str, kind: TableKind, *, replayed: bool
) -> Reduction:
    if kind is TableKind.USERS:
        return MergedUsers(connection, table, replayed=replayed)
    if kind is TableKind.SESSIONS:
        return NewestOfKey(connection, table, "session_id", replayed=replayed)
    if kind is TableKind.EVENTS:
        return NewestOfKey(connection, table, "event_id", replayed=replayed)
    return KeepAll(connection)


def _write_state(
    connection: DuckDBPyConnection, table: str, work: _Work, state: TableState
) -> None:
    """Write the ledger, and define the views again where columns came, went or are stored anew."""
    known = work.known
    write_state(connection, table, known, state)
    if known is not None and known.columns == state.columns and not work.replay:
        return
    show_table(connection, table, state.kind, state.columns)
    if TableKind.EVENTS in (state.kind, known.kind if known else None):
        show_all_events(connection)


def _drop(connection: DuckDBPyConnection, table: str, before: TableState | None) -> TableAudit:
    if before is None:
        return TableAudit(table)
    hide_table(connection, table)
    drop_rows(connection, table)
    forget_state(connection, table)
    if before.kind is TableKind.EVENTS:
        show_all_events(connection)
    return TableAudit(table, change="dropped")


def _standing(connection: DuckDBPyConnection, table: str, state: TableState) -> TableAudit:
    """The facts as they stand. What is shown is counted, not reckoned."""
    rows = f"csq_rows.{quote(table)}"
    return TableAudit(
        table,
        rows_delivered=state.rows_delivered,
        rows_kept=count(connection, f"SELECT count(*) FROM {rows} WHERE shown"),
        duplicates_total=state.duplicates,
        merged_total=state.merged,
        duplicated_keys=state.duplicated_keys,
    )
