"""Faults that the harness has to find, and a setting of the SDK: each changes one process."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from boto3.s3.transfer import TransferConfig
from s3transfer.utils import ChunksizeAdjuster

from csq_assets.lake.directory import DirectoryStore
from csq_assets.pipeline.ingest import TableIngest
from csq_assets.warehouse import table_refresh

SMALL_PARTS = "an SDK that sends small parts"
_PART_BYTES = 1024


def plant(name: str) -> None:
    """Let the process have the fault from now on."""
    PLANTED[name]()


def _ledger_before_partition() -> None:
    """The partition is published after the outcome was added to the ledger."""
    publish, write = DirectoryStore.publish, TableIngest.write
    held: list[Callable[[], None]] = []

    def publish_later(store: DirectoryStore, staged: Path, key: str) -> None:
        if not key.endswith(".parquet"):
            publish(store, staged, key)
            return
        kept = store.root / ".staging" / f"planted-{next(_NUMBERS)}"
        kept.write_bytes(staged.read_bytes())
        held.append(lambda: publish(store, kept, key))

    def write_then_publish(ingest: TableIngest, publishing: Any) -> Any:
        ingested = write(ingest, publishing)
        while held:
            held.pop()()
        return ingested

    _replace(DirectoryStore, "publish", publish_later)
    _replace(TableIngest, "write", write_then_publish)


def _commit_in_mid_refresh() -> None:
    """A refresh of a table commits what it has applied before it writes down that it has."""
    refresh = table_refresh.write_state

    def commit_then_write(connection: Any, *arguments: Any) -> Any:
        connection.execute("COMMIT")
        connection.execute("BEGIN TRANSACTION")
        return refresh(connection, *arguments)

    _replace(table_refresh, "write_state", commit_then_write)


def _rename_that_is_none() -> None:
    """What is published is written in place, byte after byte."""

    def write_in_place(store: DirectoryStore, staged: Path, key: str) -> None:
        final = store.root / key
        final.parent.mkdir(parents=True, exist_ok=True)
        with final.open("wb", buffering=0) as file:
            body = staged.read_bytes()
            for start in range(0, len(body), max(len(body) // 2, 1)):
                file.write(body[start : start + max(len(body) // 2, 1)])

    _replace(DirectoryStore, "publish", write_in_place)


def _send_small_parts() -> None:
    """What is larger than a kilobyte is uploaded in several parts, as else what is larger than 8 MB."""
    sizes = dict.fromkeys(("multipart_threshold", "multipart_chunksize"), _PART_BYTES)
    _replace(TransferConfig, "DEFAULTS", {**TransferConfig.DEFAULTS, **sizes})
    adjust = ChunksizeAdjuster.adjust_chunksize

    def adjust_less(adjuster: Any, current_chunksize: int, file_size: int | None = None) -> int:
        adjuster.min_size = _PART_BYTES
        return adjust(adjuster, current_chunksize, file_size)

    _replace(ChunksizeAdjuster, "adjust_chunksize", adjust_less)


def _replace(owner: object, name: str, by: object) -> None:
    setattr(owner, name, by)


_NUMBERS = itertools.count()
PLANTED: dict[str, Callable[[], None]] = {
    "a ledger written before its partition": _ledger_before_partition,
    "a commit in mid-refresh": _commit_in_mid_refresh,
    "a rename that is none": _rename_that_is_none,
    SMALL_PARTS: _send_small_parts,
}
