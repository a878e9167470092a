"""Decodes tables of dumps into the lake, has the partitions judged, and keeps the ledger."""

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

import polars as pl

from csq_assets.dataconnect.ledger import Content, DumpRecord, Failure, TableRecord, take_manifest
from csq_assets.dataconnect.manifest import Manifest, TableDump
from csq_assets.dataconnect.property_definitions import read_property_definitions
from csq_assets.dataconnect.raw_table import RawPartition, write_partition
from csq_assets.dataconnect.tables import PROPERTY_DEFINITIONS
from csq_assets.errors import CsqError, StorageError
from csq_assets.lake.documents import side_by_side
from csq_assets.lake.export import Export
from csq_assets.lake.judging import Judge, Judged, footer_of
from csq_assets.lake.locations import Lake
from csq_assets.lake.store import Written


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one table of one dump: `error`, or all the rest.

    `judged` is the partition itself first; then the next dump of the table, if this one came late.
    `unjudged` tells why a partition, this one or the one it is compared with, could not be read.
    """

    dump_id: int
    table: str
    incremental: bool
    error: CsqError | None = None
    location: str = ""
    rows: int = 0
    files: int = 0
    bytes_read: int = 0
    size_bytes: int = 0
    digest: str = ""
    seconds: float = 0.0
    schema: pl.Schema | None = None
    avro_types: Mapping[str, tuple[str, ...]] | None = None
    judged: tuple[Judged, ...] = ()
    unjudged: CsqError | None = None


class Decoding:
    """One pass over dumps: what it learns of one serves the next. Not for several threads."""

    def __init__(self, export: Export, lake: Lake, now: Callable[[], datetime]) -> None:
        self._export = export
        self._store = lake.store
        self._documents = lake.documents
        self._now = now
        self._records = lake.documents.records()
        self._judge = Judge(lake.store, self.contents)
        self._manifest: tuple[int, Manifest] | None = None

    def take_each(self, dump_ids: Iterable[int]) -> None:
        """Enter the newest manifest of each dump into the ledger, of several at once; tables that it
        does not list any more go.

        Raises StorageError where no manifest of one was kept.
        """
        self._in_lake  # noqa: B018 - looked up before threads share it
        side_by_side(self._take, dump_ids)

    def take(self, dump_id: int) -> Manifest:
        """The same of one dump; gives the manifest."""
        if self._manifest is None or self._manifest[0] != dump_id:
            self._manifest = dump_id, self._take(dump_id)
        return self._manifest[1]

    def _take(self, dump_id: int) -> Manifest:
        manifest, content = self._documents.manifest(dump_id)
        known = self._documents.record(dump_id)
        record = take_manifest(manifest, content, known)
        for old in known.tables if known else ():
            if record.table(old.table) is None:
                # Before the ledger forgets it: so a killed process leaves none behind.
                self._store.delete(old.table, dump_id)
                self._in_lake.discard((old.table, dump_id))
        if record != known:
            self._save(record)
        self._records[dump_id] = record
        return manifest

    def decode(self, dump_id: int, table: str) -> Outcome | None:
        """Publish one table of one dump in the lake; None where the dump does not list the table.

        What is wrong with the delivery is in the outcome, and in the ledger.
        """
        manifest = self.take(dump_id)
        record = self._records[dump_id].table(table)
        if record is None:
            return None
        started = time.perf_counter()
        try:
            dump = manifest.table(table)
            if dump is None or table == PROPERTY_DEFINITIONS:
                outcome = self._keep_definitions(manifest)
            else:
                outcome = self._decode_table(dump)
        except CsqError as error:
            return self._failed(record, dump_id, error.at(dump=dump_id, table=table))
        self._succeeded(record, outcome)
        outcome = self._judge_with_next(outcome)
        return replace(outcome, seconds=time.perf_counter() - started)

    def judge(self, dump_id: int, table: str) -> Judged:
        """What the checks find on a partition that is in the lake."""
        judged = self._judge.judge(dump_id, table)
        record = self._records[dump_id].table(table)
        findings = tuple(finding for finding in judged.findings if not finding.passed)
        if record is not None and record.findings != findings:
            self._enter(dump_id, replace(record, findings=findings))
        return judged

    def contents(self, table: str) -> Iterator[int]:
        """The dumps whose partition of the table is in the lake."""
        for dump_id, dump in self._records.items():
            record = dump.table(table)
            if record is not None and record.content and (table, dump_id) in self._in_lake:
                yield dump_id

    @cached_property
    def _in_lake(self) -> set[tuple[str, int]]:
        return set(self._store.partitions())

    def _decode_table(self, dump: TableDump) -> Outcome:
        def write(partition: RawPartition) -> tuple[RawPartition, Written]:
            written = self._store.write(
                dump.table,
                dump.dump_id,
                partition.schema,
                partition.frames(),
                footer=lambda: footer_of(partition.raw_schema, partition.totals),
            )
            return partition, written

        partition, written = write_partition(
            dump,
            self._export.open_file,
            write,
            workers=os.cpu_count() or 1,
            ahead=self._export.objects.at_once,
        )
        self._judge.learn(dump.table, dump.dump_id, partition.raw_schema, partition.totals)
        return Outcome(
            dump_id=dump.dump_id,
            table=dump.table,
            incremental=dump.incremental,
            location=written.location,
            rows=partition.totals.rows,
            files=partition.totals.files,
            bytes_read=partition.totals.bytes_read,
            size_bytes=written.size_bytes,
            digest=written.digest,
            schema=partition.schema,
            avro_types={
                column.name: column.types for column in partition.raw_schema.file_columns or ()
            },
        )

    def _keep_definitions(self, manifest: Manifest) -> Outcome:
        path = manifest.property_definitions or ""
        with self._export.open_file(path) as file:
            body = file.read()
        frame = read_property_definitions(manifest.dump_id, path, body)
        written = self._store.write(
            PROPERTY_DEFINITIONS, manifest.dump_id, frame.schema, iter([frame]), dict
        )
        return Outcome(
            dump_id=manifest.dump_id,
            table=PROPERTY_DEFINITIONS,
            incremental=False,
            location=written.location,
            rows=1,
            files=1,
            bytes_read=len(body),
            size_bytes=written.size_bytes,
            digest=written.digest,
            schema=frame.schema,
        )

    def _judge_with_next(self, outcome: Outcome) -> Outcome:
        dump_id, table = outcome.dump_id, outcome.table
        if table == PROPERTY_DEFINITIONS:
            return outcome
        later = min((one for one in self.contents(table) if one > dump_id), default=None)
        for one in (dump_id, later):
            try:
                judged = () if one is None else (self.judge(one, table),)
            except StorageError as error:
                return replace(outcome, unjudged=error)
            outcome = replace(outcome, judged=(*outcome.judged, *judged))
        return outcome

    def _succeeded(self, record: TableRecord, outcome: Outcome) -> None:
        content = Content(
            manifest=self._records[outcome.dump_id].manifest,
            incremental=outcome.incremental,
            files=record.files,
            rows=outcome.rows,
            digest=outcome.digest,
        )
        self._in_lake.add((outcome.table, outcome.dump_id))
        self._enter(outcome.dump_id, replace(record, content=content, failure=None, findings=()))

    def _failed(self, record: TableRecord, dump_id: int, error: CsqError) -> Outcome:
        file = error.where.get("file")
        failure = Failure(
            manifest=self._records[dump_id].manifest,
            error=str(error),
            at=self._now(),
            file=None if file is None else str(file),
            file_state=None if file is None else self._file_state(str(file)),
        )
        if (record.table, dump_id) not in self._in_lake:  # lost, so there is none in force
            record = replace(record, content=None, findings=())
        self._enter(dump_id, replace(record, failure=failure))
        return Outcome(dump_id, record.table, record.incremental, error)

    def _file_state(self, path: str) -> str | None:
        try:
            return self._export.file_state(path)
        except CsqError:  # a path that is refused, or a place that cannot be reached
            return None

    def _enter(self, dump_id: int, record: TableRecord) -> None:
        self._save((self._documents.record(dump_id) or self._records[dump_id]).with_table(record))

    def _save(self, record: DumpRecord) -> None:
        self._records[record.dump_id] = record
        self._documents.save_record(record)
