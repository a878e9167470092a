"""Components in a Dagster project that Dagster's own commands make."""

import json
import os
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest
import yaml
from dagster.components.component_scaffolding import scaffold_object

from csq_assets import DataConnectComponent
from csq_assets.attributes import refuse_sharing
from csq_assets.component_file import read_component
from csq_assets.defs.keys import Keys
from csq_assets.errors import CsqError, SettingsError, UsageError
from csq_assets.settings import Settings
from csq_assets_tests.builders import ExportBuilder
from csq_assets_tests.platform import SCRIPTS, Ran, copy_dagster_yaml, csq
from csq_assets_tests.platform import run as run_command
from csq_assets_tests.targets import DirectoryTarget

COMPONENT = "csq_assets.DataConnectComponent"
# `csq status`, where neither Dagster nor polars is to be had.
WITHOUT_DAGSTER = """
import sys
sys.modules["dagster"] = None
from csq_assets.cli import main
main()
"""


def environment(project: Path) -> dict[str, str]:
    """Of commands in the project, which is not installed."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("CSQ_")},
        "PYTHONPATH": str(project / "src"),
        "DAGSTER_HOME": str(project),
        "DAGSTER_DG_UPDATE_CHECK_ENABLED": "0",
        "COLUMNS": "200",
    }


def run(project: Path, command: str, *arguments: str) -> str:
    """What a command of Dagster prints on stdout; it must succeed."""
    done = run_command(SCRIPTS / command, *arguments, cwd=project, environment=environment(project))
    assert done.code == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project as `create-dagster` makes it, with the components `eu` and `us`."""
    folder = tmp_path_factory.mktemp("projects") / "analytics"
    folder.mkdir()
    run(folder, "create-dagster", "project", ".", "--no-uv-sync")
    run(folder, "dg", "scaffold", "defs", COMPONENT, "eu")
    # As the command does it, without another start of dg.
    parameters = json.dumps({"export_url": "data/us/export"})
    us = folder / "src/analytics/defs/us"
    scaffold_object(us, COMPONENT, parameters, "yaml", project_root=folder)
    copy_dagster_yaml(folder)
    for name, user_ids in (("eu", (1, 2)), ("us", (7,))):
        builder = ExportBuilder(DirectoryTarget(folder / "data" / name / "export"))
        builder.deliver(12, users=[{"user_id": user_id} for user_id in user_ids])
        builder.report("2026-03-01")
    return folder


