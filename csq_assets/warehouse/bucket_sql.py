"""Buckets of a relation: rows by a hash of their `user_id`, told apart by fingerprints, and written as
Parquet.

The hash is the one of Iceberg's transform `bucket`, so that engines prune by `user_id`.
Source: https://iceberg.apache.org/spec/#appendix-b-32-bit-hash-requirements
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from duckdb import DuckDBPyConnection

from csq_assets.warehouse.engine import quote, quote_text

BUCKETS = 16
NO_USER = -1  # the bucket of rows without a user, and of relations without users

# 32-bit arithmetic on UBIGINT, which no product of two 32-bit numbers leaves.
_MACROS = """
CREATE OR REPLACE TEMP MACRO csq_rotate(x, bits) AS
    ((x * 4294967297) >> (32 - bits)) & 4294967295;
CREATE OR REPLACE TEMP MACRO csq_scramble(x) AS
    (csq_rotate((x * 3432918353) & 4294967295, 15) * 461845907) & 4294967295;
CREATE OR REPLACE TEMP MACRO csq_mix(x, word) AS
    (csq_rotate(xor(x, csq_scramble(word)), 13) * 5 + 3864292196) & 4294967295;
CREATE OR REPLACE TEMP MACRO csq_finish(x, bits, factor) AS
    (xor(x, x >> bits) * factor) & 4294967295;
CREATE OR REPLACE TEMP MACRO csq_hash(id) AS
    csq_finish(csq_finish(xor(csq_mix(csq_mix(0::UBIGINT,
        (id & 4294967295)::UBIGINT), ((id >> 32) & 4294967295)::UBIGINT), 8::UBIGINT),
        16, 2246822507), 13, 3266489909);
CREATE OR REPLACE TEMP MACRO csq_bucket(id, buckets) AS
    ((xor(csq_hash(id), csq_hash(id) >> 16) & 2147483647) % buckets)::INTEGER;
"""


@dataclass(frozen=True, slots=True)
class BucketedRelation:
    """A relation, `schema.name`, with its columns and their types, in their order."""

    schema: str
    name: str
    columns: Mapping[str, str]

    @property
    def has_users(self) -> bool:
        return "user_id" in self.columns

    @property
    def _bucket(self) -> str:
        if not self.has_users:
            return str(NO_USER)
        return f"coalesce(csq_bucket(user_id, {BUCKETS}), {NO_USER})"

    @property
    def _source(self) -> str:
        return f"{quote(self.schema)}.{quote(self.name)}"

    def fingerprints(self, connection: DuckDBPyConnection) -> dict[int, str]:
        """What each bucket that has rows holds, whatever their order: another text where it holds
        something else. A column without values counts for nothing."""
        connection.execute(_MACROS)
        found = connection.execute(
            f"SELECT {self._bucket}, count(*), sum(hash({_hash_of(self.columns)})) "
            f"FROM {self._source} GROUP BY 1 ORDER BY 1"
        ).fetchall()
        return {bucket: f"{rows}:{digest:x}" for bucket, rows, digest in found}

    def write(
        self,
        connection: DuckDBPyConnection,
        buckets: Sequence[int],
        folder: Path,
        *,
        names: Mapping[str, str],
        field_ids: Mapping[str, int] | None = None,
    ) -> dict[int, list[Path]]:
        """Write these buckets as Parquet files into a folder, by one scan; those without rows have no
        file. `names` gives the name of each column in the files; `field_ids` the numbers that Iceberg
        knows them by.
        """
        if not buckets:
            return {}
        connection.execute(_MACROS)
        bucket = _free_name("bucket", names.values())
        selected = ", ".join(f"{quote(column)} AS {quote(name)}" for column, name in names.items())
        ids = ", ".join(f"{quote(name)}: {number}" for name, number in (field_ids or {}).items())
        # A join, because DuckDB would compute the hash once more for a condition.
        connection.execute(
            f"COPY (SELECT * FROM (SELECT {self._bucket} AS {bucket}, {selected} FROM {self._source}) "
            f"SEMI JOIN (SELECT unnest({list(buckets)}) AS {bucket}) USING ({bucket})) "
            f"TO {quote_text(str(folder))} (FORMAT parquet, COMPRESSION zstd, "
            f"PARTITION_BY ({bucket}), OVERWRITE_OR_IGNORE"
            f"{f', FIELD_IDS {{{ids}}}' if ids else ''})"
        )
        files = {one: sorted(folder.glob(f"{bucket}={one}/*.parquet")) for one in buckets}
        return {one: found for one, found in files.items() if found}


def _hash_of(columns: Iterable[str]) -> str:
    """A hash of the row, as a tree of expressions: DuckDB refuses those that are nested deeply."""
    hashes = [
        f"if({quote(column)} IS NULL, 0::UBIGINT, hash({quote_text(column)}, {quote(column)}))"
        for column in columns
    ]
    while len(hashes) > 1:
        pairs = [hashes[place : place + 2] for place in range(0, len(hashes), 2)]
        hashes = [f"xor({', '.join(pair)})" if pair[1:] else pair[0] for pair in pairs]
    return hashes[0]


def _free_name(name: str, taken: Iterable[str]) -> str:
    folded = {one.lower() for one in taken}
    while name in folded:
        name += "_"
    return name
