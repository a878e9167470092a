"""Current tables as they were after a dump, and what changed from one dump to another.

The lake is only read, and the DuckDB file in use is not opened: a pass may go on meanwhile.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from csq_assets.aws import s3_client
from csq_assets.dataconnect.as_of import as_of
from csq_assets.dataconnect.difference import IdentityDifference, TableDifference
from csq_assets.dataconnect.pipeline_state import PipelineState, choose_tables
from csq_assets.dataconnect.tables import IDENTITY_ASSET, current_asset, with_prefix
from csq_assets.errors import SettingsError, UsageError
from csq_assets.lake.locations import open_lake
from csq_assets.lake.temporary import temporary_folder
from csq_assets.pipeline.lake_guard import refuse_unfinished_forgetting
from csq_assets.pipeline.progress import Listener
from csq_assets.pipeline.replay import Replay
from csq_assets.pipeline.type_file import read_chosen_types
from csq_assets.places import duckdb_file, overlap
from csq_assets.settings import Settings
from csq_assets.summary import CheckSummary, summarize_finding
from csq_assets.warehouse.applied_state import adopt_lake
from csq_assets.warehouse.connection import open_warehouse
from csq_assets.warehouse.new_file import new_warehouse


@dataclass(frozen=True, slots=True)
class TableAsOf:
    """A table as it was: its newest dump is None where none of its dumps is decoded."""

    table: str
    newest_dump: int | None
    rows: int


@dataclass(frozen=True, slots=True)
class AsOf:
    """What is in the file, and every check on it."""

    dump_id: int
    file: Path
    tables: tuple[TableAsOf, ...]
    checks: tuple[CheckSummary, ...]

    @property
    def exit_code(self) -> int:
        """Source: contract.md, "Commands"."""
        return 3 if any(check.is_error for check in self.checks) else 0


@dataclass(frozen=True, slots=True)
class Diff:
    """What the dumps after `first` changed, up to `last`."""

    first: int
    last: int
    identity: IdentityDifference
    tables: tuple[TableDifference, ...]


def rebuild_as_of(
    settings: Settings, dump_id: int, into: str, listener: Listener, *, tables: Sequence[str] = ()
) -> AsOf:
    """Write the tables, all or those named, as they were after the dump, into a new DuckDB file.

    Raises UsageError for a dump or a table that is unknown, and for a file that exists or may not be
    named so; StorageError or SettingsError where the lake cannot be read, or somebody is being
    forgotten. Then there is no file.
    """
    file, pins = _new_file(settings, into), read_chosen_types(settings.types_path).pins
    lake = open_lake(settings.lake_url, s3_client)
    refuse_unfinished_forgetting(lake)
    state = as_of(lake.state(settings.skips), dump_id)
    names = choose_tables(_tables(state), tables)
    listener.starts("rebuilding", 2 + len(names))
    with new_warehouse(file, memory_limit=settings.memory_limit) as connection:
        if identity := lake.documents.identity():
            adopt_lake(connection, identity)
        replay = Replay(connection, lake, names, datetime.now(UTC), pins)
        refreshed_identity, refreshed = replay.fill(state, listener)
        replay.refresh(state).refresh_meta()
        listener.advances("meta")
        refuse_unfinished_forgetting(lake)  # nor one that began meanwhile
    found = [(IDENTITY_ASSET, refreshed_identity.findings)]
    found += [(current_asset(table), one.findings) for table, one in refreshed.items()]
    return AsOf(
        dump_id,
        file,
        tuple(
            TableAsOf(table, max(one.facts.plan.apply, default=None), one.audit.rows_kept)
            for table, one in refreshed.items()
        ),
        tuple(
            summarize_finding(with_prefix(asset, settings.key_prefix), finding)
            for asset, findings in found
            for finding in findings
        ),
    )


def compare_dumps(
    settings: Settings, first: int, last: int, listener: Listener, *, tables: Sequence[str] = ()
) -> Diff:
    """Say what changed in the tables, all or those named. They are replayed in a temporary folder.

    Raises UsageError for a dump or a table that is unknown, or dumps in the wrong order; StorageError
    or SettingsError where the lake cannot be read, or somebody is being forgotten.
    """
    if first > last:
        raise UsageError(
            f"dump {first} comes after dump {last}", remedy="Name the lower one first."
        )
    lake = open_lake(settings.lake_url, s3_client)
    refuse_unfinished_forgetting(lake)
    state = lake.state(settings.skips)
    as_of(state, first)  # is known
    names = choose_tables(_tables(as_of(state, last)), tables)
    with (
        temporary_folder() as folder,
        open_warehouse(folder / "tables.duckdb", memory_limit=settings.memory_limit) as connection,
    ):
        replay = Replay(connection, lake, names, datetime.now(UTC))
        identity, differences = replay.explain(state, first, last, listener)
    return Diff(first, last, identity, tuple(differences))


def _tables(state: PipelineState) -> tuple[str, ...]:
    """Those that a dump lists, decoded or not, in the order in which they were first seen."""
    return tuple(state.catalog.names(state.skips).kept)


def _new_file(settings: Settings, into: str) -> Path:
    """Where the file is to be. It is named as CSQ_DUCKDB_PATH may be, and lies in no place in use."""
    try:
        file = duckdb_file("--into", into, Path())
    except SettingsError as error:
        raise UsageError(f"--into: {error.message}", remedy=error.remedy) from error
    in_use = {
        "the DuckDB file": settings.duckdb_path,
        "the snapshot": settings.snapshot_path,
        "the export": settings.export_url,
        "the lake": settings.lake_url,
        "the published tables": settings.publish_url,
    }
    for name, place in in_use.items():
        if place is not None and overlap(str(file), str(place)):
            raise UsageError(
                f"--into: {file} and {name} at {place} overlap", remedy="Name another file."
            )
    return file
