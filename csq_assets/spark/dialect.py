"""What Spark takes: the defining SELECTs, which are written for DuckDB, names, and pyspark itself."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import sqlglot
from sqlglot import ErrorLevel, exp


def spark_sql(statement: str, views: Mapping[str, str] | None = None) -> str:
    """The statement for Spark. `views` gives the view that is read in the place of a relation.

    Raises sqlglot's UnsupportedError where Spark cannot do what it says.
    """
    tree = sqlglot.parse_one(statement, read="duckdb", error_level=ErrorLevel.RAISE)
    for table in tree.find_all(exp.Table):
        view = (views or {}).get(f"{table.db}.{table.name}" if table.db else table.name)
        if view:
            if not table.alias:
                table.set("alias", exp.TableAlias(this=exp.to_identifier(table.name)))
            table.set("this", exp.to_identifier(view))
            table.set("db", None)
    return tree.sql(dialect="spark", unsupported_level=ErrorLevel.RAISE)


def pyspark(module: str) -> Any:
    """A module of the cluster's pyspark, which has no types to name and is installed there alone."""
    return import_module(f"pyspark.{module}")


def hadoop_path(spark: Any, path: str) -> str:
    """The path under the scheme that the cluster knows: EMR has s3, others have s3a."""
    known = spark.sparkContext._jsc.hadoopConfiguration().get("fs.s3.impl")  # noqa: SLF001
    return path if known or not path.startswith("s3://") else f"s3a://{path.removeprefix('s3://')}"


def quote(name: str) -> str:
    """The name as an identifier of Spark."""
    return "`" + name.replace("`", "``") + "`"
