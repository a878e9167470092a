"""Published tables as an engine sees them through their catalog."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
import pytest
from pyiceberg.catalog import load_catalog
from pyiceberg.table import Table
from pyiceberg.table.refs import SnapshotRefType
from pyiceberg.table.snapshots import Operation, Summary
from pyiceberg.table.update import AddSnapshotUpdate
from pyiceberg.types import LongType, StringType

from csq_assets.errors import SettingsError
from csq_assets.publish import iceberg_history
from csq_assets.publish.iceberg_schema import published_columns
from csq_assets.publish.open import folder_of
from csq_assets_tests.publish.published import Publisher
from csq_assets_tests.warehouse.deliveries import delivered

EVENTS = "user_id event_id page"
MANY = [(user, event, f"/{user}") for user in range(1, 100) for event in range(2)]


def tags(table: Table) -> dict[str, int]:
    """Each tag, with the snapshot that it names."""
    return {name: ref.snapshot_id for name, ref in table.refs().items() if name != "main"}


def test_every_dump_is_one_snapshot_with_its_tag(iceberg: Publisher) -> None:
    for dump_id in (1, 2, 3):
        row = (dump_id, 1, f"/{dump_id}")
        iceberg.platform.deliver(dump_id, pageviews=delivered(EVENTS, row))
        iceberg.sync("pageviews")
    with iceberg.table("pageviews") as table:
        snapshots = table.snapshots()
        assert [one.summary and one.summary["csq.dump"] for one in snapshots] == ["1", "2", "3"]
        assert tags(table) == {
            f"dump_{place}": one.snapshot_id for place, one in enumerate(snapshots, 1)
        }
        counts = [len(table.scan(snapshot_id=one.snapshot_id).to_arrow()) for one in snapshots]
        assert counts == [1, 2, 3]
        assert table.name() == ("csq", "pageviews")


def test_a_dump_that_is_published_again_has_its_tag_moved(iceberg: Publisher) -> None:
    iceberg.platform.deliver(2, notes=delivered("text", ("a",)))
    iceberg.sync("notes")
    iceberg.platform.deliver(1, notes=delivered("text", ("b",)))
    iceberg.sync("notes")
    with iceberg.table("notes") as table:
        assert tags(table) == {"dump_2": table.snapshots()[-1].snapshot_id}


def test_engines_prune_by_user_and_know_types(iceberg: Publisher) -> None:
    iceberg.platform.deliver(1, pageviews=delivered(EVENTS, *MANY))
    iceberg.sync("pageviews")
    with iceberg.table("pageviews") as table:
        for user in (1, 50, 99):
            scan = table.scan(row_filter=f"user_id = {user}")
            assert len(list(scan.plan_files())) == 1
            assert pl.DataFrame(scan.to_arrow())["page"].to_list() == [f"/{user}"] * 2
        assert {field.name: field.field_type for field in table.schema().fields} == {
            "user_id": LongType(),
            "event_id": LongType(),
            "page": StringType(),
            "_raw_user_id": LongType(),
            "_dump_id": LongType(),
        }


def test_polars_and_duckdb_read_it_after_columns_came_and_went(
    iceberg: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(
        "POLARS_ICEBERG_PLANNER", "pyiceberg"
    )  # else it warns of a package of its own
    iceberg.platform.deliver(1, pageviews=delivered("user_id event_id a.b", *MANY))
    iceberg.sync("pageviews")
    iceberg.platform.deliver(2, pageviews=delivered("user_id new event_id", (1, "n", 9)))
    iceberg.sync("pageviews")
    iceberg.platform.deliver(3, pageviews=delivered("a.b user_id new event_id", ("x", 3, "n", 9)))
    iceberg.sync("pageviews")
    expected = iceberg.expected("pageviews")
    with iceberg.table("pageviews") as table:
        frame = pl.scan_iceberg(table).collect()
        rows = table.scan().to_arrow()
    assert (tuple(frame.columns), sorted(frame.rows(), key=repr)) == (
        expected.columns,
        sorted(expected.rows.elements(), key=repr),
    )
    with duckdb.connect() as connection:
        connection.register("pageviews", rows)
        found = connection.execute("SELECT user_id, new FROM pageviews WHERE new IS NOT NULL")
        assert sorted(found.fetchall()) == [(1, "n"), (3, "n")]


def test_names_that_iceberg_keeps_get_a_suffix() -> None:
    columns: dict[str, str] = dict.fromkeys(["_file", "_FILE_2", "_pos", "page"], "VARCHAR")
    assert published_columns(columns) == {
        "_file": "_file_3",
        "_FILE_2": "_FILE_2",
        "_pos": "_pos_2",
        "page": "page",
    }


def test_old_snapshots_end_unless_somebody_tagged_them(iceberg: Publisher) -> None:
    for dump_id in (1, 2, 3):
        row = (f"{dump_id}",)
        iceberg.platform.deliver(dump_id, notes=delivered("text", row, full_resync=True))
        iceberg.sync("notes")
    with iceberg.table("notes") as table:
        first, _, last = (one.snapshot_id for one in table.snapshots())
        table.manage_snapshots().create_tag(first, "ours").commit()
        for days, kept in ((4, 3), (6, 2)):
            transaction = table.transaction()
            iceberg_history.expire(transaction, datetime.now(UTC) + timedelta(days=days))
            assert len(transaction.commit_transaction().snapshots()) == kept
        assert tags(table) == {"ours": first, "dump_3": last}


def test_files_of_snapshots_that_ended_are_deleted(iceberg: Publisher) -> None:
    """By a later publication, once they are a day old."""
    for dump_id in (1, 2, 3):
        row = (f"{dump_id}",)
        iceberg.platform.deliver(dump_id, notes=delivered("text", row, full_resync=True))
        if dump_id == 3:
            with iceberg.table("notes") as table:
                table.transaction().set_properties(
                    {"history.expire.max-snapshot-age-ms": "0"}
                ).commit_transaction()
            for key in iceberg.files("notes/data/"):
                _age(Path(f"{folder_of(iceberg.settings)}/{key}"), timedelta(days=2))
        iceberg.sync("notes")
    assert len(iceberg.files("notes/data/")) == 1
    assert iceberg.published("notes") == iceberg.expected("notes")


def _age(file: Path, age: timedelta) -> None:
    then = (datetime.now(UTC) - age).timestamp()
    os.utime(file, (then, then))


def test_a_purge_leaves_no_bounds_of_values_behind(iceberg: Publisher) -> None:
    """Manifests have the bounds of columns, also of files that the snapshot deleted."""
    iceberg.platform.deliver(1, notes=delivered("text", ("secret",)))
    iceberg.sync("notes")
    iceberg.platform.deliver(2, notes=delivered("text", ("public",), full_resync=True)).sync()
    iceberg.purge("notes")
    with iceberg.table("notes") as table:
        (snapshot,) = table.snapshots()
        entries = [
            entry
            for manifest in snapshot.manifests(table.io)
            for entry in manifest.fetch_manifest_entry(table.io, discard_deleted=False)
        ]
        assert [(entry.data_file.lower_bounds or {})[1] for entry in entries] == [b"public"]
        names = {Path(manifest.manifest_path).name for manifest in snapshot.manifests(table.io)}
        names.add(Path(snapshot.manifest_list).name)
        assert {Path(key).name for key in iceberg.files("notes/") if key.endswith(".avro")} == names
        assert tags(table) == {"dump_2": snapshot.snapshot_id}


def test_what_others_wrote_is_replaced(iceberg: Publisher) -> None:
    iceberg.platform.deliver(1, pageviews=delivered(EVENTS, (1, 1, "/"), (3, 1, "/")))
    iceberg.sync("pageviews")
    with iceberg.table("pageviews") as table:
        table.delete("user_id = 3")
    assert iceberg.published("pageviews") != iceberg.expected("pageviews")
    assert iceberg.sync("pageviews") == [(2, 2)]
    assert iceberg.published("pageviews") == iceberg.expected("pageviews")


def test_after_others_wrote_no_bucket_of_theirs_stays(iceberg: Publisher) -> None:
    iceberg.platform.deliver(1, pageviews=delivered(EVENTS, (1, 1, "/"), (3, 1, "/")))
    iceberg.sync("pageviews")
    with iceberg.table("pageviews") as table:
        table.delete("user_id = 1")
    iceberg.platform.deliver(2, pageviews=delivered(EVENTS, (1, 1, "/"), full_resync=True))
    assert iceberg.sync("pageviews") == [(1, 1)]
    assert iceberg.published("pageviews") == iceberg.expected("pageviews")


def test_compaction_by_others_changes_nothing(iceberg: Publisher) -> None:
    iceberg.platform.deliver(1, pageviews=delivered(EVENTS, (1, 1, "/"), (3, 1, "/")))
    iceberg.sync("pageviews")
    with iceberg.table("pageviews") as table:
        before = table.current_snapshot()
        assert before is not None
        after = before.model_copy(
            update={
                "snapshot_id": before.snapshot_id + 1,
                "parent_snapshot_id": before.snapshot_id,
                "sequence_number": (before.sequence_number or 0) + 1,
                "summary": Summary(Operation.REPLACE),
            }
        )
        moved, _ = table.transaction()._set_ref_snapshot(
            after.snapshot_id, "main", SnapshotRefType.BRANCH
        )
        table._do_commit((AddSnapshotUpdate(snapshot=after), *moved), ())
    assert iceberg.sync("pageviews") == [(0, 0)]
    iceberg.platform.deliver(2, pageviews=delivered(EVENTS, (1, 2, "/")))
    assert iceberg.sync("pageviews") == [(1, 1)]
    assert iceberg.published("pageviews") == iceberg.expected("pageviews")


def test_a_table_of_somebody_else_is_left_alone(iceberg: Publisher, tmp_path: Path) -> None:
    iceberg.platform.deliver(1, notes=delivered("text", ("a",)), users=delivered("user_id", (1,)))
    iceberg.sync("users")
    catalog = load_catalog("default", type="sql", uri=f"sqlite:///{tmp_path}/warehouse.catalog.db")
    theirs = catalog.create_table(
        "csq.notes", pa.schema([("text", pa.string())]), location=f"{tmp_path}/theirs"
    )
    theirs.append(pa.table({"text": ["theirs"]}))
    with pytest.raises(SettingsError, match=r"another table csq\.notes, at .*/theirs") as refused:
        iceberg.publish("notes")
    assert refused.value.where == {"setting": "CSQ_PUBLISH_URL"}
    assert theirs.refresh().scan().to_arrow().to_pylist() == [{"text": "theirs"}]
    catalog.engine.dispose()  # type: ignore[attr-defined]
