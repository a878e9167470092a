"""What `csq` says to people, on stderr: tables and progress on a terminal, plain lines elsewhere."""

import os
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import click
from rich import progress as bars
from rich.console import Console
from rich.table import Table
from rich.text import Text

from csq_assets.attributes import in_attributes
from csq_assets.errors import printable

if TYPE_CHECKING:
    from csq_assets.doctor import Probe
    from csq_assets.pipeline.progress import Progress
    from csq_assets.sample import SampleSummary
    from csq_assets.settings import Settings
    from csq_assets.status import Status
    from csq_assets.summary import CheckSummary, DumpSummary, SyncSummary

_STYLES = {"applied": "green", "failed": "red", "held": "yellow", "void": "dim"}
_STYLES |= {"ERROR": "red", "WARN": "yellow", "ok": "green"}

_SHOWN = 5  # dumps in a sentence

_console = Console(stderr=True, highlight=False, soft_wrap=True)


class SyncProgress:
    """A bar on a terminal, and nothing elsewhere."""

    def __init__(self) -> None:
        is_terminal = _console.is_terminal
        # A descriptor of its own, as Dagster redirects the standard ones while a step is executed.
        self._file = os.fdopen(os.dup(2), "w") if is_terminal else sys.stderr
        self._progress = bars.Progress(
            bars.TextColumn("{task.description}"),
            bars.BarColumn(),
            bars.MofNCompleteColumn(),
            bars.TextColumn("{task.fields[now]}"),
            console=Console(file=self._file, highlight=False, soft_wrap=True),
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
            disable=not is_terminal,
        )
        self._task: bars.TaskID | None = None
        self._table: bars.TaskID | None = None  # the one that is being decoded

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._progress.stop()
        if self._file is not sys.stderr:
            self._file.close()

    def starts(self, what: str, steps: int) -> None:
        self._task = self._progress.add_task(what, total=steps, now="")

    def advances(self, what: str) -> None:
        if self._table is not None:
            self._progress.remove_task(self._table)
            self._table = None
        if self._task is not None:
            self._progress.update(self._task, advance=1, now=what)

    def says(self, sentence: str) -> None:
        _say(sentence, self._progress.console)

    def decodes(self, progress: "Progress") -> None:
        if self._table is None:
            what = f"{progress.table} of dump {progress.dump_id}"
            self._table = self._progress.add_task(printable(what), total=progress.of_files, now="")
        now = f"files, {progress.rows:,} rows"
        self._progress.update(self._table, completed=progress.files, now=now)


def show_sync(summary: "SyncSummary", settings: "Settings") -> None:
    """What came and what waits, what did not pass, what failed."""
    if summary.dumps:
        _say(f"{_count(len(summary.dumps), 'dump')} from {settings.export_url}")
        _show_rows(
            ("dump", "table", "kind", "files", "rows", "status"),
            [row for dump in summary.dumps for row in _table_rows(dump)],
            right=("files", "rows"),
        )
    else:
        _say(f"Nothing pending in {settings.export_url}.")
    if summary.waiting:
        _say(f"Waiting: {_dumps(summary.waiting)}; {summary.wait_reason}.")
    _show_outcome(summary)


def show_rebuild(summary: "SyncSummary") -> None:
    """What was replayed, and what its checks say."""
    assets = dict.fromkeys(check.asset for check in summary.checks)
    named = (asset.rpartition("/current/") for asset in assets)
    tables = [table for _, found, table in named if found]
    _say(f"Rebuilt {', '.join(tables) or 'nothing'}.")
    _show_outcome(summary)


def _show_outcome(summary: "SyncSummary") -> None:
    """Checks, then failures: the last line is the most important."""
    if summary.checks:
        passed = sum(check.passed for check in summary.checks)
        _say(f"{passed} of {_count(len(summary.checks), 'check')} passed.")
    _show_checks([check for check in summary.checks if not check.passed])
    _show_checks([check for check in summary.standing if check.is_error])
    for error in summary.errors:
        _say(Text.assemble(("failed ", "red"), error))


