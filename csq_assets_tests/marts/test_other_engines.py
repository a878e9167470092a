"""The models compile for Spark and Athena by dbt's own adapters, and are SQL of those engines."""

from pathlib import Path

import pytest
import sqlglot
from sqlglot.expressions import Query

from csq_assets_tests.marts.project import PROJECT, dbt

PROFILES = """
csq:
  outputs:
    spark: {type: spark, method: session, host: none, schema: csq}
    athena:
      {type: athena, region_name: none, database: none, schema: csq, s3_staging_dir: s3://none/}
"""
COMPILE = ("compile", "--no-introspect", "--no-populate-cache", "--warn-error")


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["spark", "athena"])
def test_every_model_compiles_for(engine: str, tmp_path: Path) -> None:
    (tmp_path / "profiles.yml").write_text(PROFILES)
    (tmp_path / "pyspark.py").touch()  # dbt-spark imports it, and opens no session to compile
    done = dbt(tmp_path, *COMPILE, "--target", engine, profiles=tmp_path, PYTHONPATH=str(tmp_path))
    assert done.code == 0, done.stdout
    compiled = {
        file.relative_to(tmp_path / "target/compiled/csq_marts"): file.read_text()
        for file in (tmp_path / "target/compiled/csq_marts/models").rglob("*.sql")
    }
    assert {file.relative_to(PROJECT) for file in (PROJECT / "models").rglob("*.sql")} < set(
        compiled
    )
    for text in compiled.values():
        (statement,) = sqlglot.parse(text, dialect=engine)
        assert isinstance(statement, Query)
