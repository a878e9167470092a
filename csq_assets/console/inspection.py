"""How things stand."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text

from csq_assets.console.checks import show_checks
from csq_assets.console.printing import STYLES, count, say, show_rows
from csq_assets.dataconnect.wording import dumps

if TYPE_CHECKING:
    from csq_assets.doctor import Probe
    from csq_assets.status import Status


def show_status(status: "Status") -> None:
    """Tables, reports, and what does not pass."""
    failed = len({failure.dump_id for failure in status.failures})
    known = count(status.dumps_known, "dump")
    say(f"{known} known, {status.dumps_pending} pending, {failed} failed.")
    if not status.dumps_known:
        say("Run csq sync, which looks for dumps; csq doctor says what it lacks for that.")
    if status.last_sync:
        last, following = _time(status.last_sync), _time(status.next_sync)
        say(f"Last sync {last}: {status.last_sync_status}. Next sync {following}.")
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
    show_rows(columns, rows, right=columns[1:])
    due = [dump.dump_id for dump in status.pending if dump.dump_id not in status.waiting]
    if due:
        say(f"Pending: {dumps(due)}. The next sync decodes them.")
    if status.waiting:
        say(f"Waiting: {dumps(status.waiting)}; {status.wait_reason}.")
    show_checks(status.failing_checks)
    for failure in status.failures:
        say(Text.assemble(("failed ", "red"), failure.error))
    for asset in status.failed_assets:
        say(Text.assemble(("failed ", "red"), f"{asset.asset}: {asset.error}"))
    for refused in status.refused:
        say(Text.assemble(("refused ", "red"), refused))


def show_report(headline: str, out: str) -> None:
    """What the report says above all, and where it is."""
    say(headline if out == "-" else f"{headline} The report is in {Path(out).absolute()}")


def show_probe(probe: "Probe") -> None:
    """One line: what was tried, what came of it, what to do."""
    word = "ok" if probe.ok else "FAIL"
    style = STYLES.get(word, "red")
    say(Text.assemble((f"{word:5}", style), f"{probe.name}: {probe.said}"))


def _time(iso: str | None) -> str:
    return f"{datetime.fromisoformat(iso):%Y-%m-%d %H:%M} UTC" if iso else "unknown"
