"""Which dumps of a table count: applied, held behind a gap, or void."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

DumpStatus: TypeAlias = Literal["applied", "failed", "held", "void"]


@dataclass(frozen=True, slots=True)
class TableDumpState:
    """One dump of one table that was taken, and what came of it.

    `has_content`: the lake holds a partition of it. `incremental` speaks of that content where there
    is one, else of the delivery that failed. `failed`: the newest delivery could not be decoded; with
    content from an earlier delivery of the same dump, that stays in force.
    """

    dump_id: int
    incremental: bool
    has_content: bool
    failed: bool = False


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


def plan_table(dumps: Iterable[TableDumpState]) -> TablePlan:
    """Say what becomes of each dump of one table; in any order, each dump id once.

    The newest full resync with content makes all before it void. After it, increments apply up to the
    first gap, a dump that failed and left no content; those behind the gap are held.
    Source: contract.md, "Which dumps count"; export-format.md, edge cases 47 to 53.
    """
    ordered = sorted(dumps, key=lambda dump: dump.dump_id)
    resyncs = [
        place for place, dump in enumerate(ordered) if dump.has_content and not dump.incremental
    ]
    start = resyncs[-1] if resyncs else 0
    counting = ordered[start:]
    gap = next((dump.dump_id for dump in counting if not dump.has_content), None)
    with_content = [dump.dump_id for dump in counting if dump.has_content]
    return TablePlan(
        apply=tuple(dump_id for dump_id in with_content if gap is None or dump_id < gap),
        held=tuple(dump_id for dump_id in with_content if gap is not None and dump_id > gap),
        void=tuple(dump.dump_id for dump in ordered[:start]),
        failed=tuple(dump.dump_id for dump in counting if dump.failed or not dump.has_content),
        gap=gap,
    )
