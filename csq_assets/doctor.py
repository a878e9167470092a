"""Tests settings and rights, one probe each, with the remedy."""

import os
import shlex
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from csq_assets.alerts.delivery import open_receivers
from csq_assets.aws import s3_client
from csq_assets.dataconnect.catalog import Delivered
from csq_assets.dataconnect.manifest import Manifest, parse_manifest
from csq_assets.dataconnect.wording import count
from csq_assets.dbt_project import DbtProject
from csq_assets.environment import dagster_home
from csq_assets.errors import CsqError, SettingsError, StorageError
from csq_assets.instance import try_recording
from csq_assets.lake.export import Export
from csq_assets.lake.locations import open_export, open_lake, open_objects
from csq_assets.lake.objects import ObjectStore
from csq_assets.lake.repair import repair_ledger
from csq_assets.pipeline.type_file import read_chosen_types
from csq_assets.publish.open import SETTING, folder_of, open_publication
from csq_assets.settings import Settings
from csq_assets.warehouse.connection import open_warehouse


@dataclass(frozen=True, slots=True)
class Probe:
    """What was tested and the result; `exit_code` is what csq exits with because of it."""

    name: str
    ok: bool
    said: str
    exit_code: int = 0


def examine(
    read_settings: Callable[[], Settings], environment: Mapping[str, str] = {}
) -> Iterator[Probe]:
    """Test everything; a failed probe does not stop the others. `environment` is where the settings
    come from, if they do.
    """
    try:
        settings = read_settings()
    except SettingsError as error:
        yield _failed("settings", error)
        return
    for variable, value in settings.described():
        yield Probe(variable, True, value)
    for variable in Settings.unknown(environment):
        has_none = "no setting has this name, so it has no effect"
        yield _failed(variable, SettingsError(has_none, remedy="Remove it."))
    yield _tried("DAGSTER_HOME", _try_instance)
    yield from _examine_export(settings)
    yield _tried("lake", lambda: _try_lake(settings))
    if settings.engine == "spark":
        yield _tried("Spark", lambda: _try_spark(settings))
    else:
        yield _tried("DuckDB file", lambda: _try_warehouse(settings.duckdb_path))
    if settings.snapshot_path is not None:
        snapshot = settings.snapshot_path
        yield _tried("DuckDB snapshot", lambda: _try_folder(snapshot, "CSQ_DUCKDB_SNAPSHOT_PATH"))
    if settings.types_path is not None:
        types = settings.types_path
        yield _tried("types", lambda: _try_types(types))
    if settings.dbt_project is not None:
        yield _tried("dbt project", lambda: _try_project(settings))
    if settings.publish_url is not None:
        yield _tried("published tables", lambda: _try_publication(settings))
    if settings.alerts:
        yield _tried("alerts", lambda: _try_alerts(settings))


def repair_lake(settings: Settings) -> Iterator[Probe]:
    """Find lost or damaged records of the lake's ledger again, one line each."""
    lake = open_lake(settings.lake_url, s3_client)
    found = 0
    for dump_id, error in repair_ledger(lake):
        found += 1
        name = f"dump {dump_id}"
        yield _failed(name, error) if error else Probe(name, True, "its record was found again")
    if not found:
        yield Probe("ledger", True, "no record is lost or damaged")


def _examine_export(settings: Settings) -> Iterator[Probe]:
    try:
        export = open_export(
            settings.export_url,
            settings.manifest_prefix,
            s3_client,
            request_payer=settings.request_payer,
        )
        manifests = sorted(export.list_manifests(), key=lambda found: found.modified)
    except CsqError as error:
        yield _failed("list manifests", error)
        return
    yield Probe("list manifests", True, f"{len(manifests):,} in {settings.export_url}")
    reports: list[Delivered] = []

    def list_reports() -> str:
        reports.extend(export.list_sync_reports())
        return f"{len(reports):,} in {settings.export_url}"

    yield _tried("list sync reports", list_reports)
    if reports:
        yield _tried("read a sync report", lambda: _try_reading(export, reports[-1]))
    if manifests:
        yield _tried("read a manifest", lambda: _try_reading(export, manifests[-1]))
        yield _tried("read a data file", lambda: _try_data(export, manifests[-1]))


def _try_reading(export: Export, delivered: Delivered) -> str:
    return f"{len(export.read(delivered)):,} bytes of {delivered.key}"


