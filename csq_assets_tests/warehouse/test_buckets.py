"""Buckets: Iceberg's own, and fingerprints that tell whether one changed."""

from pathlib import Path
from typing import Any

import duckdb
import polars as pl
from hypothesis import given, settings
from hypothesis.strategies import integers, lists, none, permutations, text, tuples
from pyiceberg.transforms import BucketTransform
from pyiceberg.types import LongType

from csq_assets.warehouse.bucket_sql import BUCKETS, NO_USER, BucketedRelation

IDS = integers(-(2**63), 2**63 - 1)
ROWS = lists(tuples(none() | integers(-3, 3), none() | text("ab\0é"), none() | text("ab")))
DATABASE = duckdb.connect()
COLUMNS = {"user_id": "BIGINT", "plan": "VARCHAR", 'it\'s "odd"': "VARCHAR"}


laws = settings(deadline=None, max_examples=50)


def fingerprints(rows: list[Any], columns: dict[str, str] = COLUMNS) -> dict[int, str]:
    with DATABASE.cursor() as connection:
        values = [[row[place] for row in rows] for place in range(len(columns))]
        schema = {
            name: pl.Int64 if kind == "BIGINT" else pl.String for name, kind in columns.items()
        }
        frame = pl.DataFrame(dict(zip(columns, values, strict=True)), schema=schema)
        connection.register("given", frame.to_arrow())
        connection.execute("CREATE OR REPLACE TABLE rows AS FROM given")
        return BucketedRelation("main", "rows", columns).fingerprints(connection)


@laws
@given(ids=lists(IDS.filter(bool), min_size=1))
def test_a_bucket_is_the_one_of_iceberg(ids: list[int]) -> None:
    transform = BucketTransform(BUCKETS).transform(LongType())
    found = fingerprints([(one, None, None) for one in ids])
    rows = {bucket: int(digest.partition(":")[0]) for bucket, digest in found.items()}
    expected = [transform(one) for one in ids]
    assert rows == {bucket: expected.count(bucket) for bucket in expected}


@laws
@given(rows=ROWS.flatmap(lambda rows: tuples(permutations(rows), permutations(rows))))
def test_the_order_of_rows_means_nothing(rows: tuple[list[Any], list[Any]]) -> None:
    assert fingerprints(rows[0]) == fingerprints(rows[1])


@laws
@given(one=ROWS, other=ROWS)
def test_other_rows_have_another_fingerprint(one: list[Any], other: list[Any]) -> None:
    same = sorted(one, key=repr) == sorted(other, key=repr)
    assert (fingerprints(one) == fingerprints(other)) == same


def test_a_column_without_values_counts_for_nothing() -> None:
    rows = [(1, "a"), (None, None), (3, "b")]
    columns = {"user_id": "BIGINT", "plan": "VARCHAR"}
    wider = {"new": "VARCHAR", **columns}
    assert fingerprints(rows, columns) == fingerprints([(None, *row) for row in rows], wider)
    assert fingerprints(rows, columns) != fingerprints([("", *row) for row in rows], wider)
    moved = [(row[1], row[0], None) for row in rows]
    assert fingerprints(rows, columns) != fingerprints(moved, wider)


def test_a_very_wide_relation_has_fingerprints(tmp_path: Path) -> None:
    columns = {"user_id": "BIGINT", **{f"c{place}": "VARCHAR" for place in range(3000)}}
    selected = ", ".join(f"NULL::{kind} AS {name}" for name, kind in columns.items())
    with duckdb.connect() as connection:
        connection.execute(f"CREATE VIEW wide AS SELECT {selected}")
        relation = BucketedRelation("main", "wide", columns)
        assert relation.fingerprints(connection) == {NO_USER: "1:0"}
        names = {name: name for name in columns}
        (files,) = relation.write(connection, [NO_USER], tmp_path / "out", names=names).values()
        assert pl.concat(map(pl.read_parquet, files)).shape == (1, 3001)
