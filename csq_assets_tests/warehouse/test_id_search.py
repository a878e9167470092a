"""Ids of forgotten users are found in columns of any type that people may make."""

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from csq_assets.dataconnect.certificate import NOT_COVERED
from csq_assets.dataconnect.tombstones import Tombstones
from csq_assets.errors import StorageError
from csq_assets.warehouse.connection import open_warehouse
from csq_assets.warehouse.user_search import Holding, search_parquet, search_users

ANA = 8_411_000_000_000_011
TOMBSTONES = Tombstones("salt").with_ids([ANA, -12], datetime(2026, 3, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    "made",
    [
        "{}::BIGINT",
        "{}::UHUGEINT",
        "{}::DOUBLE",
        "{}::DECIMAL(24, 4)",
        "{}::VARCHAR",
        "'0{}'",
        "'1, {}'",
        "[1, {}]",
        "[{}::DOUBLE]",
        "[{}, 2]::BIGINT[2]",
        "['a', '{}']",
        "{{'x': 1, 'y': [{{'z': {}}}]}}",
        "MAP {{{}: 'a'}}",
        "MAP {{'a': {}}}",
        "row(1, {})",
        "union_value(a := {})",
        "'{}'::ENUM('{}')",
        '\'{{"user_id":{},"n":[1,2]}}\'::JSON',
        "'{{\"users\":[1,{}]}}'::JSON",
        "'{}'::BLOB",
        "{{'x': {}}}::VARIANT",
    ],
)
def test_an_id_is_found_in_a_column_of_any_type(tmp_path: Path, made: str) -> None:
    for user_id, found in ((ANA, True), (ANA + 1, False)):
        value = made.replace("{}", str(user_id)).replace("{{", "{").replace("}}", "}")
        with open_warehouse(tmp_path / f"{user_id}.duckdb") as connection:
            connection.execute(f"CREATE TABLE own AS SELECT {value} AS v UNION ALL SELECT NULL")
            held = search_users(connection, TOMBSTONES)
        assert held == ([Holding("main", "own", "v", 1)] if found else [])


def test_what_is_no_id_is_none(tmp_path: Path) -> None:
    """Parts of longer texts, times, and numbers that only round to an id are none; -12 is one."""
    with open_warehouse(tmp_path / "w.duckdb") as connection:
        connection.execute(
            "CREATE TABLE own AS SELECT TIMESTAMP '2026-12-12 12:12:12' AS a, 'x/-12' AS b, "
            "-12.25::DOUBLE AS c, [DATE '2026-12-12'] AS d, '' AS e, [12] AS f, "
            "{'t': TIME '12:12:12'} AS g, '1' || repeat('0', 40) AS h, 'nan'::DOUBLE AS i"
        )
        assert search_users(connection, TOMBSTONES) == []
        connection.execute("INSERT INTO own (b, c, f) VALUES ('-12', -12, [3, -12])")
        assert [one.column for one in search_users(connection, TOMBSTONES)] == ["b", "c", "f"]


def test_a_file_of_a_persons_own_is_searched_in_the_same_way(tmp_path: Path) -> None:
    file = tmp_path / "a[1]*?.parquet"
    pl.DataFrame({"n": [1], "who": [[{"x": ANA}]]}).write_parquet(file)
    assert search_parquet(file, TOMBSTONES) == "who"
    pl.DataFrame({"n": [1]}).write_parquet(file)
    assert search_parquet(file, TOMBSTONES) == ""
    file.write_bytes(b"PAR1")
    with pytest.raises(StorageError, match="cannot be read"):
        search_parquet(file, TOMBSTONES)


def test_what_is_not_found_is_said() -> None:
    assert any("rounded" in one and "binary" in one for one in NOT_COVERED)
