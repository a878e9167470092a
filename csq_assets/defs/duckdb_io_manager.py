"""`csq_duckdb_io`: reads current tables into Polars, and writes tables of your own into DuckDB.

It follows dagster-duckdb's conventions. That library's own IO manager for Polars does not work with
DuckDB 2 (dagster-duckdb-polars, tried with 0.27.12), and its base class deletes a table before it
writes the new one, in no transaction.
"""

from pathlib import Path
from typing import NamedTuple

import dagster as dg
import duckdb
import polars as pl
from dagster_duckdb import DuckDBResource

from csq_assets.defs.failures import errors_as_failures
from csq_assets.defs.resources import connect
from csq_assets.errors import UsageError
from csq_assets.lake.parquet_files import sink
from csq_assets.lake.temporary import temporary_folder
from csq_assets.warehouse.database_schemas import SCHEMAS
from csq_assets.warehouse.engine import quote, transaction


class _Relation(NamedTuple):
    schema: str
    table: str

    def __str__(self) -> str:
        return f"{quote(self.schema)}.{quote(self.table)}"


class DuckDBIOManager(dg.ConfigurableIOManager):
    """An asset is a table named by the last part of its key, or its metadata entry `table`.

    The schema is the metadata entry `schema`, or the part of the key before the table, or `public`;
    never one of csq_assets. Return a `pl.DataFrame` or a `pl.LazyFrame`: it replaces the table, or in
    a partitioned asset the rows whose `partition_expr` (metadata) is the partition. An input is a
    `pl.DataFrame`, or a `pl.LazyFrame` if that is its type, with the `columns` of its metadata.
    """

    duckdb: dg.ResourceDependency[DuckDBResource]

    def handle_output(self, context: dg.OutputContext, obj: pl.DataFrame | pl.LazyFrame) -> None:
        """Write the table in one transaction. Raises dagster.Failure, and then it is unchanged."""
        relation = _relation(context)
        with errors_as_failures():
            if relation.schema.lower() in SCHEMAS:
                raise UsageError(
                    f"{context.asset_key.to_user_string()} would be written into schema "
                    f"{relation.schema}, which csq_assets keeps",
                    remedy='Name another one: @asset(metadata={"schema": "mart"}).',
                )
            if not isinstance(obj, pl.DataFrame | pl.LazyFrame):
                raise UsageError(
                    f"{context.asset_key.to_user_string()} is a {type(obj).__name__}",
                    remedy="Return a Polars DataFrame or LazyFrame, or choose another IO manager.",
                )
            with temporary_folder() as folder:
                staged = folder / "rows.parquet"
                sink(obj.lazy(), staged)
                rows = self._write(relation, staged, _partition(context))
        context.add_output_metadata(
            {
                "dagster/partition_row_count"
                if context.has_partition_key
                else "dagster/row_count": rows,
                "dagster/table_name": ".".join(relation),
            }
        )

    def load_input(self, context: dg.InputContext) -> pl.DataFrame | pl.LazyFrame:
        """The table, or the partition of it. Raises dagster.Failure where there is none."""
        upstream = context.upstream_output
        relation = _relation(upstream or context)
        columns = (context.definition_metadata or {}).get("columns")
        selected = ", ".join(map(quote, columns)) if columns else "*"
        condition, keys = _partition(context)
        with errors_as_failures(), connect(self.duckdb) as connection:
            try:
                found = connection.sql(
                    f"SELECT {selected} FROM {relation} WHERE {condition}", params=[*keys]
                )
                frame = pl.DataFrame(found)
            except (duckdb.CatalogException, duckdb.BinderException) as error:
                raise UsageError(
                    f"{'.'.join(relation)} cannot be read: {str(error).splitlines()[0]}",
                    remedy="Materialize the asset, or run csq sync.",
                ) from None
        return frame.lazy() if context.dagster_type.typing_type is pl.LazyFrame else frame

    def _write(
        self, relation: _Relation, staged: Path, partition: tuple[str, tuple[str, ...]]
    ) -> int:
        condition, keys = partition
        source = "SELECT * FROM read_parquet($staged)"
        parameters = {"staged": str(staged)}
        with connect(self.duckdb) as connection, transaction(connection):
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quote(relation.schema)}")
            if keys:
                connection.execute(
                    f"CREATE TABLE IF NOT EXISTS {relation} AS {source} LIMIT 0", parameters
                )
                connection.execute(f"DELETE FROM {relation} WHERE {condition}", [*keys])
                connection.execute(f"INSERT INTO {relation} BY NAME {source}", parameters)
            else:
                connection.execute(f"CREATE OR REPLACE TABLE {relation} AS {source}", parameters)
        return pl.scan_parquet(staged).select(pl.len()).collect().item()


def _relation(context: dg.OutputContext | dg.InputContext) -> _Relation:
    metadata, path = context.definition_metadata or {}, context.asset_key.path
    schema = metadata.get("schema") or (path[-2] if len(path) > 1 else "public")
    return _Relation(str(schema), str(metadata.get("table") or path[-1]))


def _partition(context: dg.OutputContext | dg.InputContext) -> tuple[str, tuple[str, ...]]:
    """The condition on rows of the context's partitions, and its parameters."""
    is_input = isinstance(context, dg.InputContext)
    upstream = context.upstream_output if is_input else context
    expression = ((upstream.definition_metadata if upstream else None) or {}).get("partition_expr")
    if not context.has_asset_partitions or (is_input and not expression):
        return "TRUE", ()
    if not expression:
        raise UsageError(
            f"{context.asset_key.to_user_string()} is partitioned, but not said by which column",
            remedy='Name it: @asset(metadata={"partition_expr": "CAST(_dump_id AS VARCHAR)"}).',
        )
    keys = tuple(context.asset_partition_keys)
    places = ", ".join("?" for _ in keys)
    return f"CAST({expression} AS VARCHAR) IN ({places})", keys