def _try_data(export: Export, newest: Delivered) -> str:
    manifest: Manifest = parse_manifest(export.read(newest))
    path = next((path for table in manifest.tables for path in table.files), None)
    if path is None:
        return f"{newest.key} lists no data file"
    with export.open_file(path) as file:
        return f"{len(file.read(16))} bytes of {path}"


def _try_instance() -> str:
    home = dagster_home()
    try_recording()
    return f"dagster.yaml is in {home}, and what it names can be written"


def _try_lake(settings: Settings) -> str:
    lake = open_lake(settings.lake_url, s3_client)
    said = _try_objects(lake.store.objects)
    forgotten = lake.documents.tombstones()
    if forgotten.unfinished:
        return f"{said}; csq forget did not come to its end: run it again"
    if forgotten:
        ids = len(forgotten.asked_at)
        who = count(ids, "id of a forgotten user is", "ids of forgotten users are")
        return f"{said}; {who} kept out"
    return said


def _try_publication(settings: Settings) -> str:
    with open_publication(settings, s3_client) as publication:
        publication.target.read("probe")
    said = _try_objects(open_objects(folder_of(settings), s3_client, SETTING))
    return said if settings.publish_format == "parquet" else f"{said}; the catalog answers"


def _try_objects(objects: ObjectStore) -> str:
    folder = f"probe-{uuid.uuid4().hex}/"
    key = f"{folder}object"
    objects.put(key, b"csq doctor")
    try:
        listed = [found.key for found in objects.list(folder)]
        if objects.read(key) != b"csq doctor" or listed != [key]:
            raise StorageError("what is read is not what was written")
    finally:
        objects.delete(key)
    return f"written, listed, read and deleted an object in {objects.url}"


def _try_spark(settings: Settings) -> str:
    """Whether what launches jobs is there: what the cluster says, the first job tells."""
    if settings.spark_emr_serverless is not None:
        from csq_assets.defs.emr_serverless import (  # noqa: PLC0415 - imports Dagster
            EmrServerless,
        )

        return EmrServerless.of(settings.spark_emr_serverless, settings.lake_url).look()
    command = shlex.split(settings.spark_submit)[0]
    if shutil.which(command) is None:
        raise SettingsError(
            f"there is no command {command}",
            where={"setting": "CSQ_SPARK_SUBMIT"},
            remedy="Install Spark 3.5, or write the path of its spark-submit.",
        )
    return f"{command} launches the jobs"


def _try_warehouse(path: Path) -> str:
    said = _try_folder(path, "CSQ_DUCKDB_PATH")
    if not path.exists():
        return f"{said}; the first sync makes {path.name}"
    if not os.access(path, os.W_OK):
        raise StorageError(
            "the DuckDB file cannot be written",
            where={"file": str(path)},
            remedy="Allow this user to write it.",
        )
    with open_warehouse(path, read_only=True, wait_seconds=0):
        return f"{said}, and {path.name} can be opened"


def _try_project(settings: Settings) -> str:
    project = DbtProject.of(settings)
    nodes = project.manifest()["nodes"].values() if project else ()
    models = sum(node["resource_type"] == "model" for node in nodes)
    return f"dbt reads {models:,} models in {settings.dbt_project}"


def _try_alerts(settings: Settings) -> str:
    names = [one.service.service_name for one in open_receivers(settings.alerts)]
    return f"{', '.join(map(str, names))} would be told; nothing was sent"


def _try_types(path: Path) -> str:
    pins = read_chosen_types(path).pins
    return f"{sum(map(len, pins.values())):,} columns of {len(pins):,} tables"


def _try_folder(path: Path, variable: str) -> str:
    probe = path.parent / f".probe-{uuid.uuid4().hex}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise SettingsError(
            f"{path.parent} cannot be written: {error.strerror}",
            where={"setting": variable},
            remedy="Choose a folder that can be written.",
        ) from None
    return f"{path.parent} can be written"


def _tried(name: str, probe: Callable[[], str]) -> Probe:
    try:
        return Probe(name, True, probe())
    except CsqError as error:
        return _failed(name, error)
    except FileNotFoundError as error:
        return Probe(name, False, f"{error} does not exist any more. Run csq doctor again.", 1)


def _failed(name: str, error: CsqError) -> Probe:
    return Probe(name, False, str(error), 2 if isinstance(error, SettingsError) else 1)
