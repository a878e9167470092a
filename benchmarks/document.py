"""Writes the tables of docs/performance.md; the prose around them stays."""

from collections.abc import Iterable, Mapping, Sequence

from benchmarks.catalog import in_order
from benchmarks.measure import FailedError
from benchmarks.record import Recorded
from benchmarks.report import GOAL_COLUMNS, RUN_COLUMNS, TEXT_COLUMNS, goal_row, run_row

_BEGIN, _END = "<!-- benchmarks: begin -->", "<!-- benchmarks: end -->"


def with_tables(text: str, records: Mapping[str, Recorded]) -> str:
    """The document with everything between its markers rewritten.

    Raises FailedError where it has no markers.
    """
    before, begin, rest = text.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise FailedError(f"the document has no {_BEGIN} and {_END}")
    return f"{before}{_BEGIN}\n{tables(records)}\n{_END}{after}"


def tables(records: Mapping[str, Recorded]) -> str:
    """All goals in one table, then a section for each case, in Markdown."""
    ordered = [records[name] for name in in_order(list(records))]
    goals = [goal_row(goal) for record in ordered for goal in record.result.goals]
    sections = (_section(record) for record in ordered)
    return "\n".join(("## Goals", "", _table(GOAL_COLUMNS, goals), *sections))


def _section(record: Recorded) -> str:
    result, machine = record.result, record.machine
    packages = ", ".join(f"{name} {version}" for name, version in machine.packages.items())
    where = f"{machine.cpu}, {machine.cores} cores, {machine.memory_gb} GB"
    left_out = [f"\nLeft out: {'; '.join(result.left_out)}.\n"] if result.left_out else []
    lines = (
        *("", f"## {result.title}: `python -m benchmarks {result.case}`", "", result.setting, ""),
        f"Measured on {record.day}: {where}; Python {machine.python}, {packages}.",
        *("", _table(RUN_COLUMNS, map(run_row, result.runs)), *left_out),
    )
    return "\n".join(lines).rstrip()


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    rule = ["---" if column in TEXT_COLUMNS else "---:" for column in columns]
    return "\n".join(_line(cells) for cells in (columns, rule, *rows))


def _line(cells: Sequence[str]) -> str:
    escaped = (cell.replace("|", r"\|") for cell in cells)
    return f"| {' | '.join(escaped)} |"
