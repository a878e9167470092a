"""`csq report`: the state of the pipeline and its history as one HTML page, complete in itself."""

import sys
from datetime import datetime
from pathlib import Path

from csq_assets.aws import s3_client
from csq_assets.errors import BusyError, SettingsError, UsageError
from csq_assets.lake.locations import open_lake
from csq_assets.report.build import build_report
from csq_assets.report.content import Report
from csq_assets.settings import Settings
from csq_assets.warehouse.connection import open_warehouse
from csq_assets.warehouse.identity_refresh import read_identity


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
    report = read_report(settings, now)
    page = render_page(report).encode()
    if out == "-":
        sys.stdout.buffer.write(page)
    else:
        _write(Path(out), page)
    return report


def read_report(settings: Settings, now: datetime) -> Report:
    """What the newest pass left in the lake, and in DuckDB if no other process has it."""
    state = open_lake(settings.lake_url, s3_client).state(settings.skips)
    return build_report(settings, state, _users_merged(settings), now)


def _users_merged(settings: Settings) -> int | None:
    # The snapshot first: nobody waits for it.
    for path in (settings.snapshot_path, settings.duckdb_path):
        if path is not None and path.exists():
            try:
                with open_warehouse(path, read_only=True, wait_seconds=0) as connection:
                    return read_identity(connection).users_resolved
            except BusyError:
                continue
    return None


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
        beside.unlink(missing_ok=True)
