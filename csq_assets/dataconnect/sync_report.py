"""The sync report: what Contentsquare says of one of its syncs."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from csq_assets.dataconnect.delivered_json import read_json
from csq_assets.dataconnect.instants import instant_from_epoch, instant_from_text
from csq_assets.errors import ReportError

SUCCEEDED = "succeeded"


@dataclass(frozen=True, slots=True)
class SyncReport:
    """The outcome of one sync. Times in UTC; what the report leaves out is None."""

    start_time: datetime | None = None
    finish_time: datetime | None = None
    status: str | None = None
    next_sync_at: datetime | None = None
    error: str | None = None

    @property
    def succeeded(self) -> bool:
        """Other statuses are not documented: whatever is not `succeeded` is no success."""
        return self.status == SUCCEEDED

    @property
    def status_in_words(self) -> str:
        """For a sentence: what the report says."""
        return f'"{self.status}"' if self.status else "no status"


def parse_sync_report(body: bytes) -> SyncReport:
    """Read a report. Fields that are missing or null are None, and so are times that cannot be read;
    unknown fields are ignored. `status` and `error` are kept as text, whatever their shape.

    Raises ReportError where it is not a JSON object.
    Source: export-format.md, "Sync reports", edge cases 74 and 75; contract.md, "When to take a dump".
    """
    _, document = read_json(body, ReportError)
    if not isinstance(document, dict):
        raise ReportError("must be an object")
    return SyncReport(
        start_time=_instant(document.get("start_time")),
        finish_time=_instant(document.get("finish_time")),
        status=_text(document.get("status")),
        next_sync_at=_instant(document.get("next_sync_at")),
        error=_text(document.get("error")),
    )


def _instant(value: Any) -> datetime | None:
    """A number or a text; None where it is not an instant. The report still counts by its status."""
    try:
        if isinstance(value, str):
            return instant_from_text(value)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return instant_from_epoch(value) if is_number else None
    except (OverflowError, ValueError):
        return None


def _text(value: Any) -> str | None:
    if value is None:
        return None
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    # Half a surrogate pair, which JSON can escape, could be stored nowhere.
    return text.encode("utf-8", "backslashreplace").decode()
