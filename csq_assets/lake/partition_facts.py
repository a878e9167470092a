"""What a partition keeps in its own file for its checks: columns, types, nulls in keys."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import polars as pl
from pydantic import TypeAdapter, ValidationError

from csq_assets.dataconnect.checks import Finding, RawFacts, evaluate
from csq_assets.dataconnect.drift import compare
from csq_assets.dataconnect.dump_records import Content
from csq_assets.dataconnect.raw_schema import DecodeTotals, RawSchema
from csq_assets.errors import StorageError
from csq_assets.lake.store import LakeStore

T = TypeVar("T")

_SCHEMA, _TOTALS, _ORIGIN = "csq.schema", "csq.totals", "csq.origin"
_SCHEMAS, _ALL_TOTALS = TypeAdapter(RawSchema), TypeAdapter(DecodeTotals)


@dataclass(frozen=True, slots=True)
class PartitionFacts:
    """The columns of one table in one dump, and what decoding it counted."""

    schema: RawSchema
    totals: DecodeTotals

    def footer(self) -> dict[str, str]:
        """As text, for the footer of the partition's file."""
        return {
            _SCHEMA: _SCHEMAS.dump_json(self.schema).decode(),
            _TOTALS: _ALL_TOTALS.dump_json(self.totals).decode(),
        }


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a partition comes from: the SHA-256 of its manifest, and what that says of the table."""

    manifest: str
    incremental: bool
    files: int

    def footer(self) -> dict[str, str]:
        """As text, for the footer of the partition's file."""
        return {_ORIGIN: _ORIGINS.dump_json(self).decode()}


_ORIGINS = TypeAdapter(Origin)


def read_content(store: LakeStore, table: str, dump_id: int) -> Content:
    """What the ledger says of a partition, found again from its file.

    Raises StorageError where it is missing, damaged, or was not written by csq_assets.
    """
    origin = _parsed(store, table, dump_id, _ORIGIN, _ORIGINS)
    rows = store.scan(table, dump_id).select(pl.len()).collect().item()
    digest = store.digest(table, dump_id)
    return Content(origin.manifest, origin.incremental, origin.files, rows, digest)


def read_facts(store: LakeStore, table: str, dump_id: int) -> PartitionFacts:
    """The facts of a partition that is in the lake.

    Raises StorageError where it is missing, damaged, or was not written by csq_assets.
    """
    schema = _parsed(store, table, dump_id, _SCHEMA, _SCHEMAS)
    return PartitionFacts(schema, _parsed(store, table, dump_id, _TOTALS, _ALL_TOTALS))


def _parsed(store: LakeStore, table: str, dump_id: int, name: str, adapter: TypeAdapter[T]) -> T:
    try:
        return adapter.validate_json(store.footer(table, dump_id)[name])
    except (KeyError, ValidationError) as error:
        raise StorageError(
            f"{store.location(table, dump_id)} was not written by csq_assets",
            where={"dump": dump_id, "table": table},
            remedy="Delete it and run csq sync.",
        ) from error


def evaluate_partition(
    store: LakeStore, table: str, dump_id: int, known: Mapping[int, PartitionFacts] = {}
) -> tuple[Finding, ...]:
    """What the checks find on a partition. Drift is against the numerically previous dump that has
    one of this table. `known` gives facts by dump, so that they are not read from the lake.

    Raises StorageError where one of the two partitions cannot be read.
    """
    previous = max((one for one in store.dumps_of(table) if one < dump_id), default=None)
    facts = known.get(dump_id) or read_facts(store, table, dump_id)
    older = facts
    if previous is not None:
        older = known.get(previous) or read_facts(store, table, previous)
    schema = facts.schema
    return evaluate(
        "raw",
        RawFacts(
            dump_id=dump_id,
            previous_dump_id=previous,
            drift=compare(older.schema, schema),
            files=schema.files,
            lacking=schema.lacking,
            extra=schema.extra,
            respelled=schema.respelled,
            nulls={column: count for column, count in facts.totals.key_nulls.items() if count},
            rows=facts.totals.rows,
            replaced=facts.totals.replaced,
        ),
    )
