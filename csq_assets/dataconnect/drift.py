"""What changed in a table's columns from one dump to another."""

from dataclasses import dataclass

from csq_assets.dataconnect.raw_schema import RawSchema
from csq_assets.dataconnect.wording import quoted


@dataclass(frozen=True, slots=True)
class Retyped:
    """A column whose Avro types are others now."""

    column: str
    before: tuple[str, ...]
    after: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ColumnDrift:
    """The difference between two dumps; false where there is none."""

    added: tuple[str, ...] = ()  # in the order of the newer dump
    removed: tuple[str, ...] = ()  # in the order of the older one
    retyped: tuple[Retyped, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.retyped)

    @property
    def only_adds(self) -> bool:
        return not (self.removed or self.retyped)

    def in_words(self) -> str:
        """For a sentence that begins with the newer dump."""
        said = [
            f"{verb} {quoted(columns)}"
            for verb, columns in (("adds", self.added), ("removes", self.removed))
            if columns
        ]
        said += [
            f"changes {quoted([one.column])} from {' or '.join(one.before)} "
            f"to {' or '.join(one.after)}"
            for one in self.retyped
        ]
        return ", ".join(said)


def compare(older: RawSchema, newer: RawSchema) -> ColumnDrift:
    """Say what the newer dump adds, removes and retypes. Order and nullability do not count.

    A type is compared where files of both dumps have the column with one. Columns that settings dropped
    from either do not count: Contentsquare changed nothing.
    Source: export-format.md, "Schema evolution and full resync", edge cases 69 and 70.
    """
    before, after = _avro_types(older), _avro_types(newer)
    ours = {*older.dropped, *newer.dropped}
    had, has = {*older.manifest_columns, *ours}, {*newer.manifest_columns, *ours}
    return ColumnDrift(
        added=tuple(column for column in newer.manifest_columns if column not in had),
        removed=tuple(column for column in older.manifest_columns if column not in has),
        retyped=tuple(
            Retyped(column, before[column], types)
            for column, types in after.items()
            if before.get(column, types) != types
        ),
    )


def _avro_types(schema: RawSchema) -> dict[str, tuple[str, ...]]:
    """The types of each column that holds anything but nulls."""
    types = {
        column.name: tuple(name for name in column.types if name != "null")
        for column in schema.file_columns or ()
    }
    return {column: names for column, names in types.items() if names}
