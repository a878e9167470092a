"""A project of a user's: what is told of models and tests that fail, and of columns they need."""

import html
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from csq_assets.dbt_project import DbtProject, why_dbt_failed
from csq_assets.errors import SettingsError
from csq_assets.settings import Settings
from csq_assets.status import read_status
from csq_assets.summary import CheckSummary
from csq_assets_tests.defs.test_sensor import Daemon
from csq_assets_tests.marts.project import PROJECT
from csq_assets_tests.platform import Platform

MODEL = "select user_id, {column} as tier from {{{{ source('typed', 'users') }}}}"
PROPERTIES = """
sources:
  - name: typed
    schema: csq_typed
    tables:
      - name: users
        columns:
          - name: user_id
            data_tests:
              - accepted_values:
                  {name: few, arguments: {values: [1], quote: false}, config: {severity: warn}}
models:
  - name: tiers
    columns: [{name: tier, data_tests: [{not_null: {name: tier_known}}]}]
"""
OF_TWO = """
{{ config(severity="warn") }}
select * from {{ ref("tiers") }} join {{ ref("twins") }} using (user_id) where tier is null
"""
GOT_ONE = "Got 1 result, configured to {} if != 0"
NULLS = f'not_null of "tier": {GOT_ONE.format("fail")}'
TIER_KNOWN = ("csq/marts/tiers", "tier_known", "ERROR", NULLS)
VALUES = f'accepted_values of "user_id": {GOT_ONE.format("warn")}'
FEW = ("csq/current/users", "few", "WARN", VALUES)
PAIRS = ("csq/marts", "pairs", "WARN", f"pairs: {GOT_ONE.format('warn')}")


def write_project(folder: Path, column: str) -> None:
    (folder / "models").mkdir(parents=True, exist_ok=True)
    (folder / "dbt_project.yml").write_text("{name: own, profile: csq}")
    (folder / "profiles.yml").write_text((PROJECT / "profiles.yml").read_text())
    (folder / "models" / "tiers.sql").write_text(MODEL.format(column=column))
    (folder / "models" / "tiers.yml").write_text(PROPERTIES)
    (folder / "models" / "twins.sql").write_text(
        "select user_id from {{ source('typed', 'users') }}"
    )
    (folder / "tests").mkdir(exist_ok=True)
    (folder / "tests" / "pairs.sql").write_text(OF_TWO)


@pytest.fixture
def own(platform: Platform, tmp_path: Path) -> Platform:
    write_project(tmp_path / "own", "plan")
    settings = replace(platform.settings, dbt_project=tmp_path / "own")
    return replace(platform, settings=settings)


Failing = set[tuple[str, str, str, str]]


def failing(platform: Platform) -> tuple[int, Failing, tuple[str, ...]]:
    """The exit code of a pass, its checks that fail, and its errors. The lake says the same."""
    summary = platform.sync()
    checks = _failing((*summary.checks, *summary.standing))
    status = read_status(platform.settings)
    assert _failing(status.failing_checks) == checks
    assert len(status.failed_assets) == len(summary.errors)
    return summary.exit_code, checks, summary.errors


def _failing(checks: Iterable[CheckSummary]) -> Failing:
    return {
        (one.asset, one.check, one.severity, one.description)
        for one in checks
        if not one.passed and one.check != "column_drift"
    }


@pytest.mark.slow
def test_what_fails_counts_until_it_is_repaired(own: Platform) -> None:
    own.deliver(12, users=[{"user_id": 1, "plan": "free"}, {"user_id": 2, "plan": None}])
    assert failing(own) == (3, {TIER_KNOWN, FEW, PAIRS}, ())
    assert own.rows("tiers", "main") == [
        {"user_id": 1, "tier": "free"},
        {"user_id": 2, "tier": None},
    ]
    assert Daemon(own).tick().run_requests == []  # it would fail again
    report = own.csq("report", "--out", "-", CSQ_DBT_PROJECT="")
    assert "1 problem needs action, and 2 warnings." in report.stderr
    assert NULLS in html.unescape(report.stdout)

    own.deliver(13, users=[{"user_id": 1}])
    code, checks, (error,) = failing(own)
    removed = 'dump 13 removes "plan"'
    used = f'{removed}; "plan" is gone, and used by csq/marts/tiers'
    assert (code, checks) == (1, {("csq/current/users", "columns_kept", "ERROR", used), FEW})
    assert error.startswith("project ")
    assert "dbt could not build tiers: " in error
    assert 'Referenced column "plan" not found' in error
    (failed,) = read_status(own.settings).failed_assets
    assert failed.asset == "csq/marts/tiers"
    assert failed.error.startswith("dbt could not build it: ")
    status = own.csq("status")
    assert f"failed csq/marts/tiers: {failed.error[:40]}" in status.stderr

    assert own.settings.dbt_project is not None
    write_project(own.settings.dbt_project, "'none'")
    # The column that the dump lacks is told of the partition too, whatever needs it.
    kept = ("csq/current/users", "columns_kept", "WARN", removed)
    assert failing(own) == (3, {kept, FEW}, ())  # the drift of the partition
    assert own.rows("tiers", "main") == [
        {"user_id": 1, "tier": "none"},
        {"user_id": 2, "tier": "none"},
    ]
    without = replace(own, settings=replace(own.settings, dbt_project=None))
    assert failing(without) == (3, {kept}, ())


@pytest.mark.slow
def test_a_project_that_dbt_refuses_is_one_sentence(own: Platform) -> None:
    own.deliver(12, users=[{"user_id": 1}])
    assert own.settings.dbt_project is not None
    (own.settings.dbt_project / "models" / "tiers.yml").write_text("models: [{name: ]")
    with pytest.raises(SettingsError) as refused:
        own.sync()
    said = str(refused.value)
    assert said.startswith("setting CSQ_DBT_PROJECT")
    assert "dbt cannot read the project: Parsing Error" in said
    assert "\n" not in said


def test_what_is_no_project_and_a_missing_extra_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.from_environment({"CSQ_DBT_PROJECT": str(tmp_path)})
    assert str(refused.value) == (
        f"setting CSQ_DBT_PROJECT: there is no dbt_project.yml in {tmp_path}. "
        "Name the folder of a dbt project: dbt of the clone, or a copy of it."
    )
    monkeypatch.setitem(sys.modules, "dagster_dbt", None)
    with pytest.raises(SettingsError) as refused:
        DbtProject.of(Settings.from_environment({"CSQ_DBT_PROJECT": str(PROJECT)}))
    assert str(refused.value) == (
        "setting CSQ_DBT_PROJECT: dbt is not installed. "
        'Install the extra: pip install "csq-assets[dbt]".'
    )


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (
            "06:26:33  Running\n06:26:33  Encountered an error:\nCompilation Error\n  of it",
            "Compilation Error of it",
        ),
        (
            "Encountered an error:\nNo byte\n06:26:33  Traceback (most recent call last):\n  File",
            "No byte",
        ),
        (
            "Traceback (most recent call last):\n  File\nImportError: no dbt\n",
            "ImportError: no dbt",
        ),
        ("it says nothing of an error", "it says nothing of an error"),
    ],
)
def test_why_dbt_failed_is_a_line_without_a_traceback(said: str, why: str) -> None:
    assert why_dbt_failed(said) == why
