"""Columns of a published table in Iceberg."""

from collections.abc import Mapping

from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table import Transaction
from pyiceberg.transforms import BucketTransform
from pyiceberg.types import IcebergType, LongType, NestedField, StringType

from csq_assets.dataconnect.tables import ICEBERG_COLUMNS
from csq_assets.warehouse.bucket_sql import BUCKETS

_TYPES: Mapping[str, IcebergType] = {"BIGINT": LongType(), "VARCHAR": StringType()}
_NAMES: Mapping[IcebergType, str] = {kind: name for name, kind in _TYPES.items()}


def published_columns(columns: Mapping[str, str]) -> dict[str, str]:
    """The name of each column: its own, or with a free suffix, `_2`, where Iceberg has that itself."""
    taken = {column.lower() for column in columns}
    names: dict[str, str] = {}
    for column in columns:
        name, suffix = column, 2
        while name.lower() in ICEBERG_COLUMNS or (name != column and name.lower() in taken):
            name, suffix = f"{column}_{suffix}", suffix + 1
        taken.add(name.lower())
        names[column] = name
    return names


def schema_of(columns: Mapping[str, str]) -> Schema:
    """The schema of a new table."""
    return Schema(
        *(
            NestedField(number, column, _TYPES[kind], required=False)
            for number, (column, kind) in enumerate(columns.items(), 1)
        )
    )


def partition_spec(columns: Mapping[str, str]) -> PartitionSpec:
    """Hidden buckets of `user_id`; none in a table that has no users."""
    if "user_id" not in columns:
        return PartitionSpec()
    place = list(columns).index("user_id") + 1
    return PartitionSpec(
        PartitionField(place, 1000, BucketTransform(num_buckets=BUCKETS), "user_id_bucket")
    )


def types_of(schema: Schema) -> dict[str, str]:
    """The columns, each with its type in DuckDB, or in Iceberg where somebody added it."""
    return {
        field.name: _NAMES.get(field.field_type, str(field.field_type)) for field in schema.fields
    }


def field_ids(schema: Schema) -> dict[str, int]:
    return {field.name: field.field_id for field in schema.fields}


def evolve(transaction: Transaction, columns: Mapping[str, str]) -> None:
    """Bring the table to these columns, in this order. One that comes back is a new one: its old values
    are in rows that differ from what is published, and are written with it."""
    known = types_of(transaction.table_metadata.schema())
    if list(known.items()) == list(columns.items()):
        return
    gone = [name for name, kind in known.items() if columns.get(name) != kind]
    if gone:
        with transaction.update_schema(allow_incompatible_changes=True) as update:
            for name in gone:
                update.delete_column((name,))
    with transaction.update_schema() as update:
        for name, kind in columns.items():
            if known.get(name) != kind:
                update.add_column((name,), _TYPES[kind])
    order = list(transaction.table_metadata.schema().column_names)
    if order != list(columns):
        with transaction.update_schema() as update:
            for name in reversed(list(columns)):
                update.move_first((name,))
