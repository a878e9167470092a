"""Partitions of the lake, as Spark reads them."""

from collections.abc import Mapping
from typing import Any

from csq_assets.dataconnect.tables import OWN_COLUMNS
from csq_assets.errors import StorageError
from csq_assets.spark.dialect import hadoop_path, pyspark, quote
from csq_assets.spark.messages import Partition


def read_partition(spark: Any, partition: Partition, columns: Mapping[str, str]) -> Any:
    """Delivered columns under the names that `columns` gives them, null where the file lacks one, and
    `ordinal`, the row's number in the partition. Raises StorageError where it cannot be read."""
    functions = pyspark("sql.functions")
    col, lit = functions.col, functions.lit
    frame = _open(spark, partition)
    row = col("_metadata.row_index").alias("ordinal")
    # A name may hold what Spark takes for a path into a column.
    there = {name: col(quote(name)) for name in frame.columns}
    types = {name: "bigint" if name == column else "string" for column, name in columns.items()}
    chosen = [
        there.get(column, lit(None)).cast(types[name]).alias(name)
        for column, name in columns.items()
    ]
    return frame.select(*chosen, row)


def delivered_columns(spark: Any, partition: Partition) -> tuple[str, ...]:
    """The delivered columns of the file, in its order. Raises StorageError where it cannot be read."""
    names = _open(spark, partition).columns
    return tuple(name for name in names if name not in OWN_COLUMNS)


def _open(spark: Any, partition: Partition) -> Any:
    try:
        return spark.read.parquet(hadoop_path(spark, partition.path))
    except pyspark("errors").AnalysisException as error:
        raise StorageError(
            f"Spark cannot read the partition in the lake: {str(error).splitlines()[0]}",
            where={"dump": partition.dump_id},
            remedy="Let the cluster reach the lake; if it does, materialize that partition again.",
        ) from None
