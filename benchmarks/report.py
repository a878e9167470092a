"""Tells on the terminal what a case found."""

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from benchmarks.measure import Measured, Spread
from benchmarks.results import Goal, Result

GOAL_COLUMNS = ("work", "goal", "figure", "reached", "why")
RUN_COLUMNS = ("run", "wall s", "CPU s", "peak MB", "over imports", "rows", "rounds")
TEXT_COLUMNS = ("work", "reached", "why", "run")


def print_result(result: Result, console: Console) -> None:
    """The setting, the goals, the runs they come from, and who did not run."""
    console.print(f"\n[bold]{result.title}[/bold] ({result.case})")
    console.print(result.setting)
    console.print(_table(GOAL_COLUMNS, map(goal_row, result.goals)))
    console.print(_table(RUN_COLUMNS, map(run_row, result.runs)))
    for left_out in result.left_out:
        console.print(f"left out: {left_out}")


def goal_row(goal: Goal) -> tuple[str, ...]:
    """Its cells: work, goal, figure, whether it is reached, and why not."""
    figure = f"{shown(goal.figure)} {goal.unit}".strip()
    wanted = "" if goal.goal is None else f"{goal.goal} {goal.unit}".strip()
    return goal.work, wanted, figure, _reached(goal), "" if goal.met else goal.why


def _reached(goal: Goal) -> str:
    if goal.met is None:
        return ""
    return "reached" if goal.met else f"missed by {goal.missed_by:.1%}"


def run_row(run: Measured) -> tuple[str, ...]:
    """Its cells, in the order of RUN_COLUMNS."""
    return (
        run.name,
        _spread(run.wall),
        _spread(run.cpu),
        f"{run.peak_mb:,.0f}",
        "" if run.over_imports_mb is None else f"{run.over_imports_mb:,.0f}",
        "" if run.rows is None else f"{run.rows:,}",
        str(run.rounds),
    )


def shown(number: float) -> str:
    """With two digits behind the point where it is small, and none where it is large, or counted."""
    if isinstance(number, int):
        return f"{number:,}"
    return f"{number:,.{0 if abs(number) >= 100 else 1 if abs(number) >= 10 else 2}f}"


def _spread(spread: Spread) -> str:
    if spread.low == spread.high:
        return shown(spread.median)
    return f"{shown(spread.median)} ({shown(spread.low)}-{shown(spread.high)})"


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    table = Table()
    for column in columns:
        is_text = column in TEXT_COLUMNS
        justify = "left" if is_text else "right"
        table.add_column(column, justify=justify, no_wrap=not is_text, min_width=len(column))
    for row in rows:
        table.add_row(*map(escape, row))
    return table
