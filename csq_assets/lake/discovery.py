"""Looks at an export: which manifests and reports are there, and which are new."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from csq_assets.dataconnect.catalog import (
    Catalog,
    Delivered,
    SeenManifest,
    SeenReport,
    see_manifest,
)
from csq_assets.dataconnect.manifest import parse_manifest
from csq_assets.dataconnect.sync_report import SyncReport, parse_sync_report
from csq_assets.errors import DeliveryError, ManifestError
from csq_assets.lake.documents import LakeDocuments, content_hash, read_many
from csq_assets.lake.export import Export

Seen = TypeVar("Seen", SeenManifest, SeenReport)


@dataclass(frozen=True, slots=True)
class Discovery:
    """The catalog as it is now, the manifests that cannot be read, and the reports that are new."""

    catalog: Catalog
    unreadable: tuple[ManifestError, ...]
    new_reports: tuple[SeenReport, ...]


def discover(export: Export, documents: LakeDocuments) -> Discovery:
    """List the export, read what is new or changed, and remember it in the lake.

    A manifest that cannot be read is told and tried again by the next look; what an earlier one under
    its name said stays known. Objects that have gone from the export stay known too.
    """
    known = documents.catalog()
    manifests = _read_changed(export, export.list_manifests(), known.manifests, _see_manifest)
    reports = _read_changed(export, export.list_sync_reports(), known.reports, _see_report)
    seen = [found for found, _ in manifests if isinstance(found, SeenManifest)]
    catalog = Catalog(
        manifests=_merged(known.manifests, seen, lambda one: (one.object.key, one.dump_id)),
        reports=_merged(
            known.reports, (report for report, _ in reports), lambda one: one.object.key
        ),
    )
    counting = catalog.dumps()
    for found, body in manifests:
        if isinstance(found, SeenManifest) and counting[found.dump_id] == found:
            documents.keep_manifest(found.dump_id, body)
    if catalog != known:
        documents.save_catalog(catalog)
    return Discovery(
        catalog,
        unreadable=tuple(found for found, _ in manifests if isinstance(found, ManifestError)),
        new_reports=tuple(sorted((report for report, _ in reports), key=lambda one: one.age_key)),
    )


def _read_changed(
    export: Export,
    listed: Iterable[Delivered],
    known: Iterable[Seen],
    see: Callable[[Delivered, bytes], Seen | ManifestError],
) -> list[tuple[Seen | ManifestError, bytes]]:
    """Read the objects that are not known as they are, by name."""
    unchanged = {seen.object for seen in known}
    changed = sorted(
        (found for found in listed if found not in unchanged), key=lambda found: found.key
    )

    def read(delivered: Delivered) -> tuple[Seen | ManifestError, bytes] | None:
        try:
            body = export.read(delivered)
        except FileNotFoundError:  # gone between listing and reading
            return None
        return see(delivered, body), body

    return [found for found in read_many(read, changed) if found is not None]


def _see_manifest(delivered: Delivered, body: bytes) -> SeenManifest | ManifestError:
    try:
        return see_manifest(delivered, content_hash(body), parse_manifest(body))
    except ManifestError as error:
        return error.at(manifest=delivered.key)


def _see_report(delivered: Delivered, body: bytes) -> SeenReport:
    try:
        return SeenReport(delivered, parse_sync_report(body))
    except DeliveryError as error:
        return SeenReport(delivered, SyncReport(), str(error.at(report=delivered.key)))


def _merged(
    known: Iterable[Seen], new: Iterable[Seen], name: Callable[[Seen], object]
) -> tuple[Seen, ...]:
    return tuple({name(one): one for one in (*known, *new)}.values())
