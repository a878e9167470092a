"""The SELECTs that DuckDB executes, as a job gives them to Spark."""

import pytest
import sqlglot
from sqlglot import exp

from csq_assets.errors import StorageError
from csq_assets.spark.dialect import quote, spark_sql
from csq_assets.spark.iceberg import refuse_reserved
from csq_assets.spark.layout import Layout
from csq_assets.warehouse.delivered_sql import arriving_rows
from csq_assets.warehouse.keyed_sql import outcome

VIEWS = {
    "csq_meta.user_identity": "csq_identity",
    "delivered": "csq_delivered",
    "verdict": "csq_verdict",
}


def test_relations_are_read_from_views_and_keep_their_names() -> None:
    rendered = spark_sql(arriving_rows(["c1"], 8), VIEWS)
    tables = list(sqlglot.parse_one(rendered, read="spark").find_all(exp.Table))
    assert {(table.db, table.name, table.alias) for table in tables} == {
        ("", "csq_delivered", "delivered"),
        ("", "csq_identity", "identity"),
        ("", "csq_verdict", "verdict"),
    }


@pytest.mark.parametrize("merges", [True, False])
def test_counts_are_rendered(merges: bool) -> None:  # noqa: FBT001  # a parameter of pytest
    rendered = spark_sql(outcome(merges=merges), VIEWS)
    tree = sqlglot.parse_one(rendered, read="spark")
    assert isinstance(tree, exp.Select)
    assert [one.alias for one in tree.selects] == ["updated", "lost", "duplicates"]


def test_a_table_has_the_columns_of_its_manifest_then_our_own() -> None:
    layout = Layout({"plan": "plan", "user_id": "user_id", "Plan": "Plan_2", "a`b": "a`b"})
    assert layout.types == {
        "plan": "string",
        "user_id": "bigint",
        "Plan_2": "string",
        "a`b": "string",
        "_raw_user_id": "bigint",
        "_dump_id": "bigint",
        "_dump_row": "bigint",
    }
    assert layout.outside() == (
        "c1 AS `plan`, user_id AS `user_id`, c3 AS `Plan_2`, c4 AS `a``b`, "
        "raw_user_id AS `_raw_user_id`, dump_id AS `_dump_id`, ordinal AS `_dump_row`"
    )
    assert layout.inside(["user_id", "plan"]).startswith(
        "`user_id` AS user_id, CAST(NULL AS BIGINT) AS raw_user_id"
    )
    assert quote("a`b") == "`a``b`"


def test_a_column_that_iceberg_has_itself_is_refused() -> None:
    with pytest.raises(StorageError, match='Iceberg has a column "_file" of its own'):
        refuse_reserved(["user_id", "_file"])
