"""Takes the rows of forgotten users out of the partitions that hold them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import polars as pl

from csq_assets.dataconnect.dump_records import Content, Outcome
from csq_assets.dataconnect.raw_schema import DecodeTotals
from csq_assets.dataconnect.tables import IDENTITY_ASSET, PROPERTY_DEFINITIONS, current_asset
from csq_assets.dataconnect.tombstones import Tombstones, is_of, user_columns
from csq_assets.errors import StorageError
from csq_assets.lake.locations import Lake
from csq_assets.lake.objects import ObjectStore
from csq_assets.lake.parquet_files import reading
from csq_assets.lake.partition_facts import footer_of, read_content, read_facts, read_forgotten
from csq_assets.lake.store import LakeStore


@dataclass(frozen=True, slots=True)
class Erased:
    """A partition that was searched: the rows that were taken out of it, and whose they were. `content`
    is what the ledger has of it since; `problem` is why it could not be done."""

    table: str
    dump_id: int
    rows: int = 0
    ids: frozenset[int] = frozenset()
    content: Content | None = None
    problem: StorageError | None = None


def erase_users(lake: Lake, tombstones: Tombstones) -> Iterator[Erased]:
    """Search every partition, and publish those again that hold rows of forgotten users. The ledger
    follows each, also where a kill came between an earlier call and its ledger.

    For one process at a time, while nothing is decoded. Raises StorageError where the lake cannot be
    read at all.
    """
    records = lake.ledger.records()
    for table, dump_id in sorted(lake.store.partitions()):
        if table == PROPERTY_DEFINITIONS:
            continue
        record = records[dump_id].table(table) if dump_id in records else None
        try:
            content = _settle(lake, table, dump_id, record.content if record else None)
            yield _erase(lake, table, dump_id, content, tombstones)
        except StorageError as error:
            yield Erased(table, dump_id, problem=error.at(dump=dump_id, table=table))


def find_users(store: LakeStore, table: str, dump_id: int, tombstones: Tombstones) -> set[int]:
    """The forgotten users of whom the partition has rows. Raises StorageError."""
    with store.rows(table, dump_id) as rows:
        columns = user_columns(table, rows.collect_schema())
        return tombstones.found_in(
            rows.select(pl.col(name).unique()).collect().to_series() for name in columns
        )


def find_in_published(objects: ObjectStore, key: str, tombstones: Tombstones) -> str:
    """The first column of a published file that holds the id of a forgotten user, or none. Raises
    StorageError."""
    table = key.partition("/")[0]
    with reading(f"{objects.url}/{key}", remedy=""):
        rows = objects.scan_parquet(key)
        for name in user_columns(table, rows.collect_schema()):
            if tombstones.found_in([rows.select(pl.col(name).unique()).collect().to_series()]):
                return name
    return ""


def parquet_keys(objects: ObjectStore, prefix: str) -> list[str]:
    """The Parquet files below `prefix`. Raises StorageError."""
    return sorted(one.key for one in objects.list(prefix) if one.key.endswith(".parquet"))


def erased_tables(lake: Lake) -> set[str]:
    """The tables that rows of forgotten users were left or taken out of. What checks found in those
    rows is still in the lake, where an interrupted call did not come to evaluate them."""
    return {
        table.table
        for record in lake.ledger.records().values()
        for table in record.tables
        if table.content is not None and table.content.forgotten
    }


def delete_findings(lake: Lake) -> None:
    """Delete what checks found in such tables: for where no DuckDB file is left to evaluate them in."""
    assets = {IDENTITY_ASSET, *map(current_asset, erased_tables(lake))}
    for relation in lake.documents.relations().values():
        if relation.asset in assets and relation.findings:
            lake.documents.save_relation(replace(relation, findings=()))


def _settle(lake: Lake, table: str, dump_id: int, known: Content | None) -> Content | None:
    """What the ledger has of the partition, made true where a kill came in between."""
    if known is None or known.forgotten == read_forgotten(lake.store, table, dump_id):
        return known
    content = read_content(lake.store, table, dump_id)
    lake.ledger.add(Outcome(dump_id, table, content.manifest, erased=content))
    return content


def _erase(
    lake: Lake, table: str, dump_id: int, content: Content | None, tombstones: Tombstones
) -> Erased:
    ids = find_users(lake.store, table, dump_id, tombstones)
    if not ids:
        return Erased(table, dump_id)

    def kept(rows: pl.LazyFrame) -> pl.LazyFrame:
        return rows.filter(~is_of(table, rows.collect_schema(), ids))

    before = read_facts(lake.store, table, dump_id).totals
    with lake.store.rows(table, dump_id) as rows:
        totals = _count(kept(rows), before)
    digest = content.digest if content else ""
    written = lake.store.rewrite(table, dump_id, kept, footer_of(totals), digest=digest)
    if content is not None:
        content = replace(
            content, rows=totals.rows, digest=written.digest, forgotten=totals.forgotten
        )
        lake.ledger.add(Outcome(dump_id, table, content.manifest, erased=content))
    return Erased(table, dump_id, before.rows - totals.rows, frozenset(ids), content)


def _count(rows: pl.LazyFrame, before: DecodeTotals) -> DecodeTotals:
    nulls = [pl.col(name).null_count().alias(name) for name in before.key_nulls]
    found = rows.select(pl.len().alias("_rows"), *nulls).collect().row(0, named=True)
    left = found.pop("_rows")
    forgotten = before.forgotten + before.rows - left
    return replace(before, rows=left, key_nulls=found, forgotten=forgotten)
