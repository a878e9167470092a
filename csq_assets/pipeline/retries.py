"""When what failed is tried again by itself."""

from collections.abc import Callable
from datetime import datetime, timedelta

from csq_assets.dataconnect.dump_records import Failure
from csq_assets.errors import CsqError
from csq_assets.lake.export import Export

RETRY_AFTER = timedelta(hours=1)  # a failed table, unless its file has changed


def retry_now(export: Export, now: datetime) -> Callable[[Failure], bool]:
    """A failed table is retried when the file at fault has changed, or else hourly."""

    def retry(failure: Failure) -> bool:
        if now - failure.at >= RETRY_AFTER:
            return True
        if failure.file is None:
            return False
        try:
            return export.file_state(failure.file) != failure.file_state
        except CsqError:
            return False

    return retry
