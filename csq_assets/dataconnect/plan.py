"""Which dumps of a table count: applied, held behind a gap, or void."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from csq_assets.dataconnect.dump_records import DumpRecord, TableRecord
from csq_assets.dataconnect.tables import PROPERTY_DEFINITIONS, is_full_resync

DumpStatus: TypeAlias = Literal["applied", "failed", "held", "void"]


@dataclass(frozen=True, slots=True)
class TablePlan:
    """Dump ids of one table by what becomes of them, each in numeric order.

    `apply` are the dumps whose rows make the table, a full resync first where there was one.
    `gap` is the failed dump that `held` wait behind. `failed` are all that must be tried again: the
    gap, failed dumps after it, and re-deliveries that failed while the earlier content counts.
    """

    apply: tuple[int, ...] = ()
    held: tuple[int, ...] = ()
    void: tuple[int, ...] = ()
    failed: tuple[int, ...] = ()
    gap: int | None = None

    def statuses(self) -> Mapping[int, DumpStatus]:
        """The status that `csq sync` and `csq status` tell for each dump."""
        return {
            **dict.fromkeys(self.apply, "applied"),
            **dict.fromkeys(self.held, "held"),
            **dict.fromkeys(self.void, "void"),
            **dict.fromkeys(self.failed, "failed"),
        }


def plan_table(dumps: Mapping[int, TableRecord]) -> TablePlan:
    """Say what becomes of each dump of one table that was tried, by dump id.

    The newest full resync with content makes all before it void. After it, increments apply up to the
    first gap, a dump that failed and left no content; those behind the gap are held.
    Source: contract.md, "Which dumps count"; export-format.md, edge cases 47 to 53.
    """
    dumps = dict(sorted(dumps.items()))
    contents = {dump_id: record.content for dump_id, record in dumps.items() if record.content}
    resyncs = (
        dump_id
        for dump_id, content in contents.items()
        if is_full_resync(dumps[dump_id].table, incremental=content.incremental)
    )
    start = max(resyncs, default=0)
    counting = [dump_id for dump_id in dumps if dump_id >= start]
    gap = next((dump_id for dump_id in counting if dump_id not in contents), None)
    with_content = [dump_id for dump_id in counting if dump_id in contents]
    return TablePlan(
        apply=tuple(dump_id for dump_id in with_content if gap is None or dump_id < gap),
        held=tuple(dump_id for dump_id in with_content if gap is not None and dump_id > gap),
        void=tuple(dump_id for dump_id in dumps if dump_id < start),
        failed=tuple(dump_id for dump_id in counting if dumps[dump_id].failure is not None),
        gap=gap,
    )


def plans(records: Iterable[DumpRecord]) -> Mapping[str, TablePlan]:
    """The plan of each table, from every dump that was tried.

    Property definitions have none: those of one dump say nothing about another.
    """
    tried: dict[str, dict[int, TableRecord]] = {}
    for dump in records:
        for record in dump.tables:
            if record.is_tried and record.table != PROPERTY_DEFINITIONS:
                tried.setdefault(record.table, {})[dump.dump_id] = record
    return {table: plan_table(dumps) for table, dumps in tried.items()}
