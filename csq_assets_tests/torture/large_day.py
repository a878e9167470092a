"""A day's delivery of many page views, which `csq sync` takes within a bound of memory."""

import shutil
from pathlib import Path

from benchmarks.loads import Load
from benchmarks.measure import FailedError, run_once
from csq_assets_tests.torture.load import Loaded

_NAME = "a day's delivery of page views"
_MOST_MB = 1_024
_DUCKDB = "600MB"


def large_day(folder: Path, page_views: int) -> Loaded:
    """In ten files, with users and migrations, on the cores that the machine has."""
    dump = Load(folder, page_views).deliver()
    ours = dump.ours(_NAME, CSQ_DUCKDB_MEMORY_LIMIT=_DUCKDB)
    try:
        run = run_once(ours)
        dump.require_same({_NAME})
    except FailedError as error:
        return Loaded(_NAME, 1, (str(error),))
    finally:
        shutil.rmtree(folder)
    wrong = (f"it took {run.peak_mb:,.0f} MB",) if run.peak_mb > _MOST_MB else ()
    note = (
        f"{page_views:,} of them, with CSQ_DUCKDB_MEMORY_LIMIT={_DUCKDB}: {run.peak_mb:,.0f} MB at "
        f"most for all processes, {run.wall / 60:.1f} minutes"
    )
    return Loaded(_NAME, 1, wrong, (note,))
