"""Opens the export or the lake at a URL."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from csq_assets.dataconnect.pipeline_state import PipelineState
from csq_assets.lake.directory import DirectoryStore
from csq_assets.lake.documents import LakeDocuments
from csq_assets.lake.export import Export
from csq_assets.lake.ledger import Ledger, LedgerMemory
from csq_assets.lake.objects import ObjectStore
from csq_assets.lake.store import LakeStore


@dataclass(frozen=True, slots=True)
class Lake:
    """The partitions, and the documents beside them."""

    store: LakeStore
    documents: LakeDocuments
    ledger: Ledger

    def state(self, skips: Callable[[str], bool]) -> PipelineState:
        """What the lake remembers now. Raises StorageError where it cannot be read, or is damaged."""
        documents = self.documents
        return PipelineState(
            documents.catalog(), self.ledger.records(), skips, documents.relations()
        )


def open_export(
    url: str,
    manifest_prefix: str,
    s3_client: Callable[[], Any],
    *,
    request_payer: str | None = None,
) -> Export:
    """The export at a directory or an `s3://` URL; `s3_client` is called for the latter."""
    bucket, prefix = bucket_and_prefix(url)
    objects = open_objects(url, s3_client, "CSQ_EXPORT_URL", request_payer)
    return Export(objects, manifest_prefix=manifest_prefix, bucket=bucket, prefix=prefix)


def open_lake(url: str, s3_client: Callable[[], Any]) -> Lake:
    """The lake at a directory or an `s3://` URL; it is made when it is first written. What was read
    of its ledger, this process does not read again.
    """
    return lake_of(open_objects(url, s3_client, "CSQ_LAKE_URL"), _memory_of(url))


def lake_of(objects: ObjectStore, memory: LedgerMemory | None = None) -> Lake:
    """The lake in a place for objects; its ledger has that memory."""
    store, documents = LakeStore(objects), LakeDocuments(objects)
    return Lake(store, documents, Ledger(objects, documents, store, memory or LedgerMemory()))


@cache
def _memory_of(_url: str) -> LedgerMemory:
    return LedgerMemory()


def open_objects(
    url: str, s3_client: Callable[[], Any], setting: str, request_payer: str | None = None
) -> ObjectStore:
    """The objects at a directory or an `s3://` URL, which `setting` names."""
    bucket, prefix = bucket_and_prefix(url)
    if bucket is None:
        must_exist = setting == "CSQ_EXPORT_URL"
        return DirectoryStore(Path(url), setting=setting, must_exist=must_exist)
    from csq_assets.lake.bucket import BucketStore  # noqa: PLC0415 - the AWS SDK takes a second

    return BucketStore(s3_client(), bucket, prefix, setting=setting, request_payer=request_payer)


def bucket_and_prefix(url: str) -> tuple[str | None, str]:
    """Those of an `s3://` URL; no bucket where it is a directory."""
    if not url.startswith("s3://"):
        return None, ""
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    return bucket, prefix
