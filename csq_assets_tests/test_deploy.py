"""The files of deploy/ agree with each other, with the pages and with Dagster."""

import json
import re
from typing import Any

import yaml
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable
from dagster._core.storage.runs.schema import RunsTable
from dagster._core.storage.schedules.schema import JobTickTable
from sqlglot import exp, parse_one
from sqlglot.optimizer.qualify import qualify

from csq_assets_tests.platform import REPOSITORY

DEPLOY = REPOSITORY / "deploy"


def page(name: str) -> str:
    return (REPOSITORY / "docs" / name).read_text()


def document(name: str) -> Any:
    return yaml.safe_load((DEPLOY / name).read_text())


def test_every_installation_serves_the_code_location_alike() -> None:
    (origin,) = document("workspace.yaml")["load_from"]
    server = origin["grpc_server"]
    unit = (DEPLOY / "systemd" / "csq-code.service").read_text()
    assert f"code-server start -h {server['host']} -p {server['port']} -m " in unit
    content = document("compose.yaml")["configs"]["workspace"]["content"]
    (origin,) = yaml.safe_load(content)["load_from"]
    assert origin["grpc_server"] == {**server, "host": "code"}
    helm = document("helm-values.yaml")
    (deployment,) = helm["dagster-user-deployments"]["deployments"]
    assert helm["dagsterWebserver"]["workspace"]["servers"] == [
        {"host": deployment["name"], "port": deployment["port"], "name": server["location_name"]}
    ]


def test_the_page_sets_the_variables_that_postgres_needs() -> None:
    instance = (DEPLOY / "dagster-postgres.yaml").read_text()
    assert set(re.findall(r"env: (DAGSTER_PG_\w+)", instance)) == set(
        re.findall(r"^(DAGSTER_PG_\w+)=", page("production.md"), re.MULTILINE)
    )


def test_ticks_are_kept_for_the_same_time_everywhere() -> None:
    home = yaml.safe_load((REPOSITORY / "dagster.yaml").read_text())["retention"]
    assert document("dagster-postgres.yaml")["retention"] == home
    helm = document("helm-values.yaml")["retention"]["sensor"]["purgeAfterDays"]
    assert helm.items() >= home["sensor"]["purge_after_days"].items()


def test_the_lifecycle_rule_of_the_page_is_json() -> None:
    (rules,) = re.findall(
        r"--lifecycle-configuration \\\n +'(.*?)'", page("operations.md"), re.DOTALL
    )
    assert json.loads(rules)["Rules"][0]["AbortIncompleteMultipartUpload"]


def test_the_exporter_asks_for_columns_that_dagster_has() -> None:
    text = (DEPLOY / "query-exporter.yaml").read_text().replace("!env ", "")  # its own tag
    exporter = yaml.safe_load(text)
    schema: dict[str, object] = {
        table.name: {column.name: str(column.type) for column in table.columns}
        for table in (RunsTable, JobTickTable, AssetCheckExecutionsTable)
    }
    for name, query in exporter["queries"].items():
        sql = parse_one(query["sql"], dialect="postgres")
        asked = qualify(sql, dialect="postgres", schema=schema)
        assert isinstance(asked, exp.Query)
        metrics = [exporter["metrics"][metric] for metric in query["metrics"]]
        labels = [label for metric in metrics for label in metric["labels"]]
        assert sorted(asked.named_selects) == sorted([*labels, *query["metrics"]]), name