@pytest.fixture
def instance(project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    monkeypatch.setenv("DAGSTER_HOME", str(project))
    monkeypatch.syspath_prepend(project / "src")
    instance = dg.DagsterInstance.from_config(str(project))
    yield instance
    instance.dispose()


@pytest.fixture
def eu(project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The `defs.yaml` of `eu`, as it was again afterwards; the current directory is the project's."""
    file = project / "src/analytics/defs/eu/defs.yaml"
    text = file.read_text()
    monkeypatch.chdir(project)
    monkeypatch.syspath_prepend(project / "src")
    yield file
    file.write_text(text)


def write(file: Path, kind: str = COMPONENT, **attributes: Any) -> None:
    file.write_text(yaml.safe_dump({"type": kind, "attributes": attributes}))


def load(project: Path) -> dg.Definitions:
    return dg.load_from_defs_folder(path_within_project=project)


def tick_and_run(project: Path, instance: dg.DagsterInstance, keys: Keys) -> list[str | None]:
    """What the sensor requests, executed as the daemon would; gives the names of jobs."""
    repository = load(project).get_repository_def()
    resources = repository.get_top_level_resources()
    given = {key: resources[key] for key in (keys.export, keys.lake, keys.duckdb)}
    with dg.build_sensor_context(
        instance=instance, repository_def=repository, resources=given
    ) as context:
        result = repository.get_sensor_def(keys.sensor)(context)
    assert isinstance(result, dg.SensorResult)
    requests = result.run_requests or []
    for request in requests:
        done = repository.get_job(str(request.job_name)).execute_in_process(
            instance=instance,
            partition_key=request.partition_key,
            asset_selection=list(request.asset_selection or []),
            tags=request.tags,
        )
        assert done.success
    return [request.job_name for request in requests]


def users(project: Path, name: str) -> list[int]:
    path = project / "data" / name / "warehouse.duckdb"
    with duckdb.connect(str(path), read_only=True) as connection:
        return [one for (one,) in connection.execute("SELECT user_id FROM csq.users").fetchall()]


@pytest.mark.slow
def test_dg_lists_the_component_and_checks_two(project: Path) -> None:
    listed = json.loads(run(project, "dg", "list", "components", "--json"))["items"]
    assert COMPONENT in [component["key"] for component in listed]
    run(project, "dg", "check", "defs")


@pytest.mark.usefixtures("instance")
# Dagster's own, for checks of a component.
@pytest.mark.filterwarnings("ignore:Parameter `execution_type`")
def test_what_two_define_is_apart(project: Path) -> None:
    defs = load(project)
    graph = defs.resolve_asset_graph()
    keys = [key.to_user_string() for key in graph.get_all_asset_keys()]
    assert {*keys} == {f"{own}/{key.partition('/')[2]}" for own in ("eu", "us") for key in keys}
    jobs = {job.name for job in defs.resolve_all_job_defs() if not job.name.startswith("__")}
    assert jobs == {"eu_raw", "eu_current", "us_raw", "us_current"}
    assert {one.name for one in defs.sensors or []} == {"eu_sync_reports", "us_sync_reports"}
    assert {graph.get(key).group_name for key in graph.get_all_asset_keys()} == {
        f"{own}_{group}" for own in ("eu", "us") for group in ("export", "raw", "current")
    }


@pytest.mark.slow
def test_the_sensor_loads_one_and_csq_the_other(
    project: Path, instance: dg.DagsterInstance
) -> None:
    jobs = [tick_and_run(project, instance, Keys("eu")) for _ in range(3)]
    assert jobs == [["eu_raw"], ["eu_current"], []]
    unfinished = instance.create_run_for_job(
        load(project).resolve_job_def("eu_raw"), tags={"eu/headless": "true"}
    )
    ran = csq(project, "--component", "us", "sync", "--json", environment=environment(project))
    assert ran.code == 0, ran.stderr
    assert {check["asset"].partition("/")[0] for check in ran.json()["checks"]} == {"us"}
    assert (users(project, "eu"), users(project, "us")) == ([1, 2], [7])
    assert instance.get_dynamic_partitions("eu_dumps") == ["12"]
    assert instance.get_dynamic_partitions("us_dumps") == ["12"]
    # The runs of csq are on the pages of the project's code location; those of others stay alone.
    headless = instance.get_runs(dg.RunsFilter(tags={"us/headless": "true"}))
    assert {run.tags[".dagster/repository"] for run in headless} == {"__repository__@analytics"}
    assert instance.get_run_by_id(unfinished.run_id) == unfinished


def test_status_of_plain_attributes_needs_no_dagster(project: Path) -> None:
    done = run_command(
        *(sys.executable, "-c", WITHOUT_DAGSTER, "--component", "us", "status", "--json"),
        cwd=project / "src",
        environment=environment(project),
    )
    assert done.code == 0, done.stderr
    assert json.loads(done.stdout).keys() >= {"dumps_known", "tables"}


def test_what_is_scaffolded_explains_every_attribute(project: Path) -> None:
    text = (project / "src/analytics/defs/us/defs.yaml").read_text()
    assert yaml.safe_load(text) == {
        "type": COMPONENT,
        "attributes": {
            "export_url": "data/us/export",
            "lake_url": "data/us/lake",
            "duckdb_path": "data/us/warehouse.duckdb",
            "key_prefix": "us",
            "group_prefix": "us_",
        },
    }
    every = yaml.safe_load(re.sub(r"^  #(\w+:)", r"  \1", text, flags=re.MULTILINE))["attributes"]
    assert [*every] == [setting.name for setting in fields(Settings)]
    assert "CSQ_" not in text


def test_its_schema_documents_each_attribute() -> None:
    properties = DataConnectComponent.model_json_schema()["properties"]
    assert [*properties] == [setting.name for setting in fields(Settings)]
    assert all(attribute["description"] for attribute in properties.values())


def test_the_environment_describes_one_too(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in (
        ("CSQ_SKIP_TABLES", "a,b_*"),
        ("CSQ_DUCKDB_SNAPSHOT_PATH", "copy.duckdb"),
        ("CSQ_KEY_PREFIX", "marketing/eu"),
        ("CSQ_ALERTS", "slack://A/B/secret, jsons://host/a,b"),
    ):
        monkeypatch.setenv(variable, value)
    component = DataConnectComponent.from_environment()
    assert component.settings(Path("/elsewhere")) == Settings.from_environment()
    assert "secret" not in repr(component)


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ({"key_prefix": "us"}, 'CSQ_KEY_PREFIX: another component has "us" as well. Give'),
        ({"lake_url": "us/lake/of"}, 'us/lake/of and the lake of the component "us" overlap'),
        ({"lake_url": "us/export/lake"}, "us/export/lake and the export of the component"),
        ({"duckdb_path": "us/w.duckdb"}, "us/w.duckdb and the DuckDB file of the component"),
        ({"snapshot_path": "us/w.duckdb"}, "CSQ_DUCKDB_SNAPSHOT_PATH: /p/us/w.duckdb and the Duck"),
        ({"duckdb_path": "us/copy.duckdb"}, "us/copy.duckdb and the snapshot of the component"),
        ({"publish_url": "us/tables/eu"}, "us/tables/eu and the published tables of the component"),
        ({"publish_url": "us"}, "CSQ_PUBLISH_URL: /p/us and the published tables of the comp"),
        ({"lake_url": "us/tables"}, "us/tables and the published tables of the component"),
    ],
)
def test_two_may_not_have_one_name_nor_write_to_one_place(
    attributes: dict[str, str], said: str
) -> None:
    def settings(name: str, **changed: str) -> Settings:
        given = {
            "export_url": f"{name}/export",
            "lake_url": f"{name}/lake",
            "duckdb_path": f"{name}/w.duckdb",
            "snapshot_path": f"{name}/copy.duckdb",
            "publish_url": f"{name}/tables",
            "key_prefix": name,
        }
        return Settings.of({**given, **changed}, Path("/p"))

    refuse_sharing(settings("eu"), settings("us"))
    with pytest.raises(SettingsError, match=said):
        refuse_sharing(settings("eu", **attributes), settings("us"))


def test_a_project_with_two_that_share_does_not_load(project: Path, eu: Path) -> None:
    write(eu, lake_url="data/us/lake", duckdb_path="data/eu.duckdb", key_prefix="eu")
    with pytest.raises(Exception, match="Error while building definitions for eu") as raised:
        load(project).get_repository_def()
    assert str(raised.value.__cause__) == (
        f'attribute lake_url: {project}/data/us/lake and the lake of the component "us" overlap. '
        "Choose another place."
    )
    with pytest.raises(SettingsError) as told:
        read_component("eu")
    assert str(told.value) == f"component eu, {raised.value.__cause__}"


def test_wrong_attributes_are_told_alike_by_dagster_and_by_csq(project: Path, eu: Path) -> None:
    said = 'attribute owners: "ana" is neither an e-mail address nor team:name. '
    write(eu, owners=["ana"], key_prefix="eu")
    with pytest.raises(Exception, match="Error while building definitions for eu") as raised:
        load(project).get_repository_def()
    assert str(raised.value.__cause__).startswith(said)
    with pytest.raises(SettingsError) as told:
        read_component("eu")
    assert str(told.value).startswith(f"component eu, {said}")


def test_a_component_is_named_by_its_folder_or_by_a_path(
    project: Path, eu: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = read_component("eu")
    assert settings.lake_url == str(project / "data/eu/lake")
    assert settings.code_location == "analytics"
    monkeypatch.chdir(project.parent)
    for name in (eu, eu.parent, eu.relative_to(project.parent)):
        assert read_component(str(name)) == settings


def test_templates_are_resolved_as_dagster_does(
    project: Path, eu: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXPORT_OF_EU", "s3://csq-rs3-acme")
    write(eu, export_url="{{ env.EXPORT_OF_EU }}", lake_url="{{ context.project_root }}/lake")
    settings = read_component("eu")
    assert (settings.export_url, settings.lake_url) == ("s3://csq-rs3-acme", str(project / "lake"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("type: [", "is no valid YAML: .*line 1, column 8"),
        ("type: nowhere.Component", "it cannot be loaded: No module named 'nowhere'. Run dg"),
        ("type: dagster.DefsFolderComponent", "holds something else than one DataConnectComponent"),
        (
            f"type: {COMPONENT}\nattributes: {{lake: x}}",
            "attributes.lake at .* Extra inputs are not",
        ),
        (
            f"type: {COMPONENT}\nattributes: {{owners: ana}}",
            "owners Input should be a valid list. Run dg",
        ),
        (f"type: {COMPONENT}\n---\ntype: {COMPONENT}", "holds something else"),
    ],
)
def test_a_file_that_is_no_such_component_is_a_sentence(eu: Path, text: str, said: str) -> None:
    eu.write_text(text)
    with pytest.raises(CsqError, match=f"component eu: .*{said}"):
        read_component("eu")


def test_csq_names_attributes_in_all_that_it_says(project: Path, eu: Path) -> None:
    write(eu, export_url="data/nowhere", lake_url="data/eu/lake", key_prefix="eu")
    ran = csq(project, "--component", "eu", "sync", environment=environment(project))
    assert ran.code == 2
    assert ran.stderr == (
        f"csq: attribute export_url: there is no directory {project}/data/nowhere. Create it, or set "
        "export_url to where the files are.\n"
    )
    own = {**environment(project), "CSQ_HASH_KEY_EU": "of the component"}
    ran = csq(project, "--component", "eu", "doctor", environment=own)
    assert ran.code == 2
    assert f"ok   export_url: {project}/data/nowhere\n" in ran.stderr
    assert "FAIL list manifests: attribute export_url: " in ran.stderr
    assert "CSQ_" not in ran.stderr


def test_files_that_cannot_be_read_are_named(project: Path, eu: Path) -> None:
    theirs = eu.parent.parent / "theirs"
    theirs.mkdir()
    (theirs / "defs.yaml").write_bytes(b"type: other.Component # caf\xe9\n")
    try:
        assert read_component("eu")  # what is nobody's of ours is not read
        text = eu.read_text()
        eu.write_bytes(b"# DataConnectComponent caf\xe9\n")
        with pytest.raises(UsageError, match=f"component eu: {eu} is no valid YAML: .*utf-8"):
            read_component("eu")
    finally:
        shutil.rmtree(theirs)
    eu.write_text(text)
    outer = project.parent / "pyproject.toml"
    outer.write_text("[tool\n")
    (inner := project.parent / "inner").mkdir()
    try:
        for command in (("init", "."), ("--component", "eu", "status")):
            ran = csq(inner, *command, environment=environment(project))
            assert (ran.code, ran.stdout) == (2, "")
            assert ran.stderr.startswith(f"csq: {outer} is no valid TOML: ")
        assert read_component("eu")  # the project's own file is found before that one
    finally:
        outer.unlink()
        inner.rmdir()


def test_a_name_that_is_none_lists_the_components(eu: Path) -> None:
    with pytest.raises(UsageError) as told:
        read_component("uk")
    assert str(told.value) == (
        f'there is no component "uk" in {eu.parent.parent}. Components: eu, us.'
    )


def test_outside_of_a_project_there_is_no_component(tmp_path: Path) -> None:
    ran = csq(tmp_path, "--component", "eu", "status", environment=environment(tmp_path))
    assert ran == Ran(
        2,
        "",
        'csq: there is no Dagster project here, and no component at "eu". Run csq in the folder of '
        "the project, or give the path of a defs.yaml.\n",
    )


def test_init_in_a_project_writes_nothing_that_it_has_itself(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.dg.project]\nroot_module = "x"\n')
    assert csq(tmp_path, "init", ".", environment=environment(tmp_path)) == Ran(
        0, "", f"Wrote dagster.yaml into {tmp_path}. Next: run csq --component NAME doctor.\n"
    )
