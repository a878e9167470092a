"""What a pass did."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.text import Text

from csq_assets.console.checks import show_checks
from csq_assets.console.printing import count, say, show_rows
from csq_assets.dataconnect.wording import dumps

if TYPE_CHECKING:
    from csq_assets.settings import Settings
    from csq_assets.summary import DumpSummary, SyncSummary


def show_sync(summary: "SyncSummary", settings: "Settings") -> None:
    """What came and what waits, what did not pass, what failed."""
    if summary.dumps:
        say(f"{count(len(summary.dumps), 'dump')} from {settings.export_url}")
        show_rows(
            ("dump", "table", "kind", "files", "rows", "status"),
            [row for dump in summary.dumps for row in _table_rows(dump)],
            right=("files", "rows"),
        )
    else:
        say(f"Nothing pending in {settings.export_url}.")
    if summary.waiting:
        say(f"Waiting: {dumps(summary.waiting)}; {summary.wait_reason}.")
    _show_outcome(summary)


def show_rebuild(summary: "SyncSummary") -> None:
    """What was replayed, and what its checks say."""
    assets = dict.fromkeys(check.asset for check in summary.checks)
    named = (asset.rpartition("/current/") for asset in assets)
    tables = [table for _, found, table in named if found]
    say(f"Rebuilt {', '.join(tables) or 'nothing'}.")
    _show_outcome(summary)


def _show_outcome(summary: "SyncSummary") -> None:
    """Checks, then failures: the last line is the most important."""
    if summary.checks:
        passed = sum(check.passed for check in summary.checks)
        say(f"{passed} of {count(len(summary.checks), 'check')} passed.")
    show_checks([check for check in summary.checks if not check.passed])
    show_checks([check for check in summary.standing if check.is_error])
    for error in summary.errors:
        say(Text.assemble(("failed ", "red"), error))


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