def show_status(status: "Status") -> None:
    """Tables, reports, and what does not pass."""
    failed = len({failure.dump_id for failure in status.failures})
    known = _count(status.dumps_known, "dump")
    _say(f"{known} known, {status.dumps_pending} pending, {failed} failed.")
    if status.last_sync:
        last, following = _time(status.last_sync), _time(status.next_sync)
        _say(f"Last sync {last}: {status.last_sync_status}. Next sync {following}.")
    rows = [
        (
            table.table,
            f"{table.pending}",
            f"{table.applied}",
            f"{table.failed}",
            f"{table.held}",
            f"{table.void}",
            "-" if table.newest_dump is None else f"{table.newest_dump}",
            f"{table.delivered:,}",
            "-" if table.rows is None else f"{table.rows:,}",
        )
        for table in status.tables
    ]
    columns = ("table", "pending", "applied", "failed", "held", "void", "newest dump")
    columns += ("rows delivered", "rows now")
    _show_rows(columns, rows, right=columns[1:])
    due = [dump.dump_id for dump in status.pending if dump.dump_id not in status.waiting]
    if due:
        _say(f"Pending: {_dumps(due)}. The next sync decodes them.")
    if status.waiting:
        _say(f"Waiting: {_dumps(status.waiting)}; {status.wait_reason}.")
    _show_checks(status.failing_checks)
    for failure in status.failures:
        _say(Text.assemble(("failed ", "red"), failure.error))
    for refused in status.refused:
        _say(Text.assemble(("refused ", "red"), refused))


def show_report(headline: str, out: str) -> None:
    """What the report says above all, and where it is."""
    _say(headline if out == "-" else f"{headline} The report is in {Path(out).absolute()}")


def show_probe(probe: "Probe") -> None:
    """One line: what was tried, what came of it, what to do."""
    word = "ok" if probe.ok else "FAIL"
    style = _STYLES.get(word, "red")
    _say(Text.assemble((f"{word:5}", style), f"{probe.name}: {probe.said}"))


def show_init(names: Sequence[str], directory: Path) -> None:
    """What was written, and what comes next."""
    following = "edit .env there, then run csq doctor"
    if ".env" not in names:  # in a Dagster project
        following = "run csq --component NAME doctor"
    _say(f"Wrote {', '.join(names)} into {directory}. Next: {following}.")


def show_sample(summary: "SampleSummary", directory: Path) -> None:
    """What was written."""
    _say(
        f"{_count(len(summary.dump_ids), 'dump')} of {_count(len(summary.tables), 'table')}, "
        f"{summary.rows:,} rows in {summary.files:,} files, in {directory}"
    )


def _table_rows(dump: "DumpSummary") -> Iterable[tuple[str, ...]]:
    for table in dump.tables:
        yield (
            f"{dump.dump_id}",
            table.table,
            "increment" if table.incremental else "full resync",
            f"{table.files:,}",
            f"{table.rows:,}",
            table.status,
        )


def _show_rows(
    columns: Sequence[str], rows: Sequence[tuple[str, ...]], right: Sequence[str]
) -> None:
    if not rows:
        return
    if not _console.is_terminal:
        for row in rows:
            _say("  ".join(f"{name} {value}" for name, value in zip(columns, row, strict=True)))
        return
    table = Table()
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left")
    for row in rows:
        table.add_row(*(Text(printable(value), style=_STYLES.get(value, "")) for value in row))
    _console.print(table)


def _show_checks(checks: Iterable["CheckSummary"]) -> None:
    for check in checks:
        place = check.asset + (f" {check.partition}" if check.partition else "")
        _say(
            Text.assemble(
                (f"{check.severity:5} ", _STYLES.get(check.severity, "")),
                f"{place}  {check.check}: {check.description}",
            )
        )


def _say(text: str | Text, console: Console = _console) -> None:
    if isinstance(text, Text):  # its styles are at the beginning, so they stay in place
        text.plain = printable(_worded(text.plain))
    console.print(text if isinstance(text, Text) else Text(printable(_worded(text))))


def _worded(text: str) -> str:
    """With the names of attributes, where a component was named."""
    context = click.get_current_context(silent=True)
    return in_attributes(text) if context and context.obj else text


def _time(iso: str | None) -> str:
    return f"{datetime.fromisoformat(iso):%Y-%m-%d %H:%M} UTC" if iso else "unknown"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _dumps(dump_ids: Sequence[int]) -> str:
    shown = ", ".join(map(str, dump_ids[:_SHOWN])) + (", …" if len(dump_ids) > _SHOWN else "")
    return f"dump {shown}" if len(dump_ids) == 1 else f"{len(dump_ids)} dumps ({shown})"
