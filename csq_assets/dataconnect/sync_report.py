"""The sync report: what Contentsquare says of one of its syncs."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from csq_assets.dataconnect.delivered_json import read_json
from csq_assets.dataconnect.instants import instant_from_epoch
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
    """Read a report; fields that are missing or null are None, unknown ones are ignored.

    `error` is kept as text, whatever its shape.
    Raises ReportError, naming the field.
    Source: export-format.md, "Sync reports", edge cases 74 and 75.
    """
    _, document = read_json(body, ReportError)
    if not isinstance(document, dict):
        raise ReportError("must be an object")
    return SyncReport(
        start_time=_instant(document, "start_time"),
        finish_time=_instant(document, "finish_time"),
        status=_status(document.get("status")),
        next_sync_at=_instant(document, "next_sync_at"),
        error=_text(document.get("error")),
    )


def _instant(document: dict[str, Any], field: str) -> datetime | None:
    value = document.get(field)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ReportError(f"must be a number, not {json.dumps(value)}", where={"field": field})
    try:
        return instant_from_epoch(value)
    except (OverflowError, ValueError):
        raise ReportError(f"is no instant: {value}", where={"field": field}) from None


def _status(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return _text(value)
    raise ReportError(f"must be a text, not {json.dumps(value)}", where={"field": "status"})


def _text(value: Any) -> str | None:
    if value is None:
        return None
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    # Half a surrogate pair, which JSON can escape, could be stored nowhere.
    return text.encode("utf-8", "backslashreplace").decode()
