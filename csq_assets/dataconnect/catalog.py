"""What was seen of an export: its manifests with their tables, and its reports."""

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from csq_assets.dataconnect.manifest import Manifest
from csq_assets.dataconnect.sync_report import SyncReport
from csq_assets.dataconnect.tables import (
    PROPERTY_DEFINITIONS,
    Names,
    claim_names,
    is_full_resync,
)

_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Delivered:
    """One object of an export. `key` counts from the root of the bucket; `modified` is in UTC."""

    key: str
    etag: str
    size_bytes: int
    modified: datetime


@dataclass(frozen=True, slots=True)
class SeenManifest:
    """A valid manifest. `content` is its SHA-256; `tables` are the names it lists, in its order, and
    `full_resyncs` those of them that it delivers complete."""

    object: Delivered
    content: str
    dump_id: int
    tables: tuple[str, ...]
    full_resyncs: tuple[str, ...] = ()
    has_definitions: bool = False


@dataclass(frozen=True, slots=True)
class SeenReport:
    """A sync report. One that cannot be read says nothing, and `problem` tells why."""

    object: Delivered
    report: SyncReport
    problem: str | None = None

    @property
    def age_key(self) -> tuple[datetime, datetime]:
        """The newest report has the greatest. Source: contract.md, "When to take a dump"."""
        modified = self.object.modified
        return self.report.finish_time or self.report.start_time or modified, modified


@dataclass(frozen=True, slots=True)
class Catalog:
    """All that was seen, as it stood when the export was last listed.

    `unreadable` tells of each manifest that is not valid now, in words.
    """

    manifests: tuple[SeenManifest, ...] = ()
    reports: tuple[SeenReport, ...] = ()
    unreadable: tuple[str, ...] = ()

    def dumps(self) -> dict[int, SeenManifest]:
        """The manifest that counts for each dump, lowest id first: of two, the one written later."""
        newest: dict[int, SeenManifest] = {}
        for seen in sorted(
            self.manifests, key=lambda seen: (seen.object.modified, seen.object.key)
        ):
            newest[seen.dump_id] = seen
        return dict(sorted(newest.items()))

    @property
    def fingerprint(self) -> str:
        """A digest of the dumps and their manifests."""
        contents = [(seen.dump_id, seen.content) for seen in self.dumps().values()]
        return hashlib.sha256(repr(contents).encode()).hexdigest()[:16]

    def sync_interval(self) -> timedelta | None:
        """The time from one sync to the next, to the hour, as the reports announced it most often."""
        announced = Counter(
            round((report.next_sync_at - finished) / _HOUR)
            for report in (seen.report for seen in self.reports)
            if report.next_sync_at and (finished := report.finish_time or report.start_time)
        )
        hours = max(announced, key=lambda hours: announced[hours], default=0)
        return hours * _HOUR if hours > 0 else None

    def dumps_without(self, table: str) -> tuple[int, ...]:
        """The dumps that do not list the table, or the property definitions."""
        return tuple(
            dump_id
            for dump_id, seen in self.dumps().items()
            if table not in seen.tables
            and not (table == PROPERTY_DEFINITIONS and seen.has_definitions)
        )

    def names(self, skips: Callable[[str], bool]) -> Names:
        """The tables by the names they take, those of lower dumps first. A skipped one takes none."""
        tables = dict.fromkeys(table for seen in self.dumps().values() for table in seen.tables)
        return claim_names(table for table in tables if not skips(table))

    def newest_report(self) -> SeenReport | None:
        """The newest report that can be read."""
        readable = (seen for seen in self.reports if seen.problem is None)
        return max(readable, key=lambda seen: seen.age_key, default=None)


def see_manifest(delivered: Delivered, content: str, manifest: Manifest) -> SeenManifest:
    """What the catalog keeps of a manifest."""
    return SeenManifest(
        object=delivered,
        content=content,
        dump_id=manifest.dump_id,
        tables=tuple(dump.table for dump in manifest.tables),
        full_resyncs=tuple(
            dump.table
            for dump in manifest.tables
            if is_full_resync(dump.table, incremental=dump.incremental)
        ),
        has_definitions=manifest.property_definitions is not None,
    )
