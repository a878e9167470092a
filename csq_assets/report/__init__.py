"""`csq report`: the state of the pipeline and its history as one HTML page, complete in itself.

Everything in it comes from the lake: neither Dagster nor the DuckDB file is opened.
"""

import sys
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from csq_assets.aws import s3_client
from csq_assets.errors import SettingsError, UsageError
from csq_assets.lake.locations import open_lake
from csq_assets.report.build import build_report
from csq_assets.report.content import Report
from csq_assets.settings import Settings


def write_report(settings: Settings, out: str, now: datetime) -> Report:
    """Write the page to the file `out`, whole or not at all; `-` is stdout.

    Raises SettingsError where the extra `report` is not installed, UsageError where the file cannot be
    written, StorageError or SettingsError where the lake cannot be read.
    """
    try:
        from csq_assets.report.page import render_page  # noqa: PLC0415  # an extra
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"the report needs the package {error.name}, which is not installed",
            remedy="Install csq_assets with its extra: pip install 'csq-assets[report]'.",
        ) from error
    state = open_lake(settings.lake_url, s3_client).state(settings.skips)
    report = build_report(settings, state, now)
    page = render_page(report).encode()
    if out == "-":
        sys.stdout.buffer.write(page)
    else:
        _write(Path(out), page)
    return report


def _write(path: Path, page: bytes) -> None:
    beside = path.with_name(f".{path.name}.new")
    try:
        beside.write_bytes(page)
        beside.replace(path)
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written: {error.strerror}",
            remedy="Name another file with --out.",
        ) from error
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
