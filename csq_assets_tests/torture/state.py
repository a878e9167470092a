"""All that a platform knows, as values that two platforms can be compared by."""

import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
from dagster_shared.serdes import deserialize_value

from csq_assets.aws import s3_client
from csq_assets.defs.run_requests import UNFINISHED
from csq_assets.lake.locations import Lake, open_lake
from csq_assets_tests.platform import open_instance
from csq_assets_tests.torture.scenarios import Place

Facts = Mapping[str, object]
Relations = Mapping[str, list[str]]  # the rows, as texts
_RUN = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]+")
_SCOPE = re.compile("among the rows that changed|in the table")  # a replay after a kill may be none
_STEP_LOG = re.compile(r"/[a-z]{8}\.")
_PRINTED = (".out", ".err")  # by a step, removed at its end if it prints nothing, or after 90 days
_BESIDE = re.compile(r"-(wal|shm|journal)$")  # SQLite's, which belong to a file that stays


@dataclass(frozen=True, slots=True)
class State:
    """Each field by the name of a thing. `folders` has the names of files in DAGSTER_HOME, without
    numbers of runs."""

    tables: Relations
    snapshot: Relations
    ledger: Facts
    lake_files: Facts
    dagster: Facts
    checks: Facts
    folders: Facts

    def differences(self, wanted: "State") -> Iterator[str]:
        """In words, what is otherwise than wanted. Files of Dagster that are missing are none."""
        for field in fields(self):
            have, want = getattr(self, field.name), getattr(wanted, field.name)
            for name in sorted({*have, *want}):
                if field.name == "folders" and name not in have:
                    continue
                if have.get(name) != want.get(name):
                    yield f"{field.name}: {name} is {have.get(name)!r}, not {want.get(name)!r}"


def state_of(place: Place) -> State:
    """What is there now."""
    home, lake_url, warehouse = place.home, place.lake, place.warehouse
    lake = open_lake(lake_url, s3_client)
    with open_instance(home) as instance:
        dagster = dict(_dagster_facts(instance))
    return State(
        tables=public_relations(warehouse),
        snapshot=public_relations(place.snapshot),
        ledger={f"{table} of {dump}": content for (dump, table), content in contents(lake).items()},
        lake_files=dict.fromkeys(lake_files(lake), "there"),
        dagster=dagster,
        checks=dict(_check_facts(home / "data/dagster/history/runs/index.db")),
        folders={
            _anonymous(path.relative_to(home).as_posix()): "there"
            for path in home.rglob("*")
            if path.is_file()
            and "lake" not in path.relative_to(home).parts
            and path.suffix not in _PRINTED
        },
    )


def half_done(place: Place, before: State | None, after: State) -> Iterator[str]:
    """In words, what readers of the DuckDB file and its snapshot see of a command that was killed: a
    table whose rows are neither those of before nor those of after, and of what is made of several
    tables a row that is in neither. Of `csq_meta.dumps` that is what is said to be applied."""
    yield from _seen_by_readers(place, before, after, odd)


def unreadable(place: Place, before: State | None, after: State) -> Iterator[str]:
    """In words, what readers lack after a command that failed, of which each table may fail alone."""
    yield from _seen_by_readers(place, before, after, _gone)


def _seen_by_readers(
    place: Place,
    before: State | None,
    after: State,
    judge: Callable[[Relations, Relations, Relations], Iterator[str]],
) -> Iterator[str]:
    for path, old, new in (
        (place.warehouse, before.tables if before else {}, after.tables),
        (place.snapshot, before.snapshot if before else {}, after.snapshot),
    ):
        try:
            shown = public_relations(path) if path.exists() else {}
        except duckdb.Error as error:
            yield f"{path.name} cannot be read: {error}"
        else:
            yield from (f"{path.name}: {line}" for line in judge(shown, old, new))


def odd(shown: Relations, before: Relations, after: Relations) -> Iterator[str]:
    """In words, what is shown and is neither of before nor of after."""
    for name, rows in sorted(shown.items()):
        old, new = before.get(name, []), after.get(name, [])
        if name.startswith("csq_meta.") or name.endswith('."all_events"'):
            applied = [row for row in rows if name != "csq_meta.dumps" or _is_applied(row)]
            if odd := sorted({*applied} - {*old, *new}):
                yield f"{name} shows {odd}, neither of before nor of after"
        elif rows not in (old, new):
            yield f"{name} shows {rows}, of {old} before and {new} after"
    yield from _gone(shown, before, after)


