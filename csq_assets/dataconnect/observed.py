"""Counts what is seen while a partition is decoded."""

from collections import Counter, defaultdict

import polars as pl

from csq_assets.avro.batch import ReplacedText
from csq_assets.avro.schema import RecordSchema
from csq_assets.dataconnect import tables
from csq_assets.dataconnect.column_rules import ColumnRules
from csq_assets.dataconnect.manifest import TableDump
from csq_assets.dataconnect.matching import match_columns
from csq_assets.dataconnect.raw_schema import DecodeTotals, FileColumn, RawSchema, ReplacedTexts


class Observed:
    """Files, columns, rows, nulls in keys and replaced texts of one table of one dump, without the
    columns that `rules` drop."""

    def __init__(self, dump: TableDump, rules: ColumnRules) -> None:
        self._dump = dump
        self._rules = rules
        self._files = Counter[RecordSchema]()  # the files of a table mostly share one schema
        self._rows = self._forgotten = self._bytes_read = 0
        self._key_nulls = dict.fromkeys(tables.key_columns(dump.table, dump.columns), 0)
        self._replaced: list[ReplacedText] = []

    def knows(self, schema: RecordSchema) -> bool:
        """Whether a file before had this schema."""
        return schema in self._files

    def add_file(self, schema: RecordSchema) -> None:
        self._files[schema] += 1

    def add_bytes(self, count: int) -> None:
        self._bytes_read += count

    def add_rows(
        self, frame: pl.DataFrame, replaced: tuple[ReplacedText, ...], *, forgotten: int
    ) -> None:
        """`frame` in manifest order after those before; so many rows were left out of it."""
        self._rows += frame.height
        self._forgotten += forgotten
        for column in self._key_nulls:
            self._key_nulls[column] += frame.get_column(column).null_count()
        self._replaced += replaced

    @property
    def totals(self) -> DecodeTotals:
        return DecodeTotals(
            files=self._files.total(),
            rows=self._rows,
            bytes_read=self._bytes_read,
            key_nulls={**self._key_nulls},
            replaced=self._replaced_texts(),
            forgotten=self._forgotten,
        )

    @property
    def raw_schema(self) -> RawSchema:
        types = defaultdict[str, set[str]](set)
        files, respelled = Counter[str](), defaultdict[str, Counter[str]](Counter)
        for schema, count in self._files.items():
            names = dict(zip(schema.columns, schema.type_names, strict=True))
            for name, in_file in match_columns(self._dump.columns, schema.columns).items():
                types[name].add(names[in_file])
                files[name] += count
                if name != in_file:
                    respelled[name][in_file] += count
        table, listed = self._dump.table, self._dump.columns
        seen = dict.fromkeys((*listed, *types))
        dropped = self._rules.dropped_of(table, seen)
        columns = tuple(
            FileColumn(name, tuple(sorted(found)), files[name], tuple(respelled[name].items()))
            for name, found in types.items()
            if name not in dropped
        )
        return RawSchema(
            tuple(name for name in listed if name not in dropped),
            columns if self._dump.files else None,
            self._files.total(),
            dropped,
            self._rules.hashed_of(table, seen),
        )

    def _replaced_texts(self) -> ReplacedTexts | None:
        if not self._replaced:
            return None
        first, sequences = self._replaced[0], sum(text.sequences for text in self._replaced)
        files = len({text.file for text in self._replaced})
        return ReplacedTexts(sequences, files, first.file, first.row)
