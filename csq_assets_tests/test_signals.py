"""SIGINT and SIGTERM, at any point of a sync: one sentence, and nothing half done."""

import re
import signal
from pathlib import Path
from threading import Event
from typing import Any

import dagster as dg
import pytest

from csq_assets.pipeline.pass_lock import pass_lock
from csq_assets_tests.builders import AvroFile, ExportBuilder
from csq_assets_tests.ended import end_at, end_on_terminal
from csq_assets_tests.faulty_s3 import FaultyS3, hanging
from csq_assets_tests.platform import Platform, Ran, open_platform

INTERRUPTED = "csq: interrupted; what was finished is kept\n"
TERMINATED = "csq: terminated; what was finished is kept\n"
CANCELED = dg.DagsterRunStatus.CANCELED


def statuses(platform: Platform) -> list[dg.DagsterRunStatus]:
    """Of all runs, newest first."""
    return [run.status for run in platform.instance.get_runs()]


@pytest.mark.slow
def test_a_sync_that_is_asked_to_end_does_so_at_any_point(platform: Platform) -> None:
    platform.deliver(12, users=[{"user_id": 1}], sessions=[{"user_id": 1, "session_id": 5}])
    started = end_at(platform, signal.SIGTERM, "import csq_assets.sync")
    assert started == Ran(143, "", TERMINATED)
    with pass_lock(platform.settings.duckdb_path, wait_seconds=0):
        waiting = end_at(platform, signal.SIGINT, "open .*warehouse.duckdb.lock", 2)
    assert waiting == Ran(130, "", INTERRUPTED)
    assert statuses(platform) == []
    created = end_at(platform, signal.SIGINT, "record ASSET_MATERIALIZATION_PLANNED")
    assert created == Ran(130, "", INTERRUPTED)
    assert (statuses(platform), platform.partitions()) == ([CANCELED], set())
    between = end_at(platform, signal.SIGTERM, "record STEP_SUCCESS csq__raw__")
    assert between == Ran(143, "", TERMINATED)
    assert statuses(platform) == [CANCELED] * 2
    assert len(platform.partitions()) == 1
    # Dagster does not look for signals after the last step, yet nothing more is done.
    last = end_at(platform, signal.SIGINT, "record PIPELINE_SUCCESS csq_raw")
    assert last == Ran(130, "", INTERRUPTED)
    assert statuses(platform) == [dg.DagsterRunStatus.SUCCESS, CANCELED, CANCELED]
    assert platform.sync().exit_code == 0
    assert platform.rows("users") == [{"user_id": 1, "_dump_id": 12}]


@pytest.mark.s3
@pytest.mark.slow
def test_a_sync_ends_while_it_decodes_and_while_it_refreshes(
    faulty_s3: FaultyS3,
    s3_export: ExportBuilder,
    s3_client: Any,
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    s3_client.create_bucket(Bucket="ours")
    released, temporary = Event(), tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    with open_platform(home, s3_export, "s3://ours/lake") as platform:
        files = [AvroFile([{"user_id": 1}]), AvroFile([{"user_id": 2}], name="last.avro")]
        platform.deliver(12, users=files)
        faulty_s3.fault = hanging("/last.avro", released)
        decoding = end_on_terminal(
            platform,
            signal.SIGINT,
            lambda said: re.search("users of dump 12 .* 1/2 files, 0 rows", said),
        )
        assert (decoding.code, decoding.stderr.splitlines()[-1]) == (130, INTERRUPTED.strip())
        assert (statuses(platform), platform.partitions()) == ([CANCELED], set())
        faulty_s3.fault = hanging("/data.parquet", released)
        refreshing = end_on_terminal(
            platform,
            signal.SIGTERM,
            lambda _said: (
                ("GET", "data.parquet")
                in [(request.method, Path(request.path).name) for request in faulty_s3.requests]
            ),
        )
        assert (refreshing.code, refreshing.stderr.splitlines()[-1]) == (143, TERMINATED.strip())
        assert statuses(platform) == [CANCELED, dg.DagsterRunStatus.SUCCESS, CANCELED]
        released.set()
        assert platform.sync().exit_code == 0
        assert [row["user_id"] for row in platform.rows("users")] == [1, 2]
    assert list(temporary.iterdir()) == []
