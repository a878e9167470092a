"""Counts what is seen while a partition is decoded."""

from collections import Counter
from dataclasses import replace

import polars as pl

from csq_assets.avro.batch import ReplacedText
from csq_assets.avro.schema import RecordSchema
from csq_assets.dataconnect import tables
from csq_assets.dataconnect.manifest import TableDump
from csq_assets.dataconnect.matching import match_columns
from csq_assets.dataconnect.raw_schema import DecodeTotals, FileColumn, RawSchema, ReplacedTexts


class Observed:
    """Files, columns, rows, nulls in keys and replaced texts of one table of one dump."""

    def __init__(self, dump: TableDump) -> None:
        self._dump = dump
        self._files = Counter[RecordSchema]()  # the files of a table mostly share one schema
        self._rows = self._bytes_read = 0
        self._key_nulls = dict.fromkeys(tables.key_columns(dump.table, dump.columns), 0)
        self._replaced: dict[str, ReplacedText] = {}

    def knows(self, schema: RecordSchema) -> bool:
        """Whether a file before had this schema."""
        return schema in self._files

    def add_file(self, schema: RecordSchema) -> None:
        self._files[schema] += 1

    def add_bytes(self, count: int) -> None:
        self._bytes_read += count

    def add_rows(self, frame: pl.DataFrame, replaced: tuple[ReplacedText, ...]) -> None:
        """`frame` in manifest order after those before."""
        self._rows += frame.height
        for column in self._key_nulls:
            self._key_nulls[column] += frame.get_column(column).null_count()
        for text in replaced:
            first = self._replaced.get(text.file, replace(text, sequences=0))
            sequences = first.sequences + text.sequences
            self._replaced[text.file] = replace(first, sequences=sequences)

    @property
    def totals(self) -> DecodeTotals:
        return DecodeTotals(
            files=self._files.total(),
            rows=self._rows,
            bytes_read=self._bytes_read,
            key_nulls={**self._key_nulls},
            replaced=self._replaced_texts(),
        )

    @property
    def raw_schema(self) -> RawSchema:
        types: dict[str, set[str]] = {}
        files, respelled = Counter[str](), dict[str, Counter[str]]()
        for schema, count in self._files.items():
            names = {field.name: field.type_name for field in schema.fields}
            for name, in_file in match_columns(self._dump.columns, schema.columns).items():
                types.setdefault(name, set()).add(names[in_file])
                files[name] += count
                if name != in_file:
                    respelled.setdefault(name, Counter())[in_file] += count
        columns = (
            FileColumn(name, tuple(sorted(seen)), files[name], _pairs(respelled.get(name)))
            for name, seen in types.items()
        )
        has_files = bool(self._dump.files)
        return RawSchema(
            self._dump.columns, tuple(columns) if has_files else None, self._files.total()
        )

    def _replaced_texts(self) -> ReplacedTexts | None:
        files = list(self._replaced.values())
        if not files:
            return None
        sequences = sum(file.sequences for file in files)
        return ReplacedTexts(sequences, len(files), files[0].file, files[0].row)


def _pairs(counts: Counter[str] | None) -> tuple[tuple[str, int], ...]:
    return tuple((counts or Counter()).items())
