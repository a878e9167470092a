"""How far a pass is."""

import os
import sys
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich import progress as bars
from rich.console import Console

from csq_assets.console.printing import console, say
from csq_assets.errors import printable

if TYPE_CHECKING:
    from csq_assets.pipeline.progress import Progress


class SyncProgress:
    """A bar on a terminal, and nothing elsewhere."""

    def __init__(self) -> None:
        is_terminal = console.is_terminal
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
        say(sentence, self._progress.console)

    def decodes(self, progress: "Progress") -> None:
        if self._table is None:
            what = f"{progress.table} of dump {progress.dump_id}"
            self._table = self._progress.add_task(printable(what), total=progress.of_files, now="")
        now = f"files, {progress.rows:,} rows"
        self._progress.update(self._table, completed=progress.files, now=now)
