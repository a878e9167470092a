"""What was seen, taken and found, in few words: catalogs, ledgers and findings for tests."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from csq_assets.dataconnect.catalog import Catalog, Delivered, SeenManifest, SeenReport
from csq_assets.dataconnect.check_registry import Finding, Severity
from csq_assets.dataconnect.dump_records import Content, DumpRecord, Failure, TableRecord
from csq_assets.dataconnect.sync_report import SyncReport


def at(hour: int, minute: int = 0, day: int = 1) -> datetime:
    """A time in March 2026."""
    return datetime(2026, 3, day, hour, minute, tzinfo=UTC)


NOON = at(12)


def delivered(key: str, modified: datetime = NOON) -> Delivered:
    return Delivered(key, "etag", 100, modified)


def manifest(  # a manifest has many fields
    dump_id: int,
    *tables: str,
    modified: datetime = NOON,
    content: str = "a",
    full_resyncs: tuple[str, ...] = (),
    has_definitions: bool = False,
    name: str | None = None,
) -> SeenManifest:
    key = f"manifests/{name or f'sync_{dump_id}.json'}"
    seen = delivered(key, modified)
    return SeenManifest(seen, content, dump_id, tables, full_resyncs, has_definitions)


def report(  # noqa: PLR0913  # a report has many fields
    name: str = "r.json",
    status: str | None = "succeeded",
    *,
    start: datetime | None = None,
    finish: datetime | None = None,
    next_sync_at: datetime | None = None,
    error: str | None = None,
    modified: datetime = NOON,
    problem: str | None = None,
) -> SeenReport:
    said = SyncReport(start, finish, status, next_sync_at, error)
    return SeenReport(delivered(f"sync_reports/{name}", modified), said, problem)


def catalog(
    *manifests: SeenManifest, reports: Iterable[SeenReport] | None = None, unreadable: str = ""
) -> Catalog:
    """With a report that says succeeded, unless others are given."""
    reports = (report(finish=at(5, 30)),) if reports is None else tuple(reports)
    return Catalog(manifests, reports, (unreadable,) if unreadable else ())


def applied(
    table: str, content: str = "a", *, incremental: bool = True, rows: int = 1
) -> TableRecord:
    """A table whose partition follows the manifest with that content."""
    written = Content(content, incremental, files=1, rows=rows, digest="0")
    return TableRecord(table, incremental, files=1, content=written)


def failed(table: str, content: str = "a", *, incremental: bool = True) -> TableRecord:
    """A table whose newest try failed, and that has nothing of an earlier one."""
    failure = Failure(content, "there is no such file", NOON)
    return TableRecord(table, incremental, files=1, failure=failure)


def records(
    dumps: Mapping[int, Iterable[TableRecord]], content: str = "a"
) -> dict[int, DumpRecord]:
    return {
        dump_id: DumpRecord(dump_id, content, tuple(tables)) for dump_id, tables in dumps.items()
    }


def passed(check: str, severity: Severity, description: str) -> Finding:
    return Finding(check, passed=True, severity=severity, description=description)


def not_passed(check: str, severity: Severity, description: str) -> Finding:
    return Finding(check, passed=False, severity=severity, description=description)
