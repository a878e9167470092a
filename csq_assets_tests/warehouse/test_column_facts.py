"""What the values of a dump's columns have in common, however few of its rows are looked at first."""

from contextlib import closing
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from csq_assets.dataconnect.column_types import EVERY_FIT, Fit
from csq_assets.warehouse import column_facts
from csq_assets.warehouse.partition_files import PartitionFile
from csq_assets_tests.warehouse.deliveries import content, delivered

VALUES = st.sampled_from([None, None, "1", "-12", "1.5", "19.90", "007", "true", "2024-02-29", ""])
ROWS = st.lists(st.tuples(VALUES, VALUES, VALUES), min_size=1, max_size=6)


def facts(rows: list[tuple[Any, ...]], **sizes: int) -> dict[str, Fit]:
    """Those of columns `time`, `b` and `c`, with these sizes of samples and parts."""
    with pytest.MonkeyPatch.context() as patch, duckdb.connect() as connection:
        for name, size in sizes.items():
            patch.setattr(column_facts, f"_{name.upper()}", size)
        with closing(PartitionFile(content(1, delivered("time b c", *rows)))) as partition:
            return column_facts.read_facts(connection, "notes", partition)


@settings(max_examples=settings().max_examples // 4, deadline=None)
@given(rows=ROWS)
def test_a_sample_only_saves_work(rows: list[tuple[Any, ...]]) -> None:
    small = facts(rows, sampled_rows=1, columns=1, sampled_columns=1)
    assert small == facts(rows)
    for place, name in ((1, "b"), (2, "c")):
        alone = [facts([row])[name] for row in rows if row[place] is not None]
        wanted = EVERY_FIT
        for found in alone:
            wanted &= found
        assert small[name] & ~Fit.INSTANT == wanted & ~Fit.INSTANT


def test_values_that_come_after_many_nulls_are_found() -> None:
    rows = [(None, None, None)] * 2_000 + [("1714000000", "7", None), ("soon", "8", None)]
    assert facts(rows) == {"time": Fit(0), "b": Fit.BIGINT | Fit.DOUBLE, "c": EVERY_FIT}


def test_a_table_of_thousands_of_columns_is_read_in_parts() -> None:
    columns = [f"p{place}" for place in range(1_200)]
    rows = [[None] * 1_200, ["1", None, "a"] * 400]
    with (
        duckdb.connect() as connection,
        closing(PartitionFile(content(1, delivered(columns, *rows)))) as partition,
    ):
        found = column_facts.read_facts(connection, "notes", partition)
    assert list(found.values()) == [Fit.BIGINT | Fit.DOUBLE, EVERY_FIT, Fit(0)] * 400
