"""Jobs on EMR Serverless: what is passed, what is told, and that nothing of it stays in the lake."""

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from csq_assets.defs.emr_serverless import EmrServerless
from csq_assets.defs.spark_engine import JOB
from csq_assets.doctor import examine
from csq_assets.errors import SettingsError
from csq_assets_tests.builders import ExportBuilder
from csq_assets_tests.platform import Platform, open_platform
from csq_assets_tests.spark.emr_server import APPLICATION, EmrServer, emr_server

PARAMETERS = {
    "applicationId": APPLICATION,
    "executionRoleArn": "arn:aws:iam::123456789012:role/csq",
    "jobDriver": {"sparkSubmit": {"entryPoint": str(JOB)}},
}
LAKE = "s3://ours/lake"


def written(folder: Path, **changed: Any) -> Path:
    file = folder / "emr.json"
    file.write_text(json.dumps({**PARAMETERS, **changed}))
    return file


@pytest.fixture
def emr(monkeypatch: pytest.MonkeyPatch) -> Iterator[EmrServer]:
    """A cluster that has no Spark."""
    with emr_server([sys.executable]) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_EMR_SERVERLESS", server.endpoint)
        yield server


@pytest.fixture
def on_emr(
    emr: EmrServer, s3_client: Any, directory_export: ExportBuilder, home: Path, tmp_path: Path
) -> Iterator[Platform]:
    assert emr
    s3_client.create_bucket(Bucket="ours")
    with open_platform(home, directory_export, LAKE) as platform:
        file = written(tmp_path)
        settings = replace(platform.settings, engine="spark", spark_emr_serverless=file)
        yield replace(platform, settings=settings)


def test_a_job_that_fails_is_told(on_emr: Platform, emr: EmrServer, s3_client: Any) -> None:
    on_emr.deliver(8, users=[{"user_id": 1}])
    summary = on_emr.sync()
    assert summary.exit_code == 1
    assert [error for error in summary.errors if "EMR Serverless job failed" in error], (
        summary.errors
    )
    (asked,) = emr.asked
    assert asked["executionRoleArn"] == PARAMETERS["executionRoleArn"]
    assert asked["tags"]["dagster/run-id"]
    left = [entry["Key"] for entry in s3_client.list_objects_v2(Bucket="ours")["Contents"]]
    assert not [key for key in left if not key.startswith("lake/") or "/pipes/" in key]


def test_an_application_that_is_not_there_is_told(on_emr: Platform, tmp_path: Path) -> None:
    written(tmp_path, applicationId="another")
    on_emr.deliver(8, users=[{"user_id": 1}])
    (error,) = (error for error in on_emr.sync().errors if "no such application" in error)
    assert "CSQ_SPARK_EMR_SERVERLESS" in error


@pytest.mark.parametrize(
    ("kind", "blames_the_setting"),
    [("InternalServerException", False), ("AccessDeniedException", True)],
)
def test_a_job_that_nobody_can_look_at_is_canceled(
    on_emr: Platform,
    emr: EmrServer,
    kind: str,
    monkeypatch: pytest.MonkeyPatch,
    *,
    blames_the_setting: bool,
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    emr.ails = kind
    on_emr.deliver(8, users=[{"user_id": 1}])
    summary = on_emr.sync()
    assert summary.exit_code == 1
    (error,) = (error for error in summary.errors if f"{kind}: not now" in error)
    assert ("CSQ_SPARK_EMR_SERVERLESS" in error) == blames_the_setting
    assert emr.canceled == ["0"]


def test_doctor_looks_at_the_application(on_emr: Platform, tmp_path: Path) -> None:
    def said() -> tuple[bool, str]:
        (probe,) = (p for p in examine(lambda: on_emr.settings) if p.name == "Spark")
        return probe.ok, probe.said

    assert said() == (True, "the application nightly is STARTED")
    written(tmp_path, applicationId="another")
    ok, text = said()
    assert not ok
    assert "CSQ_SPARK_EMR_SERVERLESS" in text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "Expecting property name"),
        ("[]", "list indices"),
        ('{"applicationId": "1"}', "no 'executionRoleArn'"),
        (json.dumps({**PARAMETERS, "applicationId": 1}), "the values are no texts"),
        (None, "No such file"),
    ],
)
def test_a_file_that_cannot_be_used_is_told(tmp_path: Path, text: str | None, said: str) -> None:
    file = tmp_path / "emr.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(SettingsError, match=said) as refused:
        EmrServerless.of(file, LAKE)
    assert refused.value.where == {"setting": "CSQ_SPARK_EMR_SERVERLESS"}


def test_a_lake_on_this_machine_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="is a directory") as refused:
        EmrServerless.of(written(tmp_path), str(tmp_path))
    assert refused.value.where == {"setting": "CSQ_LAKE_URL"}
