"""Judges partitions by what stands in their own files: columns, types, nulls in keys."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from csq_assets.dataconnect.checks import Finding, RawFacts, judge
from csq_assets.dataconnect.drift import compare
from csq_assets.dataconnect.raw_schema import DecodeTotals, RawSchema
from csq_assets.errors import StorageError
from csq_assets.lake.store import LakeStore

_SCHEMA, _TOTALS = "csq.schema", "csq.totals"
_SCHEMAS, _ALL_TOTALS = TypeAdapter(RawSchema), TypeAdapter(DecodeTotals)


@dataclass(frozen=True, slots=True)
class Judged:
    """What the checks found on one partition."""

    dump_id: int
    findings: tuple[Finding, ...]


def footer_of(schema: RawSchema, totals: DecodeTotals) -> dict[str, str]:
    """What is kept in a partition's file for its checks."""
    return {
        _SCHEMA: _SCHEMAS.dump_json(schema).decode(),
        _TOTALS: _ALL_TOTALS.dump_json(totals).decode(),
    }


def read_schema(store: LakeStore, table: str, dump_id: int) -> RawSchema:
    """The columns of a partition, as its manifest and its files had them.

    Raises StorageError where the partition is not there, damaged, or not of our making.
    """
    return _read_facts(store, table, dump_id)[0]


def _read_facts(store: LakeStore, table: str, dump_id: int) -> tuple[RawSchema, DecodeTotals]:
    footer = store.footer(table, dump_id)
    try:
        return _SCHEMAS.validate_json(footer[_SCHEMA]), _ALL_TOTALS.validate_json(footer[_TOTALS])
    except (KeyError, ValidationError) as error:
        raise StorageError(
            f"{store.location(table, dump_id)} was not written by csq_assets",
            where={"dump": dump_id, "table": table},
            remedy="Delete it and run csq sync.",
        ) from error


class Judge:
    """Judges the partitions of a lake. `contents` gives the dumps that have one of a table."""

    def __init__(self, store: LakeStore, contents: Callable[[str], Iterable[int]]) -> None:
        self._store = store
        self._contents = contents
        self._newest_read: dict[str, dict[int, tuple[RawSchema, DecodeTotals]]] = {}

    def learn(self, table: str, dump_id: int, schema: RawSchema, totals: DecodeTotals) -> None:
        """What stands in a partition that was written just now."""
        self._newest_read.setdefault(table, {})[dump_id] = schema, totals

    def judge(self, dump_id: int, table: str) -> Judged:
        """What the checks find; drift is against the numerically previous dump of the table.

        Raises StorageError where one of the two cannot be read.
        """
        previous = max((one for one in self._contents(table) if one < dump_id), default=None)
        wanted = [dump_id] if previous is None else [previous, dump_id]
        known = self._newest_read.get(table, {})
        facts = {one: known.get(one) or _read_facts(self._store, table, one) for one in wanted}
        self._newest_read[table] = facts
        schema, totals = facts[dump_id]
        return Judged(dump_id, judge("raw", _raw_facts(wanted, facts, schema, totals)))


def _raw_facts(
    wanted: list[int],
    facts: Mapping[int, tuple[RawSchema, DecodeTotals]],
    schema: RawSchema,
    totals: DecodeTotals,
) -> RawFacts:
    older, _ = facts[wanted[0]]
    return RawFacts(
        dump_id=wanted[-1],
        previous_dump_id=wanted[0] if len(wanted) > 1 else None,
        drift=compare(older, schema),
        files=schema.files,
        lacking=schema.lacking,
        extra=schema.extra,
        respelled=schema.respelled,
        nulls={column: count for column, count in totals.key_nulls.items() if count},
        rows=totals.rows,
        replaced=totals.replaced,
    )