def _is_applied(dump: str) -> bool:
    return dump.endswith(("'applied')", "'void')"))


def _gone(shown: Relations, before: Relations, after: Relations) -> Iterator[str]:
    yield from (f"{name} is gone" for name in sorted(({*before} & {*after}) - {*shown}))


def _anonymous(name: str) -> str:
    """The name of a file, without numbers of runs and steps."""
    return _BESIDE.sub("", _STEP_LOG.sub("/STEP.", _RUN.sub("RUN", name)))


def contents(lake: Lake) -> dict[tuple[int, str], tuple[str, int]]:
    """Data version and rows of each partition that the ledger has."""
    return {
        (dump_id, table.table): (table.content.digest, table.content.rows)
        for dump_id, dump in lake.ledger.records().items()
        for table in dump.tables
        if table.content is not None
    }


def public_relations(path: Path) -> dict[str, list[str]]:
    """All that analysts see, but for the time of applying, and rows as texts."""
    with duckdb.connect(str(path), read_only=True) as connection:
        names = connection.execute(
            "SELECT table_schema, table_name FROM information_schema.tables "
            "WHERE table_schema IN ('csq', 'csq_typed') "
            "OR table_name IN ('user_identity', 'property_definitions', 'sync_reports')"
        ).fetchall()
        found = {
            f'{schema}."{name}"': connection.table(f'{schema}."{name}"') for schema, name in names
        }
        shown = {
            name: sorted(
                repr(dict(zip(table.columns, row, strict=True))) for row in table.fetchall()
            )
            for name, table in found.items()
        }
        if shown:
            dumps = connection.execute("SELECT * EXCLUDE applied_at FROM csq_meta.dumps").fetchall()
            shown["csq_meta.dumps"] = sorted(map(repr, dumps))
        return shown


def lake_files(lake: Lake) -> set[str]:
    """The keys of a lake, without what is staged, and outcomes that no pass has folded yet."""
    keys = (found.key for found in lake.store.objects.list(""))
    return {
        key
        for key in keys
        if not key.startswith(".staging/")
        and not (key.startswith("ledger/") and key.count("/") > 1)
    }


def _dagster_facts(instance: dg.DagsterInstance) -> Iterator[tuple[str, object]]:
    yield "partitions", sorted(instance.get_dynamic_partitions("csq_dumps"))
    yield "unfinished runs", instance.get_runs_count(dg.RunsFilter(statuses=UNFINISHED))
    for key in instance.all_asset_keys():
        partitions = sorted(instance.get_materialized_partitions(key))
        for partition in partitions or [None]:
            wanted = dg.AssetRecordsFilter(key, asset_partitions=partition and [partition])
            for record in instance.fetch_materializations(wanted, limit=1).records:
                found = record.asset_materialization
                assert found is not None
                rows = {
                    name: value.value
                    for name, value in found.metadata.items()
                    if name in ("dagster/row_count", "dagster/partition_row_count")
                }
                version = (found.tags or {}).get("dagster/data_version") if partition else None
                yield f"{key.to_user_string()} {partition or ''}", (version, rows)


def _check_facts(index: Path) -> Iterator[tuple[str, object]]:
    """The newest record of each check of each partition: what the UI shows."""
    with sqlite3.connect(index) as connection:
        rows = connection.execute(
            "SELECT asset_key, check_name, partition, execution_status, evaluation_event "
            "FROM asset_check_executions ORDER BY id"
        ).fetchall()
    connection.close()
    newest = {row[:3]: row[3:] for row in rows}
    for (key, check, partition), (status, event) in newest.items():
        said: Any = None
        if event:
            data = deserialize_value(event, dg.EventLogEntry).dagster_event
            assert data is not None
            evaluation: Any = data.event_specific_data
            said = (
                evaluation.passed,
                evaluation.severity.value,
                _SCOPE.sub("", evaluation.description),
            )
        yield f"{key} {check} {partition or ''}", (status, said)
