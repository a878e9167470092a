"""Looks at an export: which manifests and reports are there, and which are new."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from csq_assets.dataconnect.catalog import (
    Catalog,
    Delivered,
    SeenManifest,
    SeenReport,
    see_manifest,
)
from csq_assets.dataconnect.delivered_json import refuse_oversized
from csq_assets.dataconnect.manifest import parse_manifest
from csq_assets.dataconnect.sync_report import SyncReport, parse_sync_report
from csq_assets.errors import CsqError, DeliveryError, ManifestError, StorageError
from csq_assets.lake.documents import LakeDocuments, content_hash, side_by_side
from csq_assets.lake.export import Export

Seen = TypeVar("Seen", SeenManifest, SeenReport)


@dataclass(frozen=True, slots=True)
class Discovery:
    """The catalog as it is now, and what is new in it, oldest first. A manifest that was only
    written again, with the same content, is not new."""

    catalog: Catalog
    new_manifests: tuple[SeenManifest, ...]
    new_reports: tuple[SeenReport, ...]


def discover(export: Export, documents: LakeDocuments) -> Discovery:
    """List the export, read what is new or changed, and remember it in the lake.

    A manifest that cannot be read is told, and read again by the next look; what an earlier one
    under its name said stays known. Objects that have gone from the export stay known too.
    """
    known = documents.catalog()
    manifests: dict[SeenManifest, bytes] = {}
    unreadable: list[str] = []
    for delivered, body in _read_unknown(export, export.list_manifests(), known.manifests):
        try:
            if isinstance(body, CsqError):
                raise body
            seen = see_manifest(delivered, content_hash(body), parse_manifest(body))
            manifests[seen] = body
        except (ManifestError, StorageError) as error:
            error.remedy = error.remedy or "Ask Contentsquare to redeliver it."
            unreadable.append(str(error.at(manifest=delivered.key)))
    unknown_reports = _read_unknown(export, export.list_sync_reports(), known.reports)
    reports = [_see_report(delivered, body) for delivered, body in unknown_reports]

    # Without a catalog, a pass died before it could report what it saw.
    remembered = known.manifests if documents.has_catalog() else ()
    known_contents = {(seen.dump_id, seen.content) for seen in remembered}
    catalog = Catalog(
        manifests=_merged(known.manifests, manifests, lambda one: (one.object.key, one.dump_id)),
        reports=_merged(known.reports, reports, lambda one: one.object.key),
        unreadable=tuple(unreadable),
    )
    counting = catalog.dumps()
    kept = {
        seen.dump_id: body for seen, body in manifests.items() if counting[seen.dump_id] == seen
    }
    side_by_side(lambda dump_id: documents.keep_manifest(dump_id, kept[dump_id]), kept)
    if catalog != known:
        documents.save_catalog(catalog)
    return Discovery(
        catalog,
        new_manifests=tuple(
            sorted(
                (seen for seen in manifests if (seen.dump_id, seen.content) not in known_contents),
                key=lambda one: one.dump_id,
            )
        ),
        new_reports=tuple(sorted(reports, key=lambda one: one.age_key)),
    )


def _read_unknown(
    export: Export, listed: Iterable[Delivered], seen: Iterable[SeenManifest | SeenReport]
) -> Iterator[tuple[Delivered, bytes | CsqError]]:
    """The objects that are not known as they are now, by name, with their bytes, or with why those
    could not be had."""

    def read(delivered: Delivered) -> bytes | CsqError | None:
        try:
            refuse_oversized(delivered.size_bytes, ManifestError)
            return export.read(delivered)
        except FileNotFoundError:  # gone between listing and reading
            return None
        except (ManifestError, StorageError) as error:
            return error

    known = {one.object for one in seen}
    unknown = sorted((found for found in listed if found not in known), key=lambda found: found.key)
    for delivered, body in zip(unknown, side_by_side(read, unknown), strict=True):
        if body is not None:
            yield delivered, body


def _see_report(delivered: Delivered, body: bytes | CsqError) -> SeenReport:
    try:
        if isinstance(body, CsqError):
            raise body  # if its bytes cannot be had, the pass ends: they decide what is taken
        return SeenReport(delivered, parse_sync_report(body))
    except DeliveryError as error:
        return SeenReport(delivered, SyncReport(), str(error.at(report=delivered.key)))


def _merged(
    known: Iterable[Seen], new: Iterable[Seen], name: Callable[[Seen], object]
) -> tuple[Seen, ...]:
    return tuple({name(one): one for one in (*known, *new)}.values())
