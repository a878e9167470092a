"""What a partition keeps in its own file for its checks: columns, types, nulls in keys."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl
from pydantic import TypeAdapter, ValidationError

from csq_assets.dataconnect.checks import Finding, RawFacts, evaluate
from csq_assets.dataconnect.drift import compare
from csq_assets.dataconnect.dump_records import Content
from csq_assets.dataconnect.raw_schema import DecodeTotals, RawSchema
from csq_assets.dataconnect.tables import PROPERTY_DEFINITIONS
from csq_assets.errors import StorageError
from csq_assets.lake.store import LakeStore


@dataclass(frozen=True, slots=True)
class PartitionFacts:
    """The columns of one table in one dump, and what decoding it counted."""

    schema: RawSchema
    totals: DecodeTotals


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a partition comes from: the SHA-256 of its manifest, and what that says of the table."""

    manifest: str
    incremental: bool
    files: int


_NAMES: Mapping[type, str] = {
    RawSchema: "csq.schema",
    DecodeTotals: "csq.totals",
    Origin: "csq.origin",
}
_ADAPTERS: Mapping[type, TypeAdapter[Any]] = {kind: TypeAdapter(kind) for kind in _NAMES}


def footer_of(*parts: RawSchema | DecodeTotals | Origin) -> dict[str, str]:
    """What the footer of the partition's file keeps, as text."""
    return {_NAMES[type(one)]: _ADAPTERS[type(one)].dump_json(one).decode() for one in parts}


def read_content(store: LakeStore, table: str, dump_id: int) -> Content:
    """What the ledger says of a partition, found again from its file.

    Raises StorageError where it is missing, damaged, or was not written by csq_assets.
    """
    (origin,) = _read_footer(store, table, dump_id, Origin)
    with store.rows(table, dump_id) as found:
        rows = found.select(pl.len()).collect().item()
    digest, forgotten = store.digest(table, dump_id), read_forgotten(store, table, dump_id)
    return Content(origin.manifest, origin.incremental, origin.files, rows, digest, forgotten)


def read_forgotten(store: LakeStore, table: str, dump_id: int) -> int:
    """The rows of forgotten users that are left out of a partition; property definitions have none.

    Raises StorageError where it is missing, damaged, or was not written by csq_assets.
    """
    if table == PROPERTY_DEFINITIONS:
        return 0
    return read_facts(store, table, dump_id).totals.forgotten


def read_facts(store: LakeStore, table: str, dump_id: int) -> PartitionFacts:
    """The facts of a partition that is in the lake.

    Raises StorageError where it is missing, damaged, or was not written by csq_assets.
    """
    return PartitionFacts(*_read_footer(store, table, dump_id, RawSchema, DecodeTotals))


def _read_footer(store: LakeStore, table: str, dump_id: int, *kinds: type) -> list[Any]:
    footer = store.footer(table, dump_id)
    try:
        return [_ADAPTERS[kind].validate_json(footer[_NAMES[kind]]) for kind in kinds]
    except (KeyError, ValidationError) as error:
        raise StorageError(
            f"{store.location(table, dump_id)} was not written by csq_assets",
            where={"dump": dump_id, "table": table},
            remedy="Delete it and run csq sync.",
        ) from error


def evaluate_partition(
    store: LakeStore,
    table: str,
    dump_id: int,
    dump_ids: Iterable[int],
    known: Mapping[int, PartitionFacts] = {},
) -> tuple[Finding, ...]:
    """What the checks find on a partition. Drift is against the numerically previous one of
    `dump_ids`, those of this table. `known` gives facts by dump, so that they are not read from the
    lake.

    Raises StorageError where one of the two partitions cannot be read.
    """
    previous = max((one for one in dump_ids if one < dump_id), default=None)
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
