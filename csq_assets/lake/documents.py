"""What is remembered beside the partitions: manifests, the catalog of what was seen, the ledger."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from csq_assets.dataconnect.catalog import Catalog
from csq_assets.dataconnect.findings import Finding
from csq_assets.dataconnect.ledger import DumpRecord
from csq_assets.dataconnect.manifest import Manifest, parse_manifest
from csq_assets.errors import StorageError
from csq_assets.lake.objects import ObjectStore

K = TypeVar("K")
T = TypeVar("T")

_CATALOG, _FINDINGS = "catalog.json", "findings.json"
_AT_ONCE = 16


class LakeDocuments:
    """JSON documents in the lake: `manifests/<dump_id>.json` as delivered, `ledger/<dump_id>.json`,
    `catalog.json` and `findings.json`. All but the manifests are internal."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects
        self._catalogs = TypeAdapter(Catalog)
        self._records = TypeAdapter(DumpRecord)
        self._all_findings = TypeAdapter(dict[str, tuple[Finding, ...]])

    def catalog(self) -> Catalog:
        """What was seen of the export; empty before the first look."""
        try:
            body = self._objects.read(_CATALOG)
        except FileNotFoundError:
            return Catalog()
        return self._parsed(self._catalogs, _CATALOG, body)

    def save_catalog(self, catalog: Catalog) -> None:
        self._objects.put(_CATALOG, self._catalogs.dump_json(catalog, exclude_defaults=True))

    def keep_manifest(self, dump_id: int, body: bytes) -> None:
        """Keep a manifest as it was delivered, so that tables can be made anew from the lake."""
        self._objects.put(f"manifests/{dump_id}.json", body)

    def manifest(self, dump_id: int) -> tuple[Manifest, str]:
        """The newest manifest of a dump, and the SHA-256 of its content.

        Raises StorageError where none was kept.
        """
        try:
            body = self._objects.read(f"manifests/{dump_id}.json")
        except FileNotFoundError:
            raise StorageError(
                "its manifest is not in the lake",
                where={"dump": dump_id},
                remedy="Run csq sync, which looks for new manifests.",
            ) from None
        return parse_manifest(body), content_hash(body)

    def record(self, dump_id: int) -> DumpRecord | None:
        """The dump as it was taken; None if it never was."""
        key = f"ledger/{dump_id}.json"
        try:
            body = self._objects.read(key)
        except FileNotFoundError:
            return None
        return self._parsed(self._records, key, body)

    def records(self) -> dict[int, DumpRecord]:
        """Every dump that was taken, lowest id first."""
        keys = [found.key for found in self._objects.list("ledger/")]
        names = (key.removeprefix("ledger/").removesuffix(".json") for key in keys)
        dump_ids = sorted(int(name) for name in names if name.isdecimal())
        found = side_by_side(self.record, dump_ids)
        return {record.dump_id: record for record in found if record is not None}

    def save_record(self, record: DumpRecord) -> None:
        body = self._records.dump_json(record, exclude_defaults=True)
        self._objects.put(f"ledger/{record.dump_id}.json", body)

    def findings(self) -> dict[str, tuple[Finding, ...]]:
        """What did not pass on assets without partitions, by asset, when they were last judged."""
        try:
            body = self._objects.read(_FINDINGS)
        except FileNotFoundError:
            return {}
        return self._parsed(self._all_findings, _FINDINGS, body)

    def save_findings(self, findings: Mapping[str, tuple[Finding, ...]]) -> None:
        self._objects.put(_FINDINGS, self._all_findings.dump_json(dict(findings)))

    def _parsed(self, adapter: TypeAdapter[T], key: str, body: bytes) -> T:
        try:
            return adapter.validate_json(body)
        except ValidationError as error:
            raise StorageError(
                f"{self._objects.url}/{key} is damaged: {error.errors()[0]['msg']}",
                remedy="Delete that file and run csq sync: what it said is found out again.",
            ) from error


def content_hash(body: bytes) -> str:
    """What tells one delivery of a manifest from another."""
    return hashlib.sha256(body).hexdigest()


def side_by_side(work: Callable[[K], T], keys: Iterable[K]) -> list[T]:
    """Read or write small documents, several at once; results in the order of the keys."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(work, keys))
