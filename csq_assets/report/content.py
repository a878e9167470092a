"""What the report says, as values: apart from how they are found and how they look."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, Literal, TypeAlias, TypeVar

from csq_assets.dataconnect.check_registry import Finding, Severity
from csq_assets.dataconnect.plan import DumpStatus
from csq_assets.dataconnect.wording import count
from csq_assets.status import TableStatus

Level: TypeAlias = Literal["fine", "warning", "error", "empty"]
TableDumpStatus: TypeAlias = DumpStatus | Literal["pending"]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Excerpt(Generic[T]):
    """Those that the report shows, and the number of the others."""

    shown: tuple[T, ...]
    left_out: int = 0

    @property
    def total(self) -> int:
        return len(self.shown) + self.left_out


@dataclass(frozen=True, slots=True)
class Remark:
    """Something that is not well. `kind` is "failed", "refused", or the name of a check; `remedy` is
    empty where `text` says it."""

    severity: Severity
    kind: str
    text: str
    remedy: str = ""
    dump_id: int | None = None
    tried_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Concern:
    """All that is not well with one table, or with one asset that is no table."""

    place: str
    remarks: tuple[Remark, ...]

    @property
    def severity(self) -> Severity:
        is_error = any(one.severity == Severity.ERROR for one in self.remarks)
        return Severity.ERROR if is_error else Severity.WARN


@dataclass(frozen=True, slots=True)
class Sync:
    """One sync report of Contentsquare's. Times are in UTC; None where the report has none."""

    name: str
    status: str
    succeeded: bool
    at: datetime  # finished, or else started, or else written
    duration: timedelta | None
    error: str | None


@dataclass(frozen=True, slots=True)
class TableDump:
    """One table of one dump. `rows` are those in the lake, and `incremental` speaks of them.

    `delivered` is when the manifest was written; `drift` is what `column_drift` found, where it did not
    pass.
    """

    dump_id: int
    table: str
    delivered: datetime | None
    incremental: bool
    rows: int
    status: TableDumpStatus
    drift: Finding | None = None


@dataclass(frozen=True, slots=True)
class Dump:
    """One dump over all its tables: rows in the lake, and how many tables failed or changed."""

    dump_id: int
    delivered: datetime | None
    rows_of_increments: int = 0
    rows_of_full_resyncs: int = 0
    tables_failed: int = 0
    tables_widened: int = 0  # columns were added, and none was removed or retyped
    tables_broken: int = 0  # a column was removed or retyped

    @property
    def rows(self) -> int:
        return self.rows_of_increments + self.rows_of_full_resyncs


@dataclass(frozen=True, slots=True)
class TableHistory:
    """One table as it is, and those of the dumps shown that list it, oldest first."""

    status: TableStatus
    dumps: tuple[TableDump, ...]

    @property
    def is_complete(self) -> bool:
        return not (self.status.failed or self.status.held or self.status.pending)

    @property
    def by_dump(self) -> dict[int, TableDump]:
        return {one.dump_id: one for one in self.dumps}


@dataclass(frozen=True, slots=True)
class Report:
    """A whole report.

    `concerns`: errors first. `syncs`, `dumps`: oldest first, the newest are shown. `tables`: incomplete
    ones first, then the largest. `drifts`: newest first. `next_sync`: when Contentsquare announced it
    for. `migrations`: the dumps shown of `user_migrations`, each complete. `rows`: of current tables.
    `users_merged`: ids that resolve to another one.
    """

    made_at: datetime
    export_url: str
    lake_url: str
    ui_url: str | None
    dumps_known: int
    dumps_pending: int
    waiting: tuple[int, ...]
    wait_reason: str
    rows: int
    users_merged: int
    errors: int
    warnings: int
    next_sync: datetime | None
    concerns: Excerpt[Concern]
    syncs: Excerpt[Sync]
    dumps: Excerpt[Dump]
    tables: Excerpt[TableHistory]
    drifts: Excerpt[TableDump]
    migrations: tuple[TableDump, ...]

    @property
    def level(self) -> Level:
        if self.errors:
            return "error"
        if self.warnings:
            return "warning"
        return "fine" if self.dumps_known else "empty"

    @property
    def pairs_by_dump(self) -> dict[int, int]:
        return {one.dump_id: one.rows for one in self.migrations}

    @property
    def headline(self) -> str:
        """Whether all is fine, in a sentence."""
        errors = count(self.errors, "problem needs", "problems need") + " action"
        warnings = count(self.warnings, "warning", "warnings")
        if self.errors:
            return f"{errors}{f', and {warnings}' if self.warnings else ''}."
        if self.warnings:
            return f"Nothing failed. {warnings}."
        return "Everything is fine." if self.dumps_known else "No dump was seen yet."
