"""The job itself, started through the API of EMR Serverless: a cluster of this machine is behind it."""

import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from csq_assets_tests.builders import ExportBuilder
from csq_assets_tests.platform import REPOSITORY, Platform, open_platform
from csq_assets_tests.spark.cluster import Cluster
from csq_assets_tests.spark.emr_server import emr_server
from csq_assets_tests.spark.s3 import BUCKET
from csq_assets_tests.spark.test_emr_serverless import written

pytestmark = pytest.mark.slow


@pytest.fixture
def on_emr(
    running: Cluster,
    directory_export: ExportBuilder,
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Platform]:
    for name, value in running.s3.environment.items():
        monkeypatch.setenv(name, value)
    environment = {**running.environment, "PYTHONPATH": str(REPOSITORY)}
    with (
        emr_server(shlex.split(running.submit), environment) as emr,
        open_platform(home, directory_export, f"s3://{BUCKET}/{uuid4().hex}") as platform,
    ):
        monkeypatch.setenv("AWS_ENDPOINT_URL_EMR_SERVERLESS", emr.endpoint)
        settings = replace(
            platform.settings,
            engine="spark",
            spark_buckets=1,
            spark_emr_serverless=written(tmp_path),
        )
        yield replace(platform, settings=settings)


def test_a_sync_by_jobs_of_an_application(on_emr: Platform) -> None:
    on_emr.deliver(8, users=[{"user_id": 1}, {"user_id": 2}, {"user_id": 1}])
    summary = on_emr.sync()
    assert list(summary.errors) == []
    (users,) = summary.dumps[0].tables
    assert (summary.exit_code, users.status) == (0, "applied")
    objects = on_emr.lake.store.objects
    assert not list(objects.list("pipes/"))
    assert list(objects.list("iceberg/csq/users/data/"))
